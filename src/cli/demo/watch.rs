//! Looking: what the store and the daemon say now, and waiting, with a deadline, until it is what the story needs.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use entitled_model::{Outcome, Trigger};
use entitled_simulator::ChangeError;
use tokio_util::sync::CancellationToken;

use super::stage::Stage;
use crate::reconcile::{RunError, Scope, SourceRun};
use crate::runner::Order;
use crate::store::StoreError;

/// How long the story waits for what it has announced; longer than a circuit breaker stays open.
const PATIENCE: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Why the story can't go on.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    #[error("expected {expected}; found {found}")]
    OtherThanTold { expected: String, found: String },
    #[error("waited {} s in vain for {expected}; last seen: {found}", PATIENCE.as_secs())]
    NotInTime { expected: String, found: String },
    /// Stdout is closed.
    #[error("nobody listens any more")]
    Unheard,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("the daemon did not answer as it should")]
    Http(#[from] reqwest::Error),
    #[error("the simulator refused a change")]
    Upstream(#[from] ChangeError),
}

/// Holds the story to its word.
///
/// # Errors
/// When it does not hold.
pub fn check(holds: bool, expected: &str, found: &impl Debug) -> Result<(), StoryError> {
    match holds {
        true => Ok(()),
        false => Err(StoryError::OtherThanTold { expected: expected.to_owned(), found: format!("{found:?}") }),
    }
}

/// How the latest run of a source ended.
#[derive(Debug, Default)]
pub struct Ended {
    outcome: Option<String>,
    error: Option<String>,
}

impl Ended {
    pub fn is(&self, outcome: Outcome) -> bool {
        self.outcome.as_deref() == Some(outcome.as_str()) && self.error.is_none()
    }

    pub fn failed_as(&self, class: &str) -> bool {
        self.error.as_deref() == Some(class)
    }

    /// Read whole, and nothing was held.
    pub fn is_well(&self) -> bool {
        self.is(Outcome::Unchanged) || self.is(Outcome::Applied)
    }
}

impl Stage {
    /// Looks again and again until it holds.
    ///
    /// # Errors
    /// When it does not in time, or looking fails.
    pub async fn until<T: Debug>(
        &self,
        expected: &str,
        look: impl AsyncFn() -> Result<T, StoryError>,
        holds: impl Fn(&T) -> bool,
    ) -> Result<T, StoryError> {
        let clock = self.store.clock();
        let began = clock.monotonic();
        loop {
            let seen = look().await?;
            if holds(&seen) {
                return Ok(seen);
            }
            if clock.monotonic().saturating_sub(began) > PATIENCE {
                return Err(StoryError::NotInTime { expected: expected.to_owned(), found: format!("{seen:?}") });
            }
            clock.sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the latest run of a source has ended so.
    ///
    /// # Errors
    /// As [`Stage::until`].
    pub async fn until_run(
        &self,
        source: &str,
        expected: &str,
        holds: impl Fn(&Ended) -> bool,
    ) -> Result<(), StoryError> {
        self.until(expected, async || self.latest_run(source).await, holds).await.map(drop)
    }

    async fn latest_run(&self, source: &str) -> Result<Ended, StoryError> {
        let runs = self.store.source_runs().await?.remove(source).unwrap_or_default();
        Ok(Ended { outcome: runs.last_outcome, error: runs.last_error_class })
    }

    /// A group's members, by address, each with the source that says so.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn members(&self, group: &str) -> Result<BTreeSet<(String, String)>, StoryError> {
        let Some(group) = self.store.group_by_any_name(group).await? else { return Ok(BTreeSet::new()) };
        let members = self.store.memberships_of_group(self.store.reader(), group).await?;
        let users: Vec<_> = members.iter().map(|member| member.user).collect();
        let addresses = self.store.emails_of(self.store.reader(), &users).await?;
        let named = members.iter().map(|member| {
            let address = addresses.get(&member.user).cloned().unwrap_or_default();
            (address, member.source.to_string())
        });
        Ok(named.collect())
    }

    /// How many memberships a source supports.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn memberships(&self, source: &str) -> Result<u64, StoryError> {
        Ok(self.store.memberships_by_source().await?.remove(source).unwrap_or_default())
    }

    /// What `entitled sync --dry-run` would come to.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn rehearse(&self, source: &str) -> Result<SourceRun, StoryError> {
        let runner = self.daemon.runner();
        let found = runner.registry.iter().find(|known| known.name.as_str() == source);
        let found = found.ok_or_else(|| StoryError::OtherThanTold {
            expected: format!("a source named {source}"),
            found: "none".to_owned(),
        })?;
        let order = Order::new(self.store.clock(), Trigger::Manual, CancellationToken::new());
        Ok(runner.rehearse(found, Scope::Whole, &order).await?)
    }
}
