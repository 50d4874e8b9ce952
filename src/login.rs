//! A login: who it is, what every source says about them now, and what entitled knows when the time is up.
//!
//! Invariants: a login never waits beyond its deadline, and neither a source that is slow or down nor a store that is busy
//! with another's writing refuses one. What is not done by then, a newcomer's creation too, goes on and is stored.

mod decision;
mod flight;
mod identify;
mod refresh;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use entitled_model::entitlement::Entitlements;
use entitled_model::{EmailAddress, Instant, Position, SourceName, Subject, UserId};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use decision::Decision;
pub use flight::Refreshed;

use crate::runner::Runner;
use crate::source::{Person, Source, Urgency};
use crate::store::{MembershipRow, Observed, Profile, ProfileChange, Standing, StoreError};
use flight::{Flight, Flights};
use identify::Identified;
use refresh::Refresh;

/// The most newcomers who wait to be stored.
const NEWCOMERS_MAX: usize = 1_024;
/// The part of a login's time that is kept for reading what is stored: one in so many.
const READING_PART: u32 = 5;
/// How long what is stored is read at most: it is a handful of look-ups by key, and a late answer is better than none.
const READING_MAX: Duration = Duration::from_secs(1);

/// What an application reports.
#[derive(Debug, Clone, Default)]
pub struct Login {
    pub email: Option<EmailAddress>,
    pub sub: Option<Subject>,
    /// A claim that is null is forgotten.
    pub claims: BTreeMap<String, Value>,
    /// Who reports it: `key:<name>`.
    pub actor: String,
    pub correlation_id: Option<String>,
}

/// Why a login can't be answered.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Nobody has that `sub`, and there is no address to create a user by.
    #[error("no user has this sub, and without an address none can be created")]
    Unknown,
    #[error("a login names nobody: it needs an email, a sub, or both")]
    Nobody,
    /// The store could not be read in time, or too many newcomers wait for it already.
    #[error("the store was busy beyond the login's deadline")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How recent a source's part of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Asked for this login.
    Fresh,
    /// Asked within the source's `cache_ttl`.
    Cached,
    /// The last known good answer, because the source is slow or down.
    Stale,
    /// The source is slow or down, and nothing of it is stored.
    Unavailable,
}

impl Freshness {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Freshness::Fresh => "fresh",
            Freshness::Cached => "cached",
            Freshness::Stale => "stale",
            Freshness::Unavailable => "unavailable",
        }
    }
}

