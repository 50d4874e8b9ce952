//! The plan: the creates, deletes and kept-backs that an observation asks for, before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::desired::{Conclusion, Desired, Pair, Unlisted};
use crate::diff::diff;
use crate::entitlement::Entitlements;
use crate::event::{EntitlementChange, Event, RemovalBlocked};
use crate::identity::{EmailAddress, Facet, GroupId, SourceName, UserId};
use crate::observation::{ErrorClass, ObservedGroup, Stated};

/// The most pairs one event carries, so that a first import of a million is a thousand events.
pub const EVENT_PAIRS_MAX: usize = 1_000;

/// Limits beyond which a plan is held for a person to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    /// The largest share of the memberships in scope that may go, 0 to 1.
    pub max_removal_ratio: f64,
    /// The largest number of memberships that may go.
    pub max_removals: u64,
    /// Below this many memberships in scope the ratio says nothing and only the number counts.
    pub min_memberships: u64,
}

/// What the store holds of one source, within the scope of the observation.
#[derive(Debug, Default)]
pub struct Stored {
    /// Ascending, each once.
    pub pairs: Vec<Pair>,
    /// The facets of those groups that came from mapped entitlements.
    pub facets: BTreeMap<GroupId, Facet>,
    pub entitlements: BTreeMap<UserId, Entitlements>,
    /// Active people in `Admin` with each source that supports them, oldest support first.
    pub admins: Vec<(UserId, SourceName)>,
    /// Removals that were blocked before and told then.
    pub told_blocked: BTreeSet<Pair>,
}

/// Why a removal that was asked for, or might have been, was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepReason {
    /// That part of the source could not be read.
    Unread(ErrorClass),
    /// The last active person in `Admin` stays.
    LastAdministrator,
    /// The plan is beyond the guard's limits.
    Guard,
}

impl KeepReason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            KeepReason::Unread(class) => class.as_str(),
            KeepReason::LastAdministrator => "last_administrator",
            KeepReason::Guard => "guard",
        }
    }
}

/// Which limit a held plan is beyond, with the numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    Removals { asked: u64, max: u64 },
    Ratio { asked: u64, of: u64, max: f64 },
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Held::Removals { asked, max } => write!(f, "{asked} removals, more than max_removals = {max}"),
            Held::Ratio { asked, of, max } => {
                write!(f, "{asked} of {of} memberships would go, more than max_removal_ratio = {max}")
            }
        }
    }
}

/// What an observation asks for. A held plan says so, and asks for the same all the same.
#[derive(Debug, PartialEq)]
pub struct Plan {
    pub source: SourceName,
    pub new_users: Vec<(UserId, EmailAddress)>,
    pub new_groups: Vec<(GroupId, ObservedGroup)>,
    /// Ascending.
    pub creates: Vec<Pair>,
    /// Ascending.
    pub removes: Vec<Pair>,
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
}

/// Compares and guards.
#[must_use]
pub fn plan(source: &SourceName, desired: Desired, stored: &Stored, guard: &Guard) -> Plan {
    let found = diff(&desired.pairs, &stored.pairs);
    let alone = matches!(desired.conclusion, Conclusion::Users(_));
    let mut removes = Vec::new();
    let mut kept = Vec::new();
    for pair in found.unlisted {
        match desired.conclusion.unlisted(pair, stored.facets.get(&pair.0)) {
            Unlisted::Remove => removes.push(pair),
            Unlisted::Keep(class) => kept.push((pair, KeepReason::Unread(class))),
            Unlisted::Untouched => {}
        }
    }
    let last = last_administrator(source, &removes, &found.missing, &stored.admins);
    removes.retain(|pair| Some(*pair) != last);
    kept.extend(last.map(|pair| (pair, KeepReason::LastAdministrator)));
    kept.sort_unstable();
    let stays =
        |pair: &&Pair| removes.binary_search(pair).is_err() && kept.binary_search_by_key(*pair, |(of, _)| *of).is_err();
    let mut unchanged_of = BTreeMap::new();
    for (_, user) in stored.pairs.iter().filter(stays).filter(|_| alone) {
        *unchanged_of.entry(*user).or_default() += 1;
    }
    Plan {
        source: source.clone(),
        new_users: desired.new_users,
        new_groups: desired.new_groups,
        held: beyond(guard, removes.len() as u64, stored.pairs.len() as u64),
        newly_blocked: last.into_iter().filter(|pair| !stored.told_blocked.contains(pair)).collect(),
        entitlements: entitlement_changes(&desired.stated, &stored.entitlements),
        unchanged: (stored.pairs.len() - removes.len() - kept.len()) as u64,
        unchanged_of,
        creates: found.missing,
        removes,
        kept,
    }
}

/// The one removal to keep so that `Admin` does not lose its last active person; the longest-standing one stays.
fn last_administrator(
    source: &SourceName,
    removes: &[Pair],
    creates: &[Pair],
    admins: &[(UserId, SourceName)],
) -> Option<Pair> {
    let leaves = |user: UserId| removes.binary_search(&(GroupId::ADMIN, user)).is_ok();
    let joins = creates.iter().any(|(group, _)| *group == GroupId::ADMIN);
    let stays = |(user, by): &(UserId, SourceName)| by != source || !leaves(*user);
    if joins || admins.iter().any(stays) {
        return None;
    }
    admins.first().map(|(user, _)| (GroupId::ADMIN, *user))
}

