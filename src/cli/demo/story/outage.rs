//! Chapter 4: the backend goes down and comes back.

use entitled_simulator::{Fault, System, Target};
use serde::Deserialize;

use super::super::stage::{BACKEND, Stage};
use super::super::voice::Voice;
use super::super::watch::{StoryError, check};

#[derive(Debug, Deserialize)]
struct Health {
    status: String,
}

pub async fn play(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    let ann = &stage.cast.ann;
    voice.title("4. The backend goes down")?;
    voice.tell(&format!(
        "{BACKEND} answers 503 from now on. The next poll fails; that is recorded, counted and reported (to Sentry, where \
         it is configured), and nothing is taken away. Then Ann logs in again."
    ))?;
    let before = stage.memberships(BACKEND).await?;
    stage.upstream().fault(Target::system(System::Deploycenter), Fault::status(503));
    stage.until_run(BACKEND, "a poll that fails with http_5xx", |run| run.failed_as("http_5xx")).await?;
    let health = health(stage).await?;
    check(health.status == "degraded", "the health degraded", &health)?;
    let answer = stage.login(ann).await?;
    voice.show(answer.lines())?;
    check(answer.decision == "allow", "the decision allow", &answer)?;
    check(answer.is(BACKEND, "stale"), "a stale answer of the backend", &answer)?;
    let after = stage.memberships(BACKEND).await?;
    check(after == before && answer.groups_by(BACKEND).count() > 0, "the memberships of before", &(before, after))?;
    voice.proven(
        "The login was answered, with the last known good answer and its age. Health says \"degraded\". A source that \
         is down never removes a membership and never refuses a login.",
    )?;

    stage.upstream().clear_faults();
    stage.until_run(BACKEND, "a poll that succeeds again", |run| run.is_well()).await?;
    let login = async || stage.login(ann).await;
    stage.until("a fresh answer of the backend", login, |answer| answer.is(BACKEND, "fresh")).await?;
    voice.proven("The backend is back; the next poll noticed by itself, and Ann's answer is fresh again.")
}

async fn health(stage: &Stage) -> Result<Health, StoryError> {
    Ok(stage.http.get(stage.url("/api/v1/health")).send().await?.error_for_status()?.json().await?)
}
