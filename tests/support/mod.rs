//! The ground the tests stand on: a real database of either kind, the simulators, and the real binary.
//!
//! A [`World`] verifies the event log of its store when it is dropped.
#![allow(dead_code, reason = "each test binary uses a part of it")]

mod daemon;
mod database;
pub mod filled;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use entitled::clock::Clock;
use entitled::store::{Access, Store};
use entitled_simulator::{Organisation, Simulator, SimulatorConfig};
use serde_json::Value;

pub use daemon::Daemon;
pub use database::{Database, Kind};

/// How long a test waits for something that must happen before it says that it did not.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The organisation that DeployCenter knows in these tests.
pub const SIRET: &str = "21750001600019";

/// Runs an async test on each kind of store: `on_both_stores! { async fn name(world: World) { ... } }`.
#[macro_export]
macro_rules! on_both_stores {
    ($( $(#[$meta:meta])* async fn $name:ident($world:ident: World) $body:block )+) => { $(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "a short test needs nothing of its file")]
            use super::*;

            async fn test($world: $crate::support::World) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                test($crate::support::World::new($crate::support::Kind::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                test($crate::support::World::new($crate::support::Kind::Postgres).await).await;
            }
        }
    )+ };
}

/// A fresh database, an empty organisation in running simulators, and a configuration for both sources.
pub struct World {
    pub database: Database,
    pub simulator: Simulator,
    folder: tempfile::TempDir,
    /// The configuration's text; change it before running anything.
    pub config: String,
    /// The environment of every process that is started here.
    pub environment: Vec<(String, String)>,
    verify: bool,
}

impl World {
    pub async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::create(kind, folder.path()).await;
        let organisation = Organisation::empty();
        let simulator = Simulator::start(SimulatorConfig { organisation, ..SimulatorConfig::default() });
        let simulator = simulator.await.expect("simulators on loopback");
        simulator.organisation().add_organisation(SIRET, true);
        let key = folder.path().join("key.json");
        std::fs::write(&key, simulator.service_account_key().to_string()).expect("a key file");
        let environment = [("DEPLOYCENTER_TOKEN", simulator.deploycenter_key()), ("ENTITLED_LOGIN_KEY", "login-key")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let config = configuration(&database, &simulator, &key);
        Self { database, simulator, folder, config, environment, verify: true }
    }

    /// What the simulators play.
    pub fn org(&self) -> &entitled_simulator::Handle {
        self.simulator.organisation()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a piece of the configuration; it must be there.
    pub fn configure(&mut self, before: &str, after: &str) -> &mut Self {
        assert!(self.config.contains(before), "the configuration has no {before:?}");
        self.config = self.config.replace(before, after);
        self
    }

    /// Adds to the configuration, at its end.
    pub fn configure_also(&mut self, more: &str) -> &mut Self {
        self.config.push_str(more);
        self
    }

    /// Takes a source out of the configuration.
    pub fn without_source(&mut self, name: &str) -> &mut Self {
        let heading = format!("[sources.{name}]");
        let begin = self.config.find(&heading).unwrap_or_else(|| panic!("no {heading}"));
        let after = begin + heading.len();
        let end = self.config[after..].find("\n[sources.").map_or(self.config.len(), |end| after + end + 1);
        self.config.replace_range(begin..end, "");
        self
    }

    /// For tests that damage the log on purpose.
    pub fn leave_damaged(&mut self) {
        self.verify = false;
    }

    /// Writes the configuration and names its file.
    pub fn config_file(&self) -> PathBuf {
        let file = self.folder.path().join("entitled.toml");
        // A process that was started before may be reading it just now.
        if std::fs::read_to_string(&file).ok().as_ref() != Some(&self.config) {
            std::fs::write(&file, &self.config).expect("a configuration file");
        }
        file
    }

    /// The real binary, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_entitled"));
        command.arg("--config").arg(self.config_file()).args(arguments).current_dir(self.folder.path());
        command.env_remove("SENTRY_DSN").envs(self.environment.iter().cloned()).kill_on_drop(true);
        command
    }

    /// Runs the real binary to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let running = self.command(arguments).output();
        let output = tokio::time::timeout(2 * PATIENCE, running).await.expect("it ends").expect("it starts");
        Ended::from(output)
    }

    /// `sync --output json` with more arguments.
    pub async fn sync(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["sync", "--output", "json"], arguments].concat()).await
    }

    /// Starts the real daemon and waits until it listens.
    pub async fn serve(&self) -> Daemon {
        Daemon::start(self.command(&["serve", "--log-format", "json"])).await
    }

    /// The store, through the library.
    pub async fn store(&self) -> Store {
        self.database.store().await
    }

    /// Reads one number with SQL.
    pub async fn count(&self, sql: &str) -> i64 {
        self.database.count(sql).await
    }

    /// Reads a number until it is the one that must come.
    pub async fn wait_for_count(&self, sql: &str, wanted: i64) {
        let coming = async {
            while self.count(sql).await != wanted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, coming).await.unwrap_or_else(|_| panic!("{sql}: {wanted} was waited for"));
    }

    /// `group name -> addresses`, as `group members` tells them, for one source.
    pub async fn members(&self, group: &str, source: &str) -> Vec<String> {
        let ended = self.run(&["group", "members", group, "--output", "json"]).await;
        if ended.code == 2 {
            return Vec::new();
        }
        let members = ended.json();
        let members = members.as_array().expect("a list").iter().filter(|member| member["source"] == source);
        let mut members: Vec<String> =
            members.map(|member| member["email"].as_str().unwrap_or("-").to_owned()).collect();
        members.sort();
        members
    }

    /// `user show --output json`.
    pub async fn user(&self, user: &str) -> Value {
        let ended = self.run(&["user", "show", user, "--output", "json"]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.json()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.verify {
            return;
        }
        let mut verify = std::process::Command::new(env!("CARGO_BIN_EXE_entitled"));
        verify.arg("--config").arg(self.config_file()).arg("verify").envs(self.environment.iter().cloned());
        let ended = Ended::from(verify.output().expect("it starts"));
        let never_migrated =
            ["the database schema is", "there is no database"].iter().any(|told| ended.stderr.contains(told));
        assert!(ended.code == 0 || never_migrated, "the event log is not sound: {ended:?}");
    }
}

