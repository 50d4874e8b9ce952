//! The directory's side: users, groups and direct memberships, indexed so that any page costs what it holds.
//!
//! Invariants: `members` of a group and `groups` of its members mirror each other; every address in `addresses` is
//! folded and leads to one principal; a deleted user is in no list and no group.

mod edit;
mod nesting;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{DirectoryId, MemberKind, Role};

/// An address as it is compared: trimmed, in lower case.
pub(crate) fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

/// A user of the directory.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub email: String,
    pub aliases: Vec<String>,
    pub given_name: String,
    pub family_name: String,
    pub state: UserState,
    pub is_admin: bool,
    groups: BTreeSet<DirectoryId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserState {
    Active,
    Suspended,
    Deleted,
}

/// A group of the directory.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub email: String,
    pub name: String,
    pub description: String,
    pub members: BTreeMap<DirectoryId, Role>,
    /// A count that is stated instead of the true one.
    pub stated_members_count: Option<u64>,
    groups: BTreeSet<DirectoryId>,
}

impl Group {
    /// What `directMembersCount` says.
    pub(crate) fn direct_members_count(&self) -> u64 {
        self.stated_members_count.unwrap_or(self.members.len() as u64)
    }
}

/// Whom a key (an address, an alias, an id) names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Principal {
    User(DirectoryId),
    Group(DirectoryId),
    DeletedUser(DirectoryId),
}

/// Users, groups, memberships and their indexes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workspace {
    users: BTreeMap<DirectoryId, User>,
    groups: BTreeMap<DirectoryId, Group>,
    externals: BTreeMap<DirectoryId, String>,
    /// Listed users by folded primary address: the order of `users.list`.
    listed_users: BTreeMap<String, DirectoryId>,
    /// Groups by folded address: the order of `groups.list`.
    listed_groups: BTreeMap<String, DirectoryId>,
    /// Every folded address and alias, of deleted users too.
    addresses: BTreeMap<String, DirectoryId>,
    external_addresses: BTreeMap<String, DirectoryId>,
    last_id: DirectoryId,
    memberships_count: usize,
}

impl Workspace {
    pub(crate) fn users_count(&self) -> usize {
        self.listed_users.len()
    }

    pub(crate) fn groups_count(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn memberships_count(&self) -> usize {
        self.memberships_count
    }

    /// Whom an address, an alias or an id names; case does not matter.
    pub(crate) fn principal(&self, key: &str) -> Option<Principal> {
        let id = DirectoryId::parse(key).or_else(|| self.addresses.get(&folded(key)).copied())?;
        if self.groups.contains_key(&id) {
            return Some(Principal::Group(id));
        }
        self.users.get(&id).map(|user| match user.state {
            UserState::Active | UserState::Suspended => Principal::User(id),
            UserState::Deleted => Principal::DeletedUser(id),
        })
    }

    /// The id of a listed user.
    pub(crate) fn user_id(&self, key: &str) -> Option<DirectoryId> {
        match self.principal(key)? {
            Principal::User(id) => Some(id),
            Principal::Group(_) | Principal::DeletedUser(_) => None,
        }
    }

    /// The id of a group.
    pub(crate) fn group_id(&self, key: &str) -> Option<DirectoryId> {
        match self.principal(key)? {
            Principal::Group(id) => Some(id),
            Principal::User(_) | Principal::DeletedUser(_) => None,
        }
    }

    /// The id of whatever can stand in a member list.
    pub(crate) fn member_id(&self, key: &str) -> Option<DirectoryId> {
        match self.principal(key) {
            Some(Principal::User(id) | Principal::Group(id)) => Some(id),
            Some(Principal::DeletedUser(_)) => None,
            None if key == "CUSTOMER" => Some(DirectoryId::CUSTOMER),
            None => self.external_addresses.get(&folded(key)).copied(),
        }
    }

    pub(crate) fn user(&self, id: DirectoryId) -> Option<&User> {
        self.users.get(&id)
    }

    pub(crate) fn group(&self, id: DirectoryId) -> Option<&Group> {
        self.groups.get(&id)
    }

    pub(crate) fn external(&self, id: DirectoryId) -> Option<&str> {
        self.externals.get(&id).map(String::as_str)
    }

    pub(crate) fn member_kind(&self, id: DirectoryId) -> MemberKind {
        if id == DirectoryId::CUSTOMER {
            MemberKind::Customer
        } else if self.users.contains_key(&id) {
            MemberKind::User
        } else if self.groups.contains_key(&id) {
            MemberKind::Group
        } else {
            MemberKind::External
        }
    }

    /// Listed users whose folded address starts with `prefix`, after `after`, in order of address.
    pub(crate) fn users_after<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, DirectoryId)> {
        listed_after(&self.listed_users, prefix, after)
    }

    /// Groups whose folded address starts with `prefix`, after `after`, in order of address.
    pub(crate) fn groups_after<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, DirectoryId)> {
        listed_after(&self.listed_groups, prefix, after)
    }

    /// The groups somebody is directly in, by folded address.
    pub(crate) fn groups_of(&self, member: DirectoryId) -> BTreeMap<String, DirectoryId> {
        let address = |id: &DirectoryId| self.groups.get(id).map(|group| (folded(&group.email), *id));
        self.parents(member).into_iter().flatten().filter_map(address).collect()
    }

    fn parents(&self, member: DirectoryId) -> Option<&BTreeSet<DirectoryId>> {
        let of_user = self.users.get(&member).map(|user| &user.groups);
        of_user.or_else(|| self.groups.get(&member).map(|group| &group.groups))
    }
}

fn listed_after<'a>(
    listed: &'a BTreeMap<String, DirectoryId>,
    prefix: &'a str,
    after: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, DirectoryId)> {
    let start = after.map_or(Bound::Included(prefix), Bound::Excluded);
    listed
        .range::<str, _>((start, Bound::Unbounded))
        .take_while(move |(address, _)| address.starts_with(prefix))
        .map(|(address, id)| (address.as_str(), *id))
}
