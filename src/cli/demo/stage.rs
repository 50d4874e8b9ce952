//! The stage: simulators, a store in a temporary folder, and the daemon, put up together and taken down again.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use entitled_simulator::{Handle, Simulator, SimulatorConfig, StartError};
use tempfile::TempDir;

use super::cast::{self, Cast};
use crate::cli::CliError;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::daemon::{self, Daemon};
use crate::store::{Access, Store};

/// The group source's name.
pub const DIRECTORY: &str = "google_sync";
/// The entitlements backend's name.
pub const BACKEND: &str = "deploycenter";

/// The credential that may report logins.
pub const LOGIN_KEY: &str = "demo-login-key";

/// Where `entitled simulate` and `entitled serve` are found, if nobody else is there.
const SIMULATOR_PORT: u16 = 8421;

/// Everything that runs.
pub struct Stage {
    pub cast: Cast,
    pub store: Store,
    pub daemon: Daemon,
    pub http: reqwest::Client,
    pub config_file: PathBuf,
    simulator: Simulator,
    folder: TempDir,
}

impl Stage {
    /// Starts everything.
    ///
    /// # Errors
    /// When the machine refuses a file, a port or a database.
    pub async fn set(clock: &Clock) -> Result<Self, CliError> {
        let refused = |error| CliError::internal("the sample organisation can't be made", error);
        let (organisation, cast) = cast::organisation().map_err(refused)?;
        let simulator = start_simulator(SimulatorConfig { organisation, ..SimulatorConfig::default() });
        let simulator =
            simulator.await.map_err(|error| CliError::internal("the simulators can't be started", error))?;
        let unwritten = |error| CliError::internal("the temporary folder can't be filled", error);
        let folder = tempfile::Builder::new().prefix("entitled-demo-").tempdir().map_err(unwritten)?;
        let config_file = write_files(folder.path(), &simulator).map_err(unwritten)?;
        // Not even the process's environment counts: a demo is the same everywhere.
        let loaded = config::load(Some(&config_file), &std::collections::BTreeMap::new()).map_err(CliError::config)?;
        let store = daemon::open_store(&loaded.config, clock, Access::ReadWrite).await?;
        daemon::prepare_store(&store, &loaded.config).await?;
        let daemon = start_daemon(loaded.config, &store).await?;
        let http = reqwest::Client::new();
        Ok(Self { cast, store, daemon, http, config_file, simulator, folder })
    }

    /// What the simulators say, to be changed.
    pub fn upstream(&self) -> &Handle {
        self.simulator.organisation()
    }

    pub fn control_url(&self) -> String {
        self.simulator.control_url()
    }

    /// An address of the daemon.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.daemon.address())
    }

    /// Stops everything and removes the folder.
    ///
    /// # Errors
    /// When the folder could not be removed.
    pub async fn clear(self) -> std::io::Result<()> {
        let Self { store, daemon, http, simulator, folder, .. } = self;
        drop((store, http));
        daemon.shutdown().await;
        simulator.shutdown().await;
        folder.close()
    }
}

async fn start_simulator(config: SimulatorConfig) -> Result<Simulator, StartError> {
    match Simulator::start(SimulatorConfig { port: SIMULATOR_PORT, ..config.clone() }).await {
        Err(StartError::Listen { .. }) => Simulator::start(SimulatorConfig { port: 0, ..config }).await,
        started => started,
    }
}

async fn start_daemon(mut config: Config, store: &Store) -> Result<Daemon, daemon::StartError> {
    match Daemon::start(&config, store.clone()).await {
        Err(daemon::StartError::Listen { .. }) => {
            config.http.listen.set_port(0);
            Daemon::start(&config, store.clone()).await
        }
        started => started,
    }
}

/// Writes the configuration and the secrets that it names; returns the configuration's path.
fn write_files(folder: &Path, simulator: &Simulator) -> std::io::Result<PathBuf> {
    let file = |name: &str| folder.join(name);
    std::fs::write(file("service-account.json"), simulator.service_account_key().to_string())?;
    std::fs::write(file("deploycenter.key"), simulator.deploycenter_key())?;
    std::fs::write(file("login.key"), LOGIN_KEY)?;
    let config = file("entitled.toml");
    std::fs::write(&config, configuration(folder, simulator))?;
    Ok(config)
}

fn configuration(folder: &Path, simulator: &Simulator) -> String {
    let file = |name: &str| quoted(folder.join(name).display());
    format!(
        r#"# The configuration of a running `entitled demo`.
config_version = 1

[database]
url = {database}

[http]
listen = "127.0.0.1:8420"

[[http.keys]]
name = "login-hook"
secret = {{ file = {login_key} }}
scopes = ["hook:login"]

[hooks.login]
deadline = "5s"

[scheduler]
start_jitter = "0s"
grace = "3s"

[log]
level = "warn"

[sources.{BACKEND}]
kind = "deploycenter"
base_url = {deploycenter}
service_id = 42
token = {{ file = {deploycenter_key} }}
claims = ["siret"]
fallback = "local"
schedule = "*/2 * * * * *"
timeout = "5s"
cache_ttl = "0s"
retry = {{ attempts = 1 }}

[[sources.{BACKEND}.map]]
entitlement = "can_admin_maildomains"
resource_type = "maildomain"
permission = "admin"

[sources.{DIRECTORY}]
kind = "google_workspace"
subject = "admin@example.com"
credentials = {{ file = {service_account} }}
customer = "my_customer"
api_base = {google}
prefix = "grp_acme_"
admin_group = "grp_acme_admin@example.com"
everyone_group = "{everybody}"
schedule = "*/2 * * * * *"
timeout = "5s"
cache_ttl = "0s"
retry = {{ attempts = 1 }}
rate = {{ per_second = 1000, burst = 1000 }}
"#,
        database = quoted(format_args!("sqlite://{}", folder.join("entitled.db").display())),
        login_key = file("login.key"),
        deploycenter = quoted(simulator.deploycenter_url()),
        deploycenter_key = file("deploycenter.key"),
        service_account = file("service-account.json"),
        google = quoted(simulator.base_url()),
        everybody = cast::EVERYBODY,
    )
}

/// As a TOML string.
fn quoted(text: impl Display) -> toml::Value {
    toml::Value::String(text.to_string())
}
