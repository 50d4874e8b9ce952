//! The part of a login that goes on when its time is up: every source is asked, and what the login said is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entitled_model::event::Cause;
use tokio_util::sync::CancellationToken;

use super::flight::{self, Refreshed};
use super::identify::{self, Identified};
use crate::reconcile::{Asked, RunError};
use crate::runner::Runner;
use crate::source::{Person, Source};
use crate::store::{Profile, StoreError};

/// The part of a login that goes on when its time is up.
pub(super) struct Refresh {
    pub runner: Runner,
    pub stop: CancellationToken,
    pub actor: String,
    pub correlation_id: Option<String>,
    pub identified: Identified,
    pub another_user: Arc<AtomicBool>,
}

impl Refresh {
    pub async fn all(self, sources: Vec<Arc<Source>>, results: flight::Results) {
        let flight::Results { sources: results, remembered } = results;
        let asking = sources.iter().zip(&results).map(|(source, result)| async {
            result.send_replace(Some(self.one(source).await));
        });
        futures_util::future::join_all(asking).await;
        // What the login says is the person's whom the directory knows by this address, who may be another.
        if !self.another_user.load(Ordering::Acquire)
            && let Err(error) = identify::remember(&self.runner.store, &self.identified, self.cause()).await
        {
            tracing::error!(user = %self.identified.user.id, detail = crate::report::chain(&error), "a profile was not stored");
        }
        remembered.send_replace(true);
    }

    fn cause(&self) -> Cause {
        identify::cause(&self.actor, self.correlation_id.as_deref())
    }

    async fn one(&self, source: &Source) -> Refreshed {
        match self.cached(source).await {
            Ok(true) => return Refreshed::Cached,
            Ok(false) => {}
            Err(error) => return Refreshed::failed("internal", &error),
        }
        let mut order =
            crate::runner::Order::new(self.runner.store.clock(), entitled_model::Trigger::Login, self.stop.clone());
        order.correlation_id.clone_from(&self.correlation_id);
        let mut person = Person::from(self.identified.user.clone());
        let Profile { email, sub, claims } = self.identified.profile.clone();
        (person.email, person.sub, person.claims) = (email, sub, claims);
        match self.runner.users(source, vec![Asked { person, newcomer: false }], &order).await {
            Ok(run) => {
                if !run.users.is_empty() && !run.users.contains_key(&self.identified.user.id) {
                    self.another_user.store(true, Ordering::Release);
                }
                Refreshed::of(&run)
            }
            Err(RunError::Stopped) => Refreshed::interrupted(),
            Err(error) => Refreshed::failed("internal", &error),
        }
    }

    /// Whether the source was asked about this very user within its `cache_ttl`, with what is known of them now.
    async fn cached(&self, source: &Source) -> Result<bool, StoreError> {
        let ttl = source.settings.cache_ttl;
        if ttl.is_zero() || self.identified.changes_question() {
            return Ok(false);
        }
        let store = &self.runner.store;
        let user = self.identified.user.id;
        let marks = store.marks_of_users(store.reader(), &source.name, &[user]).await?;
        let now = store.clock().now();
        let age = marks.users.get(&user).map(|mark| (now - mark.completed_at).to_std().unwrap_or_default());
        Ok(age.is_some_and(|age| age < ttl))
    }
}
