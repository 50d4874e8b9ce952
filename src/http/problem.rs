//! Problem details (RFC 9457): the one form of every answer that is not a success.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::report::Reports;
use crate::store::StoreError;

/// What went wrong. `type` is always `about:blank`: the status says what kind it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What was wrong with this request, and where.
    detail: String,
    /// The field that the detail is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// A word for what the caller can do something about, where the status alone does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The id under which a fault of our own was reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    challenge: Option<&'static str>,
    #[serde(skip)]
    #[schema(ignore)]
    retry_after_seconds: Option<u64>,
}

/// What every protected route may answer, beside what is its own.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers that are made as problems")]
pub(super) enum Refusals {
    /// No valid credential
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// The credential lacks the scope, or the feature is off
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// Too many wrong credentials came from this address
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// A fault of entitled's own
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// The store does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

impl Problem {
    /// A problem that is the caller's to mend.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            code: None,
            event_id: None,
            challenge: None,
            retry_after_seconds: None,
        }
    }

    /// Names the field that the problem is about.
    #[must_use]
    pub fn field(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }

    /// Says in a word what it is.
    #[must_use]
    pub fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Says how to authenticate.
    #[must_use]
    pub fn challenge(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// Says when to come back; parts of a second are told as a whole one.
    #[must_use]
    pub fn retry_after(self, wait: std::time::Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    /// A fault of our own, of which nothing is told but the id of its report.
    #[must_use]
    pub fn internal() -> Self {
        let event_id = sentry::last_event_id().map(|id| id.to_string());
        Self {
            event_id,
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "entitled could not do this; it has been reported")
        }
    }

    /// The store failed: it is reported once until it works again, however many requests come meanwhile.
    #[must_use]
    pub fn of_store(reports: &Reports, error: &StoreError) -> Self {
        reports.store_failed(error);
        match error {
            StoreError::Database { .. } | StoreError::Unreachable { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer as it should; try again soon")
            }
            StoreError::Missing { .. }
            | StoreError::Damaged { .. }
            | StoreError::Schema(_)
            | StoreError::Address(_) => Self::internal(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (challenge, retry_after) = (self.challenge, self.retry_after_seconds);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
