//! The simulator's clock: the only file that reads the wall clock, because tokens expire. A test moves it forwards
//! instead of sleeping; it never moves back.
#![allow(clippy::disallowed_methods)]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Wall clock plus what a test has advanced it by.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    advanced_seconds: AtomicI64,
}

impl Clock {
    /// Seconds since 1970, as JWTs count them.
    pub(crate) fn unix_seconds(&self) -> i64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
        seconds.saturating_add(self.advanced_seconds.load(Ordering::Relaxed))
    }

    /// Moves the clock forwards.
    pub(crate) fn advance(&self, by: Duration) {
        let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
        self.advanced_seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// The instant on tokio's clock, which a paused test runtime controls.
pub(crate) fn instant() -> Instant {
    Instant::now()
}
