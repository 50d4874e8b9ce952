//! `entitled serve`: the daemon, until a signal.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{self, Daemon};
use crate::store::Access;

pub async fn run(config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let mut signals = Signals::listen()?;
    let store = daemon::open_store(config, clock, Access::ReadWrite).await?;
    daemon::prepare_store(&store, config).await?;
    let configured = config.sources.keys().cloned().collect();
    for source in store.orphaned_sources(store.reader(), &configured).await? {
        tracing::warn!(%source, "a source is no longer configured, and what it said still stands");
    }
    let daemon = Daemon::start(config, store).await?;
    signals.next().await;
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        () = daemon.shutdown() => {}
        () = signals.next() => tracing::warn!("stopped at once"),
    }
    Ok(Exit::Done)
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(|error| CliError::internal("signals can't be listened to", error));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
