//! The configuration: one TOML file, overlaid by the environment, read into values that are valid by construction.
//!
//! May import: the model, std, toml, url, cron, chrono (no clock), secrecy, serde_json. It reads files (the configuration,
//! secrets, key files) and never the process's environment, the clock or the network: the environment is a parameter.
//!
//! Invariant: [`load`] returns either a whole, valid [`Config`] or every problem at once, each with its file and line
//! (or variable), its full key and what is allowed. No secret's value reaches a message, `Debug` or [`show`].

mod address;
mod choice;
mod database;
mod duration;
mod environment;
mod features;
mod field;
mod file;
mod history;
mod hooks;
mod http;
mod identity;
mod log;
mod pattern;
mod problem;
mod reader;
mod scheduler;
mod secret;
mod sentry;
mod server;
mod source;
mod suggest;
#[cfg(test)]
mod tests;
mod tree;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use entitled_model::SourceName;

pub use choice::Choice;
pub use database::DatabaseConfig;
pub use features::FeaturesConfig;
pub use history::HistoryConfig;
pub use hooks::{DeployCenterHookConfig, HooksConfig, LoginHookConfig};
pub use http::{HttpConfig, HttpKey, Scope};
pub use identity::{IdentityConfig, Network, OidcConfig, ProxyConfig};
pub use log::{LogConfig, LogFormat};
pub use problem::{ConfigError, Place, Problem};
pub use scheduler::SchedulerConfig;
pub use secret::{Secret, SecretOrigin};
pub use sentry::SentryConfig;
pub use server::ServerConfig;
pub use source::common::{CommonSource, Rate, Retry, Schedule};
pub use source::deploycenter::{DeployCenterConfig, EnumerateConfig, Fallback, QueryMethod};
pub use source::google_workspace::{Directory, GoogleCredentials, GoogleWorkspaceConfig, Nested, ServiceAccountKey};
pub use source::local::LocalConfig;
pub use source::removal::{GroupRules, RemovalRules};
pub use source::scim::{Paging, ScimConfig};
pub use source::{SourceConfig, SourceKind};

use reader::{Context, Section};
use tree::Node;
use writer::Page;

/// The file that is read when none is named, relative to the working directory.
pub const DEFAULT_FILE: &str = "config/default.toml";

/// The only `config_version` this build reads.
pub const CONFIG_VERSION: i64 = 1;

/// Reads a duration as the configuration writes one: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[must_use]
pub fn duration(text: &str) -> Option<std::time::Duration> {
    duration::parse(text)
}

/// Everything the operator decides, with the defaults filled in. `Config::default()` is what an empty file means.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[database]`: the store.
    pub database: DatabaseConfig,
    /// `[http]`: the listener and its machine callers.
    pub http: HttpConfig,
    /// `[identity]`: how people are recognised.
    pub identity: IdentityConfig,
    /// `[hooks]`: what applications call.
    pub hooks: HooksConfig,
    /// `[features]`: what administrators may do by hand.
    pub features: FeaturesConfig,
    /// `[scheduler]`: when sources run, and how the daemon stops.
    pub scheduler: SchedulerConfig,
    /// `[history]`: how long run records are kept.
    pub history: HistoryConfig,
    /// `[log]`: the daemon's own log, on stderr.
    pub log: LogConfig,
    /// `[sentry]`: error reports.
    pub sentry: SentryConfig,
    /// `[sources.*]` by name. Default: none.
    pub sources: BTreeMap<SourceName, SourceConfig>,
}

/// What [`load`] read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The effective configuration.
    pub config: Config,
    /// What is accepted but deserves the operator's eye, one sentence each, naming the place and the key.
    pub warnings: Vec<String>,
    /// The file that was read; `None` when the built-in defaults stood in for it.
    pub file: Option<PathBuf>,
}

/// Reads `file` (or [`DEFAULT_FILE`] if it exists, else the built-in defaults), overlays `environment` and resolves
/// secrets.
///
/// # Errors
/// Every problem found, together: see [`ConfigError`].
pub fn load(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Loaded, ConfigError> {
    let (mut root, file) = read_root(file)?;
    let context = Context::new(environment);
    environment::overlay(&mut root, environment).into_iter().for_each(|problem| context.push(problem));
    let config = context.read(root, |root| {
        check_version(root, file.is_some());
        Config::read(root)
    });
    let warnings = context.finish()?;
    Ok(Loaded { config, warnings, file })
}

/// The effective configuration as TOML that [`load`] reads back to the same value, under the same environment.
///
/// Secrets appear as `{ env = "NAME" }` or `{ file = "PATH" }`; a password inside a database address, and the key
/// inside a DSN, that were written into the file itself appear as `***`.
#[must_use]
pub fn show(config: &Config) -> String {
    let Config { database, http, identity, hooks, features, scheduler, history, log, sentry, sources } = config;
    let mut page = Page::default();
    page.put("config_version", CONFIG_VERSION);
    database.show(&mut page);
    http.show(&mut page);
    identity.show(&mut page);
    hooks.show(&mut page);
    features.show(&mut page);
    scheduler.show(&mut page);
    history.show(&mut page);
    log.show(&mut page);
    sentry.show(&mut page);
    for source in sources.values() {
        source.show(&mut page);
    }
    page.into_text()
}

/// The commented reference of every setting; as TOML it equals the built-in defaults.
#[must_use]
pub fn reference() -> &'static str {
    include_str!("../config/default.toml")
}

impl Config {
    fn read(root: &mut Section<'_>) -> Self {
        Self {
            database: root.table("database", DatabaseConfig::read),
            http: root.table("http", HttpConfig::read),
            identity: root.table("identity", IdentityConfig::read),
            hooks: root.table("hooks", HooksConfig::read),
            features: root.table("features", FeaturesConfig::read),
            scheduler: root.table("scheduler", SchedulerConfig::read),
            history: root.table("history", HistoryConfig::read),
            log: root.table("log", LogConfig::read),
            sentry: root.table("sentry", SentryConfig::read),
            sources: root.table("sources", source::read_all),
        }
    }
}

impl Default for Config {
    /// The built-in defaults: what an empty file and an empty environment mean.
    fn default() -> Self {
        let environment = BTreeMap::new();
        Context::new(&environment).read(Node::table(Place::BuiltIn), Config::read)
    }
}

fn check_version(root: &mut Section<'_>, from_file: bool) {
    let absent = !root.has("config_version");
    let place = root.place();
    let version = root.key("config_version").integer::<i64>(i64::MIN..=i64::MAX);
    if version.is_some_and(|version| version != CONFIG_VERSION) {
        root.problem("config_version", format!("expected {CONFIG_VERSION}, the only version this build reads"));
    }
    if absent && from_file {
        root.warn(format!("{place}: config_version: missing, read as {CONFIG_VERSION}"));
    }
}

fn read_root(file: Option<&Path>) -> Result<(Node, Option<PathBuf>), ConfigError> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let name: Arc<str> = path.display().to_string().into();
    match file::read_text(path) {
        Ok(text) => Ok((tree::parse_file(&name, &text)?, Some(path.to_owned()))),
        Err(cause) if file.is_none() && cause.kind() == std::io::ErrorKind::NotFound => {
            Ok((Node::table(Place::BuiltIn), None))
        }
        Err(cause) => Err(ConfigError::from(Problem {
            place: Place::File { file: name, line: None },
            key: String::new(),
            message: format!("cannot read the configuration file: {cause}"),
        })),
    }
}
