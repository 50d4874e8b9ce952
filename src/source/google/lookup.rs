//! One user's groups: the direct ones, and with `nested = "expand"` the groups that those are in, and so on.
//!
//! Invariant: the answer is the one a census would give for this user, or a failure.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::{Coverage, Stated, UserAnswer, Verdict};
use entitled_model::{ErrorClass, Failure};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::GoogleWorkspace;
use super::directory::{Directory, incomplete};
use super::wire::Group;
use crate::config::Nested;
use crate::source::{Person, Urgency};

/// Groups of one user, inner and outer together.
const GROUPS_OF_ONE_MAX: usize = 10_000;

/// Groups by their immutable id.
type Found = BTreeMap<String, Group>;

pub async fn groups_of(source: &GoogleWorkspace, person: &Person, urgency: Urgency) -> Result<UserAnswer, Failure> {
    let Some(email) = &person.email else {
        let message = "the user has no email, so the source was not asked";
        return Err(Failure::new(ErrorClass::MissingClaim, message));
    };
    let Some(direct) = source.directory.groups_of(email.as_given(), urgency).await? else {
        return Ok(answer(BTreeSet::new(), Presence::Unknown, None));
    };
    let found = match source.nested {
        Nested::Direct => direct.into_iter().map(|group| (group.id.clone(), group)).collect(),
        Nested::Expand => with_outer(source, direct, urgency).await?,
    };
    let mut groups = BTreeSet::new();
    for group in found.values() {
        groups.extend(source.scope.observed(group)?);
    }
    let shut_out = source.scope.has_prefix() && !found.is_empty() && groups.is_empty();
    Ok(answer(groups, Presence::Known, shut_out.then_some(Verdict::NotInAllowedGroup)))
}

#[derive(PartialEq, Eq)]
enum Presence {
    Known,
    Unknown,
}

fn answer(
    groups: BTreeSet<entitled_model::observation::ObservedGroup>,
    presence: Presence,
    verdict: Option<Verdict>,
) -> UserAnswer {
    let present = presence == Presence::Known;
    UserAnswer { groups, coverage: Coverage::Everything, stated: Stated::Nothing, present, verdict, account: None }
}

/// Walks outwards, level by level; each group is asked once, so that a cycle ends.
async fn with_outer(source: &GoogleWorkspace, direct: Vec<Group>, urgency: Urgency) -> Result<Found, Failure> {
    let mut found = Found::new();
    let mut level = direct;
    while !level.is_empty() {
        let mut fresh = Vec::new();
        for group in level {
            if !found.contains_key(&group.id) {
                fresh.push(group.email.clone());
                found.insert(group.id.clone(), group);
            }
        }
        if found.len() > GROUPS_OF_ONE_MAX {
            return Err(incomplete(&format!("the user is in more than {GROUPS_OF_ONE_MAX} groups")));
        }
        level = outer(source, fresh, urgency).await?;
    }
    Ok(found)
}

/// The groups that hold these, several lists at once.
async fn outer(source: &GoogleWorkspace, addresses: Vec<String>, urgency: Urgency) -> Result<Vec<Group>, Failure> {
    let mut outer = Vec::new();
    let mut waiting = addresses.into_iter();
    let mut reading: FuturesUnordered<_> = waiting
        .by_ref()
        .take(source.concurrency)
        .map(|address| outer_of(&source.directory, address, urgency))
        .collect();
    while let Some(read) = reading.next().await {
        outer.extend(read?);
        reading.extend(waiting.next().map(|address| outer_of(&source.directory, address, urgency)));
    }
    Ok(outer)
}

async fn outer_of(directory: &Directory, address: String, urgency: Urgency) -> Result<Vec<Group>, Failure> {
    let outer = directory.groups_of(&address, urgency).await?;
    outer.ok_or_else(|| incomplete("a group went away while the user's groups were read"))
}
