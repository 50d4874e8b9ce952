//! Hints: a source says that something has changed, and is asked a little later. A hint is never taken as data.
//!
//! DeployCenter sends its webhooks before the change commits, without a signature, and not for every change: whoever asks
//! back at once sees the old state, and polling stays the truth. So a hint waits, hints that come together are one, and
//! what they lead to is an ordinary run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entitled_model::{Trigger, UserId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::reconcile::{Asked, RunError};
use crate::report::chain;
use crate::runner::{Order, Runner};
use crate::source::{Person, Source};

/// The most users that wait by name; beyond, the source is asked about everybody.
const USERS_WAITING_MAX: usize = 1_000;

/// What a hint was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hinted {
    Users(BTreeSet<UserId>),
    Everybody,
}

/// The hints that wait for one source.
pub struct Hints {
    waiting: Mutex<Option<Hinted>>,
    news: Notify,
}

impl Hints {
    /// Waits for hints about `source`, and refreshes whom they name `settle` after the first of them.
    pub fn follow(
        runner: Runner,
        source: Arc<Source>,
        settle: Duration,
        stop: CancellationToken,
    ) -> (Arc<Self>, impl Future<Output = ()>) {
        let hints = Arc::new(Self { waiting: Mutex::default(), news: Notify::new() });
        let following = Arc::clone(&hints);
        (hints, async move {
            let clock = runner.store.clock().clone();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = following.news.notified() => {}
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = clock.sleep(settle) => {}
                }
                let Some(hinted) = following.take() else { continue };
                following.act(&runner, &source, hinted, &stop).await;
            }
        })
    }

    /// Takes a hint; it joins those that wait.
    pub fn hint(&self, hinted: Hinted) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some(match (waiting.take(), hinted) {
            (None, hinted) => hinted,
            (Some(Hinted::Everybody), _) | (_, Hinted::Everybody) => Hinted::Everybody,
            (Some(Hinted::Users(mut users)), Hinted::Users(more)) => {
                users.extend(more);
                Hinted::Users(users)
            }
        });
        if matches!(&*waiting, Some(Hinted::Users(users)) if users.len() > USERS_WAITING_MAX) {
            *waiting = Some(Hinted::Everybody);
        }
        drop(waiting);
        self.news.notify_one();
    }

    fn take(&self) -> Option<Hinted> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn act(&self, runner: &Runner, source: &Source, hinted: Hinted, stop: &CancellationToken) {
        let order = Order::new(runner.store.clock(), Trigger::Webhook, stop.clone());
        let acted = match &hinted {
            Hinted::Everybody => runner.whole(source, &order).await.map(|run| run.is_some()),
            Hinted::Users(users) => refresh(runner, source, users, &order).await.map(|()| true),
        };
        match acted {
            Ok(true) => {}
            // Somebody is reading it just now, and may have begun before the change: once more.
            Ok(false) => self.hint(hinted),
            // Told by the runner.
            Err(error) => tracing::debug!(detail = chain(&error), "a hint led to nothing"),
        }
    }
}

async fn refresh(
    runner: &Runner,
    source: &Source,
    users: &BTreeSet<UserId>,
    order: &Order<'_>,
) -> Result<(), RunError> {
    let mut asked = Vec::new();
    for user in users {
        if let Some(user) = runner.store.user_by_id(runner.store.reader(), *user).await? {
            asked.push(Asked { person: Person::from(user), newcomer: false });
        }
    }
    runner.users(source, asked, order).await.map(drop)
}
