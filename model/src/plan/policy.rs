//! How much a source may take away, and how soon: limits, waiting periods, and what becomes of a held plan's additions.

use std::collections::BTreeMap;
use std::fmt;

use chrono::TimeDelta;

use crate::desired::Pair;
use crate::identity::GroupId;

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

/// What becomes of the additions of a held plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHold {
    /// They wait with the rest.
    HoldAll,
    /// They are made at once; the rest is held.
    ApplyAdditions,
}

/// What a source may take away.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Over the whole run.
    pub guard: Guard,
    /// Over each group that is still listed, and over `Admin` and `Everyone`.
    pub group_guard: Guard,
    /// How long a membership that is no longer listed stays. Zero: it goes at once.
    pub grace: TimeDelta,
    /// More new removals than this in one run wait for a second reading.
    pub second_reading_above: Option<u64>,
    pub on_hold: OnHold,
    /// Groups with rules of their own.
    pub groups: BTreeMap<GroupId, GroupPolicy>,
}

/// A group's own rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupPolicy {
    pub guard: Guard,
    pub grace: TimeDelta,
}

impl Policy {
    /// Only a guard; everything goes at once.
    #[must_use]
    pub fn guarded(guard: Guard) -> Self {
        Self {
            guard,
            group_guard: guard,
            grace: TimeDelta::zero(),
            second_reading_above: None,
            on_hold: OnHold::HoldAll,
            groups: BTreeMap::new(),
        }
    }

    /// How long a membership of the group stays after it was last listed. `Admin` is never kept on.
    pub(super) fn grace_of(&self, group: GroupId) -> TimeDelta {
        let own = self.groups.get(&group).map(|rules| rules.grace);
        own.unwrap_or(if group == GroupId::ADMIN { TimeDelta::zero() } else { self.grace })
    }

    /// Whether a membership may have to wait before it goes.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.second_reading_above.is_some()
            || !self.grace.is_zero()
            || self.groups.values().any(|rules| !rules.grace.is_zero())
    }

    /// The first limit that a run is beyond which would take away `whole` of the `stored` memberships, and `listed` of groups
    /// that are still listed. Both ascending.
    pub(super) fn beyond(&self, whole: u64, listed: &[Pair], stored: &[Pair]) -> Option<Held> {
        if let Some(limit) = self.guard.beyond(whole, stored.len() as u64) {
            return Some(Held { limit, group: None });
        }
        let of_groups = listed.chunk_by(|one, other| one.0 == other.0);
        of_groups.into_iter().find_map(|pairs| {
            let group = pairs[0].0;
            let guard = self.groups.get(&group).map_or(self.group_guard, |rules| rules.guard);
            let from = stored.partition_point(|pair| pair.0 < group);
            let members = stored[from..].partition_point(|pair| pair.0 == group);
            let limit = guard.beyond(pairs.len() as u64, members as u64)?;
            Some(Held { limit, group: Some(group) })
        })
    }
}

impl Guard {
    fn beyond(&self, asked: u64, of: u64) -> Option<Limit> {
        if asked > self.max_removals {
            return Some(Limit::Removals { asked, max: self.max_removals });
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of memberships are far below 2^52")]
        let ratio = asked as f64 / of.max(1) as f64;
        let counts = of >= self.min_memberships && ratio > self.max_removal_ratio;
        counts.then_some(Limit::Ratio { asked, of, max: self.max_removal_ratio })
    }
}

/// Why a plan is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    pub limit: Limit,
    /// The group of which it is the limit; none when it is the source's.
    pub group: Option<GroupId>,
}

/// The limit that is passed, with the numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    Removals { asked: u64, max: u64 },
    Ratio { asked: u64, of: u64, max: f64 },
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(group) = self.group {
            write!(f, "group {group}: ")?;
        }
        match self.limit {
            Limit::Removals { asked, max } => write!(f, "{asked} removals, more than max_removals = {max}"),
            Limit::Ratio { asked, of, max } => {
                write!(f, "{asked} of {of} memberships would go, more than max_removal_ratio = {max}")
            }
        }
    }
}
