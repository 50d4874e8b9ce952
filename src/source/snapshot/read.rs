//! From a snapshot's text to what the source would have said. Every error names the place.

use std::collections::{BTreeSet, HashMap};

use entitled_model::observation::{
    Account, Census, CensusGroup, CensusPerson, Coverage, ObservedGroup, Standing, SystemGroup, UserAnswer,
};
use entitled_model::path::Through;
use entitled_model::{EmailAddress, EmailKey, Failure, GroupName, MapRule};

use super::{GroupEntry, PersonEntry, Snapshot, Statement, UserEntry, VERSION};
use crate::json::Object;
use crate::source::answer;

/// Why a snapshot can't be read. It names a place, and quotes nothing: what stands there may be an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct SnapshotError {
    /// `line 3 column 7`, or `groups[2].members[0]`.
    pub place: String,
    pub what: String,
}

impl SnapshotError {
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// One user's answer in a snapshot.
pub struct UserSaid {
    /// An id or an address, as it stands there.
    pub user: String,
    pub place: String,
    pub answer: Result<UserAnswer, Failure>,
}

impl Snapshot {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no JSON object of the form, or of another version.
    pub fn read(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let read: Result<Object<Snapshot>, _> = serde_json::from_slice(bytes);
        let Object(snapshot) = read.map_err(|wrong| {
            let place = format!("line {} column {}", wrong.line(), wrong.column());
            SnapshotError::new(place, "not of the form that `entitled snapshot record` writes")
        })?;
        if snapshot.snapshot_version != VERSION {
            return Err(SnapshotError::new("snapshot_version", format!("expected {VERSION}")));
        }
        Ok(snapshot)
    }

    /// The directory's answer.
    ///
    /// # Errors
    /// When it lacks people or groups, or something in them is unusable.
    pub fn census(&self) -> Result<Census, SnapshotError> {
        let missing = |place| SnapshotError::new(place, "missing: the snapshot of a directory has people and groups");
        let people = self.people.as_ref().ok_or_else(|| missing("people"))?;
        let groups = self.groups.as_ref().ok_or_else(|| missing("groups"))?;
        let mut read = People::default();
        for (index, entry) in people.iter().enumerate() {
            let place = format!("people[{index}]");
            read.add(&place, person(entry, &place)?)?;
        }
        let mut names = BTreeSet::new();
        let mut listed = Vec::with_capacity(groups.len());
        for (index, entry) in groups.iter().enumerate() {
            let place = format!("groups[{index}]");
            let group = group(entry, &format!("{place}.name"))?;
            if !names.insert(group.name().to_owned()) {
                return Err(SnapshotError::new(format!("{place}.name"), "another group has this name"));
            }
            let members = members(entry, &place, &mut read)?;
            listed.push(CensusGroup {
                group,
                members,
                through: Through::default(),
                incomplete: entry.error.as_ref().map(Failure::from),
                went_away: false,
            });
        }
        let accounts_unread = self.accounts_error.as_ref().map(Failure::from);
        Ok(Census { people: read.people, groups: listed, accounts_unread, accounts_unusable: self.accounts_unusable })
    }

