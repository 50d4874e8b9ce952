//! How often and how long one question is repeated.

use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use entitled_model::Failure;
use entitled_model::observation::Retry as Worth;

use super::jitter;
use crate::clock::Clock;
use crate::config::Retry;

/// A repetition that would have less time than this is not made: it would only blur the class of the failure.
const ATTEMPT_TIME_MIN: Duration = Duration::from_millis(100);

/// The budget of one question: attempts and time.
pub struct Patience {
    clock: Clock,
    /// On the monotonic clock.
    deadline: Duration,
    waits: ExponentialBackoff,
    wait_max: Duration,
    repeated: bool,
}

impl Patience {
    pub fn new(retry: Retry, attempts_max: u32, clock: Clock) -> Self {
        let Retry { attempts: _, budget, base, max } = retry;
        let waits = ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(base)
            // The builder adds up to as much again.
            .with_max_delay(base.max(max / 2))
            .with_max_times(attempts_max.saturating_sub(1) as usize);
        Self { deadline: clock.monotonic() + budget, clock, waits: waits.build(), wait_max: max, repeated: false }
    }

    /// How long the next attempt may take: the first one all of `timeout`, a repetition only what is left of the budget.
    pub fn timeout(&self, timeout: Duration) -> Duration {
        if self.repeated { timeout.min(self.left()) } else { timeout }
    }

    /// Whether the budget has room for a wait.
    pub fn allows(&self, wait: Duration) -> bool {
        wait < self.left()
    }

    pub fn extend(&mut self, by: Duration) {
        self.deadline += by;
    }

    /// The wait before another attempt; `None` when there is to be none.
    pub fn next_wait(&mut self, failure: &Failure) -> Option<Duration> {
        let least = match failure.retry {
            Worth::Never => return None,
            Worth::Soon => Duration::ZERO,
            Worth::After(pause) => jitter::lengthened(pause),
        };
        let wait = self.waits.next()?.min(self.wait_max).max(least);
        self.repeated = true;
        self.allows(wait + ATTEMPT_TIME_MIN).then_some(wait)
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.clock.monotonic())
    }
}
