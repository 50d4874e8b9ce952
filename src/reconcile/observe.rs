//! Asking a source, once, about everything in a run's scope.

use entitled_model::observation::{AskedUser, Census, Observation};
use entitled_model::{Failure, Instant};
use futures_util::StreamExt;

use super::Scope;
use crate::clock::Clock;
use crate::source::{Asks, Person, Progress, Source, Urgency};

/// How many users are asked about at once; the source's own rate limit paces them.
const ASKED_AT_ONCE_MAX: usize = 16;
/// How often a long reading tells how far it is, in users.
const PROGRESS_USERS: u64 = 50;

/// Asks `source` about its whole, or about each of `people`.
///
/// # Errors
/// When nothing could be learned: the whole could not be read, or not one user of those asked.
pub async fn observe(
    source: &Source,
    scope: &Scope,
    people: Vec<Person>,
    began_at: Instant,
    clock: &Clock,
    progress: &dyn Progress,
) -> Result<Observation, Failure> {
    match (&source.asks, scope) {
        (Asks::Groups(groups), Scope::Whole) => {
            let census: Census = groups.census(progress).await?;
            Ok(Observation::Census { began_at, completed_at: clock.now().max(began_at), census })
        }
        (Asks::Backend(_) | Asks::Groups(_), Scope::Users(_)) => {
            users(source, people, Urgency::Awaited, began_at, clock, progress).await
        }
        (Asks::Backend(_), Scope::Whole) => users(source, people, Urgency::Background, began_at, clock, progress).await,
    }
}

async fn users(
    source: &Source,
    people: Vec<Person>,
    urgency: Urgency,
    began_at: Instant,
    clock: &Clock,
    progress: &dyn Progress,
) -> Result<Observation, Failure> {
    let expected = people.len() as u64;
    let asking = people.into_iter().map(|person| ask(source, person, urgency, began_at, clock));
    let mut answers = futures_util::stream::iter(asking).buffered(ASKED_AT_ONCE_MAX);
    let mut asked: Vec<AskedUser> = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    while let Some(answer) = answers.next().await {
        asked.push(answer);
        let done = asked.len() as u64;
        if done.is_multiple_of(PROGRESS_USERS) || done == expected {
            progress.pages("users", done, Some(expected));
        }
    }
    drop(answers);
    match asked.iter().find_map(|asked| asked.answer.as_ref().err()) {
        Some(failure) if asked.iter().all(|asked| asked.answer.is_err()) => Err(failure.clone()),
        _ => Ok(Observation::Users(asked)),
    }
}

async fn ask(source: &Source, person: Person, urgency: Urgency, run_began_at: Instant, clock: &Clock) -> AskedUser {
    // Never before the run: its beginning is already after everything that the store knows.
    let began_at = clock.now().max(run_began_at);
    let answer = match &source.asks {
        Asks::Backend(backend) => backend.answer(&person, urgency).await,
        Asks::Groups(groups) => groups.groups_of(&person, urgency).await,
    };
    AskedUser { user: person.user, began_at, completed_at: clock.now().max(began_at), answer }
}
