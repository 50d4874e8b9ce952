//! What every kind of source has: when and how it is asked, and how much a run may take away. Imports the reader.

use std::num::NonZeroU32;
use std::time::Duration;

use chrono::{DateTime, TimeZone as _, Utc};

use super::removal::RemovalRules;
use crate::config::reader::Section;
use crate::config::writer::{Page, count, inline, time};

const SCHEDULE_FORM: &str = "a cron expression of 6 or 7 fields, seconds first, in UTC, such as \"0 */15 * * * *\"";

/// What every kind of source has.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonSource {
    /// When the scheduler reads the source. Default: never; it then answers logins and one-shots only.
    pub schedule: Option<Schedule>,
    /// The longest one call may take. Default: 10 s.
    pub timeout: Duration,
    /// How long an answer serves logins without being asked again; zero for no cache. Default: 5 min.
    pub cache_ttl: Duration,
    /// The age of the last success from which on health says that the source is stale. Default: no such age.
    pub fresh_within: Option<Duration>,
    /// How often the source may be called.
    pub rate: Rate,
    /// How often a failed call is repeated.
    pub retry: Retry,
    /// What a run may take away, and how soon.
    pub removal: RemovalRules,
    /// The largest answer, in bytes. Default: 8 MiB.
    pub body_bytes_max: usize,
}

/// A limit on calls: a bucket of `burst` that refills by `per_second`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls a second. Default: 20.
    pub per_second: NonZeroU32,
    /// Calls at once. Default: 40.
    pub burst: NonZeroU32,
}

/// How a call that failed for a passing reason is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, 1 for no repetition. Default: 3.
    pub attempts: u32,
    /// The longest time spent on one call with its repetitions and waits. Default: 20 s.
    pub budget: Duration,
    /// The wait before the first repetition; it doubles, with jitter. Default: 200 ms.
    pub base: Duration,
    /// The longest wait. Default: 5 s.
    pub max: Duration,
}

/// A cron schedule in UTC; at least one instant after 1970 matches it. Compared by its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    text: String,
    cron: cron::Schedule,
}

impl Schedule {
    /// Reads a cron expression of 6 or 7 fields.
    ///
    /// # Errors
    /// When it is none, or never comes; the text says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_whitespace().count() {
            6 | 7 => (),
            5 => {
                return Err(format!(
                    "expected {SCHEDULE_FORM}; this one has 5 fields: put the seconds first, as in \"0 {text}\""
                ));
            }
            fields => {
                return Err(format!("expected {SCHEDULE_FORM}; this one has {fields} fields"));
            }
        }
        let cron: cron::Schedule = text.parse().map_err(|_| format!("expected {SCHEDULE_FORM}"))?;
        let schedule = Self { text: text.to_owned(), cron };
        match schedule.next_after(Utc.timestamp_nanos(0)) {
            Some(_) => Ok(schedule),
            None => Err("expected a schedule that comes: no date matches this one".to_owned()),
        }
    }

    /// The first instant after `instant`, if one comes before the year 2101.
    #[must_use]
    pub fn next_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.after(&instant).next()
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl CommonSource {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            schedule: section.key("schedule").parsed(SCHEDULE_FORM, Schedule::parse),
            timeout: section
                .key("timeout")
                .duration(Duration::from_millis(10)..=Duration::from_mins(10))
                .unwrap_or(Duration::from_secs(10)),
            cache_ttl: section
                .key("cache_ttl")
                .duration(Duration::ZERO..=Duration::from_hours(30 * 24))
                .unwrap_or(Duration::from_mins(5)),
            fresh_within: section.key("fresh_within").duration(Duration::from_secs(1)..=Duration::from_hours(30 * 24)),
            rate: section.table("rate", Rate::read),
            retry: section.table("retry", Retry::read),
            removal: RemovalRules::read(section),
            body_bytes_max: section.key("body_bytes_max").integer(1..=1024 * 1024 * 1024).unwrap_or(8 * 1024 * 1024),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { schedule, timeout, cache_ttl, fresh_within, rate, retry, removal, body_bytes_max } = self;
        page.put_some("schedule", schedule.as_ref().map(Schedule::as_str));
        page.put("timeout", time(*timeout));
        page.put("cache_ttl", time(*cache_ttl));
        page.put_some("fresh_within", fresh_within.map(time));
        page.put("rate", rate.shown());
        page.put("retry", retry.shown());
        removal.show(page);
        page.put("body_bytes_max", count(*body_bytes_max));
    }
}

impl Rate {
    fn read(section: &mut Section<'_>) -> Self {
        let mut calls = |key, default| {
            let calls = section.key(key).integer(1..=100_000);
            calls.and_then(NonZeroU32::new).unwrap_or(default)
        };
        Self {
            per_second: calls("per_second", const { NonZeroU32::new(20).expect("20 is not 0") }),
            burst: calls("burst", const { NonZeroU32::new(40).expect("40 is not 0") }),
        }
    }

    fn shown(self) -> toml::Value {
        let Self { per_second, burst } = self;
        inline([("per_second", count(per_second.get())), ("burst", count(burst.get()))])
    }
}

impl Retry {
    fn read(section: &mut Section<'_>) -> Self {
        let millisecond = Duration::from_millis(1);
        let limit = Duration::from_mins(10);
        let retry = Self {
            attempts: section.key("attempts").integer(1..=10).unwrap_or(3),
            budget: section
                .key("budget")
                .duration(Duration::from_millis(10)..=limit)
                .unwrap_or(Duration::from_secs(20)),
            base: section.key("base").duration(millisecond..=limit).unwrap_or(Duration::from_millis(200)),
            max: section.key("max").duration(millisecond..=limit).unwrap_or(Duration::from_secs(5)),
        };
        if retry.base > retry.max {
            section.problem("base", "expected no more than `max`");
        }
        retry
    }

    fn shown(self) -> toml::Value {
        let Self { attempts, budget, base, max } = self;
        inline([("attempts", count(attempts)), ("budget", time(budget)), ("base", time(base)), ("max", time(max))])
    }
}