fn beyond(guard: &Guard, asked: u64, of: u64) -> Option<Held> {
    if asked > guard.max_removals {
        return Some(Held::Removals { asked, max: guard.max_removals });
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of memberships are far below 2^52")]
    let ratio = asked as f64 / of.max(1) as f64;
    let counts = of >= guard.min_memberships && ratio > guard.max_removal_ratio;
    counts.then_some(Held::Ratio { asked, of, max: guard.max_removal_ratio })
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
    /// Whether applying it would write anything but the run's own record.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let Plan {
            source: _,
            new_users,
            new_groups,
            creates,
            removes,
            kept: _,
            newly_blocked,
            entitlements,
            unchanged: _,
            unchanged_of: _,
            held: _,
        } = self;
        new_users.is_empty()
            && new_groups.is_empty()
            && creates.is_empty()
            && removes.is_empty()
            && newly_blocked.is_empty()
            && entitlements.is_empty()
    }

    /// What is kept back when the plan is held: everything it would have removed as well.
    #[must_use]
    pub fn kept_back(&self) -> Vec<(Pair, KeepReason)> {
        let held = self.held.is_some().then_some(&self.removes).into_iter().flatten();
        let mut all: Vec<_> = held.map(|pair| (*pair, KeepReason::Guard)).chain(self.kept.iter().copied()).collect();
        all.sort_unstable();
        all
    }

    /// The content hash (lower-case hex of SHA-256): the same as long as the observation and the stored rows are.
    ///
    /// What is not stored yet has no lasting id, so it goes in by name.
    #[must_use]
    pub fn hash(&self) -> String {
        let users: BTreeMap<_, _> = self.new_users.iter().map(|(id, address)| (id, address.key())).collect();
        let groups: BTreeMap<_, _> = self.new_groups.iter().map(|(id, group)| (id, group.name())).collect();
        let pair = |(group, user): &Pair| {
            let group = groups.get(group).map_or_else(|| group.to_string(), |name| format!("+{name}"));
            let user = users.get(user).map_or_else(|| user.to_string(), |key| format!("+{}", key.as_str()));
            digest_of(&[&group, &user])
        };
        let changed = self.entitlements.iter().flat_map(|(user, changes)| {
            let text = |value: &Option<_>| value.as_ref().map_or("", crate::EntitlementValue::text).to_owned();
            changes.iter().map(move |(key, change)| {
                digest_of(&[&user.to_string(), key, &text(&change.before), &text(&change.after)])
            })
        });
        let mut digest = Sha256::new();
        for (section, mut lines) in [
            ("source", vec![digest_of(&[self.source.as_str()])]),
            ("groups", groups.values().map(|name| digest_of(&[name])).collect()),
            ("users", users.values().map(|key| digest_of(&[key.as_str()])).collect()),
            ("creates", self.creates.iter().map(pair).collect::<Vec<_>>()),
            ("removes", self.removes.iter().map(pair).collect()),
            ("entitlements", changed.collect()),
        ] {
            lines.sort_unstable();
            digest.update(section);
            digest.update((lines.len() as u64).to_be_bytes());
            lines.iter().for_each(|line| digest.update(line));
        }
        hex(&digest.finalize())
    }

    /// The events that say what applying this plan does.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let users = self.new_users.chunks(EVENT_PAIRS_MAX);
        let users = users.map(|chunk| Event::users_created(chunk.iter().map(|(id, _)| *id).collect()));
        let groups = self.new_groups.iter().map(|(id, group)| Event::group_created(*id, group, &self.source));
        let memberships = MembershipEvents { plan: self, creates: &self.creates, removes: &self.removes };
        let blocked = self.newly_blocked.iter().map(|(group, user)| {
            Event::MembershipRemovalBlocked(RemovalBlocked {
                group: *group,
                user: *user,
                source: self.source.clone(),
                reason: KeepReason::LastAdministrator.as_str().to_owned(),
            })
        });
        let entitlements = self
            .entitlements
            .iter()
            .map(|(user, changes)| Event::entitlements_changed(*user, &self.source, changes.clone()));
        users.chain(groups).chain(memberships).chain(blocked).chain(entitlements).collect()
    }
}

/// One event per group (or per thousand pairs of it), creates and removes of a group together.
struct MembershipEvents<'a> {
    plan: &'a Plan,
    creates: &'a [Pair],
    removes: &'a [Pair],
}

impl Iterator for MembershipEvents<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let group = match (self.creates.first(), self.removes.first()) {
            (None, None) => return None,
            (Some((group, _)), None) | (None, Some((group, _))) => *group,
            (Some((created, _)), Some((removed, _))) => *created.min(removed),
        };
        let removed = take_group(&mut self.removes, group, EVENT_PAIRS_MAX);
        let added = take_group(&mut self.creates, group, EVENT_PAIRS_MAX - removed.len());
        Some(Event::memberships_changed(group, &self.plan.source, added, removed))
    }
}

fn take_group(pairs: &mut &[Pair], group: GroupId, max: usize) -> Vec<UserId> {
    let count = pairs.iter().take(max).take_while(|(of, _)| *of == group).count();
    let (taken, rest) = pairs.split_at(count);
    *pairs = rest;
    taken.iter().map(|(_, user)| *user).collect()
}

fn digest_of(fields: &[&str]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for field in fields {
        digest.update((field.len() as u64).to_be_bytes());
        digest.update(field);
    }
    digest.finalize().into()
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
