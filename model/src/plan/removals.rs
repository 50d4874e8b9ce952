//! What becomes of stored memberships that are not listed: they go, they wait, or they are kept.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::{Held, Policy};
use super::{KeepReason, Stored};
use crate::desired::{Desired, Pair, Unlisted};
use crate::identity::{GroupId, UserId};
use crate::instant::Instant;

/// The removals of a plan, before the last administrator is looked at.
#[derive(Default)]
pub(super) struct Removals {
    /// Ascending.
    pub removes: Vec<Pair>,
    /// From now on these wait, each until its time. Ascending.
    pub scheduled: Vec<(Pair, Instant)>,
    pub kept: Vec<(Pair, KeepReason)>,
    pub held: Option<Held>,
}

/// Decides about the stored memberships that an observation, begun at `began_at`, does not list.
pub(super) fn removals(
    unlisted: &[Pair],
    desired: &Desired,
    stored: &Stored,
    policy: &Policy,
    began_at: Instant,
) -> Removals {
    let Asked { mut news, due, awaiting, mut kept } = asked(unlisted, desired, stored, policy, began_at);
    let whole = (news.len() + awaiting.len()) as u64;
    // `Admin` and `Everyone` don't end with the group that is mapped to them.
    let lasts = |group: GroupId| [GroupId::ADMIN, GroupId::EVERYONE].contains(&group);
    let is_listed = |pair: &&Pair| lasts(pair.0) || !stored.is_gone(desired, &pair.0);
    let listed: Vec<Pair> = news.iter().filter(is_listed).copied().collect();
    let held = policy.beyond(whole, &listed, &stored.pairs);
    let (mut removes, mut scheduled) = (due, Vec::new());
    // A person decides about all of a held plan: neither the next list nor a second reading is waited for. The grace stays.
    if held.is_some() {
        news.extend(awaiting);
        news.sort_unstable();
    } else {
        kept.extend(awaiting.into_iter().map(|pair| (pair, KeepReason::AwaitingConfirmation)));
    }
    let second = held.is_none() && policy.second_reading_above.is_some_and(|above| news.len() as u64 > above);
    for pair in news {
        let grace = stored.grace(policy, &desired.people.suspended, pair);
        if grace.is_zero() && !second {
            removes.push(pair);
        } else {
            let due_at = began_at + grace;
            scheduled.push((pair, due_at));
            kept.push((pair, KeepReason::waiting(due_at, began_at)));
        }
    }
    removes.sort_unstable();
    Removals { removes, scheduled, kept, held }
}

/// What is asked of the unlisted memberships.
#[derive(Default)]
struct Asked {
    /// To go, and asked for the first time.
    news: Vec<Pair>,
    /// To go, and their time is over: the guard had its say when they were scheduled.
    due: Vec<Pair>,
    /// Their whole group is not listed, for the first time.
    awaiting: Vec<Pair>,
    kept: Vec<(Pair, KeepReason)>,
}

fn asked(unlisted: &[Pair], desired: &Desired, stored: &Stored, policy: &Policy, began_at: Instant) -> Asked {
    let mut asked = Asked::default();
    for &pair in unlisted {
        match desired.conclusion.unlisted(pair, stored.facets.get(&pair.0)) {
            Unlisted::GroupUnlisted if !stored.is_gone(desired, &pair.0) => asked.awaiting.push(pair),
            Unlisted::Remove | Unlisted::GroupUnlisted => match stored.due.get(&pair) {
                None => asked.news.push(pair),
                // Scheduled by an observation that began at or before its time, so that this one is a later one.
                Some(due_at) if *due_at < began_at => asked.due.push(pair),
                Some(_) if stored.grace(policy, &desired.people.suspended, pair).is_zero() => asked.due.push(pair),
                Some(due_at) => asked.kept.push((pair, KeepReason::waiting(*due_at, began_at))),
            },
            Unlisted::Keep(class) => asked.kept.push((pair, KeepReason::Unread(class))),
            Unlisted::Untouched => {}
        }
    }
    asked
}

impl Stored {
    /// Whether a group is known to be gone: this is not the first list that lacks it, or another has its name.
    fn is_gone(&self, desired: &Desired, group: &GroupId) -> bool {
        self.vanished.contains(group) || desired.groups.replaced.contains_key(group)
    }

    /// How long the membership stays when it is no longer listed; whoever is not active has nothing to wait for.
    fn grace(&self, policy: &Policy, suspended: &BTreeSet<UserId>, (group, user): Pair) -> chrono::TimeDelta {
        if suspended.contains(&user) || self.inactive.contains(&user) {
            return chrono::TimeDelta::zero();
        }
        policy.grace_of(group)
    }
}

/// The memberships whose removal was scheduled, and that are listed again.
pub(super) fn cancelled(due: &BTreeMap<Pair, Instant>, unlisted: &[Pair]) -> Vec<Pair> {
    due.keys().filter(|pair| unlisted.binary_search(pair).is_err()).copied().collect()
}