/// A process that ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ended {
    /// The one document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON on stdout ({error}): {self:?}"))
    }

    /// The entry of one source in a sync document.
    pub fn source(&self, name: &str) -> Value {
        let document = self.json();
        let entries = document["sources"].as_array().expect("sources");
        entries.iter().find(|entry| entry["source"] == name).unwrap_or_else(|| panic!("no {name}: {document}")).clone()
    }
}

/// The store through the library, with a clock of the machine.
pub async fn open(url: &str) -> Store {
    Store::open(url, 5, Duration::from_secs(10), Access::ReadWrite, Clock::system()).await.expect("a store")
}

fn configuration(database: &Database, simulator: &Simulator, key: &Path) -> String {
    format!(
        r#"config_version = 1

[database]
url = "{database}"
auto_migrate = true

[http]
listen = "127.0.0.1:0"

[[http.keys]]
name = "login-hook"
secret = {{ env = "ENTITLED_LOGIN_KEY" }}
scopes = ["hook:login"]

[scheduler]
start_jitter = "0s"
grace = "5s"

[sources.deploycenter]
kind = "deploycenter"
base_url = "{deploycenter}"
service_id = 42
token = {{ env = "DEPLOYCENTER_TOKEN" }}
claims = ["siret"]
fallback = "local"
timeout = "2s"
cache_ttl = "5m"
retry = {{ attempts = 1 }}
rate = {{ per_second = 1000, burst = 1000 }}

[[sources.deploycenter.map]]
entitlement = "can_admin_maildomains"
resource_type = "maildomain"
permission = "admin"

[sources.google_sync]
kind = "google_workspace"
subject = "admin@example.com"
credentials = {{ file = "{key}" }}
customer = "my_customer"
api_base = "{google}"
prefix = "grp_acme_"
admin_group = "grp_acme_admin@example.com"
everyone_group = "grp_acme_all@example.com"
timeout = "2s"
cache_ttl = "5m"
retry = {{ attempts = 1 }}
rate = {{ per_second = 1000, burst = 1000 }}
"#,
        database = database.url(),
        deploycenter = simulator.deploycenter_url(),
        key = key.display(),
        google = simulator.base_url(),
    )
}
