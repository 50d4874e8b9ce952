//! `entitled serve`: the daemon, until a signal.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Exit};
use crate::admin::{Admin, AdminError, Granted};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{self, Daemon};
use crate::store::{Access, Store};

pub async fn run(config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let mut signals = Signals::listen()?;
    let store = daemon::open_store(config, clock, Access::ReadWrite).await?;
    daemon::prepare_store(&store, config).await?;
    seed(&store, config).await?;
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

/// Names the first administrator, where there may be none who could.
const SEED_VARIABLE: &str = "ENTITLED_SEED_ADMIN_EMAIL";

/// Seeds the first administrator that the environment names. One who was shut out since is no reason not to serve.
async fn seed(store: &Store, config: &Config) -> Result<(), CliError> {
    let Some(given) = std::env::var_os(SEED_VARIABLE).filter(|given| !given.is_empty()) else { return Ok(()) };
    let features = Arc::new(config.features.clone());
    let admin =
        Admin { store: store.clone(), features, actor: "system".to_owned(), correlation_id: None, person: None };
    match admin.seed_administrator(&given.to_string_lossy()).await {
        Ok(Granted::Now) => tracing::info!("the first administrator was seeded"),
        Ok(Granted::Already) => {}
        Err(AdminError::Store(error)) => return Err(error.into()),
        Err(AdminError::Name(error)) => {
            return Err(CliError::usage(format!("{SEED_VARIABLE}: {error}"), "give it an e-mail address, or unset it"));
        }
        Err(error) => tracing::error!(detail = %error, "the first administrator was not seeded"),
    }
    Ok(())
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
