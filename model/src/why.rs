//! Why: what supports an access, and what one that is missing lacks. Everything is decided here from facts that the store holds.

mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::entitlement::Entitlements;
use crate::event::Cause;
use crate::identity::{EventId, Facet, GroupId, Position, SourceName};
use crate::instant::{Instant, written};
use crate::mapping::MapRule;
use crate::observation::{ObservedGroup, Said};

pub use rule::{Rule, rule};

/// How a configured source comes to memberships.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceRules {
    pub map: Vec<MapRule>,
    /// The directory's groups that become `Admin` and `Everyone`.
    pub admin_group: Option<String>,
    pub everyone_group: Option<String>,
    /// Whether it is a directory of groups; a backend states entitlements.
    pub directory: bool,
    /// Whether a member of an inner group counts as one of the outer.
    pub nested: bool,
    /// Claims without which it is not asked about a user.
    pub required_claims: Vec<String>,
}

/// The group that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedGroup {
    /// None when an entitlement may name it, and it has never been here.
    pub id: Option<GroupId>,
    pub name: String,
    pub managed_by: Option<SourceName>,
    /// The permission and the resource that it stands for.
    pub resource: Option<(Facet, String)>,
    /// How it was deleted.
    pub deleted: Option<Happened>,
}

/// The event behind something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    pub position: Position,
    pub event_id: EventId,
    pub cause: Cause,
    /// What started the run that the event is of.
    pub trigger: Option<String>,
    pub observed_at: Instant,
    pub recorded_at: Instant,
}

impl SourceRules {
    /// What the directory calls a group.
    fn upstream_name(&self, group: &AskedGroup) -> String {
        let mapped = match group.id {
            Some(GroupId::ADMIN) => self.admin_group.clone(),
            Some(GroupId::EVERYONE) => self.everyone_group.clone(),
            _ => None,
        };
        mapped.unwrap_or_else(|| group.name.clone())
    }

    /// Whether the source could put somebody into the group.
    #[must_use]
    pub fn may_give(&self, source: &SourceName, group: &AskedGroup) -> bool {
        match (&group.resource, group.id) {
            (Some((facet, _)), _) => self.map.iter().any(|rule| rule.facet == *facet),
            (None, Some(GroupId::ADMIN)) => self.admin_group.is_some(),
            (None, Some(GroupId::EVERYONE)) => self.everyone_group.is_some(),
            (None, _) => self.directory && group.managed_by.as_ref() == Some(source),
        }
    }
}

/// A source that could give the access, with what it has said.
#[derive(Debug, Clone)]
pub struct Giver<'a> {
    pub source: &'a SourceName,
    pub rules: &'a SourceRules,
    pub stated: Option<&'a Entitlements>,
    /// When it last said something about the user.
    pub observed_at: Option<Instant>,
    /// Its failure, and when it last answered.
    pub failing: Option<(String, Option<Instant>)>,
}

/// What is known about the user and the group.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub status: &'a str,
    /// Where the user's account is suspended, since when.
    pub suspended: &'a [(SourceName, Position, Instant)],
    pub claims: &'a BTreeMap<String, Value>,
    pub group: &'a AskedGroup,
    /// Whether any source supports the membership.
    pub member: bool,
    /// How each source's support ended that is not there any more.
    pub ended: &'a [(SourceName, Happened)],
    pub givers: &'a [Giver<'a>],
    /// Whether the group's resource must be provisioned, and is not.
    pub unprovisioned: bool,
}

/// Something without which there is no access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    GroupDeleted {
        happened: Happened,
    },
    Suspended {
        source: SourceName,
        position: Position,
        since: Instant,
    },
    Deactivated,
    NeverMember,
    Removed {
        source: SourceName,
        happened: Happened,
    },
    SourceUnavailable {
        source: SourceName,
        class: String,
        since: Option<Instant>,
    },
    MissingClaim {
        source: SourceName,
        claim: String,
    },
    NeverObserved {
        source: SourceName,
    },
    NotStated {
        source: SourceName,
        entitlement: String,
    },
    NotEntitled {
        source: SourceName,
        entitlement: String,
        resource_id: String,
    },
    NotProvisioned {
        source: SourceName,
        entitlement: String,
        resource_type: String,
        resource_id: String,
    },
    /// The entitlement names the resource, and no run has made a membership of it yet.
    Pending {
        source: SourceName,
        entitlement: String,
        resource_id: String,
    },
    NotListed {
        source: SourceName,
        group: String,
        observed_at: Instant,
    },
}

