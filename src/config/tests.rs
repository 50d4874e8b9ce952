//! What the contract says about the configuration, by whole files and environments.

mod contract;
mod enumerate;
mod environment;
mod problems;
mod secrets;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use entitled_model::SourceName;

use super::{Config, ConfigError, Loaded, SourceConfig, load};

const KEY_JSON: &str = r#"{"type": "service_account", "client_email": "sync@project.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleQ==\n-----END PRIVATE KEY-----\n",
    "private_key_id": "k1", "token_uri": "https://oauth2.googleapis.com/token"}"#;

const SOURCE: &str = r#"
config_version = 1
[sources.dc]
kind = "deploycenter"
base_url = "https://deploycenter.example/api/v1.0/entitlements/"
service_id = 42
token = { env = "DC_TOKEN" }
"#;

/// A folder with a configuration, and the environment it is read in.
struct Deployment {
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

impl Deployment {
    fn of(text: &str) -> Self {
        let deployment = Self { folder: TempDir::new().unwrap(), environment: BTreeMap::new() };
        deployment.write("config.toml", text);
        deployment
    }

    fn with(mut self, variable: &str, text: &str) -> Self {
        self.environment.insert(variable.into(), text.into());
        self
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        load(Some(&self.file()), &self.environment)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }
}

fn loaded(text: &str) -> Loaded {
    Deployment::of(text).load().unwrap()
}

/// `key: message` of each problem.
fn problems(deployment: &Deployment) -> Vec<String> {
    let error = deployment.load().unwrap_err();
    error.problems().iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
}

/// The only problem of a text.
fn problem(text: &str) -> String {
    let deployment = Deployment::of(text).with("DC_TOKEN", "t0ken");
    let mut problems = problems(&deployment);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

/// A valid source with more lines.
fn source(lines: &str) -> String {
    format!("{SOURCE}{lines}")
}

fn source_of<'c>(config: &'c Config, name: &str) -> &'c SourceConfig {
    &config.sources[&SourceName::configured(name).unwrap()]
}

/// `path` as a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}
