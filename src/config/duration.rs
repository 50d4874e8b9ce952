//! Durations as the configuration writes them: a whole number and a unit. Pure, imports std only.

use std::time::Duration;

/// How to write one.
pub(super) const FORM: &str = "a duration such as \"10s\" (a number and ms, s, m, h or d)";

/// Units in milliseconds, longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// `None` when the text is not a duration, or one beyond 64 bits of milliseconds.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(digits_end);
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(*unit_ms).map(Duration::from_millis)
}

/// The shortest exact form: `90d`, `1500ms`.
pub(super) fn format(duration: Duration) -> String {
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if duration_ms == 0 {
        return "0s".to_owned();
    }
    UNITS
        .iter()
        .find(|(_, unit_ms)| duration_ms.is_multiple_of(*unit_ms))
        .map_or_else(String::new, |(unit, unit_ms)| format!("{}{unit}", duration_ms / unit_ms))
}
