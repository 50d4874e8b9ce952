//! What a source said, with "empty", "silent" and "failed" kept apart by type.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entitlement::{EntitlementKey, Entitlements};
use crate::identity::{EmailAddress, Facet, GroupId, GroupName, UserId};
use crate::path::{Chain, Through};

/// An answer: known (perhaps to be empty), or given without a word about what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said<T> {
    Known(T),
    Absent,
}

/// The class of a failure, as it stands in outcomes, metrics and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    Timeout,
    Connect,
    #[serde(rename = "http_5xx")]
    Http5xx,
    RateLimited,
    Unauthorized,
    Forbidden,
    Malformed,
    Incomplete,
    /// A user lacks a claim that the question needs; no call was made.
    MissingClaim,
}

impl ErrorClass {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Timeout => "timeout",
            ErrorClass::Connect => "connect",
            ErrorClass::Http5xx => "http_5xx",
            ErrorClass::RateLimited => "rate_limited",
            ErrorClass::Unauthorized => "unauthorized",
            ErrorClass::Forbidden => "forbidden",
            ErrorClass::Malformed => "malformed",
            ErrorClass::Incomplete => "incomplete",
            ErrorClass::MissingClaim => "missing_claim",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A classified failure of a source. Its message names settings and parts of the answer, never a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct Failure {
    pub class: ErrorClass,
    pub message: String,
    /// Whether asking again soon can help; decided where the failure is born.
    pub retry: Retry,
}

/// Whether, and when, the same question is worth asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    Never,
    Soon,
    /// The source named a pause (`Retry-After`).
    After(Duration),
}

impl Failure {
    /// A failure that asking again will not mend.
    #[must_use]
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), retry: Retry::Never }
    }

    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }
}

/// What may be concluded about one user's stored memberships from an answer about that user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// The answer lists all of the user's groups of this source.
    Everything,
    /// The answer speaks only of these facets; groups of others are untouched.
    Facets(BTreeSet<Facet>),
}

impl Coverage {
    /// Whether a stored membership in a group of `facet` (none for a directory's group) may be removed for being unlisted.
    #[must_use]
    pub fn covers(&self, facet: Option<&Facet>) -> bool {
        match self {
            Coverage::Everything => true,
            Coverage::Facets(facets) => facet.is_some_and(|facet| facets.contains(facet)),
        }
    }
}

/// Where a group that a source speaks of comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObservedGroup {
    /// One of the two system groups, by a mapping in the configuration.
    System(SystemGroup),
    /// A directory's group: its name, and the directory's own immutable id where it gives one.
    Directory { name: GroupName, external_id: Option<String> },
    /// The holders of a facet on one resource.
    Resource { name: GroupName, facet: Facet, resource_id: String },
}

impl ObservedGroup {
    /// The name under which the store knows the group.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            ObservedGroup::System(group) => group.name(),
            ObservedGroup::Directory { name, .. } | ObservedGroup::Resource { name, .. } => name.as_str(),
        }
    }

    /// The directory's own immutable id, of a group that came from one.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        match self {
            ObservedGroup::Directory { external_id, .. } => external_id.as_deref(),
            ObservedGroup::System(_) | ObservedGroup::Resource { .. } => None,
        }
    }
}

/// The seeded groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemGroup {
    Admin,
    Everyone,
}

impl SystemGroup {
    pub const ALL: [SystemGroup; 2] = [SystemGroup::Admin, SystemGroup::Everyone];

    #[must_use]
    pub fn id(self) -> GroupId {
        match self {
            SystemGroup::Admin => GroupId::ADMIN,
            SystemGroup::Everyone => GroupId::EVERYONE,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SystemGroup::Admin => "Admin",
            SystemGroup::Everyone => "Everyone",
        }
    }
}

