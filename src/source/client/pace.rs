//! Our own limit on how often a source is called. Who is waited for goes first: polling stands back meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::Clock as RateClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::jitter;
use crate::clock::Clock;
use crate::config::Rate;
use crate::source::Urgency;

/// The longest a question waits for its turn.
const TURN_WAIT_MAX: Duration = Duration::from_secs(600);

/// The longest one sleep on the way, so that a turn given back early is noticed; also the largest jitter.
const JITTER_MAX: Duration = Duration::from_millis(250);

/// How long polling stands back before it looks again whether somebody is still waited for.
const STAND_BACK: Duration = Duration::from_millis(20);

/// A bucket of calls that refills steadily.
pub struct Pace {
    limiter: RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Duration>>,
    /// Questions with [`Urgency::Awaited`] that wait for a turn.
    awaited: AtomicUsize,
    clock: Clock,
}

/// One awaited question that waits, for as long as this lives: a login that gives up no longer counts.
struct Awaited<'p>(&'p AtomicUsize);

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
        Self {
            limiter: RateLimiter::direct_with_clock(quota, Monotonic(clock.clone())),
            awaited: AtomicUsize::new(0),
            clock,
        }
    }

    /// Waits for a turn and says how long; `None` when too many others wait.
    pub async fn wait_for_turn(&self, urgency: Urgency) -> Option<Duration> {
        let _counted = (urgency == Urgency::Awaited).then(|| Awaited::count(&self.awaited));
        let began = self.clock.monotonic();
        loop {
            let now = self.clock.monotonic();
            let wait = match self.turn(urgency, now) {
                Ok(()) => return Some(now.saturating_sub(began)),
                Err(wait) => wait,
            };
            if now.saturating_sub(began) + wait > TURN_WAIT_MAX {
                return None;
            }
            self.clock.sleep(jitter::spread(wait, wait + JITTER_MAX)).await;
        }
    }

    /// Takes a turn, or says how long to wait before trying again.
    fn turn(&self, urgency: Urgency, now: Duration) -> Result<(), Duration> {
        if urgency == Urgency::Background && self.awaited.load(Ordering::Acquire) > 0 {
            return Err(STAND_BACK);
        }
        self.limiter.check().map_err(|not_until| not_until.wait_time_from(now))
    }
}

impl<'p> Awaited<'p> {
    fn count(awaited: &'p AtomicUsize) -> Self {
        awaited.fetch_add(1, Ordering::AcqRel);
        Self(awaited)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_login_goes_before_polling_that_waited_longer() {
        // S17
        let start = chrono::DateTime::from_timestamp(1_795_000_000, 0).expect("in range");
        let (clock, hands) = Clock::manual(start);
        let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN };
        let pace = Arc::new(Pace::new(rate, clock.clone()));
        assert_eq!(pace.wait_for_turn(Urgency::Background).await, Some(Duration::ZERO), "the only turn of this second");

        let waiting = |urgency| {
            let pace = Arc::clone(&pace);
            tokio::spawn(async move { pace.wait_for_turn(urgency).await })
        };
        let polling: Vec<_> = (0..3).map(|_| waiting(Urgency::Background)).collect();
        tokio::task::yield_now().await;
        let login = waiting(Urgency::Awaited);
        tokio::task::yield_now().await;
        while !login.is_finished() {
            assert!(polling.iter().all(|turn| !turn.is_finished()), "polling went first");
            hands.advance(Duration::from_millis(10));
            tokio::task::yield_now().await;
        }
        assert!(login.await.expect("ended").expect("its turn") <= Duration::from_secs(2));
        for _ in 0..1_000 {
            hands.advance(Duration::from_millis(10));
            tokio::task::yield_now().await;
        }
        assert!(polling.iter().all(tokio::task::JoinHandle::is_finished), "polling goes on when nobody waits any more");
    }

    #[tokio::test]
    async fn a_login_that_gives_up_holds_nobody_back() {
        let start = chrono::DateTime::from_timestamp(1_795_000_000, 0).expect("in range");
        let (clock, hands) = Clock::manual(start);
        let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN };
        let pace = Pace::new(rate, clock);
        assert!(pace.wait_for_turn(Urgency::Awaited).await.is_some());
        let given_up = tokio::time::timeout(Duration::from_millis(1), pace.wait_for_turn(Urgency::Awaited)).await;
        assert!(given_up.is_err(), "the clock stands still");
        hands.advance(Duration::from_secs(1));
        assert_eq!(pace.wait_for_turn(Urgency::Background).await, Some(Duration::ZERO));
    }
}
