//! The groups that hold an account, and those that hold them.
//!
//! A group counts only when its own members name what was asked about: a server that ignores a filter answers with every
//! group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use entitled_model::Failure;
use entitled_model::observation::ObservedGroup;
use entitled_model::path::{Chain, Outwards};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::Filtered;
use crate::config::Nested;
use crate::source::Urgency;
use crate::source::scim::census::namesakes;
use crate::source::scim::filter::{Attribute, Filter};
use crate::source::scim::service::{Alone, Listed};
use crate::source::scim::wire::{Group, Id, Member, MemberKind};
use crate::source::scim::{Scim, incomplete, scope};

/// Groups of one user, inner and outer together.
const GROUPS_OF_ONE_MAX: usize = 10_000;

/// The groups that hold an account.
pub struct Groups {
    /// How many there are.
    pub found: usize,
    /// Those of them that count.
    pub groups: BTreeSet<ObservedGroup>,
    /// Through which inner groups, where there are any.
    pub paths: BTreeMap<ObservedGroup, Chain>,
}

pub async fn of(source: &Scim, account: &Id, urgency: Urgency) -> Result<Filtered<Groups>, Failure> {
    let Filtered::Is(found) = around(source, account, urgency).await? else { return Ok(Filtered::Unusable) };
    let Found { groups: found, ways } = found;
    let mut counting = Vec::new();
    for group in found.values() {
        if let Some(observed) = source.scope.observed(group)? {
            counting.push((group, observed));
        }
    }
    let mut names = Vec::with_capacity(counting.len());
    for (group, _) in &counting {
        names.push(is_alone(source, group, urgency));
    }
    let mut names = stream::iter(names).buffer_unordered(source.concurrency);
    while let Some(alone) = names.try_next().await? {
        match alone {
            Filtered::Is(()) => (),
            Filtered::Unusable => return Ok(Filtered::Unusable),
        }
    }
    drop(names);
    let path = |(group, observed): &(&Arc<Group>, ObservedGroup)| Some((observed.clone(), ways.chain(&group.id)?));
    let paths = counting.iter().filter_map(path).collect();
    let groups = counting.into_iter().map(|(_, observed)| observed).collect();
    Ok(Filtered::Is(Groups { found: found.len(), groups, paths }))
}

/// Groups by their id, and how the account is in them.
#[derive(Default)]
struct Found {
    groups: BTreeMap<Id, Arc<Group>>,
    ways: Outwards<Id>,
}

/// Walks outwards, level by level; each group is asked about once, so that a cycle ends.
async fn around(source: &Scim, account: &Id, urgency: Urgency) -> Result<Filtered<Found>, Failure> {
    let mut found = Found::default();
    let mut level = vec![(account.clone(), MemberKind::User)];
    while !level.is_empty() {
        let asked = stream::iter(level.into_iter().map(|(id, kind)| holding(source, id, kind, urgency)));
        let mut asked = asked.buffer_unordered(source.concurrency);
        let mut next = Vec::new();
        while let Some(holding) = asked.try_next().await? {
            let Filtered::Is((held, groups)) = holding else { return Ok(Filtered::Unusable) };
            for group in groups {
                if found.ways.meet(group.id.clone(), &scope::fold(&group.display_name), held.as_ref()) {
                    next.push((group.id.clone(), MemberKind::Group));
                    found.groups.insert(group.id.clone(), group);
                }
            }
        }
        drop(asked);
        if found.groups.len() > GROUPS_OF_ONE_MAX {
            return Err(incomplete(format!("the user is in more than {GROUPS_OF_ONE_MAX} groups")));
        }
        level = match source.nested {
            Nested::Expand => next,
            Nested::Direct => Vec::new(),
        };
    }
    Ok(Filtered::Is(found))
}

/// The groups of which `id` is a direct member, after the id of the group that it is, if it is one.
async fn holding(
    source: &Scim,
    id: Id,
    kind: MemberKind,
    urgency: Urgency,
) -> Result<Filtered<(Option<Id>, Vec<Arc<Group>>)>, Failure> {
    let filter = Filter::equals(Attribute::MembersValue, id.as_str());
    let mut listed = Vec::new();
    let end = source.service.list(Some(&filter), urgency, |page: Vec<Group>, _| listed.extend(page)).await?;
    if end == Listed::FilterRefused {
        return Ok(Filtered::Unusable);
    }
    let mut groups = Vec::new();
    for group in listed {
        let group = match group.members {
            Some(_) => Arc::new(group),
            None => match source.service.group(&group.id, urgency).await? {
                Alone::There(group) => group,
                Alone::Gone => return Err(incomplete("a group went away while the user's groups were read")),
            },
        };
        if group.members.iter().flatten().any(|member| names(member, &id, kind)) {
            groups.push(group);
        }
    }
    Ok(Filtered::Is(((kind == MemberKind::Group).then_some(id), groups)))
}

/// Ids are unique across all resources (RFC 7643, 3.1), so that a member that doesn't say what it is is told by its id.
fn names(member: &Member, id: &Id, kind: MemberKind) -> bool {
    let said = member.kind();
    member.value.as_ref() == Some(id) && (said == kind || said == MemberKind::Unsaid)
}

/// Holds that no other group has this one's name: a census would take neither.
async fn is_alone(source: &Scim, group: &Group, urgency: Urgency) -> Result<Filtered<()>, Failure> {
    let filter = Filter::equals(Attribute::DisplayName, &group.display_name);
    let name = scope::fold(&group.display_name);
    let mut ids = BTreeSet::new();
    let each = |page: Vec<Group>, _| {
        let namesakes = page.into_iter().filter(|other| scope::fold(&other.display_name) == name);
        ids.extend(namesakes.map(|other| other.id));
    };
    let listed = source.service.list(Some(&filter), urgency, each).await?;
    match listed {
        Listed::ToTheEnd if ids.len() > 1 => Err(namesakes()),
        Listed::ToTheEnd if ids.contains(&group.id) => Ok(Filtered::Is(())),
        // Renamed just now, or the filter does not serve: the whole will tell.
        Listed::ToTheEnd | Listed::FilterRefused => Ok(Filtered::Unusable),
    }
}
