//! Chapter 7: the store proves itself.

use std::collections::BTreeSet;

use entitled_model::Position;

use super::super::stage::Stage;
use super::super::voice::Voice;
use super::super::watch::{StoryError, check};

pub async fn play(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    voice.title("7. The store proves itself")?;
    voice.tell(
        "Every change is an event: numbered without a gap, chained by hashes, refused by the database if somebody tries to \
         alter it. \"entitled verify\" reads the whole log, replays it beside the tables, and compares.",
    )?;
    let proof = stage.store.verify().await?;
    check(proof.faults.is_empty() && proof.events > 0, "a sound log", &proof)?;
    check(u64::try_from(proof.head.0).ok() == Some(proof.events), "as many events as positions", &proof)?;
    let runs = stage.store.run_count().await?;
    let events = stage.store.events_after(Position(0)).await?;
    let wrote: BTreeSet<_> = events.iter().filter_map(|event| event.recorded.cause.run_id.map(|id| id.0)).collect();
    check((wrote.len() as u64) * 2 < runs, "runs of which most wrote no event", &(runs, &wrote))?;
    voice.show([format!("sound: {} events, head at position {}", proof.events, proof.head)])?;
    voice.proven(&format!(
        "The log is whole, and the tables are what it says. Of {runs} runs on record, {} wrote events: as long as nothing \
         changes, polling leaves no trace in the log.",
        wrote.len(),
    ))
}
