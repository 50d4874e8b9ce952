//! Google's error answers. The envelope has the code twice over and a list `errors` whose `reason` is what a client
//! decides by.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error as Google's API states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoogleError {
    pub code: u16,
    pub reason: String,
    pub message: String,
}

impl GoogleError {
    /// An error of any code and reason, with the usual message for it.
    pub(crate) fn new(code: u16, reason: &str) -> GoogleError {
        let message = match reason {
            "userRateLimitExceeded" => "User-rate limit exceeded. Retry later.",
            "rateLimitExceeded" => "Rate Limit Exceeded",
            "quotaExceeded" => "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user'.",
            "forbidden" => "Not Authorized to access this resource/api",
            "insufficientPermissions" => "Request had insufficient authentication scopes.",
            "authError" => "Invalid Credentials",
            "conditionNotMet" => "User is deleted",
            "notFound" => "Resource Not Found",
            "backendError" => "Service unavailable. Please try again",
            "domainNotFound" => "Domain not found.",
            other => other,
        };
        GoogleError { code, reason: reason.to_owned(), message: message.to_owned() }
    }

    /// 404: the key names nothing.
    pub(crate) fn not_found(key: &str) -> GoogleError {
        GoogleError { message: format!("Resource Not Found: {key}"), ..GoogleError::new(404, "notFound") }
    }

    /// 400: the parameter has a value that is not allowed.
    pub(crate) fn invalid(parameter: &str) -> GoogleError {
        GoogleError { message: format!("Invalid Input: {parameter}"), ..GoogleError::new(400, "invalid") }
    }

    /// 400: a parameter is missing, or two exclude each other.
    pub(crate) fn bad_request() -> GoogleError {
        GoogleError { message: "Bad Request".to_owned(), ..GoogleError::new(400, "badRequest") }
    }

    /// 412: the user was deleted, an authoritative absence.
    pub(crate) fn user_is_deleted() -> GoogleError {
        GoogleError::new(412, "conditionNotMet")
    }
}

impl IntoResponse for GoogleError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut entry = json!({ "message": self.message, "domain": "global", "reason": self.reason });
        if status == StatusCode::UNAUTHORIZED {
            entry["locationType"] = json!("header");
            entry["location"] = json!("Authorization");
        }
        let body = json!({ "error": { "code": self.code, "message": self.message, "errors": [entry] } });
        (status, Json(body)).into_response()
    }
}
