//! What a source's answers say beside their bodies: the time on its clock, and what is left of its limit. For an operator
//! who looks; nothing decides by it.
//!
//! Invariant: numbers only, so no secret and no person.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use entitled_model::Instant;
use reqwest::header::{DATE, HeaderMap};

use super::reply::http_date;
use crate::source::Limit;

/// What was heard last.
#[derive(Default)]
pub struct Heard(Mutex<Last>);

#[derive(Default, Clone, Copy)]
struct Last {
    clock_ahead: Option<TimeDelta>,
    limit: Option<Limit>,
}

impl Heard {
    /// Takes note of an answer's head, to a question that was sent and answered at these times of our clock.
    pub fn note(&self, headers: &HeaderMap, sent_at: Instant, answered_at: Instant) {
        let mut last = self.lock();
        if let Some(date) = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?)) {
            last.clock_ahead = Some(ahead(date, sent_at, answered_at));
        }
        last.limit = limit(headers).or(last.limit);
    }

    /// By how much the source's clock is ahead of ours, at least; negative when it is behind, zero when nothing shows that
    /// they differ.
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        self.lock().clock_ahead
    }

    pub fn limit(&self) -> Option<Limit> {
        self.lock().limit
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A `Date` names a second, and was written at some time between question and answer: only what lies beyond counts.
fn ahead(date: Instant, sent_at: Instant, answered_at: Instant) -> TimeDelta {
    let (earliest, latest) = (date, date + TimeDelta::seconds(1));
    if earliest > answered_at {
        earliest - answered_at
    } else if latest < sent_at {
        latest - sent_at
    } else {
        TimeDelta::zero()
    }
}

/// `RateLimit-*` and `X-RateLimit-*`, and the field `RateLimit` that is to follow them (`"default";r=50;t=30`).
fn limit(headers: &HeaderMap) -> Option<Limit> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    let either = |what: &str| number(&format!("ratelimit-{what}")).or_else(|| number(&format!("x-ratelimit-{what}")));
    if let Some(left) = either("remaining") {
        return Some(Limit { left, of: either("limit") });
    }
    let field = headers.get("ratelimit")?.to_str().ok()?;
    let left = field.split(';').find_map(|parameter| parameter.trim().strip_prefix("r=")?.trim().parse().ok())?;
    Some(Limit { left, of: None })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn at(seconds: f64) -> Instant {
        let start = chrono::DateTime::from_timestamp(784_111_777, 0).expect("in range");
        start + TimeDelta::microseconds((seconds * 1e6) as i64)
    }

    fn heard(headers: &[(&str, &str)], sent: f64, answered: f64) -> Heard {
        let heard = Heard::default();
        heard.note(&map(headers), at(sent), at(answered));
        heard
    }

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let pairs = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_str(value).expect("a value"))
        });
        pairs.collect()
    }

    #[test]
    fn clocks_differ_only_by_what_neither_the_second_nor_the_wait_explains() {
        // S17
        let date = [("date", "Sun, 06 Nov 1994 08:49:37 GMT")];
        for (sent, answered, milliseconds) in [
            (0.2, 0.4, 0),
            (-0.5, 0.1, 0),
            (0.9, 1.4, 0),
            (-8.0, 5.0, 0),
            (-5.0, -4.5, 4_500),
            (-61.0, -60.5, 60_500),
            (4.0, 4.5, -3_000),
        ] {
            let ahead = heard(&date, sent, answered).clock_ahead();
            assert_eq!(ahead, Some(TimeDelta::milliseconds(milliseconds)), "{sent} {answered}");
        }
        assert_eq!(heard(&[], 0.0, 0.0).clock_ahead(), None);
        assert_eq!(heard(&[("date", "yesterday")], 0.0, 0.0).clock_ahead(), None);
    }

    #[test]
    fn what_is_left_is_read_in_each_form_and_nonsense_is_nothing() {
        for (headers, limit) in [
            (&[("x-ratelimit-remaining", "7"), ("x-ratelimit-limit", "60")][..], Some((7, Some(60)))),
            (&[("ratelimit-remaining", " 0 "), ("ratelimit-limit", "10, 10;w=1")], Some((0, None))),
            (&[("ratelimit", "\"default\";r=50;t=30")], Some((50, None))),
            (&[("x-ratelimit-remaining", "-1")], None),
            (&[("x-ratelimit-remaining", "99999999999999999999999")], None),
            (&[("ratelimit", "r")], None),
            (&[("x-ratelimit-limit", "60")], None),
            (&[], None),
        ] {
            let expected = limit.map(|(left, of)| Limit { left, of });
            assert_eq!(heard(headers, 0.0, 0.0).limit(), expected, "{headers:?}");
        }
    }
}
