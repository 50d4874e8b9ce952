//! Flights: refreshes under way, one per user, joined by every login of that user meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entitled_model::{Outcome, SourceName, UserId};
use tokio::sync::watch;

use crate::reconcile::SourceRun;
use crate::report::chain;
use crate::store::Profile;

/// The most flights remembered; landed ones are forgotten first.
const FLIGHTS_MAX: usize = 1_024;

/// What came of asking one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    Fresh,
    Cached,
    Failed { class: &'static str, message: String },
}

impl Refreshed {
    pub(super) fn of(run: &SourceRun) -> Self {
        match (&run.error, run.outcome) {
            (Some(failed), _) => Refreshed::Failed { class: failed.class.as_str(), message: failed.message.clone() },
            (None, Outcome::Held) => Refreshed::Failed { class: "held", message: run.held.clone().unwrap_or_default() },
            (None, _) => Refreshed::Fresh,
        }
    }

    /// The daemon is stopping.
    pub(super) fn interrupted() -> Self {
        Refreshed::Failed { class: "interrupted", message: "entitled is stopping".to_owned() }
    }

    pub(super) fn failed(class: &'static str, error: &dyn std::error::Error) -> Self {
        tracing::error!(detail = chain(error), "a login's refresh failed");
        Refreshed::Failed { class, message: "entitled could not store the answer".to_owned() }
    }
}

/// Where the results are put.
pub(super) struct Results {
    /// One for each source, in their order.
    pub sources: Vec<watch::Sender<Option<Refreshed>>>,
    /// What the login said of the user is stored, or never will be.
    pub remembered: watch::Sender<bool>,
}

/// A refresh of one user, under way or landed.
#[derive(Clone)]
pub(super) struct Flight {
    profile: Profile,
    began: Duration,
    results: BTreeMap<SourceName, watch::Receiver<Option<Refreshed>>>,
    remembered: watch::Receiver<bool>,
    another_user: Arc<AtomicBool>,
}

impl Flight {
    pub(super) fn new(profile: Profile, began: Duration, sources: impl Iterator<Item = SourceName>) -> (Self, Results) {
        let (mut results, mut senders) = (BTreeMap::new(), Vec::new());
        for source in sources {
            let (sender, receiver) = watch::channel(None);
            results.insert(source, receiver);
            senders.push(sender);
        }
        let (remembering, remembered) = watch::channel(false);
        (
            Self { profile, began, results, remembered, another_user: Arc::default() },
            Results { sources: senders, remembered: remembering },
        )
    }

    /// Ends when every source has answered or failed, and what the login said is stored.
    pub(super) async fn landed(&self) {
        // A sender that is gone will not answer any more.
        let _ = self.remembered.clone().wait_for(|remembered| *remembered).await;
    }

    pub(super) fn result(&self, source: &SourceName) -> Option<Refreshed> {
        self.results.get(source).and_then(|result| result.borrow().clone())
    }

    /// Where it is told that a source knows whom was asked about as another user.
    pub(super) fn another_user(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.another_user)
    }

    pub(super) fn found_another_user(&self) -> bool {
        self.another_user.load(Ordering::Acquire)
    }

    fn under_way(&self) -> bool {
        self.remembered.has_changed().is_ok() && !*self.remembered.borrow()
    }

    /// Whether a login that arrived then may take this flight's results for its own.
    fn serves(&self, profile: &Profile, arrived: Duration) -> bool {
        self.profile == *profile && (self.under_way() || self.began >= arrived)
    }
}

/// All flights, by user.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<UserId, Arc<Flight>>>);

impl Flights {
    pub(super) fn join_or_start(
        &self,
        user: UserId,
        profile: &Profile,
        arrived: Duration,
        start: impl FnOnce() -> Flight,
    ) -> Arc<Flight> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&user).filter(|flight| flight.serves(profile, arrived)) {
            return Arc::clone(flight);
        }
        if flights.len() >= FLIGHTS_MAX {
            flights.retain(|_, flight| flight.under_way());
        }
        let flight = Arc::new(start());
        flights.insert(user, Arc::clone(&flight));
        flight
    }
}
