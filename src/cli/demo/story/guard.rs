//! Chapter 6: a mass removal is held.

use entitled_model::Outcome;

use super::super::cast::{INTRANET, STAFF, joins, leaves};
use super::super::stage::{DIRECTORY, Stage};
use super::super::voice::Voice;
use super::super::watch::{StoryError, check};

/// How much of a plan's hash is shown.
const HASH_SHOWN: usize = 16;

pub async fn play(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    voice.title("6. A mass removal is held")?;
    voice.tell(&format!(
        "Somebody takes {STAFF} out of {INTRANET} by mistake: one click, and many people lose access. This time the \
         answer is complete and correct; the directory really says so."
    ))?;
    let before = stage.members(INTRANET).await?;
    stage.upstream().apply(&leaves(INTRANET, STAFF))?;
    stage.until_run(DIRECTORY, "a poll that is held", |run| run.is(Outcome::Held)).await?;

    let run = stage.rehearse(DIRECTORY).await?;
    check(run.outcome == Outcome::Held && run.removed_count == 0, "a held plan", &run)?;
    let hash: String = run.plan_hash.iter().flat_map(|hash| hash.chars()).take(HASH_SHOWN).collect();
    voice.show([
        format!("outcome  {} (entitled sync would exit with 4)", run.outcome),
        format!("because  {}", run.held.unwrap_or_default()),
        format!("plan     {hash}..."),
    ])?;
    let after = stage.members(INTRANET).await?;
    check(after == before, &format!("{} members of the intranet's group", before.len()), &after.len())?;
    voice.proven(&format!(
        "All {} members are still there. A run beyond the limits of its guard writes nothing at all; a person has to \
         look first.",
        before.len()
    ))?;

    stage.upstream().apply(&joins(INTRANET, STAFF))?;
    stage.until_run(DIRECTORY, "a poll with nothing to change", |run| run.is(Outcome::Unchanged)).await?;
    let repaired = stage.members(INTRANET).await?;
    check(repaired == before, &format!("{} members of the intranet's group", before.len()), &repaired.len())?;
    voice.proven("The mistake was repaired upstream. The next poll had nothing to do, and nobody noticed a thing.")
}