/// What one user's answer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAnswer {
    pub groups: BTreeSet<ObservedGroup>,
    /// Of those of the groups that hold the user through groups within them, the way.
    pub paths: BTreeMap<ObservedGroup, Chain>,
    pub coverage: Coverage,
    pub stated: Stated,
    /// Whether the source knows such a user; one that it does not know has no groups there, and is never created for it.
    pub present: bool,
    /// Set when the answer itself asks to deny a login.
    pub verdict: Option<Verdict>,
    /// The user's account there, from a directory that tells.
    pub account: Option<Account>,
}

/// What an answer states of a user's entitlements, and of which it speaks at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stated {
    /// Nothing: a source without entitlements.
    Nothing,
    /// All of them, but for mapped ones of which the answer said nothing: what is stored of those stays.
    All { entitlements: Entitlements, unsaid: BTreeSet<EntitlementKey> },
    /// These; what is stored of any other stays.
    Only(Entitlements),
}

impl Stated {
    #[must_use]
    pub fn entitlements(&self) -> Option<&Entitlements> {
        match self {
            Stated::Nothing => None,
            Stated::All { entitlements, unsaid: _ } | Stated::Only(entitlements) => Some(entitlements),
        }
    }

    /// Whether what is stored under `key` becomes what is stated, be it nothing.
    #[must_use]
    pub fn speaks_of(&self, key: &str) -> bool {
        match self {
            Stated::Nothing => false,
            Stated::All { unsaid, .. } => !unsaid.contains(key),
            Stated::Only(entitlements) => entitlements.contains_key(key),
        }
    }
}

/// A person's account in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The directory's own immutable id, by which people are joined where both sides have it.
    pub external_id: String,
    /// The first address of the account.
    pub address: EmailAddress,
    /// Its other addresses.
    pub aliases: Vec<EmailAddress>,
    pub standing: Standing,
    /// Whether it may administer the whole directory; none where that was not said.
    pub is_administrator: Option<bool>,
}

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Active,
    Suspended,
}

/// Why a source's answer asks to deny a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The user has groups, and none within the required prefix.
    NotInAllowedGroup,
}

impl Verdict {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::NotInAllowedGroup => "not_in_allowed_group",
        }
    }
}

/// A user who was asked about, with the answer or the failure, and when the question began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedUser {
    pub user: UserId,
    pub began_at: crate::Instant,
    pub completed_at: crate::Instant,
    pub answer: Result<UserAnswer, Failure>,
}

/// What a whole directory said.
///
/// Its list of groups was read to the end: a directory whose list failed is a [`Failure`], not a census.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// People, each once; a member is an index into this list. Somebody in no group stands here for what their account says.
    pub people: Vec<CensusPerson>,
    pub groups: Vec<CensusGroup>,
    /// Why the accounts could not be read; the people then stand here by address alone, and members as they are listed.
    pub accounts_unread: Option<Failure>,
    /// Whether an account was listed that can't be told whose it is: somebody who is not among these may have one all the same.
    pub accounts_unusable: bool,
}

/// Somebody in a census.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CensusPerson {
    /// Has an account in the directory.
    Account(Box<Account>),
    /// Is known there as a member alone: a guest, or anybody where accounts can't be read.
    Member {
        address: EmailAddress,
        /// The directory's immutable id of whom the list of members names.
        external_id: Option<String>,
    },
}

impl CensusPerson {
    #[must_use]
    pub fn address(&self) -> &EmailAddress {
        match self {
            CensusPerson::Account(account) => &account.address,
            CensusPerson::Member { address, .. } => address,
        }
    }

    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        match self {
            CensusPerson::Account(account) => Some(account),
            CensusPerson::Member { .. } => None,
        }
    }
}

/// One group of a census.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusGroup {
    pub group: ObservedGroup,
    /// Indices into [`Census::people`], ascending, each once.
    pub members: Vec<u32>,
    /// How those of them are in it who are not direct members.
    pub through: Through,
    /// Why the members may be more than those read; removals in this group then wait.
    pub incomplete: Option<Failure>,
    /// The directory listed the group and then said that there is none: what the next complete list has to confirm.
    pub went_away: bool,
}

/// What a source said in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    Users(Vec<AskedUser>),
    Census { began_at: crate::Instant, completed_at: crate::Instant, census: Census },
}
