//! The group source that speaks Google Workspace's language (Directory API v1).
//!
//! One user's groups and the whole directory are read by different calls and by one rule: nested groups are expanded from
//! direct lists (or not at all), then [`scope`] decides which groups count. Lists count as read only when their last page
//! was reached, no page token came twice, and the number of members is the one the directory states.
//!
//! [`token`] (who asks) → [`directory`] (pages) → [`lookup`] (one user) or [`census`] (everybody). Imports the client,
//! config and the model.

mod census;
#[cfg(any(test, feature = "fuzzing"))]
mod decoders;
mod directory;
mod lookup;
mod scope;
mod signer;
#[cfg(test)]
mod tests;
mod token;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use entitled_model::Failure;
use entitled_model::observation::{Account, Census, UserAnswer};

use super::client::Client;
use super::{GroupSource, Person, Progress, Right, Urgency};
use crate::clock::Clock;
use crate::config::{self, GoogleWorkspaceConfig, Nested};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use decoders::DECODERS;
use directory::Directory;
use scope::Scope;
use signer::Signer;
use token::Tokens;

pub(super) struct GoogleWorkspace {
    directory: Directory,
    scope: Scope,
    nested: Nested,
    /// Domains in which everybody has an account, in lower case: the subject's, and the one that is listed.
    own_domains: BTreeSet<String>,
    /// Whether it is told who administers the directory; and the domain whose accounts alone are listed.
    administrators: bool,
    listed_domain: Option<String>,
    /// Lists read at once.
    concurrency: usize,
}

impl GoogleWorkspace {
    /// # Errors
    /// When the service account's key can't sign.
    pub fn new(
        name: &str,
        settings: &GoogleWorkspaceConfig,
        client: Arc<Client>,
        clock: &Clock,
    ) -> Result<Self, &'static str> {
        let signer = Signer::new(name, settings, client.transport())?;
        let tokens = Tokens::new(name, settings, signer, client.transport(), clock.clone());
        Ok(Self {
            directory: Directory::new(name, settings, client, tokens),
            scope: Scope::new(settings),
            nested: settings.nested,
            own_domains: own_domains(settings),
            administrators: settings.administrators_are_owners,
            listed_domain: listed_domain(settings),
            concurrency: settings.concurrency.max(1),
        })
    }

    /// Somebody's account, in the model's words. Of whom a full read would not list, it says nothing that only a full read
    /// takes back.
    fn account(&self, user: wire::User) -> Option<Account> {
        let mut account = user.account()?;
        let is_listed = |domain: &String| account.address.domain().to_lowercase() == *domain;
        if !self.administrators || !self.listed_domain.as_ref().is_none_or(is_listed) {
            account.is_administrator = None;
        }
        Some(account)
    }
}

fn own_domains(settings: &GoogleWorkspaceConfig) -> BTreeSet<String> {
    let subject = settings.subject.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
    subject.into_iter().chain(listed_domain(settings)).collect()
}

fn listed_domain(settings: &GoogleWorkspaceConfig) -> Option<String> {
    match &settings.directory {
        config::Directory::Customer(_) => None,
        config::Directory::Domain(domain) => Some(domain.clone()),
    }
}

#[async_trait]
impl GroupSource for GoogleWorkspace {
    async fn groups_of(&self, person: &Person, urgency: Urgency) -> Result<UserAnswer, Failure> {
        lookup::groups_of(self, person, urgency).await
    }

    async fn census(&self, progress: &dyn Progress) -> Result<Census, Failure> {
        census::take(self, progress).await
    }

    async fn rights(&self) -> Vec<Right> {
        self.directory.rights().await
    }
}
