//! What came back, and what its status means.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::Datelike as _;
use entitled_model::observation::Retry;
use entitled_model::{ErrorClass, Failure, Instant};
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::json::Object;

/// Years that are believed.
const YEARS: RangeInclusive<i32> = 1970..=9999;

/// The longest `Retry-After` that is believed.
pub const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// A whole reply: its status, and its body read to the end.
pub struct Reply {
    pub status: StatusCode,
    pub retry_after: Option<Duration>,
    /// The version of what was asked for, to be sent back as `If-None-Match`.
    pub etag: Option<HeaderValue>,
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer without headers, made by hand.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn of(status: StatusCode, body: &[u8]) -> Self {
        Self { status, retry_after: None, etag: None, body: body.to_vec() }
    }

    /// The value of a 200.
    ///
    /// # Errors
    /// [`Reply::refusal`] for another status; `malformed` when the body is not the JSON that was expected.
    pub fn ok_json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.status == StatusCode::OK { self.json() } else { Err(self.refusal()) }
    }

    /// The body as JSON, whatever the status. It must be an object.
    ///
    /// # Errors
    /// `malformed`; the message never quotes the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        // serde does not look at texts that nobody reads.
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| Failure::new(ErrorClass::Malformed, "the answer is not JSON (nor UTF-8)"))?;
        let read = serde_json::from_str::<Object<T>>(text).map(|Object(value)| value);
        read.map_err(|error| {
            // serde's own message quotes values.
            let what = match error.classify() {
                Category::Data => "holds a field that is missing or of the wrong type",
                Category::Io | Category::Syntax | Category::Eof => "is not JSON",
            };
            let (line, column) = (error.line(), error.column());
            Failure::new(ErrorClass::Malformed, format!("the answer {what} (line {line}, column {column})"))
        })
    }

    /// The failure that a status other than 200 stands for.
    pub fn refusal(&self) -> Failure {
        let class = class_of(self.status);
        let failure = Failure::new(class, format!("answered HTTP {}", self.status.as_u16()));
        match class {
            ErrorClass::Http5xx | ErrorClass::RateLimited => failure.retry(self.retry()),
            _ => failure,
        }
    }

    /// When a passing refusal is worth another attempt.
    pub fn retry(&self) -> Retry {
        self.retry_after.map_or(Retry::Soon, Retry::After)
    }
}

fn class_of(status: StatusCode) -> ErrorClass {
    match status {
        StatusCode::UNAUTHORIZED => ErrorClass::Unauthorized,
        StatusCode::FORBIDDEN => ErrorClass::Forbidden,
        StatusCode::TOO_MANY_REQUESTS => ErrorClass::RateLimited,
        status if status.is_server_error() => ErrorClass::Http5xx,
        _ => ErrorClass::Malformed,
    }
}

/// Reads `Retry-After` in both its forms (RFC 9110, 10.2.3). `said_at` is the answer's own `Date` where it has one, so
/// that two clocks needn't agree.
pub fn retry_after(header: &HeaderValue, said_at: Instant) -> Option<Duration> {
    let text = header.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (http_date(text)? - said_at).to_std().unwrap_or(Duration::ZERO),
    };
    Some(pause.min(PAUSE_MAX))
}

/// Reads an HTTP date of the preferred form. Its year has four digits, so that one can count with it.
pub fn http_date(text: &str) -> Option<Instant> {
    let at = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?.to_utc();
    YEARS.contains(&at.year()).then_some(at)
}
