//! The gate of one source: circuit breaker, the pause the source asked for, and the manners of a first question.
//!
//! Closed: questions pass. After [`FAILURES_IN_A_ROW_MAX`] failures that speak of the source it opens: questions fail at
//! once with the last failure. After [`COOL_DOWN`] one single probe passes; its success closes the gate. A refused
//! credential opens it at once, for [`UNAUTHORIZED_HOLD`]. Until the first question has come back, others wait for it,
//! so that a wrong key is not tried fifty times at start.
//!
//! Invariant: a question that is dropped on its way leaves the gate passable.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entitled_model::observation::Retry;
use entitled_model::{ErrorClass, Failure, Instant};
use reqwest::StatusCode;
use tokio::sync::Notify;

use super::heard::Heard;
use super::jitter;
use crate::clock::Clock;
use crate::source::HealthReading;

/// Failures in a row that open the gate.
pub const FAILURES_IN_A_ROW_MAX: u32 = 5;

/// How long an open gate lets nothing through, before jitter.
pub const COOL_DOWN: Duration = Duration::from_secs(30);

/// How long nothing is asked after a refused credential.
pub const UNAUTHORIZED_HOLD: Duration = Duration::from_secs(60);

/// What a failure speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    TheSource,
    /// The source works, and refuses this question (a bad parameter, an unknown key).
    TheQuestion,
    /// Nothing was asked.
    Ourselves,
}

impl About {
    /// By the status of the answer that was read as a failure of this class.
    pub fn of(status: StatusCode, class: ErrorClass) -> Self {
        match status {
            // A refused method or a rate limit is the same for every question.
            StatusCode::UNAUTHORIZED | StatusCode::REQUEST_TIMEOUT | StatusCode::METHOD_NOT_ALLOWED => Self::TheSource,
            status if status.is_client_error() && class != ErrorClass::RateLimited => Self::TheQuestion,
            _ => Self::TheSource,
        }
    }
}

pub struct Gate {
    clock: Clock,
    state: Mutex<State>,
    /// Tells those who wait for the first question.
    tried: Notify,
    heard: Arc<Heard>,
}

struct State {
    phase: Phase,
    failures_in_a_row: u32,
    last: Option<Failure>,
    paused_until: Duration,
    last_success_at: Option<Instant>,
}

/// Times are on the monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Untried,
    TryingFirst,
    Closed,
    Open { until: Duration },
    Probing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    First,
    Probe,
    Ordinary,
}

/// Leave to ask one question; must be settled, or counts as abandoned.
pub struct Permit<'g> {
    gate: &'g Gate,
    role: Role,
    settled: bool,
}

impl Gate {
    pub fn new(clock: Clock) -> Self {
        Self::hearing(clock, Arc::default())
    }

    /// With what the source's answers say beside their bodies.
    pub fn hearing(clock: Clock, heard: Arc<Heard>) -> Self {
        let state = State {
            phase: Phase::Untried,
            failures_in_a_row: 0,
            last: None,
            paused_until: Duration::ZERO,
            last_success_at: None,
        };
        Self { clock, state: Mutex::new(state), tried: Notify::new(), heard }
    }

