//! Chance, so that two instances (or fifty waiting questions) don't come back in the same instant.

use std::time::Duration;

/// The least spread of a wait that is lengthened.
const SPREAD_MIN: Duration = Duration::from_millis(50);

/// `duration` and up to a tenth more (at least up to 50 ms more).
pub fn lengthened(duration: Duration) -> Duration {
    duration + (duration / 10).max(SPREAD_MIN).mul_f64(rand::random::<f64>())
}

/// `duration` and up to as much again, capped.
pub fn spread(duration: Duration, cap: Duration) -> Duration {
    (duration + duration.mul_f64(rand::random::<f64>())).min(cap)
}
