//! `entitled verify` and `entitled rebuild`.

use clap::Args;
use entitled_model::Position;

use super::say::say;
use super::{CliError, Exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon;
use crate::store::{Access, Fault};

#[derive(Args)]
pub struct Options {
    /// What an earlier `verify` printed, kept where nobody who writes here can reach it: the event there must have that digest
    #[arg(long, value_name = "POSITION:DIGEST", value_parser = anchor)]
    anchor: Option<(Position, String)>,
}

fn anchor(text: &str) -> Result<(Position, String), String> {
    let expected = "expected a position, a colon and 64 hexadecimal digits";
    let (position, digest) = text.trim().split_once(':').ok_or(expected)?;
    let position = position.parse().ok().filter(|position| *position > 0).ok_or(expected)?;
    let is_digest = digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit());
    if is_digest { Ok((Position(position), digest.to_lowercase())) } else { Err(expected.to_owned()) }
}

/// Exits 0 when the log is whole and the tables are what it says, 1 when not.
pub async fn verify(options: &Options, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let store = daemon::open_existing_store(config, clock, Access::ReadWrite).await?;
    daemon::require_schema(&store).await?;
    let mut proof = store.verify().await?;
    if let Some((position, digest)) = &options.anchor
        && store.digest_at(*position).await?.as_ref() != Some(digest)
    {
        proof.faults.push(Fault::Digest { position: *position });
    }
    let digest = store.digest_at(proof.head).await?.unwrap_or_default();
    store.close().await?;
    for fault in &proof.faults {
        say!("fault: {fault}");
    }
    if proof.faults.is_empty() {
        say!("sound: {} events, head at position {}, digest {digest}", proof.events, proof.head);
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
