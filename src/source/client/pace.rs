//! Our own limit on how often a source is called.

use std::time::Duration;

use governor::clock::Clock as RateClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::jitter;
use crate::clock::Clock;
use crate::config::Rate;

/// The longest a question waits for its turn.
const TURN_WAIT_MAX: Duration = Duration::from_secs(600);

/// The longest one sleep on the way, so that a turn given back early is noticed; also the largest jitter.
const JITTER_MAX: Duration = Duration::from_millis(250);

/// A bucket of calls that refills steadily.
pub struct Pace {
    limiter: RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Duration>>,
    clock: Clock,
}

#[derive(Clone)]
struct Monotonic(Clock);

impl RateClock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

impl Pace {
    pub fn new(rate: Rate, clock: Clock) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self { limiter: RateLimiter::direct_with_clock(quota, Monotonic(clock.clone())), clock }
    }

    /// Waits for a turn and says how long; `None` when too many others wait.
    pub async fn wait_for_turn(&self) -> Option<Duration> {
        let began = self.clock.monotonic();
        loop {
            let now = self.clock.monotonic();
            let wait = match self.limiter.check() {
                Ok(()) => return Some(now.saturating_sub(began)),
                Err(not_until) => not_until.wait_time_from(now),
            };
            if now.saturating_sub(began) + wait > TURN_WAIT_MAX {
                return None;
            }
            self.clock.sleep(jitter::spread(wait, wait + JITTER_MAX)).await;
        }
    }
}
