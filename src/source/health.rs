//! How a source has been doing in this process: for the health output, and for nothing that decides.

use std::sync::Arc;

use chrono::TimeDelta;
use entitled_model::{ErrorClass, Instant};

use super::client::Gate;
use crate::clock::Clock;

/// A handle on one source's state; clones show the same.
#[derive(Clone)]
pub struct Health(Arc<Gate>);

/// One reading of [`Health`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReading {
    /// Failures since the last success, of classes that speak of the source.
    pub consecutive_failures: u32,
    /// While set, calls fail at once; a probe is let through afterwards.
    pub open_until: Option<Instant>,
    /// The pause that the source asked for (`Retry-After`).
    pub paused_until: Option<Instant>,
    /// The class of the last failure, until a success.
    pub last_error: Option<ErrorClass>,
    /// When the source last answered usably in this process.
    pub last_success_at: Option<Instant>,
    /// By how much the source's clock was ahead of ours at the last answer, at least; negative when behind.
    pub clock_ahead: Option<TimeDelta>,
    /// What the source said last about its own limit.
    pub limit: Option<Limit>,
}

/// A source's own limit, as its answers tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls that may still be made.
    pub left: u64,
    /// Of how many.
    pub of: Option<u64>,
}

impl Health {
    pub(super) fn of(gate: Arc<Gate>) -> Self {
        Self(gate)
    }

    /// The health of a source that is not reached over a network.
    pub(super) fn unguarded(clock: &Clock) -> Self {
        Self(Arc::new(Gate::new(clock.clone())))
    }

    #[must_use]
    pub fn read(&self) -> HealthReading {
        self.0.reading()
    }
}
