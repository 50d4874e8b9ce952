//! The whole directory: its users, its groups, and alone what the lists leave out, several at once.
//!
//! A group that can't be read whole is marked, and so is each group that contains it; the reading fails only when a list
//! fails, the source's circuit opens, or most groups fail.
//!
//! Memory: an id and an account are kept once, a membership is eight bytes (sixteen of a member of an inner group), and a page is dropped once it was read.

mod directory;
mod walk;

use std::sync::Arc;

use entitled_model::{ErrorClass, Failure};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::service::Alone;
use super::wire::{Group, Id, Resource, User};
use super::{Scim, incomplete};
use crate::source::{Progress, Urgency};
pub use directory::Directory;
use directory::NodeId;
pub use walk::namesakes;

/// Members that are read alone because no list held them; further ones leave their groups incomplete.
const UNLISTED_READ_MAX: usize = 10_000;

/// Reads everything.
///
/// # Errors
/// See the module.
pub async fn read(source: &Scim, progress: &dyn Progress, urgency: Urgency) -> Result<Directory, Failure> {
    let mut reading =
        Reading { source, progress, urgency, directory: Directory::default(), failures: Failures::default() };
    reading.users().await?;
    reading.groups().await?;
    reading.members().await?;
    reading.unlisted().await?;
    Ok(reading.directory)
}

struct Reading<'s> {
    source: &'s Scim,
    progress: &'s dyn Progress,
    urgency: Urgency,
    directory: Directory,
    failures: Failures,
}

/// Groups whose members could not be read because the source failed.
#[derive(Default)]
struct Failures {
    count: usize,
    last: Option<Failure>,
}

impl Reading<'_> {
    async fn users(&mut self) -> Result<(), Failure> {
        let Self { source, progress, urgency, directory, .. } = self;
        let mut pages = Pages::of::<User>(*progress);
        let mut added = Ok(());
        let each = |users: Vec<User>, total| {
            pages.told(users.len(), total);
            users.into_iter().for_each(|user| {
                if added.is_ok() {
                    added = directory.add_user(user);
                }
            });
        };
        source.service.list(None, *urgency, each).await?;
        added
    }

    async fn groups(&mut self) -> Result<(), Failure> {
        let Self { source, progress, urgency, directory, .. } = self;
        let mut pages = Pages::of::<Group>(*progress);
        let mut added = Ok(());
        let each = |groups: Vec<Group>, total| {
            pages.told(groups.len(), total);
            groups.into_iter().for_each(|group| {
                if added.is_ok() {
                    added = source.scope.observed(&group).and_then(|counts_as| directory.add_group(group, counts_as));
                }
            });
        };
        source.service.list(None, *urgency, each).await?;
        added
    }

    /// The members of each group that matters and that the list told nothing of.
    async fn members(&mut self) -> Result<(), Failure> {
        let (source, urgency) = (self.source, self.urgency);
        let mut reading = FuturesUnordered::new();
        let mut done = 0;
        loop {
            while reading.len() < source.concurrency
                && let Some((node, id)) = self.directory.next_to_read(source.nested)
            {
                reading.push(async move { (node, source.service.group(&id, urgency).await) });
            }
            let Some((node, read)) = reading.next().await else { break };
            self.note_group(node, read)?;
            done += 1;
            let left = self.directory.unread() + reading.len();
            self.progress.pages("groups", done, Some(done + left as u64));
        }
        drop(reading);
        self.most_failed()
    }

    fn note_group(&mut self, node: NodeId, read: Result<Alone<Arc<Group>>, Failure>) -> Result<(), Failure> {
        match read {
            Ok(Alone::There(group)) => self.directory.set_members(node, group.members.as_deref().unwrap_or_default()),
            // Whether it is gone for good, the next list of groups will say.
            Ok(Alone::Gone) => {
                self.directory.mark(node, incomplete("the group went away while the directory was read"));
                Ok(())
            }
            Err(failure) => {
                self.directory.mark(node, failure.clone());
                // Speaks of this group alone.
                if failure.class != ErrorClass::Forbidden {
                    self.failures.count += 1;
                    self.failures.last = Some(failure.clone());
                }
                self.goes_on(failure)
            }
        }
    }

    /// Members whom no list held: created meanwhile, or not for everybody's eyes.
    async fn unlisted(&mut self) -> Result<(), Failure> {
        let (source, urgency) = (self.source, self.urgency);
        let unlisted = self.directory.unlisted(source.nested);
        let expected = unlisted.len().min(UNLISTED_READ_MAX) as u64;
        let mut waiting = unlisted.into_iter().take(UNLISTED_READ_MAX);
        let mut reading = FuturesUnordered::new();
        let mut done = 0;
        loop {
            while reading.len() < source.concurrency
                && let Some(id) = waiting.next()
            {
                reading.push(async move { (source.service.user(&id, urgency).await, id) });
            }
            let Some((read, id)) = reading.next().await else { break };
            self.note_user(&id, read)?;
            done += 1;
            self.progress.pages("users in no list", done, Some(expected));
        }
        Ok(())
    }

    fn note_user(&mut self, id: &Id, read: Result<Alone<User>, Failure>) -> Result<(), Failure> {
        match read {
            Ok(Alone::There(user)) => self.directory.add_user(user),
            // An id that leads nowhere: what it stood for can't be told.
            Ok(Alone::Gone) => Ok(()),
            Err(failure) => {
                self.directory.mark_unknown(id, failure.clone());
                self.goes_on(failure)
            }
        }
    }

    /// One failure is a matter of what it befell, unless the source's circuit is open.
    fn goes_on(&self, failure: Failure) -> Result<(), Failure> {
        if self.source.service.is_unreachable() { Err(failure) } else { Ok(()) }
    }

    fn most_failed(&self) -> Result<(), Failure> {
        match &self.failures.last {
            Some(failure) if self.failures.count * 2 > self.directory.reached() => Err(failure.clone()),
            _ => Ok(()),
        }
    }
}

/// Tells how many pages of a list were read.
struct Pages<'p> {
    progress: &'p dyn Progress,
    what: &'static str,
    done: u64,
    /// Resources of the largest page: what the others are expected to hold.
    page: u64,
}

impl<'p> Pages<'p> {
    fn of<R: Resource>(progress: &'p dyn Progress) -> Self {
        Self { progress, what: R::PAGES, done: 0, page: 1 }
    }

    fn told(&mut self, resources: usize, total: Option<u64>) {
        self.done += 1;
        self.page = self.page.max(resources as u64);
        self.progress.pages(self.what, self.done, total.map(|total| total.div_ceil(self.page).max(1)));
    }
}
