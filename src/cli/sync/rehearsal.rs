//! `entitled sync --against FILE`: what if the source said this?

use std::path::Path;

use entitled_model::{RunId, Trigger};
use tokio_util::sync::CancellationToken;

use super::{CliError, Config, Document, Entry, Exit, Options, Order, Registry, chosen, print, runner};
use crate::cli::open;
use crate::clock::Clock;
use crate::reconcile::RehearsalError;
use crate::source::Snapshot;
use crate::store::Access;

/// The largest snapshot, in bytes: a directory of a million memberships takes about a tenth.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

pub async fn run(
    file: &Path,
    options: &Options,
    registry: Registry,
    config: &Config,
    clock: &Clock,
) -> Result<Exit, CliError> {
    let snapshot = Snapshot::read(&bytes(file)?).map_err(|error| unusable(file, &error))?;
    let of = options.sources.first().unwrap_or(&snapshot.source);
    if options.sources.len() > 1 || *of != snapshot.source {
        let message = format!("{} is of source {}, and another was asked for", file.display(), snapshot.source);
        return Err(CliError::usage(message, "leave --source out, or name that one"));
    }
    let source = chosen(&registry, std::slice::from_ref(of))?.remove(0);
    let store = open(config, clock, Access::ReadOnly).await?;
    let runner = runner(&store, registry, config);
    let order = Order::new(clock, Trigger::Manual, CancellationToken::new());
    let run_id: RunId = order.run_id;
    let ended = runner.rehearse_against(&source, &snapshot, &order).await.map_err(|error| match error {
        RehearsalError::Store(error) => error.into(),
        RehearsalError::Snapshot(error) => unusable(file, &error),
    })?;
    let entries = vec![Entry { source: source.name.clone(), ended: Ok(ended) }];
    let document = Document { run_id, dry_run: true, users: Vec::new(), entries };
    print(&document, options.output, &store).await?;
    Ok(document.exit())
}

fn bytes(file: &Path) -> Result<Vec<u8>, CliError> {
    let unreadable = |error| CliError::file("read", file, error);
    if std::fs::metadata(file).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(unreadable(std::io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes"))));
    }
    std::fs::read(file).map_err(unreadable)
}

fn unusable(file: &Path, error: &crate::source::SnapshotError) -> CliError {
    CliError::usage(format!("{}: {error}", file.display()), "entitled snapshot record writes one that can be edited")
}
