//! The story: seven chapters in their order, before them what is where, and after them the reader's turn.

mod guard;
mod login;
mod outage;
mod ownership;
mod pages;
mod proof;
mod reading;

use entitled_simulator::Person;

use super::cast::COUNCIL;
use super::stage::{BACKEND, DIRECTORY, Stage};
use super::voice::Voice;
use super::watch::StoryError;

/// Plays it to its end.
///
/// # Errors
/// When something does not come out as told, or nobody listens any more.
pub async fn play(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    introduce(stage, voice)?;
    reading::play(stage, voice).await?;
    login::play(stage, voice).await?;
    ownership::play(stage, voice).await?;
    outage::play(stage, voice).await?;
    pages::play(stage, voice).await?;
    guard::play(stage, voice).await?;
    proof::play(stage, voice).await
}

fn introduce(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    voice.title("entitled: who belongs to what, and why")?;
    voice.tell(&format!(
        "entitled keeps one store of memberships true to the systems that decide them. In this demo these are two \
         simulators: {DIRECTORY}, a directory of groups that is read as a whole, and {BACKEND}, a backend that is asked \
         about one person at a time. Both are polled every two seconds. Everything is on loopback and in a temporary \
         folder."
    ))?;
    voice.show([
        format!("login hook     {}", stage.url("/hooks/login")),
        format!("health         {}", stage.url("/api/v1/health")),
        format!("metrics        {}", stage.url("/metrics")),
        format!("OpenAPI        {}", stage.url("/api/openapi.json")),
        format!("simulators     {}/state", stage.control_url()),
        format!("configuration  {}", stage.config_file.display()),
    ])
}

/// Says that it goes on, and what to try.
///
/// # Errors
/// When nobody listens any more.
pub fn hand_over(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    let erin = &stage.cast.erin;
    voice.title("Your turn")?;
    voice.tell("Everything keeps running. Let Erin join the council, and look two seconds later:")?;
    voice.show(council_curl(stage, erin))?;
    voice.show(command(stage, &format!("group members {COUNCIL}")))?;
    voice.tell("Report her login. The answer is what an application would act on:")?;
    voice.show(stage.login_curl(erin))?;
    voice.tell("Take the backend down, report the login again, and bring it back:")?;
    let target = format!("\"target\":{{\"system\":\"{BACKEND}\"}}");
    voice.show(control_curl(stage, "faults", &target, "\"fault\":{\"kind\":\"status\",\"code\":503}"))?;
    voice.show([format!("curl -X DELETE {}/faults", stage.control_url())])?;
    voice.tell("Ask how entitled is, what it knows of Erin, and whether its log is whole:")?;
    voice.show([format!("curl {}", stage.url("/api/v1/health"))])?;
    voice.show(command(stage, &format!("user show {}", erin.email)))?;
    voice.show(command(stage, "verify"))?;
    voice.tell("It keeps running until Ctrl-C, which also removes the temporary folder.")
}

/// Somebody joins the council, as a call of the simulators' control endpoint.
fn council_curl(stage: &Stage, person: &Person) -> [String; 3] {
    let group = format!("\"action\":\"add\",\"group\":\"{COUNCIL}\"");
    control_curl(stage, "memberships", &group, &format!("\"member\":\"{}\"", person.email))
}

/// A call of the simulators' control endpoint, with a body of two parts so that it fits the columns.
fn control_curl(stage: &Stage, path: &str, first: &str, second: &str) -> [String; 3] {
    [format!("curl {}/{path} \\", stage.control_url()), format!("  -d '{{{first},"), format!("       {second}}}'")]
}

/// A command of entitled on the demo's store; the program is named as it was called, so that it can be pasted.
fn command(stage: &Stage, arguments: &str) -> [String; 2] {
    let program = std::env::args().next().unwrap_or_else(|| "entitled".to_owned());
    [format!("{program} --config {} \\", stage.config_file.display()), format!("  {arguments}")]
}

/// `1 group`, `2 groups`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
