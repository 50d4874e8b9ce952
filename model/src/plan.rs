//! The plan: the creates, deletes and kept-backs that an observation asks for, before anything is written.

mod additions;
mod events;
mod hash;
mod last;
mod policy;
mod removals;

use std::collections::{BTreeMap, BTreeSet};

use crate::administrators::Administration;
use crate::desired::{Conclusion, Desired, Pair};
use crate::diff::diff;
use crate::entitlement::Entitlements;
use crate::event::EntitlementChange;
use crate::groups::{JoinedGroups, Rename};
use crate::identity::{EmailAddress, Facet, GroupId, SourceName, UserId};
use crate::instant::Instant;
use crate::observation::{ErrorClass, ObservedGroup, Stated};
use crate::people::PeopleChanges;
use last::{LastOwner, administrator_changes, last_administrator, last_owner};
use removals::Removals;

pub use policy::{GroupPolicy, Guard, Held, Limit, OnHold, Policy};

/// The most pairs one event carries, so that a first import of a million is a thousand events.
pub const EVENT_PAIRS_MAX: usize = 1_000;

/// What the store holds of one source, within the scope of the observation.
#[derive(Debug, Default)]
pub struct Stored {
    /// Ascending, each once.
    pub pairs: Vec<Pair>,
    /// The facets of those groups that came from mapped entitlements.
    pub facets: BTreeMap<GroupId, Facet>,
    pub entitlements: BTreeMap<UserId, Entitlements>,
    /// Of those who would join `Admin`, or have to wait for a removal, whoever is not active.
    pub inactive: BTreeSet<UserId>,
    /// Active people in `Admin` with each source that supports them, oldest support first.
    pub admins: Vec<(UserId, SourceName)>,
    /// Where nobody is an owner but by a group's role: the active people who are, with each support, oldest first.
    pub owners: Vec<(Pair, SourceName)>,
    /// The administrators of the source's directory.
    pub administrators: BTreeMap<UserId, Administration>,
    /// Where nobody is an owner by a role of their own or in `Admin`: the active people who are one as the administrators of
    /// directories, with each source, longest first.
    pub directory_owners: Vec<(UserId, SourceName)>,
    /// Removals that were blocked before and told then.
    pub told_blocked: BTreeSet<Pair>,
    /// Memberships that were not listed before, each with the time from which on it goes.
    pub due: BTreeMap<Pair, Instant>,
    /// Groups that an earlier complete list did not have either.
    pub vanished: BTreeSet<GroupId>,
    /// Groups in which other sources hold memberships: those outlive the directory's group.
    pub shared: BTreeSet<GroupId>,
}

/// Why a removal that was asked for, or might have been, was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepReason {
    /// That part of the source could not be read.
    Unread(ErrorClass),
    /// The last active person in `Admin` stays.
    LastAdministrator,
    /// The last active person who is an owner stays one.
    LastOwner,
    /// The group was not listed, and the next complete list has to agree.
    AwaitingConfirmation,
    /// It goes when its time has come, unless it is listed before.
    Grace(Instant),
    /// It goes when a second reading agrees.
    SecondReading,
    /// The plan is beyond the guard's limits.
    Guard,
}

impl KeepReason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            KeepReason::Unread(class) => class.as_str(),
            KeepReason::LastAdministrator => "last_administrator",
            KeepReason::LastOwner => "last_owner",
            KeepReason::AwaitingConfirmation => "awaiting_confirmation",
            KeepReason::Grace(_) => "grace",
            KeepReason::SecondReading => "second_reading",
            KeepReason::Guard => "guard",
        }
    }

    /// The time from which on it goes, where that is known.
    #[must_use]
    pub fn due_at(self) -> Option<Instant> {
        match self {
            KeepReason::Grace(due_at) => Some(due_at),
            KeepReason::Unread(_)
            | KeepReason::LastAdministrator
            | KeepReason::LastOwner
            | KeepReason::AwaitingConfirmation
            | KeepReason::SecondReading
            | KeepReason::Guard => None,
        }
    }

    /// Why a removal waits until `due_at`, seen by an observation that began at `began_at`.
    fn waiting(due_at: Instant, began_at: Instant) -> Self {
        if due_at > began_at { KeepReason::Grace(due_at) } else { KeepReason::SecondReading }
    }
}