    /// The backend's answers.
    ///
    /// # Errors
    /// When it lacks users, or a group's name is unusable.
    pub fn answers(&self, rules: &[MapRule]) -> Result<Vec<UserSaid>, SnapshotError> {
        let users = self.users.as_ref();
        let users = users.ok_or_else(|| SnapshotError::new("users", "missing: the snapshot of a backend has users"))?;
        let read = |(index, entry): (usize, &UserEntry)| {
            let place = format!("users[{index}]");
            let answer = said(entry, rules, &place)?;
            Ok(UserSaid { user: entry.user.clone(), place, answer })
        };
        users.iter().enumerate().map(read).collect()
    }
}

fn said(entry: &UserEntry, rules: &[MapRule], place: &str) -> Result<Result<UserAnswer, Failure>, SnapshotError> {
    let UserEntry { user: _, said, groups, error } = entry;
    if let Some(error) = error {
        return Ok(Err(error.into()));
    }
    let said = match said {
        Statement::Missing => {
            let what = "missing: the entitlements, or null for somebody whom the source does not know";
            return Err(SnapshotError::new(format!("{place}.said"), what));
        }
        Statement::Nobody if groups.is_some() => {
            let what = "somebody whom the source does not know has no groups";
            return Err(SnapshotError::new(format!("{place}.groups"), what));
        }
        Statement::Nobody => return Ok(Ok(answer::unlisted())),
        Statement::Said(said) => said,
    };
    let mut answer = match answer::read(said, rules) {
        Ok(answer) => answer,
        Err(failure) => return Ok(Err(failure)),
    };
    if let Some(groups) = groups {
        for (index, name) in groups.iter().enumerate() {
            answer.groups.insert(named(name, None, &format!("{place}.groups[{index}]"))?);
        }
        answer.coverage = Coverage::Everything;
    }
    Ok(Ok(answer))
}

/// The people so far, and where each address stands.
#[derive(Default)]
struct People {
    people: Vec<CensusPerson>,
    at: HashMap<EmailKey, u32>,
}

impl People {
    fn add(&mut self, place: &str, person: CensusPerson) -> Result<u32, SnapshotError> {
        let index = u32::try_from(self.people.len()).map_err(|_| SnapshotError::new(place, "too many people"))?;
        if self.at.insert(person.address().key(), index).is_some() {
            return Err(SnapshotError::new(format!("{place}.address"), "somebody before has this address"));
        }
        self.people.push(person);
        Ok(index)
    }
}

fn person(entry: &PersonEntry, place: &str) -> Result<CensusPerson, SnapshotError> {
    let PersonEntry { address, id, account, aliases, suspended, administrator } = entry;
    let email = parsed(address, &format!("{place}.address"))?;
    if !account {
        return Ok(CensusPerson::Member { address: email, external_id: id.clone() });
    }
    let id = id.clone().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| SnapshotError::new(format!("{place}.id"), "missing: an account has an id"))?;
    let aliases = aliases.iter().enumerate().map(|(n, alias)| parsed(alias, &format!("{place}.aliases[{n}]")));
    Ok(CensusPerson::Account(Box::new(Account {
        external_id: id,
        address: email,
        aliases: aliases.collect::<Result<_, _>>()?,
        standing: if *suspended { Standing::Suspended } else { Standing::Active },
        is_administrator: *administrator,
    })))
}

/// Somebody who is named by a group alone is a member without an account.
fn members(entry: &GroupEntry, place: &str, people: &mut People) -> Result<Vec<u32>, SnapshotError> {
    let mut members = BTreeSet::new();
    for (index, address) in entry.members.iter().enumerate() {
        let place = format!("{place}.members[{index}]");
        let address = parsed(address, &place)?;
        let member = match people.at.get(&address.key()) {
            Some(member) => *member,
            None => people.add(&place, CensusPerson::Member { address, external_id: None })?,
        };
        members.insert(member);
    }
    Ok(members.into_iter().collect())
}

fn group(entry: &GroupEntry, place: &str) -> Result<ObservedGroup, SnapshotError> {
    let group = named(&entry.name, entry.id.clone(), place)?;
    match (entry.system, &group) {
        (true, ObservedGroup::System(_)) | (false, ObservedGroup::Directory { .. }) => Ok(group),
        _ => Err(SnapshotError::new(place, "Admin and Everyone, and only they, have `system` set")),
    }
}

fn named(name: &str, external_id: Option<String>, place: &str) -> Result<ObservedGroup, SnapshotError> {
    if let Some(system) = SystemGroup::ALL.into_iter().find(|system| system.name() == name) {
        return Ok(ObservedGroup::System(system));
    }
    let name = GroupName::parse(name).map_err(|wrong| SnapshotError::new(place, wrong.to_string()))?;
    Ok(ObservedGroup::Directory { name, external_id })
}

fn parsed(address: &str, place: &str) -> Result<EmailAddress, SnapshotError> {
    EmailAddress::parse(address).map_err(|wrong| SnapshotError::new(place, wrong.to_string()))
}
