//! One user's groups taken from a reading of the whole directory, where the server's filters can't be believed.
//!
//! A reading serves everybody who asked before it began, so that a hundred logins at once are two readings at most.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use entitled_model::observation::{Census, CensusGroup, CensusPerson, UserAnswer};
use entitled_model::{EmailAddress, Failure};
use tokio::sync::Mutex;

use super::Scim;
use super::accounts::{Holder, contested};
use super::census;
use super::lookup::Answer;
use crate::source::{Silent, Urgency};

#[derive(Default)]
pub struct Wholes {
    /// Those who asked so far.
    asked: AtomicU64,
    last: Mutex<Option<Shared>>,
    /// As many clones as there are askers.
    asking: Arc<()>,
}

/// A reading, kept while somebody waits for it.
struct Shared {
    /// How many had asked when it began.
    serves: u64,
    read: Result<Whole, Failure>,
}

struct Whole {
    directory: census::Directory,
    census: Census,
}

impl Wholes {
    /// # Errors
    /// When the directory could not be read, or a group that counts could not be read whole.
    pub async fn answer(&self, source: &Scim, email: &EmailAddress, urgency: Urgency) -> Result<UserAnswer, Failure> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel);
        let asking = Arc::clone(&self.asking);
        let mut last = self.last.lock().await;
        let shared = match last.take().filter(|shared| number < shared.serves) {
            Some(shared) => shared,
            None => {
                let serves = self.asked.load(Ordering::Acquire);
                Shared { serves, read: read(source, urgency).await }
            }
        };
        let answer = shared.read.as_ref().map_err(Clone::clone).and_then(|read| of_one(source, read, email));
        drop(asking);
        if Arc::strong_count(&self.asking) > 1 {
            *last = Some(shared);
        }
        answer
    }
}

async fn read(source: &Scim, urgency: Urgency) -> Result<Whole, Failure> {
    let directory = census::read(source, &Silent, urgency).await?;
    let census = directory.census(source.nested)?;
    Ok(Whole { directory, census })
}

fn of_one(source: &Scim, whole: &Whole, email: &EmailAddress) -> Result<UserAnswer, Failure> {
    let Whole { directory, census } = whole;
    let (index, account) = match directory.holders(&email.key())[..] {
        [] => return Ok(Answer::absent()),
        [(index, Holder::Person(account))] => (index, account),
        _ => return Err(contested()),
    };
    let settled =
        |person: &CensusPerson| person.account().is_some_and(|known| known.external_id == account.external_id);
    let place = census.people.iter().position(settled).ok_or_else(contested)?;
    let place = u32::try_from(place).map_err(|_| contested())?;
    if let Some(failure) = census.groups.iter().find_map(|group| group.incomplete.clone()) {
        return Err(failure);
    }
    let account = census.people[place as usize].account().cloned();
    let in_them = || census.groups.iter().filter(|group| group.members.binary_search(&place).is_ok());
    let groups: BTreeSet<_> = in_them().map(|group| group.group.clone()).collect();
    let path = |group: &CensusGroup| Some((group.group.clone(), group.through.of(place)?.clone()));
    let paths = in_them().filter_map(path).collect();
    let shut_out = source.scope.has_prefix() && groups.is_empty() && directory.is_member(index);
    Ok(Answer { groups, paths, shut_out, account }.into_user_answer())
}