/// What an observation asks for. A held plan says so, and asks for the same all the same.
#[derive(Debug, PartialEq)]
pub struct Plan {
    pub source: SourceName,
    /// When its observation began.
    pub began_at: Instant,
    pub new_users: Vec<(UserId, EmailAddress)>,
    pub new_groups: Vec<(GroupId, ObservedGroup)>,
    pub renamed_groups: Vec<Rename>,
    /// The directory's own groups that are gone from it, with all their memberships. Ascending.
    pub deleted_groups: BTreeSet<GroupId>,
    /// Groups that are not listed for the first time: what is remembered until the next complete list; none after an
    /// observation that lists no whole directory.
    pub vanished: Option<BTreeSet<GroupId>>,
    /// What the directory's accounts change about users.
    pub people: PeopleChanges,
    /// Whom the directory calls an administrator of itself, or no longer: before and after; none: they are none.
    pub administrators: BTreeMap<UserId, (Option<Administration>, Option<Administration>)>,
    /// Of whom the directory had a word about that, be it the stored one. It is no part of the hash.
    pub heard: BTreeSet<UserId>,
    /// The directory's administrator who stays one against its word, so that somebody is an owner.
    pub kept_owner: Option<UserId>,
    /// Ascending.
    pub creates: Vec<Pair>,
    /// Ascending.
    pub removes: Vec<Pair>,
    /// Removals that wait from now on, each until its time; these are among the kept. Ascending.
    pub scheduled: Vec<(Pair, Instant)>,
    /// Removals that were scheduled, and whose memberships are listed again. Ascending.
    pub cancelled: Vec<Pair>,
    /// Ascending.
    pub kept: Vec<(Pair, KeepReason)>,
    /// Kept for the first time: these are told by an event.
    pub newly_blocked: Vec<Pair>,
    pub entitlements: BTreeMap<UserId, BTreeMap<String, EntitlementChange>>,
    /// Stored memberships that stay, the source having said so or nothing against it.
    pub unchanged: u64,
    /// The same for each user, of a run about some users.
    pub unchanged_of: BTreeMap<UserId, u64>,
    pub held: Option<Held>,
    /// What is let through of a held plan. It is no part of the hash.
    pub additions: Option<Box<Plan>>,
}

/// Compares what an observation, begun at `began_at`, asks for with what is stored, and guards the result.
#[must_use]
pub fn plan(source: &SourceName, mut desired: Desired, stored: &Stored, policy: &Policy, began_at: Instant) -> Plan {
    let found = diff(std::mem::take(&mut desired.pairs), &stored.pairs);
    let Removals { mut removes, scheduled, mut kept, held } =
        removals::removals(&found.unlisted, &desired, stored, policy, began_at);
    let last = last_administrator(source, &removes, &found.missing, stored, &desired.people.suspended);
    removes.retain(|pair| Some(*pair) != last);
    let mut administrators = desired.administrators.changes(&stored.administrators);
    let (owner, kept_owner) =
        match last_owner(source, &removes, &found.missing, &administrators, stored, &desired.people.suspended) {
            None => (None, None),
            Some(LastOwner::Member(pair)) => (Some(pair), None),
            Some(LastOwner::Administrator(user)) => (None, Some(user)),
        };
    administrators.extend(kept_owner.map(|user| (user, Some(Administration::Kept))));
    removes.retain(|pair| Some(*pair) != owner);
    kept.extend(last.map(|pair| (pair, KeepReason::LastAdministrator)));
    kept.extend(owner.map(|pair| (pair, KeepReason::LastOwner)));
    let newly_blocked = last.into_iter().chain(owner).filter(|pair| !stored.told_blocked.contains(pair)).collect();
    kept.sort_unstable();
    let (deleted_groups, vanished) = ended_groups(&desired, stored, &removes);
    let JoinedGroups { new, renamed, replaced } = desired.groups;
    // While names move from group to group, or addresses from person to person, what is new has to wait for the old.
    let names_stay = renamed.is_empty() && replaced.is_empty() && desired.people.addresses.is_empty();
    // Whoever is kept in a group that was replaced keeps the group, and the name is the new one's.
    let outlived = replaced.into_values().filter(|rename| !deleted_groups.contains(&rename.group));
    let mut plan = Plan {
        source: source.clone(),
        began_at,
        new_users: desired.new_users,
        new_groups: new,
        renamed_groups: outlived.chain(renamed).collect(),
        vanished,
        deleted_groups,
        people: desired.people,
        administrators: administrator_changes(administrators, stored),
        heard: desired.administrators.said.into_keys().collect(),
        kept_owner,
        held,
        newly_blocked,
        entitlements: entitlement_changes(&desired.stated, &stored.entitlements),
        unchanged: (stored.pairs.len() - removes.len() - kept.len()) as u64,
        unchanged_of: unchanged_of(&desired.conclusion, stored, &removes, &kept),
        creates: found.missing,
        cancelled: removals::cancelled(&stored.due, &found.unlisted),
        removes,
        scheduled,
        kept,
        additions: None,
    };
    if held.is_some() && policy.on_hold == OnHold::ApplyAdditions && names_stay {
        plan.additions = Some(Box::new(plan.take_additions()));
    }
    plan
}

