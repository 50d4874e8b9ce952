//! `entitled verify` and `entitled rebuild`.

use super::say::say;
use super::{CliError, Exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon;
use crate::store::Access;

/// Exits 0 when the log is whole and the tables are what it says, 1 when not.
pub async fn verify(config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let store = daemon::open_existing_store(config, clock, Access::ReadWrite).await?;
    daemon::require_schema(&store).await?;
    let proof = store.verify().await?;
    store.close().await?;
    for fault in &proof.faults {
        say!("fault: {fault}");
    }
    if proof.faults.is_empty() {
        say!("sound: {} events, head at position {}", proof.events, proof.head);
        return Ok(Exit::Done);
    }
    say!("not sound: {} faults in {} events", proof.faults.len(), proof.events);
    Ok(Exit::Unwell)
}

pub async fn rebuild(config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let store = daemon::open_existing_store(config, clock, Access::ReadWrite).await?;
    daemon::require_schema(&store).await?;
    let proof = store.rebuild().await?;
    store.close().await?;
    say!("rebuilt from {} events, head at position {}", proof.events, proof.head);
    Ok(Exit::Done)
}
