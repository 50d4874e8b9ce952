//! One user's groups: the direct ones, and with `nested = "expand"` the groups that those are in, and so on.
//!
//! Invariant: the answer is the one a census would give for this user, or a failure.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::{Account, Coverage, Stated, UserAnswer, Verdict};
use entitled_model::path::Outwards;
use entitled_model::{EmailAddress, ErrorClass, Failure};
use futures_util::future::try_join;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::GoogleWorkspace;
use super::directory::{Directory, incomplete};
use super::scope;
use super::wire::Group;
use crate::config::Nested;
use crate::source::{Person, Urgency};

/// Groups of one user, inner and outer together.
const GROUPS_OF_ONE_MAX: usize = 10_000;

/// The groups around somebody.
#[derive(Default)]
struct Found {
    /// By their immutable id.
    groups: BTreeMap<String, Group>,
    ways: Outwards<String>,
}

impl Found {
    /// Takes a group that holds `inner`, or the user directly; its address, when it is met for the first time.
    fn meet(&mut self, group: Group, inner: Option<&String>) -> Option<String> {
        let is_new = self.ways.meet(group.id.clone(), &scope::fold(&group.email), inner);
        let address = is_new.then(|| group.email.clone());
        self.groups.entry(group.id.clone()).or_insert(group);
        address
    }
}

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
    // Of somebody who is in no group and has no account known here, an account would change nothing else.
    let matters = !direct.is_empty() || person.external_id.is_some() || source.administrators;
    let account = async { if matters { account(source, key, urgency).await } else { Ok(None) } };
    let (found, account) = try_join(around(source, direct, urgency), account).await?;
    let (mut groups, mut paths) = (BTreeSet::new(), BTreeMap::new());
    for (id, group) in &found.groups {
        if let Some(group) = source.scope.observed(group)? {
            paths.extend(found.ways.chain(id).map(|chain| (group.clone(), chain)));
            groups.insert(group);
        }
    }
    let shut_out = source.scope.has_prefix() && !found.groups.is_empty() && groups.is_empty();
    Ok(UserAnswer {
        groups,
        paths,
        present: true,
        verdict: shut_out.then_some(Verdict::NotInAllowedGroup),
        account,
        ..unlisted(Coverage::Everything)
    })
}

/// The direct groups, and with `nested = "expand"` the groups around them.
async fn around(source: &GoogleWorkspace, direct: Vec<Group>, urgency: Urgency) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut level: Vec<(Option<String>, Group)> = direct.into_iter().map(|group| (None, group)).collect();
    loop {
        // Level by level; each group is asked about once, so that a cycle ends.
        let mut fresh = Vec::new();
        for (inner, group) in level {
            let id = group.id.clone();
            fresh.extend(found.meet(group, inner.as_ref()).map(|address| (id, address)));
        }
        if source.nested == Nested::Direct {
            return Ok(found);
        }
        if found.groups.len() > GROUPS_OF_ONE_MAX {
            return Err(incomplete(&format!("the user is in more than {GROUPS_OF_ONE_MAX} groups")));
        }
        if fresh.is_empty() {
            return Ok(found);
        }
        level = outer(source, fresh, urgency).await?;
    }
}

/// Somebody's account; none where they have none, or where accounts can't be read: then people are known by their
/// addresses, as in a census.
async fn account(source: &GoogleWorkspace, key: &str, urgency: Urgency) -> Result<Option<Account>, Failure> {
    match source.directory.user(key, urgency).await {
        Ok(user) => Ok(user.and_then(|user| source.account(user))),
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
        paths: BTreeMap::new(),
        coverage,
        stated: Stated::Nothing,
        present: false,
        verdict: None,
        account: None,
    }
}

/// The groups that hold these, several lists at once, each with the id of the one that it holds.
async fn outer(
    source: &GoogleWorkspace,
    inner: Vec<(String, String)>,
    urgency: Urgency,
) -> Result<Vec<(Option<String>, Group)>, Failure> {
    let mut outer = Vec::new();
    let mut waiting = inner.into_iter();
    let mut reading: FuturesUnordered<_> = waiting
        .by_ref()
        .take(source.concurrency)
        .map(|(id, address)| outer_of(&source.directory, id, address, urgency))
        .collect();
    while let Some(read) = reading.next().await {
        let (id, groups) = read?;
        outer.extend(groups.into_iter().map(|group| (Some(id.clone()), group)));
        reading.extend(waiting.next().map(|(id, address)| outer_of(&source.directory, id, address, urgency)));
    }
    Ok(outer)
}

async fn outer_of(
    directory: &Directory,
    id: String,
    address: String,
    urgency: Urgency,
) -> Result<(String, Vec<Group>), Failure> {
    let outer = directory.groups_of(&address, urgency).await?;
    let gone = || incomplete("a group went away while the user's groups were read");
    Ok((id, outer.ok_or_else(gone)?))
}