/// One source's part of an answer.
#[derive(Debug, Clone)]
pub struct SourcePart {
    pub source: SourceName,
    pub freshness: Freshness,
    /// How old the answer is; none when there is none.
    pub age: Option<Duration>,
    /// The class and what failed.
    pub error: Option<(&'static str, String)>,
}

/// What entitled knows about the user when the time is up.
#[derive(Debug, Clone)]
pub struct LoginAnswer {
    /// None for a newcomer who is not stored yet, because the store was busy with another's writing.
    pub user: Option<UserId>,
    pub profile: Profile,
    pub decision: Decision,
    pub memberships: Vec<MembershipRow>,
    pub entitlements: BTreeMap<SourceName, Entitlements>,
    pub sources: Vec<SourcePart>,
    /// Everything up to here is in the answer.
    pub position: Position,
}

/// Answers logins.
pub struct Logins {
    runner: Runner,
    deadline: Duration,
    enforce_can_access: bool,
    flights: Flights,
    newcomers: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Logins {
    /// `deadline` bounds each answer; refreshes that outlive it are the tracker's, and end with `stop`.
    #[must_use]
    pub fn new(
        runner: Runner,
        deadline: Duration,
        enforce_can_access: bool,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let newcomers = Arc::new(Semaphore::new(NEWCOMERS_MAX));
        Self { runner, deadline, enforce_can_access, flights: Flights::default(), newcomers, tasks, stop }
    }

    /// Refreshes the user who logged in, and answers within the deadline.
    ///
    /// # Errors
    /// When it is nobody that is known or can be made known, or the store fails.
    pub async fn answer(self: &Arc<Self>, mut login: Login) -> Result<LoginAnswer, LoginError> {
        login.claims.retain(|claim, _| self.is_asked_for(claim));
        let arrived = self.runner.store.clock().monotonic();
        let stored = self.in_time(arrived, self.identify(&login)).await.ok_or(LoginError::Busy)??;
        let identified = match stored {
            Some(identified) => identified,
            None => match self.in_time(arrived, self.admit(&login, arrived)?).await {
                Some(admitted) => admitted.map_err(|_| LoginError::Busy)??,
                None => return self.read(self.not_stored_yet(&login)).await,
            },
        };
        let flight = self.refresh(&identified, &login, arrived).await;
        if !flight.found_another_user() {
            return self.read(self.known(identified, &flight)).await;
        }
        // By the directory's word the address is another user's: it is they who logged in.
        let identified = self.in_time(arrived, self.identify(&login)).await.ok_or(LoginError::Busy)??;
        let identified = identified.ok_or(LoginError::Unknown)?;
        let flight = self.refresh(&identified, &login, arrived).await;
        self.read(self.known(identified, &flight)).await
    }

    /// What `work` comes to before what is stored has to be read for the answer to be there by the deadline.
    async fn in_time<T>(&self, arrived: Duration, work: impl Future<Output = T>) -> Option<T> {
        let clock = self.runner.store.clock();
        let patience = self.deadline - self.deadline / READING_PART;
        let remaining = patience.saturating_sub(clock.monotonic().saturating_sub(arrived));
        tokio::select! {
            done = work => Some(done),
            () = clock.sleep(remaining) => None,
        }
    }

    async fn read(
        &self,
        reading: impl Future<Output = Result<LoginAnswer, LoginError>>,
    ) -> Result<LoginAnswer, LoginError> {
        tokio::select! {
            answer = reading => answer,
            () = self.runner.store.clock().sleep(READING_MAX) => Err(LoginError::Busy),
        }
    }

    /// Sets out to make a newcomer known and to ask every source about them. Both go on when the login's time is up.
    fn admit(
        self: &Arc<Self>,
        login: &Login,
        arrived: Duration,
    ) -> Result<JoinHandle<Result<Identified, LoginError>>, LoginError> {
        let place = Arc::clone(&self.newcomers).try_acquire_owned().map_err(|_| LoginError::Busy)?;
        let (logins, login) = (Arc::clone(self), login.clone());
        let admitting = async move {
            let _place = place;
            let identified = logins.create(&login).await.inspect_err(|error| {
                tracing::error!(detail = crate::report::chain(error), "a newcomer was not stored");
            })?;
            logins.flight(&identified, &login, arrived);
            Ok(identified)
        };
        let stop = self.stop.clone();
        Ok(self.tasks.spawn(async move {
            tokio::select! {
                admitted = admitting => admitted,
                () = stop.cancelled() => Err(LoginError::Busy),
            }
        }))
    }

    /// Asks every source about the user, or joins who does, until that is done or the login's time is up.
    async fn refresh(&self, identified: &Identified, login: &Login, arrived: Duration) -> Arc<Flight> {
        let flight = self.flight(identified, login, arrived);
        self.in_time(arrived, flight.landed()).await;
        flight
    }

    fn flight(&self, identified: &Identified, login: &Login, arrived: Duration) -> Arc<Flight> {
        let (user, profile) = (identified.user.id, &identified.profile);
        self.flights.join_or_start(user, profile, arrived, || self.start(identified, login))
    }

    /// Whether some source is asked with this claim; others are not kept.
    fn is_asked_for(&self, claim: &str) -> bool {
        self.runner.registry.iter().any(|source| source.claims.iter().any(|asked| asked == claim))
    }

    /// Sets out to ask every source, and to remember what the login said about the user.
    fn start(&self, identified: &Identified, login: &Login) -> Flight {
        let sources: Vec<Arc<Source>> = self.runner.registry.iter().map(Arc::clone).collect();
        let names = sources.iter().map(|source| source.name.clone());
        let (flight, results) = Flight::new(identified.profile.clone(), self.runner.store.clock().monotonic(), names);
        let refresh = Refresh {
            runner: self.runner.clone(),
            stop: self.stop.clone(),
            actor: login.actor.clone(),
            correlation_id: login.correlation_id.clone(),
            identified: identified.clone(),
            another_user: flight.another_user(),
        };
        self.tasks.spawn(refresh.all(sources, results));
        flight
    }

    async fn known(&self, identified: Identified, flight: &Flight) -> Result<LoginAnswer, LoginError> {
        let (user, profile) = (identified.user.id, identified.profile);
        let store = &self.runner.store;
        let conn = store.reader();
        let (position, standing) = store.standing(conn, user).await?;
        // Whoever is suspended keeps the rows, and has no access by them.
        let memberships = if standing.is_active() { store.memberships_of_user(conn, user).await? } else { Vec::new() };
        let entitlements = store.entitlements_of_user(conn, user).await?;
        let observed = store.observed(conn, user).await?;
        let told = Told { user: Some(user), profile, standing, memberships, entitlements, observed, position };
        Ok(self.told(told, Some(flight)).await)
    }

    /// The answer about somebody whom another's writing keeps from being stored: nothing is known of them, and nothing denies
    /// them.
    async fn not_stored_yet(&self, login: &Login) -> Result<LoginAnswer, LoginError> {
        let store = &self.runner.store;
        let (position, _) = store.head(store.reader()).await?;
        let (profile, _) = Profile::default().with(login);
        Ok(self.told(Told { profile, position, ..Told::default() }, None).await)
    }

    async fn told(&self, told: Told, flight: Option<&Flight>) -> LoginAnswer {
        let Told { user, profile, standing, memberships, mut entitlements, observed, position } = told;
        let now = self.runner.store.clock().now();
        let mut sources = Vec::new();
        for source in self.runner.registry.iter() {
            let result = flight.and_then(|flight| flight.result(&source.name));
            let part = part(source, result, observed.get(&source.name), now);
            if part.freshness == Freshness::Unavailable
                && let Some(fallback) = &source.fallback
            {
                let person = Person {
                    user: user.unwrap_or_else(|| UserId(self.runner.store.clock().new_id())),
                    email: profile.email.clone(),
                    sub: profile.sub.clone(),
                    external_id: None,
                    claims: BTreeMap::new(),
                };
                let stated = fallback
                    .answer(&person, Urgency::Awaited)
                    .await
                    .ok()
                    .and_then(|answer| answer.stated.entitlements().cloned());
                entitlements.extend(stated.map(|stated| (source.name.clone(), stated)));
            }
            sources.push(part);
        }
        let decision = decision::decide(&sources, &entitlements, &observed, &standing, self.enforce_can_access);
        let told = sources.iter().map(|part| (part.source.clone(), part.freshness.as_str()));
        self.runner.reports.metrics().login_answered(decision.as_str(), told);
        LoginAnswer { user, profile, decision, memberships, entitlements, sources, position }
    }
}

/// What the store says of whoever logged in.
#[derive(Default)]
struct Told {
    user: Option<UserId>,
    profile: Profile,
    standing: Standing,
    memberships: Vec<MembershipRow>,
    entitlements: BTreeMap<SourceName, Entitlements>,
    observed: BTreeMap<SourceName, Observed>,
    position: Position,
}

fn part(source: &Source, result: Option<Refreshed>, observed: Option<&Observed>, now: Instant) -> SourcePart {
    let newest = observed.and_then(Observed::newest);
    let age = newest.map(|mark| (now - mark.completed_at).to_std().unwrap_or_default());
    let kept = if newest.is_some() { Freshness::Stale } else { Freshness::Unavailable };
    let (freshness, error) = match result {
        Some(Refreshed::Fresh) => (Freshness::Fresh, None),
        Some(Refreshed::Cached) => (Freshness::Cached, None),
        Some(Refreshed::Failed { class, message }) => (kept, Some((class, message))),
        None => (kept, Some(("timeout", "no answer within the login's deadline".to_owned()))),
    };
    SourcePart { source: source.name.clone(), freshness, age, error }
}

impl Profile {
    fn with(&self, login: &Login) -> (Profile, std::collections::BTreeSet<entitled_model::event::ProfileField>) {
        let Login { email, sub, claims, actor: _, correlation_id: _ } = login;
        self.after(&ProfileChange { email: email.clone(), sub: sub.clone(), claims: claims.clone() })
    }
}
