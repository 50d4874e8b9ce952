//! The edge towards the systems that decide who belongs to what: asked in their own words, answering in the model's.
//!
//! May import: std, the model, config, clock, reqwest and what stands around it. Never the store, never the wall clock.
//!
//! Two traits: an [`EntitlementsBackend`] answers for one user, a [`GroupSource`] for one user or for all. An answer is a
//! value or a classified [`Failure`], so that "empty" and "failed" can't be confused. Adding a kind of source is one file
//! and one line in [`registry`].
//!
//! Invariant: no address, `sub`, claim, key, query or body of an answer stands in a [`Failure`] or a log line.

mod answer;
mod client;
#[cfg(any(test, feature = "fuzzing"))]
mod decoders;
mod deploycenter;
mod google;
mod health;
mod local;
mod registry;
mod scim;
mod snapshot;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use entitled_model::enumeration::Enumerated;
use entitled_model::observation::{Census, UserAnswer};
use entitled_model::{EmailAddress, Failure, MapRule, SourceName, Subject, UserId};

use crate::config::CommonSource;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use decoders::DECODERS;
pub use health::{Health, HealthReading, Limit};
pub use registry::{Registry, RegistryError};
pub use snapshot::{Snapshot, SnapshotError};

/// A person as a source is asked about them.
#[derive(Clone)]
pub struct Person {
    pub user: UserId,
    /// The address of the latest login, as given.
    pub email: Option<EmailAddress>,
    pub sub: Option<Subject>,
    /// The id of the account that the asked source is known to have of them.
    pub external_id: Option<String>,
    /// The persisted claims; each source picks those that its settings name.
    pub claims: BTreeMap<String, serde_json::Value>,
}

/// Shows the id only.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Who waits for an answer. It decides the order of questions, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits: a login, an operator's one-shot about some users.
    Awaited,
    /// Polling: it stands back while awaited questions are paced.
    Background,
}

/// Answers for one user: what they are entitled to.
#[async_trait]
pub trait EntitlementsBackend: Send + Sync {
    /// Asks about one person, without any cache.
    ///
    /// # Errors
    /// A classified failure; it concludes nothing.
    async fn answer(&self, person: &Person, urgency: Urgency) -> Result<UserAnswer, Failure>;

    /// How many people can be asked about in a few calls, where that can be done.
    fn enumerator(&self) -> Option<&dyn Enumerator> {
        None
    }
}

/// Derives the mapped entitlements of many people from a few lists, and says nothing of any other.
#[async_trait]
pub trait Enumerator: Send + Sync {
    /// How many people are asked about one by one in each run, to compare.
    fn sample(&self) -> usize;

    /// Reads the lists to their end, in the background.
    ///
    /// # Errors
    /// A classified failure when a list could not be read whole; nothing is derived then.
    async fn enumerate(&self, people: &[Person]) -> Result<Enumerated, Failure>;
}

/// Answers for one user or for all: who is in which group.
#[async_trait]
pub trait GroupSource: Send + Sync {
    /// Asks for one person's groups, without any cache.
    ///
    /// # Errors
    /// A classified failure; it concludes nothing.
    async fn groups_of(&self, person: &Person, urgency: Urgency) -> Result<UserAnswer, Failure>;

    /// Reads the whole directory, telling `progress` how far it is.
    ///
    /// # Errors
    /// A classified failure when the list of groups could not be read to its end, or most groups could not be read. A
    /// single group that could not be read is marked in the census instead.
    async fn census(&self, progress: &dyn Progress) -> Result<Census, Failure>;

    /// Tries each right that the credential needs, for whoever looks for the missing one. Without such rights: nothing.
    async fn rights(&self) -> Vec<Right> {
        Vec::new()
    }
}

/// A right that a credential needs, and whether it has it.
pub struct Right {
    /// What it opens: `groups`, `members`, `users`.
    pub opens: &'static str,
    pub tried: Result<(), Failure>,
    /// What an operator does about a right that is missing; `None` when it failed for another reason.
    pub remedy: Option<String>,
}

/// Is told how far a long reading is.
pub trait Progress: Send + Sync {
    /// `done` of `expected` (where that is known) of `what`: `pages of groups`, then `groups`.
    fn pages(&self, what: &str, done: u64, expected: Option<u64>);
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn pages(&self, _what: &str, _done: u64, _expected: Option<u64>) {}
}

/// What can be asked of a source.
#[derive(Clone)]
pub enum Asks {
    Backend(Arc<dyn EntitlementsBackend>),
    Groups(Arc<dyn GroupSource>),
}

impl Asks {
    /// Whether the source can only be asked about one user at a time.
    #[must_use]
    pub fn one_by_one(&self) -> bool {
        match self {
            Asks::Backend(_) => true,
            Asks::Groups(_) => false,
        }
    }
}

/// One configured source.
#[derive(Clone)]
pub struct Source {
    pub name: SourceName,
    /// The word of the configuration: `deploycenter`, `local`, `google_workspace`, `scim`.
    pub kind: &'static str,
    pub asks: Asks,
    /// Answers when the source is unavailable and nothing is stored; its answer is never stored.
    pub fallback: Option<Arc<dyn EntitlementsBackend>>,
    pub settings: CommonSource,
    /// The claims of a login that are persisted for this source and sent to it.
    pub claims: Vec<String>,
    /// Those of [`Source::claims`] without which it is not asked.
    pub required_claims: Vec<String>,
    pub map: Vec<MapRule>,
    /// Whether the directory's administrators are owners here.
    pub administrators_are_owners: bool,
    /// How the source has been doing in this process.
    pub health: Health,
}
