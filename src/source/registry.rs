//! The configured sources, ready to be asked. One line per kind of source.

use std::collections::BTreeMap;
use std::sync::Arc;

use entitled_model::SourceName;

use super::client::Client;
use super::deploycenter::{DeployCenter, Management};
use super::google::GoogleWorkspace;
use super::local::Local;
use super::scim::Scim;
use super::{Asks, EntitlementsBackend, Health, Source};
use crate::clock::Clock;
use crate::config::{
    Config, DeployCenterConfig, Fallback, GoogleWorkspaceConfig, ScimConfig, SourceConfig, SourceKind,
};

/// Every configured source, by name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<SourceName, Arc<Source>>);

/// Why a source can't be made ready.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("sources.{name}: the HTTP client can't be set up")]
    Client { name: String, source: reqwest::Error },
    /// The secret can't be sent, or the key can't sign.
    #[error("sources.{name}.{setting}: {problem}")]
    Secret { name: String, setting: &'static str, problem: &'static str },
}

impl Registry {
    /// Makes every configured source ready; asks none of them.
    ///
    /// # Errors
    /// When a secret is unusable or a client can't be set up.
    pub fn build(config: &Config, clock: &Clock) -> Result<Self, RegistryError> {
        let sources = config.sources.iter().map(|(name, source)| {
            let source = build(name.clone(), source, config, clock)?;
            Ok((name.clone(), Arc::new(source)))
        });
        Ok(Self(sources.collect::<Result<_, _>>()?))
    }

    #[must_use]
    pub fn get(&self, name: &SourceName) -> Option<&Arc<Source>> {
        self.0.get(name)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Source>> {
        self.0.values()
    }
}

impl FromIterator<Source> for Registry {
    /// Sources made by hand, for tests.
    fn from_iter<T: IntoIterator<Item = Source>>(sources: T) -> Self {
        Self(sources.into_iter().map(|source| (source.name.clone(), Arc::new(source))).collect())
    }
}

fn build(name: SourceName, source: &SourceConfig, config: &Config, clock: &Clock) -> Result<Source, RegistryError> {
    let plain = Source {
        kind: source.kind.as_str(),
        asks: Asks::Backend(Arc::new(Local::new(None, Vec::new()))),
        fallback: None,
        settings: source.common.clone(),
        claims: Vec::new(),
        required_claims: Vec::new(),
        map: Vec::new(),
        administrators_are_owners: false,
        health: Health::unguarded(clock),
        name,
    };
    match &source.kind {
        SourceKind::DeployCenter(settings) => deploycenter(plain, settings, config, clock),
        SourceKind::GoogleWorkspace(settings) => google_workspace(plain, settings, clock),
        SourceKind::Scim(settings) => scim(plain, settings, clock),
        SourceKind::Local(settings) => {
            let map = settings.map.clone();
            let backend = Local::new(settings.file.clone(), map.clone());
            Ok(Source { asks: Asks::Backend(Arc::new(backend)), map, ..plain })
        }
    }
}

fn deploycenter(
    plain: Source,
    settings: &DeployCenterConfig,
    config: &Config,
    clock: &Clock,
) -> Result<Source, RegistryError> {
    let name = plain.name.as_str();
    let client = client(&plain, clock)?;
    let health = Health::of(client.gate());
    let map = settings.map.clone();
    let unusable =
        |setting| RegistryError::Secret { name: name.to_owned(), setting, problem: "can't be sent in a header" };
    let mut backend = DeployCenter::new(name, settings, map.clone(), client).map_err(|_| unusable("token"))?;
    if let Some(enumerate) = &settings.enumerate {
        // A circuit of its own: a management API that is out stops no question about a user.
        let client = self::client(&plain, clock)?;
        let management = Management::new(name, settings.service_id, enumerate, map.clone(), client);
        backend = backend.with(management.map_err(|_| unusable("enumerate.operator_key"))?);
    }
    Ok(Source {
        asks: Asks::Backend(Arc::new(backend)),
        fallback: settings.fallback.map(|fallback| fallback_backend(fallback, config)),
        claims: settings.sent_claims().map(str::to_owned).collect(),
        required_claims: settings.required_claims().map(str::to_owned).collect(),
        map,
        health,
        ..plain
    })
}

fn google_workspace(plain: Source, settings: &GoogleWorkspaceConfig, clock: &Clock) -> Result<Source, RegistryError> {
    let name = plain.name.as_str();
    let client = client(&plain, clock)?;
    let health = Health::of(client.gate());
    let source = GoogleWorkspace::new(name, settings, client, clock).map_err(|problem| RegistryError::Secret {
        name: name.to_owned(),
        setting: "credentials",
        problem,
    })?;
    let administrators_are_owners = settings.administrators_are_owners;
    Ok(Source { asks: Asks::Groups(Arc::new(source)), administrators_are_owners, health, ..plain })
}

fn scim(plain: Source, settings: &ScimConfig, clock: &Clock) -> Result<Source, RegistryError> {
    let name = plain.name.as_str();
    let client = client(&plain, clock)?;
    let health = Health::of(client.gate());
    let source = Scim::new(name, settings, client).map_err(|_| RegistryError::Secret {
        name: name.to_owned(),
        setting: "token",
        problem: "can't be sent in a header",
    })?;
    Ok(Source { asks: Asks::Groups(Arc::new(source)), health, ..plain })
}

/// The local backend: with the file of the source named `local`, if there is one.
fn fallback_backend(fallback: Fallback, config: &Config) -> Arc<dyn EntitlementsBackend> {
    let Fallback::Local = fallback;
    let configured = config.sources.values().find_map(|source| match &source.kind {
        SourceKind::Local(settings) if source.name.as_str() == "local" => Some(settings),
        _ => None,
    });
    Arc::new(match configured {
        Some(settings) => Local::new(settings.file.clone(), settings.map.clone()),
        None => Local::new(None, Vec::new()),
    })
}

fn client(source: &Source, clock: &Clock) -> Result<Arc<Client>, RegistryError> {
    let client = Client::new(source.name.as_str(), &source.settings, clock.clone());
    client.map(Arc::new).map_err(|error| RegistryError::Client { name: source.name.to_string(), source: error })
}