/// How many of each user's memberships stay, of a run about some users.
fn unchanged_of(
    conclusion: &Conclusion,
    stored: &Stored,
    removes: &[Pair],
    kept: &[(Pair, KeepReason)],
) -> BTreeMap<UserId, u64> {
    let mut unchanged = BTreeMap::new();
    if matches!(conclusion, Conclusion::Everything(_)) {
        return unchanged;
    }
    let stays =
        |pair: &&Pair| removes.binary_search(pair).is_err() && kept.binary_search_by_key(*pair, |(of, _)| *of).is_err();
    for (_, user) in stored.pairs.iter().filter(stays) {
        *unchanged.entry(*user).or_default() += 1;
    }
    unchanged
}

/// The source's own groups that end, since they are not listed and nobody stays in them; and those to remember, since they
/// are not listed for the first time. None to remember when no whole was listed.
fn ended_groups(
    desired: &Desired,
    stored: &Stored,
    removes: &[Pair],
) -> (BTreeSet<GroupId>, Option<BTreeSet<GroupId>>) {
    let replaced: BTreeSet<GroupId> = desired.groups.replaced.keys().copied().collect();
    let Conclusion::Everything(whole) = &desired.conclusion else { return (BTreeSet::new(), None) };
    let held = stored.pairs.iter().map(|(group, _)| *group);
    let unlisted = held.chain(whole.managed.iter().copied()).filter(|group| !whole.listed.contains(group));
    let unlisted: BTreeSet<GroupId> = unlisted.collect();
    let mut staying = stored.shared.clone();
    staying.extend(stored.pairs.iter().filter(|pair| removes.binary_search(pair).is_err()).map(|(group, _)| *group));
    let emptied: BTreeSet<GroupId> = removes.iter().map(|(group, _)| *group).collect();
    let gone = |group: &GroupId| [&stored.vanished, &replaced, &emptied].iter().any(|of| of.contains(group));
    let ended = unlisted.iter().filter(|group| whole.managed.contains(group) && !staying.contains(group));
    let ended: BTreeSet<GroupId> = ended.copied().filter(gone).collect();
    let remembered = unlisted.difference(&ended).chain(&whole.went_away).copied().collect();
    (ended, Some(remembered))
}

fn entitlement_changes(
    stated: &BTreeMap<UserId, Stated>,
    stored: &BTreeMap<UserId, Entitlements>,
) -> BTreeMap<UserId, BTreeMap<String, EntitlementChange>> {
    let none = Entitlements::new();
    let mut changes = BTreeMap::new();
    for (user, stated) in stated {
        let Some(wanted) = stated.entitlements() else { continue };
        let have = stored.get(user).unwrap_or(&none);
        let keys: BTreeSet<_> = wanted.keys().chain(have.keys()).collect();
        let said = |key: &&String| stated.speaks_of(key);
        let changed = keys.into_iter().filter(said).filter(|key| wanted.get(*key) != have.get(*key));
        let changed: BTreeMap<_, _> = changed
            .map(|key| {
                (key.clone(), EntitlementChange { before: have.get(key).cloned(), after: wanted.get(key).cloned() })
            })
            .collect();
        if !changed.is_empty() {
            changes.insert(*user, changed);
        }
    }
    changes
}

impl Plan {
    /// Whether applying it would write nothing but the run's own record.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.changes_anything() && self.newly_blocked.is_empty() && self.administrators.is_empty()
    }

    /// Whether applying it would change anything that the source speaks of.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        let Plan {
            source: _,
            began_at: _,
            new_users,
            new_groups,
            renamed_groups,
            deleted_groups,
            vanished: _,
            people,
            administrators,
            heard: _,
            kept_owner,
            creates,
            removes,
            scheduled,
            cancelled,
            kept: _,
            newly_blocked: _,
            entitlements,
            unchanged: _,
            unchanged_of: _,
            held: _,
            additions,
        } = self;
        let nothing = new_users.is_empty()
            && new_groups.is_empty()
            && renamed_groups.is_empty()
            && deleted_groups.is_empty()
            && people.users().next().is_none()
            && administrators.keys().all(|user| Some(user) == kept_owner.as_ref())
            && creates.is_empty()
            && removes.is_empty()
            && scheduled.is_empty()
            && cancelled.is_empty()
            && entitlements.is_empty();
        !nothing || additions.as_ref().is_some_and(|additions| additions.changes_anything())
    }

    /// What is kept back when the plan is held: everything it would have removed as well.
    #[must_use]
    pub fn kept_back(&self) -> Vec<(Pair, KeepReason)> {
        let mut all = self.kept.clone();
        if self.held.is_some() {
            // What would have been scheduled is held as well.
            let scheduled = |pair: &Pair| self.scheduled.binary_search_by_key(pair, |(of, _)| *of).is_ok();
            all.iter_mut().filter(|(pair, _)| scheduled(pair)).for_each(|(_, reason)| *reason = KeepReason::Guard);
            all.extend(self.removes.iter().map(|pair| (*pair, KeepReason::Guard)));
        }
        all.sort_unstable();
        all
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