    /// Lets a question through, perhaps after the first one has come back.
    ///
    /// # Errors
    /// While open: the failure that opened the gate.
    pub async fn admit(&self) -> Result<Permit<'_>, Failure> {
        loop {
            let tried = self.tried.notified();
            tokio::pin!(tried);
            tried.as_mut().enable();
            if let Some(role) = self.role_of_next()? {
                return Ok(Permit { gate: self, role, settled: false });
            }
            tried.await;
        }
    }

    /// Whether questions fail at once.
    pub fn is_open(&self) -> bool {
        matches!(self.lock().phase, Phase::Open { .. } | Phase::Probing)
    }

    /// Nothing is asked for that long.
    pub fn pause(&self, pause: Duration) {
        let until = self.clock.monotonic() + pause;
        let mut state = self.lock();
        state.paused_until = state.paused_until.max(until);
    }

    /// What is left of a pause.
    pub fn paused_for(&self) -> Option<Duration> {
        let left = self.lock().paused_until.saturating_sub(self.clock.monotonic());
        (!left.is_zero()).then_some(left)
    }

    pub fn reading(&self) -> HealthReading {
        let (passed, now) = (self.clock.monotonic(), self.clock.now());
        let on_the_wall = |until: Duration| (until > passed).then(|| now + (until - passed));
        let state = self.lock();
        HealthReading {
            consecutive_failures: state.failures_in_a_row,
            open_until: match state.phase {
                Phase::Open { until } => Some(on_the_wall(until).unwrap_or(now)),
                Phase::Probing => Some(now),
                Phase::Untried | Phase::TryingFirst | Phase::Closed => None,
            },
            paused_until: on_the_wall(state.paused_until),
            last_error: state.last.as_ref().map(|failure| failure.class),
            last_success_at: state.last_success_at,
            clock_ahead: self.heard.clock_ahead(),
            limit: self.heard.limit(),
        }
    }

    fn role_of_next(&self) -> Result<Option<Role>, Failure> {
        let passed = self.clock.monotonic();
        let mut state = self.lock();
        let (phase, role) = match state.phase {
            Phase::Untried => (Phase::TryingFirst, Role::First),
            Phase::TryingFirst => return Ok(None),
            Phase::Closed => (Phase::Closed, Role::Ordinary),
            Phase::Open { until } if passed < until => return Err(state.not_asked(until - passed)),
            Phase::Open { .. } => (Phase::Probing, Role::Probe),
            Phase::Probing => return Err(state.not_asked(Duration::from_secs(1))),
        };
        state.phase = phase;
        Ok(Some(role))
    }

    fn settle(&self, role: Role, failure: Option<&Failure>, about: About) {
        let (passed, now) = (self.clock.monotonic(), self.clock.now());
        let mut state = self.lock();
        match (failure, about) {
            (None, _) => state.succeeded(now),
            (Some(failure), About::TheSource) if speaks_of_source(failure.class) => {
                state.failed(role, failure, passed);
            }
            (Some(failure), About::TheSource | About::TheQuestion) => state.refused(failure),
            (Some(_), About::Ourselves) => state.abandoned(role, passed),
        }
        drop(state);
        self.tried.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and each change leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn succeeded(&mut self, now: Instant) {
        self.phase = Phase::Closed;
        self.failures_in_a_row = 0;
        self.last = None;
        self.last_success_at = Some(now);
    }

    fn failed(&mut self, role: Role, failure: &Failure, passed: Duration) {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.last = Some(failure.clone());
        if let (Phase::Open { .. } | Phase::Probing, Role::First | Role::Ordinary) = (self.phase, role) {
            // Was on its way when the gate opened.
            return;
        }
        self.phase = if failure.class == ErrorClass::Unauthorized {
            Phase::Open { until: passed + UNAUTHORIZED_HOLD }
        } else if role == Role::Probe || self.failures_in_a_row >= FAILURES_IN_A_ROW_MAX {
            Phase::Open { until: passed + jitter::lengthened(COOL_DOWN) }
        } else {
            Phase::Closed
        };
    }

    fn refused(&mut self, failure: &Failure) {
        self.phase = Phase::Closed;
        self.failures_in_a_row = 0;
        self.last = Some(failure.clone());
    }

    fn abandoned(&mut self, role: Role, passed: Duration) {
        match (role, self.phase) {
            (Role::Probe, Phase::Probing) => self.phase = Phase::Open { until: passed },
            (Role::First, Phase::TryingFirst) => self.phase = Phase::Closed,
            _ => (),
        }
    }

    fn not_asked(&self, wait: Duration) -> Failure {
        let (class, last) = match &self.last {
            Some(failure) => (failure.class, failure.message.as_str()),
            None => (ErrorClass::Connect, "it failed"),
        };
        let message = format!("not asked again yet; the last time: {last}");
        Failure::new(class, message).retry(Retry::After(wait))
    }
}

impl Permit<'_> {
    pub fn is_probe(&self) -> bool {
        self.role == Role::Probe
    }

    /// The first attempt has come back, and another one follows: nobody needs to wait any longer.
    pub fn attempted(&self) {
        let mut state = self.gate.lock();
        if self.role == Role::First && state.phase == Phase::TryingFirst {
            state.phase = Phase::Closed;
            drop(state);
            self.gate.tried.notify_waiters();
        }
    }

    pub fn settle(mut self, failure: Option<&Failure>, about: About) {
        self.settled = true;
        self.gate.settle(self.role, failure, about);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let passed = self.gate.clock.monotonic();
            self.gate.lock().abandoned(self.role, passed);
            self.gate.tried.notify_waiters();
        }
    }
}

/// Whether a failure of this class counts towards opening the gate.
fn speaks_of_source(class: ErrorClass) -> bool {
    match class {
        ErrorClass::Timeout
        | ErrorClass::Connect
        | ErrorClass::Http5xx
        | ErrorClass::RateLimited
        | ErrorClass::Unauthorized
        | ErrorClass::Malformed
        | ErrorClass::Incomplete => true,
        ErrorClass::Forbidden | ErrorClass::MissingClaim => false,
    }
}
