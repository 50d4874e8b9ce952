//! The clock: the one file where the wall clock is read, and where ids get their time.
//!
//! May import: std, tokio (sleep, watch), uuid, the model. Everything else takes a [`Clock`] as a parameter, so that a
//! test moves time instead of waiting for it.
//!
//! Invariant: [`Clock::monotonic`] never goes back, whatever the wall clock does.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use entitled_model::Instant;
use tokio::sync::watch;
use uuid::Uuid;

/// What time it is, how much has passed, and new ids. Clones show the same time.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System { started: std::time::Instant },
    Manual(Arc<Hands>),
}

/// The state of a manual clock.
struct Hands {
    /// Since the start, and the wall clock's time.
    reading: watch::Sender<Reading>,
    leaps: AtomicBool,
    ids: AtomicU64,
}

#[derive(Clone, Copy)]
struct Reading {
    passed: Duration,
    now: Instant,
}

/// Moves a manual clock.
#[derive(Clone)]
pub struct ManualClock(Arc<Hands>);

impl Clock {
    /// The clock of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System { started: std::time::Instant::now() })
    }

    /// A clock that stands at `start` until it is moved.
    #[must_use]
    pub fn manual(start: Instant) -> (Self, ManualClock) {
        let hands = Arc::new(Hands {
            reading: watch::Sender::new(Reading { passed: Duration::ZERO, now: start }),
            leaps: AtomicBool::new(false),
            ids: AtomicU64::new(0),
        });
        (Self(Kind::Manual(Arc::clone(&hands))), ManualClock(hands))
    }

    /// The wall clock's time, in UTC and whole microseconds. It may go back.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::System { .. } => entitled_model::instant::to_micros(chrono::Utc::now()),
            Kind::Manual(hands) => hands.reading.borrow().now,
        }
    }

    /// The time since the clock was made. It never goes back.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => started.elapsed(),
            Kind::Manual(hands) => hands.reading.borrow().passed,
        }
    }

    /// Waits until `duration` has passed on this clock.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Kind::System { .. } => tokio::time::sleep(duration).await,
            Kind::Manual(hands) => hands.sleep(duration).await,
        }
    }

    /// A new UUIDv7: ids made later sort later. Those of a manual clock repeat from run to run.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        match &self.0 {
            Kind::System { .. } => Uuid::now_v7(),
            Kind::Manual(hands) => hands.new_id(),
        }
    }
}

impl Hands {
    async fn sleep(&self, duration: Duration) {
        let mut reading = self.reading.subscribe();
        let wake = reading.borrow_and_update().passed + duration;
        if self.leaps.load(Ordering::Relaxed) {
            self.advance_to(wake);
            return tokio::task::yield_now().await;
        }
        // The sender lives in `self`, so the wait ends by time alone.
        let _ = reading.wait_for(|reading| reading.passed >= wake).await;
    }

    fn advance_to(&self, passed: Duration) {
        self.reading.send_modify(|reading| {
            let step = passed.saturating_sub(reading.passed);
            reading.passed += step;
            reading.now += step;
        });
    }

    fn new_id(&self) -> Uuid {
        let millis = u64::try_from(self.reading.borrow().now.timestamp_millis()).unwrap_or(0);
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&self.ids.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

impl ManualClock {
    /// Lets time pass: both clocks move on, and sleepers whose time has come wake.
    pub fn advance(&self, duration: Duration) {
        let passed = self.0.reading.borrow().passed + duration;
        self.0.advance_to(passed);
    }

    /// Sets the wall clock alone, forwards or backwards.
    pub fn set_now(&self, now: Instant) {
        self.0.reading.send_modify(|reading| reading.now = now);
    }

    /// From now on whoever sleeps moves the clock to the time of waking, so that nobody waits.
    pub fn leap_over_sleeps(&self) {
        self.0.leaps.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manual() -> (Clock, ManualClock) {
        Clock::manual(chrono::DateTime::from_timestamp(1_795_000_000, 0).expect("in range"))
    }

    #[tokio::test]
    async fn a_sleeper_on_a_manual_clock_wakes_when_its_time_has_come() {
        let (clock, hands) = manual();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        hands.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        hands.advance(Duration::from_secs(1));
        sleeper.await.expect("woken");
        assert_eq!(clock.monotonic(), Duration::from_secs(60));
    }

    #[test]
    fn a_wall_clock_that_goes_back_leaves_the_monotonic_one() {
        // S21
        let (clock, hands) = manual();
        hands.advance(Duration::from_secs(5));
        hands.set_now(clock.now() - chrono::TimeDelta::hours(1));
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
    }

    #[test]
    fn ids_made_later_sort_later() {
        let (clock, hands) = manual();
        let first = clock.new_id();
        let second = clock.new_id();
        hands.advance(Duration::from_millis(1));
        let third = clock.new_id();
        assert!(first < second && second < third, "{first} {second} {third}");
        assert_eq!(third.get_version_num(), 7);
        assert!(Clock::system().new_id() < Clock::system().new_id());
    }
}
