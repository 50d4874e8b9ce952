//! Moments of the past: an instant, or a position of the log.

use std::fmt;
use std::str::FromStr;

use crate::identity::Position;
use crate::instant::{self, Instant, written};

/// A moment of the past. An instant stands for the newest event that was recorded by then; where the clock has gone back, only a
/// position says which of two moments is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(Instant),
    Position(Position),
}

/// A text that names no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an instant such as 2026-11-22T10:00:00Z, or a position of the log such as @1234")]
pub struct InvalidMoment;

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        match text.strip_prefix('@') {
            Some(digits) => position(digits).map(Moment::Position).ok_or(InvalidMoment),
            None => instant::read(text).map(Moment::At).ok_or(InvalidMoment),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::At(at) => f.write_str(&written(*at)),
            Moment::Position(position) => write!(f, "@{position}"),
        }
    }
}

/// Reads a position: digits alone.
#[must_use]
pub fn position(digits: &str) -> Option<Position> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Position)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_instant_or_a_position_and_is_written_as_it_is_read() {
        for (text, shown) in [
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000Z"),
            ("2026-11-22T12:00:00.1234567+02:00", "2026-11-22T10:00:00.123456Z"),
            ("@0", "@0"),
            ("@1234", "@1234"),
        ] {
            let moment: Moment = text.parse().expect("a moment");
            assert_eq!(moment.to_string(), shown);
            assert_eq!(shown.parse(), Ok(moment));
        }
    }

    #[test]
    fn what_names_no_moment_is_refused() {
        for bad in [
            "",
            "yesterday",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-13-22T10:00:00Z",
            "2026-11-22T10:00:00 02:00",
            "1234",
            "@",
            "@-1",
            "@+1",
            "@1.5",
            "@99999999999999999999",
            "2026-11-22T10:00:00Z\0",
        ] {
            assert_eq!(bad.parse::<Moment>(), Err(InvalidMoment), "{bad:?}");
        }
    }
}
