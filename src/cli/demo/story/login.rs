//! Chapter 2: somebody logs in.

use super::super::stage::{BACKEND, DIRECTORY, Stage};
use super::super::voice::Voice;
use super::super::watch::{StoryError, check};

pub async fn play(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    let ann = &stage.cast.ann;
    voice.title("2. Ann logs in")?;
    voice.tell(
        "An application reports the login to the hook. entitled asks every source about Ann now, within a deadline, and \
         answers with what it knows. This is the call, to be pasted while the demo runs:",
    )?;
    voice.show(stage.login_curl(ann))?;
    let answer = stage.login(ann).await?;
    voice.tell("And this is the answer, in short:")?;
    voice.show(answer.lines())?;
    check(answer.decision == "allow", "the decision allow", &answer)?;
    check(answer.is(BACKEND, "fresh") && answer.is(DIRECTORY, "fresh"), "fresh answers of both sources", &answer)?;
    let domains: Vec<_> = answer.groups_by(BACKEND).filter(|group| group.starts_with("maildomain:")).collect();
    check(!domains.is_empty(), "memberships by the mail domains she administers", &answer)?;
    let stored = stage.members(domains[0]).await?;
    check(stored.contains(&(ann.email.clone(), BACKEND.to_owned())), "the same in the store", &stored)?;
    voice.proven(
        "Each mail domain that the backend lists for Ann became a membership of a group named after it. From now on \
         the schedule asks about her too.",
    )
}
