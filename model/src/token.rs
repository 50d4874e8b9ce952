//! Tokens: what a secret looks like, how long one may live, and whether one counts.

use std::fmt;

use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};

use crate::instant::Instant;

/// SHA-256 of a secret: all that is kept of it.
pub type TokenHash = [u8; 32];

/// What every secret begins with, so that scanners recognise one that leaked: `ent_[0-9A-Za-z]{49}`.
pub const PREFIX: &str = "ent_";

/// 256 bits in base 62.
const RANDOM_DIGITS: usize = 43;
/// 32 bits in base 62.
const CHECK_DIGITS: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token's secret: the prefix, 256 random bits, and a checksum by which a mistyped or made-up one is known without a look-up.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

impl TokenSecret {
    /// The secret made of these random bits.
    #[must_use]
    pub fn of(random: [u8; 32]) -> Self {
        let body = base62(&random, RANDOM_DIGITS);
        let check = checksum(&body);
        Self(format!("{PREFIX}{body}{check}"))
    }

    /// Reads what a caller presents; none when it can't be a token of ours.
    #[must_use]
    pub fn parse(given: &str) -> Option<Self> {
        let digits = given.strip_prefix(PREFIX)?;
        if digits.len() != RANDOM_DIGITS + CHECK_DIGITS || !digits.is_ascii() {
            return None;
        }
        let (body, check) = digits.split_at(RANDOM_DIGITS);
        (checksum(body) == check).then(|| Self(given.to_owned()))
    }

    #[must_use]
    pub fn hash(&self) -> TokenHash {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The secret itself, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

fn checksum(body: &str) -> String {
    base62(&Sha256::digest(body.as_bytes())[..4], CHECK_DIGITS)
}

/// A big-endian number in exactly `digits` digits of base 62; it must fit.
fn base62(bytes: &[u8], digits: usize) -> String {
    let mut number = bytes.to_vec();
    let mut written = vec![DIGITS[0]; digits];
    for digit in written.iter_mut().rev() {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = (rest << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    written.into_iter().map(char::from).collect()
}

/// How long a token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime(i64);

impl Lifetime {
    /// In days.
    pub const DEFAULT: Lifetime = Lifetime(365);
    pub const DAYS_MAX: i64 = 3_650;

    /// Reads a number of days; none when it is not 1 to 3,650.
    #[must_use]
    pub fn days(days: i64) -> Option<Self> {
        (1..=Self::DAYS_MAX).contains(&days).then_some(Self(days))
    }

    /// The number of days.
    #[must_use]
    pub fn in_days(self) -> i64 {
        self.0
    }

    /// When a token made now ends.
    #[must_use]
    pub fn ends(self, now: Instant) -> Instant {
        now + TimeDelta::days(self.0)
    }
}

/// The most live tokens of one user.
pub const LIVE_MAX: u64 = 20;

/// From so many days before its end on, a token is told as one that expires soon.
const SOON_DAYS: i64 = 30;

/// Whether a token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStatus {
    Live,
    /// Counts, for 30 days at most.
    ExpiresSoon,
    Expired,
    Revoked,
}

impl TokenStatus {
    /// That of a token now.
    #[must_use]
    pub fn of(expires_at: Instant, revoked_at: Option<Instant>, now: Instant) -> Self {
        if revoked_at.is_some() {
            TokenStatus::Revoked
        } else if now >= expires_at {
            TokenStatus::Expired
        } else if now + TimeDelta::days(SOON_DAYS) >= expires_at {
            TokenStatus::ExpiresSoon
        } else {
            TokenStatus::Live
        }
    }

    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, TokenStatus::Live | TokenStatus::ExpiresSoon)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TokenStatus::Live => "live",
            TokenStatus::ExpiresSoon => "expires_soon",
            TokenStatus::Expired => "expired",
            TokenStatus::Revoked => "revoked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        chrono::DateTime::from_timestamp(1_790_000_000 + seconds, 0).expect("in range")
    }

    #[test]
    fn a_secret_is_of_one_form_and_is_recognised() {
        // T2
        for random in [[0; 32], [255; 32], [7; 32]] {
            let secret = TokenSecret::of(random);
            let text = secret.reveal();
            assert!(text.starts_with("ent_") && text.len() == 53, "{text}");
            assert!(text[4..].chars().all(|c| c.is_ascii_alphanumeric()), "{text}");
            assert_eq!(TokenSecret::parse(text), Some(secret.clone()));
            assert!(!format!("{secret:?}").contains(&text[4..]));
        }
        assert_ne!(TokenSecret::of([0; 32]).reveal(), TokenSecret::of([1; 32]).reveal());
    }

    #[test]
    fn every_changed_character_is_noticed() {
        // T2
        let secret = TokenSecret::of([42; 32]);
        let text = secret.reveal();
        for place in 0..text.len() {
            let other = if &text[place..=place] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &text[..place], &text[place + 1..]);
            assert_eq!(TokenSecret::parse(&changed), None, "{changed}");
        }
        for bad in ["", "ent_", &text[..52], &format!("{text}A"), &format!(" {text}"), &text.replace("ent_", "ENT_")] {
            assert_eq!(TokenSecret::parse(bad), None, "{bad}");
        }
        assert_eq!(TokenSecret::parse(&format!("ent_{}", "é".repeat(24) + "a")), None);
    }

    #[test]
    fn lifetimes_are_1_to_3650_days() {
        // T1
        for (days, good) in
            [(1, true), (365, true), (3_650, true), (0, false), (-1, false), (3_651, false), (i64::MIN, false)]
        {
            assert_eq!(Lifetime::days(days).is_some(), good, "{days}");
        }
        assert_eq!(Lifetime::DEFAULT.ends(at(0)), at(365 * 86_400));
    }

    #[test]
    fn a_token_ends_at_its_very_instant_and_is_flagged_thirty_days_before() {
        // T3, T4
        let end = at(0);
        let day = 86_400;
        for (now, status) in [
            (at(-30 * day - 1), TokenStatus::Live),
            (at(-30 * day), TokenStatus::ExpiresSoon),
            (at(-1), TokenStatus::ExpiresSoon),
            (at(0), TokenStatus::Expired),
            (at(1), TokenStatus::Expired),
        ] {
            assert_eq!(TokenStatus::of(end, None, now), status, "{now}");
        }
        assert_eq!(TokenStatus::of(end, Some(at(-60 * day)), at(-50 * day)), TokenStatus::Revoked);
    }
}
