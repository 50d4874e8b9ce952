//! A snapshot: what a source said, as a file that a person can read and edit. Imports the model.
//!
//! It holds addresses, and stays with whoever made it. Reading it again concludes nothing that it does not say: a list that
//! is missing is an error, not an empty one.

mod read;

use std::collections::BTreeMap;

use entitled_model::instant::written;
use entitled_model::observation::{
    Account, Census, CensusGroup, CensusPerson, Coverage, ObservedGroup, Standing, Stated,
};
use entitled_model::{ErrorClass, Failure, Instant, SourceName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::UserAnswer;
use crate::json;

pub use read::SnapshotError;

/// The version of the form.
const VERSION: u32 = 1;

/// What a source said, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    snapshot_version: u32,
    /// The source's name in the configuration.
    pub source: String,
    /// When it was complete: RFC 3339, UTC.
    recorded_at: String,
    /// Of a backend: each user who was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::objects_or_none")]
    users: Option<Vec<UserEntry>>,
    /// Of a directory: everybody in it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::objects_or_none")]
    people: Option<Vec<PersonEntry>>,
    /// Of a directory: every group that counts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::objects_or_none")]
    groups: Option<Vec<GroupEntry>>,
    /// Why the accounts could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accounts_error: Option<FailureEntry>,
    /// Whether an account was listed that can't be told whose it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accounts_unusable: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    /// An id or an address.
    user: String,
    #[serde(default, skip_serializing_if = "Statement::is_missing")]
    said: Statement,
    /// The user's groups, from a backend that lists them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<FailureEntry>,
}

/// The entitlements that were stated; null for somebody whom the source does not know.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Option<BTreeMap<String, Value>>", into = "Option<BTreeMap<String, Value>>")]
enum Statement {
    #[default]
    Missing,
    Nobody,
    Said(BTreeMap<String, Value>),
}

impl Statement {
    fn is_missing(&self) -> bool {
        *self == Statement::Missing
    }
}

impl From<Option<BTreeMap<String, Value>>> for Statement {
    fn from(said: Option<BTreeMap<String, Value>>) -> Self {
        said.map_or(Statement::Nobody, Statement::Said)
    }
}

impl From<Statement> for Option<BTreeMap<String, Value>> {
    fn from(statement: Statement) -> Self {
        match statement {
            Statement::Said(said) => Some(said),
            Statement::Missing | Statement::Nobody => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonEntry {
    address: String,
    /// The directory's own immutable id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Whether it is an account of the directory; otherwise somebody who is only named as a member.
    account: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    suspended: bool,
    /// Whether it may administer the directory, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    administrator: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupEntry {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Whether it is `Admin` or `Everyone`, by a mapping in the configuration.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    system: bool,
    /// Addresses; nested groups are expanded.
    members: Vec<String>,
    /// Why the members may be more than these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<FailureEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailureEntry {
    class: ErrorClass,
    message: String,
}

impl From<&Failure> for FailureEntry {
    fn from(failure: &Failure) -> Self {
        Self { class: failure.class, message: failure.message.clone() }
    }
}

impl From<&FailureEntry> for Failure {
    fn from(entry: &FailureEntry) -> Self {
        Failure::new(entry.class, entry.message.clone())
    }
}

impl Snapshot {
    /// What a directory said.
    #[must_use]
    pub fn of_census(source: &SourceName, at: Instant, census: &Census) -> Self {
        Self {
            people: Some(census.people.iter().map(person).collect()),
            groups: Some(census.groups.iter().map(|group| group_entry(group, &census.people)).collect()),
            accounts_error: census.accounts_unread.as_ref().map(FailureEntry::from),
            accounts_unusable: census.accounts_unusable,
            ..Self::empty(source, at)
        }
    }

    /// What a backend said about each user, by id.
    #[must_use]
    pub fn of_users(source: &SourceName, at: Instant, answers: &[(String, Result<UserAnswer, Failure>)]) -> Self {
        let users = answers.iter().map(|(user, answer)| user_entry(user.clone(), answer)).collect();
        Self { users: Some(users), ..Self::empty(source, at) }
    }

    fn empty(source: &SourceName, at: Instant) -> Self {
        Self {
            snapshot_version: VERSION,
            source: source.to_string(),
            recorded_at: written(at),
            users: None,
            people: None,
            groups: None,
            accounts_error: None,
            accounts_unusable: false,
        }
    }

    /// The file's text: JSON.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("invariant: a snapshot has string keys and plain values")
    }
}

fn person(person: &CensusPerson) -> PersonEntry {
    let text = |address: &entitled_model::EmailAddress| address.as_given().to_owned();
    match person {
        CensusPerson::Account(account) => {
            let Account { external_id, address, aliases, standing, is_administrator } = account.as_ref();
            PersonEntry {
                address: text(address),
                id: Some(external_id.clone()),
                account: true,
                aliases: aliases.iter().map(text).collect(),
                suspended: *standing == Standing::Suspended,
                administrator: *is_administrator,
            }
        }
        CensusPerson::Member { address, external_id } => PersonEntry {
            address: text(address),
            id: external_id.clone(),
            account: false,
            aliases: Vec::new(),
            suspended: false,
            administrator: None,
        },
    }
}

fn group_entry(observed: &CensusGroup, people: &[CensusPerson]) -> GroupEntry {
    let CensusGroup { group, members, through: _, incomplete, went_away: _ } = observed;
    GroupEntry {
        name: group.name().to_owned(),
        id: group.external_id().map(ToOwned::to_owned),
        system: matches!(group, ObservedGroup::System(_)),
        members: members.iter().map(|&index| people[index as usize].address().as_given().to_owned()).collect(),
        error: incomplete.as_ref().map(FailureEntry::from),
    }
}

fn user_entry(user: String, answer: &Result<UserAnswer, Failure>) -> UserEntry {
    let empty = UserEntry { user, said: Statement::Missing, groups: None, error: None };
    match answer {
        Err(failure) => UserEntry { error: Some(failure.into()), ..empty },
        Ok(answer) if !answer.present => UserEntry { said: Statement::Nobody, ..empty },
        Ok(answer) => {
            let stated = answer.stated.entitlements().into_iter().flatten();
            let unsaid = match &answer.stated {
                Stated::All { unsaid, .. } => unsaid.iter().map(|key| (key.clone(), Value::Null)).collect(),
                Stated::Nothing | Stated::Only(_) => BTreeMap::new(),
            };
            let said = stated.map(|(key, value)| (key.clone(), value.json())).chain(unsaid).collect();
            let listed = answer.groups.iter().filter(|group| !matches!(group, ObservedGroup::Resource { .. }));
            let lists_all = answer.coverage == Coverage::Everything;
            let groups = lists_all.then(|| listed.map(|group| group.name().to_owned()).collect());
            UserEntry { said: Statement::Said(said), groups, ..empty }
        }
    }
}

#[cfg(test)]
mod tests;