/// What the access lacks, what weighs most first; nothing when there is an effective one.
#[must_use]
pub fn lacking(facts: &Facts<'_>) -> Vec<Lack> {
    let mut lacks = Vec::new();
    lacks.extend(facts.group.deleted.clone().map(|happened| Lack::GroupDeleted { happened }));
    let suspended = facts.suspended.iter().cloned();
    lacks.extend(suspended.map(|(source, position, since)| Lack::Suspended { source, position, since }));
    lacks.extend((facts.status == "deactivated").then_some(Lack::Deactivated));
    if facts.member {
        return lacks;
    }
    let ended = facts.ended.iter().cloned();
    lacks.extend(ended.map(|(source, happened)| Lack::Removed { source, happened }));
    lacks.extend(facts.ended.is_empty().then_some(Lack::NeverMember));
    lacks.extend(facts.givers.iter().flat_map(|giver| of_giver(facts, giver)));
    lacks
}

fn of_giver(facts: &Facts<'_>, giver: &Giver<'_>) -> Vec<Lack> {
    let Giver { source, rules, stated, observed_at, failing } = giver;
    let mut lacks = Vec::new();
    let failing = failing.clone();
    lacks.extend(failing.map(|(class, since)| Lack::SourceUnavailable { source: (*source).clone(), class, since }));
    let given: BTreeSet<&String> = facts.claims.keys().collect();
    let missing = rules.required_claims.iter().filter(|claim| !given.contains(claim));
    lacks.extend(missing.map(|claim| Lack::MissingClaim { source: (*source).clone(), claim: claim.clone() }));
    let Some(observed_at) = observed_at else {
        lacks.push(Lack::NeverObserved { source: (*source).clone() });
        return lacks;
    };
    match &facts.group.resource {
        None => lacks.push(Lack::NotListed {
            source: (*source).clone(),
            group: rules.upstream_name(facts.group),
            observed_at: *observed_at,
        }),
        Some((facet, resource_id)) => {
            let mapped = rules.map.iter().filter(|rule| rule.facet == *facet);
            lacks.extend(mapped.map(|rule| of_rule(facts, source, rule, *stated, resource_id)));
        }
    }
    lacks
}

fn of_rule(
    facts: &Facts<'_>,
    source: &SourceName,
    rule: &MapRule,
    stated: Option<&Entitlements>,
    resource_id: &str,
) -> Lack {
    let (source, entitlement, resource_id) = (source.clone(), rule.entitlement.clone(), resource_id.to_owned());
    let Some(value) = stated.and_then(|stated| stated.get(&entitlement)) else {
        return Lack::NotStated { source, entitlement };
    };
    let listed = rule.groups(&BTreeMap::from([(entitlement.clone(), value.json())]));
    let Ok(Said::Known(groups)) = listed else { return Lack::NotStated { source, entitlement } };
    let names_it = |group: &ObservedGroup| matches!(group, ObservedGroup::Resource { resource_id: listed, .. } if *listed == resource_id);
    match (groups.iter().any(names_it), facts.unprovisioned) {
        (false, _) => Lack::NotEntitled { source, entitlement, resource_id },
        (true, false) => Lack::Pending { source, entitlement, resource_id },
        (true, true) => {
            let resource_type = rule.facet.resource_type.clone();
            Lack::NotProvisioned { source, entitlement, resource_type, resource_id }
        }
    }
}

