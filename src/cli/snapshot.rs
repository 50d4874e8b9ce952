//! `entitled snapshot`: what a source says now, as a file, for rehearsals.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Subcommand;

use super::progress::on_terminal;
use super::say::say;
use super::{CliError, Exit, open, sync};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon;
use crate::source::Registry;
use crate::store::Access;

#[derive(Subcommand)]
pub enum Snapshot {
    /// Ask a source about everything, and write what it says; nothing is stored
    Record {
        /// The source's name
        source: String,
        /// Where to write it; it holds addresses, and only you may read it [default: stdout]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub async fn run(snapshot: Snapshot, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let Snapshot::Record { source, out } = snapshot;
    let registry = Registry::build(config, clock).map_err(daemon::StartError::from)?;
    let source = sync::chosen(&registry, &[source])?.remove(0);
    let store = open(config, clock, Access::ReadOnly).await?;
    let (runner, progress) = (sync::runner(&store, registry, config), on_terminal());
    let recorded = runner.snapshot(&source, &progress, sync::stop_on_signal()?).await;
    progress.finish();
    let recorded = recorded.map_err(|error| CliError::internal("the source was not asked", error))?;
    let snapshot = match recorded {
        Ok(snapshot) => snapshot,
        Err(failure) => {
            eprintln!("error: source {} did not answer: {failure}", source.name);
            return Ok(Exit::Unavailable);
        }
    };
    match out {
        None => say!("{}", snapshot.text()),
        Some(file) => {
            let written = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
            let written = written.and_then(|mut file| writeln!(file, "{}", snapshot.text()));
            written.map_err(|error| CliError::file("written", &file, error))?;
            say!("written: {}", file.display());
        }
    }
    Ok(Exit::Done)
}
