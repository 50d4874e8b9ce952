//! Who stays whatever a source says: the last in `Admin`, and the last owner.

use std::collections::{BTreeMap, BTreeSet};

use super::Stored;
use crate::administrators::Administration;
use crate::desired::Pair;
use crate::identity::{GroupId, SourceName, UserId};

/// The one removal to keep so that `Admin` does not lose its last active person; the longest-standing one stays. Whom this
/// very plan suspends does not count, nor does who is not active.
pub(super) fn last_administrator(
    source: &SourceName,
    removes: &[Pair],
    creates: &[Pair],
    stored: &Stored,
    suspended: &BTreeSet<UserId>,
) -> Option<Pair> {
    let leaves = |user: UserId| removes.binary_search(&(GroupId::ADMIN, user)).is_ok();
    let counts = |user: &UserId| !suspended.contains(user) && !stored.inactive.contains(user);
    let joins = creates.iter().any(|(group, user)| *group == GroupId::ADMIN && counts(user));
    let mut admins = stored.admins.iter().filter(|(user, _)| counts(user)).peekable();
    let first = admins.peek().map(|(user, _)| (GroupId::ADMIN, *user));
    if joins || admins.any(|(user, by)| by != source || !leaves(*user)) {
        return None;
    }
    first
}

/// Each change with what was before; what is so already is none.
pub(super) fn administrator_changes(
    after: BTreeMap<UserId, Option<Administration>>,
    stored: &Stored,
) -> BTreeMap<UserId, (Option<Administration>, Option<Administration>)> {
    let changes = after.into_iter().map(|(user, after)| (user, (stored.administrators.get(&user).copied(), after)));
    changes.filter(|(_, (before, after))| before != after).collect()
}

/// What keeps somebody an owner.
pub(super) enum LastOwner {
    /// A membership, in a group whose role is `owner`.
    Member(Pair),
    /// The directory's word of before.
    Administrator(UserId),
}

/// What has to stay so that somebody is an owner, where people are owners by a group's role or by a directory's word alone.
pub(super) fn last_owner(
    source: &SourceName,
    removes: &[Pair],
    creates: &[Pair],
    administrators: &BTreeMap<UserId, Option<Administration>>,
    stored: &Stored,
    suspended: &BTreeSet<UserId>,
) -> Option<LastOwner> {
    let counts = |user: &UserId| !suspended.contains(user) && !stored.inactive.contains(user);
    let mut owners = stored.owners.iter().filter(|((_, user), _)| counts(user)).peekable();
    let first = owners.peek().map(|(pair, _)| *pair);
    let gives = |group: &GroupId| *group == GroupId::ADMIN || stored.owners.iter().any(|((of, _), _)| of == group);
    let joins = |(group, user): &Pair| counts(user) && gives(group);
    let stays = |(pair, by): &(Pair, SourceName)| by != source || removes.binary_search(pair).is_err();
    let mut named = administrators.iter().filter(|(_, after)| **after == Some(Administration::Named));
    let mut others = stored.directory_owners.iter().filter(|(user, _)| counts(user)).peekable();
    let other = others.peek().map(|(user, _)| *user);
    let remains = |(user, by): &(UserId, SourceName)| by != source || administrators.get(user) != Some(&None);
    if creates.iter().any(joins) || named.any(|(user, _)| counts(user)) || owners.any(stays) || others.any(remains) {
        return None;
    }
    first.map(LastOwner::Member).or(other.map(LastOwner::Administrator))
}