impl Lack {
    /// The word for it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Lack::GroupDeleted { .. } => "group_deleted",
            Lack::Suspended { .. } => "suspended",
            Lack::Deactivated => "deactivated",
            Lack::NeverMember => "never_member",
            Lack::Removed { .. } => "removed",
            Lack::SourceUnavailable { .. } => "source_unavailable",
            Lack::MissingClaim { .. } => "missing_claim",
            Lack::NeverObserved { .. } => "never_observed",
            Lack::NotStated { .. } => "not_stated",
            Lack::NotEntitled { .. } => "not_entitled",
            Lack::NotProvisioned { .. } => "not_provisioned",
            Lack::Pending { .. } => "pending",
            Lack::NotListed { .. } => "not_listed",
        }
    }

    /// The source that it is about.
    #[must_use]
    pub fn source(&self) -> Option<&SourceName> {
        match self {
            Lack::GroupDeleted { .. } | Lack::Deactivated | Lack::NeverMember => None,
            Lack::Suspended { source, .. }
            | Lack::Removed { source, .. }
            | Lack::SourceUnavailable { source, .. }
            | Lack::MissingClaim { source, .. }
            | Lack::NeverObserved { source }
            | Lack::NotStated { source, .. }
            | Lack::NotEntitled { source, .. }
            | Lack::NotProvisioned { source, .. }
            | Lack::Pending { source, .. }
            | Lack::NotListed { source, .. } => Some(source),
        }
    }

    /// The event that brought it about.
    #[must_use]
    pub fn happened(&self) -> Option<&Happened> {
        match self {
            Lack::GroupDeleted { happened } | Lack::Removed { happened, .. } => Some(happened),
            _ => None,
        }
    }

    /// Since when, where that is known.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        match self {
            Lack::GroupDeleted { happened } | Lack::Removed { happened, .. } => Some(happened.recorded_at),
            Lack::Suspended { since, .. } => Some(*since),
            Lack::SourceUnavailable { since, .. } => *since,
            _ => None,
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::GroupDeleted { happened } => write!(f, "the group was deleted: {happened}"),
            Lack::Suspended { source, position, since } => {
                write!(f, "{source} has suspended the account since {}, event {position}", written(*since))
            }
            Lack::Deactivated => f.write_str("the user is deactivated"),
            Lack::NeverMember => f.write_str("never a member, by any source"),
            Lack::Removed { source, happened } => write!(f, "a member by {source} until {happened}"),
            Lack::SourceUnavailable { source, class, since: Some(since) } => {
                write!(f, "{source} does not answer ({class}); it last did at {}", written(*since))
            }
            Lack::SourceUnavailable { source, class, since: None } => {
                write!(f, "{source} does not answer ({class}), and never has")
            }
            Lack::MissingClaim { source, claim } => {
                write!(f, "{source} is not asked about the user: no login has brought the claim {claim}")
            }
            Lack::NeverObserved { source } => write!(f, "{source} has not said anything about the user yet"),
            Lack::NotStated { source, entitlement } => write!(f, "{source} does not state {entitlement} of the user"),
            Lack::NotEntitled { source, entitlement, resource_id } => {
                write!(f, "{entitlement}, as {source} states it, does not list {resource_id}")
            }
            Lack::NotProvisioned { source, entitlement, resource_type, resource_id } => write!(
                f,
                "{entitlement}, as {source} states it, lists {resource_id}, but that {resource_type} is not provisioned here"
            ),
            Lack::Pending { source, entitlement, resource_id } => write!(
                f,
                "{entitlement}, as {source} states it, lists {resource_id}; no run has made a membership of it yet"
            ),
            Lack::NotListed { source, group, observed_at } => {
                write!(f, "{source} does not list the user in {group}, as observed at {}", written(*observed_at))
            }
        }
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Happened { position, event_id: _, cause, trigger, observed_at: _, recorded_at } = self;
        write!(f, "{}, event {position} by {}", written(*recorded_at), cause.actor)?;
        match (cause.run_id, trigger) {
            (Some(run), Some(trigger)) => write!(f, " in run {run} ({trigger})"),
            (Some(run), None) => write!(f, " in run {run}"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
