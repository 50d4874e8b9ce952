//! One user's groups: the direct ones, and with `nested = "expand"` the groups that those are in, and so on.
//!
//! Invariant: the answer is the one a census would give for this user, or a failure.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::{Account, Coverage, Stated, UserAnswer, Verdict};
use entitled_model::{EmailAddress, ErrorClass, Failure};
use futures_util::future::try_join;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::GoogleWorkspace;
use super::directory::{Directory, incomplete};
use super::wire::{Group, User};
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
    let key = match (source.directory.groups_of(email.as_given(), urgency).await?, &person.external_id) {
        (Some(direct), _) => Some((email.as_given(), direct)),
        // The account may have another address by now.
        (None, Some(id)) => source.directory.groups_of(id, urgency).await?.map(|direct| (id.as_str(), direct)),
        (None, None) => return Ok(nobody(source, email)),
    };
    let Some((key, direct)) = key else { return Ok(unlisted(Coverage::Everything)) };
    // Of somebody who is in no group and has no account known here, an account would change nothing.
    let matters = !direct.is_empty() || person.external_id.is_some();
    let account = async { if matters { account(&source.directory, key, urgency).await } else { Ok(None) } };
    let (found, account) = try_join(around(source, direct, urgency), account).await?;
    let mut groups = BTreeSet::new();
    for group in found.values() {
        groups.extend(source.scope.observed(group)?);
    }
    let shut_out = source.scope.has_prefix() && !found.is_empty() && groups.is_empty();
    Ok(UserAnswer {
        groups,
        present: true,
        verdict: shut_out.then_some(Verdict::NotInAllowedGroup),
        account,
        ..unlisted(Coverage::Everything)
    })
}

/// The direct groups, and with `nested = "expand"` the groups around them.
async fn around(source: &GoogleWorkspace, direct: Vec<Group>, urgency: Urgency) -> Result<Found, Failure> {
    match source.nested {
        Nested::Direct => Ok(direct.into_iter().map(|group| (group.id.clone(), group)).collect()),
        Nested::Expand => with_outer(source, direct, urgency).await,
    }
}

/// Somebody's account; none where they have none, or where accounts can't be read: then people are known by their
/// addresses, as in a census.
async fn account(directory: &Directory, key: &str, urgency: Urgency) -> Result<Option<Account>, Failure> {
    match directory.user(key, urgency).await {
        Ok(user) => Ok(user.and_then(User::account)),
        Err(failure) if matches!(failure.class, ErrorClass::Forbidden | ErrorClass::Malformed) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Nobody has the address there. In the directory's own domains that is an answer; a guest from elsewhere may be a member
/// without an account, which only a full read can tell.
fn nobody(source: &GoogleWorkspace, email: &EmailAddress) -> UserAnswer {
    let own = source.own_domains.contains(&email.domain().to_lowercase());
    unlisted(if own { Coverage::Everything } else { Coverage::Facets(BTreeSet::new()) })
}

/// An answer about somebody who is in no group there.
fn unlisted(coverage: Coverage) -> UserAnswer {
    UserAnswer {
        groups: BTreeSet::new(),
        coverage,
        stated: Stated::Nothing,
        present: false,
        verdict: None,
        account: None,
    }
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
