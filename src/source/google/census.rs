//! The whole directory: its list of groups, its accounts, then the members of each group that matters, several lists at
//! once.
//!
//! A group that can't be read whole is marked, and so is each group that contains it; so are the accounts. The census fails
//! only when the list of groups fails, the source's circuit opens, or most groups fail.
//!
//! Memory: a person is kept once, a membership is four bytes (twelve of a member of an inner group), and a page is dropped once it was read.

mod graph;
mod members;
mod people;
#[cfg(test)]
mod tests;

use std::sync::Mutex;

use entitled_model::observation::{Census, CensusGroup};
use entitled_model::{ErrorClass, Failure};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::GoogleWorkspace;
use super::directory::{Listed, incomplete};
use crate::config::Nested;
use crate::source::Progress;
use graph::{Graph, NodeId};
use members::Members;
use people::People;

/// Groups of one directory.
const GROUPS_MAX: usize = 1_000_000;

pub async fn take(source: &GoogleWorkspace, progress: &dyn Progress) -> Result<Census, Failure> {
    let graph = list(source, progress).await?;
    let Accounts { people, unread: accounts_unread, unusable: accounts_unusable } = accounts(source, progress).await?;
    let reading = Reading { source, graph, people: Mutex::new(people), failures: Failures::default() };
    let Reading { graph, people, .. } = reading.run(progress).await?;
    let people = people.into_inner().map_err(|_| incomplete("reading the members broke off"))?;
    let groups = expand(graph, source.nested, people.len())?;
    Ok(Census { people: people.into_list(), groups, accounts_unread, accounts_unusable })
}

/// The accounts that were listed, why they could not be, and whether one is nobody's.
#[derive(Default)]
struct Accounts {
    people: People,
    unread: Option<Failure>,
    unusable: bool,
}

/// Lists every account. Where that can't be done, members are known by their addresses alone.
async fn accounts(source: &GoogleWorkspace, progress: &dyn Progress) -> Result<Accounts, Failure> {
    let mut listed = Accounts::default();
    let mut pages = 0;
    let end = source.directory.all_users(|page| {
        for user in page {
            match source.account(user) {
                Some(account) => listed.people.add_account(account),
                None => listed.unusable = true,
            }
        }
        pages += 1;
        progress.pages("pages of users", pages, None);
    });
    let failure = match end.await {
        Ok(Listed::ToTheEnd) => return Ok(listed),
        Ok(Listed::NoSuchKey) => incomplete("the list of users is not there"),
        Err(failure) if source.directory.is_unreachable() => return Err(failure),
        Err(failure) => failure,
    };
    Ok(Accounts { unread: Some(failure), ..Accounts::default() })
}

/// Lists every group, and marks those that count.
async fn list(source: &GoogleWorkspace, progress: &dyn Progress) -> Result<Graph, Failure> {
    let mut listed = Vec::new();
    let mut pages = 0;
    let end = source.directory.all_groups(|page| {
        listed.extend(page);
        pages += 1;
        progress.pages("pages of groups", pages, None);
    });
    if end.await? == Listed::NoSuchKey {
        return Err(Failure::new(ErrorClass::Malformed, "the directory knows no such customer or domain"));
    }
    if listed.len() > GROUPS_MAX {
        return Err(incomplete(&format!("the directory has more than {GROUPS_MAX} groups")));
    }
    let mut graph = Graph::default();
    for group in listed {
        let counts_as = source.scope.observed(&group)?;
        graph.add_listed(group, counts_as)?;
    }
    Ok(graph)
}

/// The reading of the members' lists.
struct Reading<'s> {
    source: &'s GoogleWorkspace,
    graph: Graph,
    people: Mutex<People>,
    failures: Failures,
}

/// Groups whose members could not be read because the source failed.
#[derive(Default)]
struct Failures {
    count: u64,
    last: Option<Failure>,
}

impl Reading<'_> {
    async fn run(mut self, progress: &dyn Progress) -> Result<Self, Failure> {
        let people = std::mem::take(&mut self.people);
        let directory = &self.source.directory;
        let mut reading = FuturesUnordered::new();
        let mut done = 0;
        loop {
            while reading.len() < self.source.concurrency
                && let Some(group) = self.graph.next_to_read()
            {
                reading.push(members::read(directory, group, &people));
            }
            let Some((node, read)) = reading.next().await else { break };
            self.note(node, read)?;
            done += 1;
            progress.pages("groups", done, Some(self.graph.queued()));
        }
        drop(reading);
        self.most_failed(done)?;
        Ok(Self { people, ..self })
    }

    fn note(&mut self, node: NodeId, read: Result<Members, Failure>) -> Result<(), Failure> {
        match read {
            Ok(members) => {
                self.graph.set_members(node, members, self.source.nested);
                Ok(())
            }
            // Speaks of this group alone.
            Err(failure) if failure.class == ErrorClass::Forbidden => {
                self.graph.mark(node, failure);
                Ok(())
            }
            Err(failure) if self.source.directory.is_unreachable() => Err(failure),
            Err(failure) => {
                self.failures.count += 1;
                self.failures.last = Some(failure.clone());
                self.graph.mark(node, failure);
                Ok(())
            }
        }
    }

    fn most_failed(&self, done: u64) -> Result<(), Failure> {
        match &self.failures.last {
            Some(failure) if self.failures.count * 2 > done => Err(failure.clone()),
            _ => Ok(()),
        }
    }
}

/// Gives each group that counts its members, the inner groups' included, in the order of the groups' names.
fn expand(graph: Graph, nested: Nested, people: usize) -> Result<Vec<CensusGroup>, Failure> {
    let mut walk = graph.walk(people);
    let mut groups = Vec::new();
    for (node, group) in graph.counting() {
        let members = match nested {
            Nested::Direct => graph.direct(node),
            Nested::Expand => walk.from(node)?,
        };
        let graph::Reached { members, through, incomplete } = members;
        let went_away = graph.went_away(node);
        groups.push(CensusGroup { group: group.clone(), members, through, incomplete, went_away });
    }
    groups.sort_by(|one, other| one.group.cmp(&other.group));
    Ok(groups)
}
