//! Instants: UTC, in whole microseconds, because both stores keep exactly that.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A point in time, in UTC.
pub type Instant = DateTime<Utc>;

/// Cuts an instant to whole microseconds, so that what is written is what is read back.
#[must_use]
pub fn to_micros(at: Instant) -> Instant {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// The one written form: `2026-11-22T10:00:00.000000Z`.
#[must_use]
pub fn written(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Reads the written form, or any other of RFC 3339.
#[must_use]
pub fn read(text: &str) -> Option<Instant> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| to_micros(at.with_timezone(&Utc)))
}

/// When an observation counts as begun: now, but always after `latest`, the newest beginning known to the store.
///
/// A clock that moved backwards, or a replica whose clock runs behind, would otherwise have its fresh answers
/// refused as old ones.
#[must_use]
pub fn begin_after(now: Instant, latest: Option<Instant>) -> Instant {
    let now = to_micros(now);
    match latest {
        Some(latest) if latest >= now => latest + TimeDelta::microseconds(1),
        _ => now,
    }
}

/// The written form, for serde.
pub mod text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::{DateTime, Instant, Utc};

    /// # Errors
    /// As the serializer's.
    pub fn serialize<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::written(*at))
    }

    /// # Errors
    /// When the text is no instant.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = DateTime::parse_from_rfc3339(&text).map_err(de::Error::custom)?;
        Ok(super::to_micros(at.with_timezone(&Utc)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_moved_backwards_still_begins_after_what_is_known() {
        // S21
        let now = DateTime::from_timestamp_micros(1_000_000).expect("in range");
        let later = now + TimeDelta::hours(1);
        assert!(begin_after(now, Some(later)) > later);
        assert_eq!(begin_after(later, Some(now)), later);
        assert_eq!(begin_after(now, None), now);
    }
}
