//! Asking a source, once, about everything in a run's scope.

use entitled_model::observation::{AskedUser, Census, Observation};
use entitled_model::{Failure, Instant};
use futures_util::StreamExt;

use super::Scope;
use super::enumerate::{self, Enumeration, Past};
use crate::clock::Clock;
use crate::source::{Asks, GroupSource, Person, Progress, Source, Urgency};

/// How many users are asked about at once; the source's own rate limit paces them.
const ASKED_AT_ONCE_MAX: usize = 16;
/// How often a long reading tells how far it is, in users.
const PROGRESS_USERS: u64 = 50;

/// How a source is asked.
pub struct Asking<'a> {
    pub source: &'a Source,
    /// No question begins before: it is already after everything that the store knows.
    pub began_at: Instant,
    pub clock: &'a Clock,
    pub progress: &'a dyn Progress,
}

/// What was observed, and what came of reading many users from lists, where that was tried.
pub struct Observed {
    pub observation: Result<Observation, Failure>,
    pub enumeration: Option<Enumeration>,
}

/// Asks about the source's whole, or about each of `people`.
pub async fn observe(asking: &Asking<'_>, scope: &Scope, people: Vec<Person>, past: &Past) -> Observed {
    let plain = |observation| Observed { observation, enumeration: None };
    match (&asking.source.asks, scope) {
        (Asks::Groups(groups), Scope::Whole) => plain(census(asking, groups.as_ref()).await),
        (Asks::Backend(_) | Asks::Groups(_), Scope::Users(_)) => {
            plain(concluded(one_by_one(asking, people, Urgency::Awaited).await))
        }
        (Asks::Backend(backend), Scope::Whole) => match backend.enumerator() {
            None => plain(concluded(one_by_one(asking, people, Urgency::Background).await)),
            Some(enumerator) => {
                let (observation, enumeration) = enumerate::observe(asking, enumerator, people, past).await;
                Observed { observation, enumeration: Some(enumeration) }
            }
        },
    }
}

async fn census(asking: &Asking<'_>, groups: &dyn GroupSource) -> Result<Observation, Failure> {
    let Asking { began_at, clock, progress, .. } = *asking;
    let census: Census = groups.census(progress).await?;
    Ok(Observation::Census { began_at, completed_at: clock.now().max(began_at), census })
}

/// Asks about each of `people`.
pub(super) async fn one_by_one(asking: &Asking<'_>, people: Vec<Person>, urgency: Urgency) -> Vec<AskedUser> {
    let expected = people.len() as u64;
    let questions = people.into_iter().map(|person| ask(asking, person, urgency));
    let mut answers = futures_util::stream::iter(questions).buffered(ASKED_AT_ONCE_MAX);
    let mut asked: Vec<AskedUser> = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    while let Some(answer) = answers.next().await {
        asked.push(answer);
        let done = asked.len() as u64;
        if done.is_multiple_of(PROGRESS_USERS) || done == expected {
            asking.progress.pages("users", done, Some(expected));
        }
    }
    asked
}

/// # Errors
/// When nothing could be learned: not one user of those asked answered.
pub(super) fn concluded(asked: Vec<AskedUser>) -> Result<Observation, Failure> {
    match asked.iter().find_map(|asked| asked.answer.as_ref().err()) {
        Some(failure) if asked.iter().all(|asked| asked.answer.is_err()) => Err(failure.clone()),
        _ => Ok(Observation::Users(asked)),
    }
}

async fn ask(asking: &Asking<'_>, person: Person, urgency: Urgency) -> AskedUser {
    let Asking { source, clock, .. } = *asking;
    let began_at = clock.now().max(asking.began_at);
    let answer = match &source.asks {
        Asks::Backend(backend) => backend.answer(&person, urgency).await,
        Asks::Groups(groups) => groups.groups_of(&person, urgency).await,
    };
    AskedUser { user: person.user, began_at, completed_at: clock.now().max(began_at), answer }
}
