//! The daemon: store, sources, scheduler and HTTP, started together and stopped within the grace period.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Asker;
use crate::access_log::AccessLog;
use crate::admin::Admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::hints::Hints;
use crate::history::{Follower, History, Rules};
use crate::http::{self, Keys, Parts, Proxy, Service};
use crate::login::Logins;
use crate::metrics::Metrics;
use crate::oidc::Verifier;
use crate::report::Reports;
use crate::runner::Runner;
use crate::scheduler::Scheduler;
use crate::source::{Registry, RegistryError};
use crate::store::{Access, Database, SchemaState, Store, StoreError};

/// Why the daemon, or a one-shot on the same ground, can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Mended by the operator: the help says how.
    #[error("the database schema is {state}")]
    Schema { state: String, help: &'static str },
    #[error(transparent)]
    Sources(#[from] RegistryError),
    #[error("can't listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
}

/// Opens the configured store.
///
/// # Errors
/// When it can't be reached.
pub async fn open_store(config: &Config, clock: &Clock, access: Access) -> Result<Store, StoreError> {
    let database = &config.database;
    let (connections, timeout) = (database.max_connections, database.connect_timeout);
    let store = Store::open(database.url.expose(), connections, timeout, access, clock.clone()).await?;
    let mapped = config.sources.values().any(|source| source.kind.decides_everyone());
    Ok(store.with_everyone_seeded(!mapped))
}

/// Whether the configured database is a file that is not there.
#[must_use]
pub fn is_missing(config: &Config) -> bool {
    Store::file_of(config.database.url.expose()).is_some_and(|file| !file.exists())
}

/// Opens the configured store for a command that has nothing to do with an empty one: a missing file is not made.
///
/// # Errors
/// When it is not there, or can't be reached.
pub async fn open_existing_store(config: &Config, clock: &Clock, access: Access) -> Result<Store, StoreError> {
    if is_missing(config) {
        return Err(StoreError::Missing { address: config.database.redacted() });
    }
    open_store(config, clock, access).await
}

/// Brings the schema to what this program expects, where it may, and makes the configured sources known.
///
/// # Errors
/// When the schema is another and may not be changed here, or the database refuses.
pub async fn prepare_store(store: &Store, config: &Config) -> Result<(), StartError> {
    let may_migrate = match store.database() {
        Database::Sqlite => config.database.auto_migrate != Some(false),
        Database::Postgres => config.database.auto_migrate == Some(true),
    };
    if may_migrate {
        let applied = store.migrate_up().await?;
        if !applied.is_empty() {
            tracing::info!(steps = applied.len(), "schema migrated");
        }
    }
    require_schema(store).await?;
    store.seed_system_groups().await?;
    store.register_sources(config.sources.keys().cloned()).await?;
    Ok(())
}

/// Refuses a schema that this program does not expect.
///
/// # Errors
/// When it is another, or the database does not answer.
pub async fn require_schema(store: &Store) -> Result<(), StartError> {
    let SchemaState::Mismatch { current, expected } = store.schema_state().await? else { return Ok(()) };
    let current = current.unwrap_or_else(|| "empty".to_owned());
    let newer = current > expected && current != "empty";
    let state = format!("{current}, and this version of entitled expects {expected}");
    let help =
        if newer { "run the version of entitled that made it, or a newer one" } else { "run: entitled migrate up" };
    Err(StartError::Schema { state, help })
}

/// A running daemon.
pub struct Daemon {
    address: SocketAddr,
    runner: Runner,
    stop: CancellationToken,
    tasks: TaskTracker,
    grace: Duration,
}

impl Daemon {
    /// Starts everything; the store must have been prepared.
    ///
    /// # Errors
    /// When a source can't be made ready or the address is taken.
    pub async fn start(config: &Config, store: Store) -> Result<Self, StartError> {
        let registry = Arc::new(Registry::build(config, store.clock())?);
        let metrics = Arc::new(Metrics::default());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let runner = Runner {
            store: store.clone(),
            registry: Arc::clone(&registry),
            reports: Arc::new(Reports::new(Arc::clone(&metrics))),
            provisioned_types: Arc::new(config.http.provisioned_types()),
            lease_period: config.scheduler.lease,
        };
        let hook = &config.hooks.login;
        let logins = Logins::new(runner.clone(), hook.deadline, hook.enforce_can_access, tasks.clone(), stop.clone());
        let settle = config.hooks.deploycenter.settle;
        let hinted = registry.iter().filter(|source| source.kind == "deploycenter");
        let hints = hinted.map(|source| {
            let (hints, following) = Hints::follow(runner.clone(), Arc::clone(source), settle, stop.clone());
            tasks.spawn(following);
            hints
        });
        let hints = Arc::new(hints.collect());
        let (access_log, writing) = AccessLog::open(store.clone(), Arc::clone(&metrics), stop.clone());
        tasks.spawn(writing);
        let service = Service::from(Parts {
            asker: Asker::new(store.clone()),
            history: Arc::new(History { store: store.clone(), rules: Arc::new(Rules::of(config)) }),
            follower: Arc::new(Follower::new(store.clone(), stop.clone())),
            store: store.clone(),
            hints,
            settle,
            registry,
            logins: Arc::new(logins),
            metrics,
            reports: Arc::clone(&runner.reports),
            keys: Arc::new(Keys::new(&config.http.keys)),
            default_role: config.identity.default_role,
            proxy: Arc::new(Proxy::new(&config.identity.proxy)),
            oidc: config.identity.oidc.as_ref().map(|oidc| Arc::new(Verifier::new(oidc, store.clock().clone()))),
            access_log,
            failures: Arc::default(),
            refusals: Arc::default(),
            features: Arc::new(config.features.clone()),
            public_url: config.http.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            request_timeout: config.http.request_timeout,
            tasks: tasks.clone(),
        });
        let address = config.http.listen;
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        tasks.spawn(http::serve(listener, http::router(service, &config.http), stop.clone()));
        let scheduler = Scheduler {
            runner: runner.clone(),
            admin: Admin {
                store: runner.store.clone(),
                features: Arc::new(config.features.clone()),
                actor: "system".to_owned(),
                correlation_id: None,
                person: None,
            },
            settings: config.scheduler.clone(),
            history: config.history.clone(),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        scheduler.start();
        tracing::info!(%address, sources = config.sources.len(), "listening");
        Ok(Self { address, runner, stop, tasks, grace: config.scheduler.grace })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What runs the sources.
    #[must_use]
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// Stops taking work, finishes what is being committed, and gives up on the rest when the grace period is over.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        let clock = self.runner.store.clock().clone();
        let stopped = async {
            self.tasks.wait().await;
            // Waits for the connections that are in use, and so belongs to the grace period too.
            if let Err(error) = self.runner.store.close().await {
                tracing::warn!(detail = crate::report::chain(&error), "the store was not closed");
            }
        };
        tokio::select! {
            () = stopped => tracing::info!("stopped"),
            () = clock.sleep(self.grace) => {
                tracing::warn!(tasks = self.tasks.len(), "the grace period is over; what was in flight is rolled back");
            }
        }
    }
}
