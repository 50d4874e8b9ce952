//! The audit, as pages of JSON, of JSON Lines or of CSV.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use entitled_model::{Position, moment};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::EventView;
use super::{bad, moment as moment_of, parameters, refused, rows};
use crate::history::Audit;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service};
use crate::json;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AuditQuery {
    /// Who decided: `operator`, `system`, `key:<name>`, `source:<name>`, ...
    actor: Option<String>,
    /// An event's type, or with `*` at its end the beginning of some: `membership.changed`, `user.*`.
    action: Option<String>,
    /// What it happened to: `user:<id>`, `group:<id>`, `resource:<type>:<id>`, `plan:<hash>`, `source:<name>`.
    subject: Option<String>,
    /// Only what came after this moment: `2026-11-22T10:00:00Z`, or a position of the log, `@1234`.
    since: Option<String>,
    /// Only what came up to this moment.
    until: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
    /// How many events at most, 1 to 1,000. Default: 100. A page may have fewer, and `next` all the same.
    limit: Option<String>,
    /// `json` (default), `jsonl` (an event a line) or `csv`; of the last two, a `link` header names the next page.
    format: Option<String>,
}

/// Events that fit, the newest first.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AuditView {
    #[serde(deserialize_with = "json::objects")]
    pub events: Vec<EventView>,
    /// What `before` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<i64>,
}

#[derive(Clone, Copy)]
enum Form {
    Json,
    JsonLines,
    Csv,
}

/// Who did what to whom, the newest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "history", params(AuditQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, description = "A page; as JSON Lines or CSV where the format says so", body = AuditView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn audit(
    State(service): State<Service>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = parameters(query)?;
    let form = match query.format.as_deref() {
        None | Some("json") => Form::Json,
        Some("jsonl") => Form::JsonLines,
        Some("csv") => Form::Csv,
        Some(_) => return Err(bad("format must be json, jsonl or csv").field("format")),
    };
    let (asked, rows_max) = (asked(&query)?, rows(query.limit.as_deref())?);
    let page = service.history.audit(&asked, rows_max).await.map_err(|error| refused(&service, error))?;
    let (events, next): (Vec<EventView>, _) = (page.rows.into_iter().map(EventView::from).collect(), page.next);
    let answer = |content_type: &'static str, body: String| {
        let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
        response.headers_mut().extend(next.and_then(|next| link(&query, next)).map(|link| (header::LINK, link)));
        response
    };
    Ok(match form {
        Form::Json => Json(AuditView { events, next: next.map(|next| next.0) }).into_response(),
        Form::JsonLines => answer("application/jsonl", lines(&events)),
        Form::Csv => answer("text/csv; charset=utf-8; header=present", csv(&events).map_err(|_| Problem::internal())?),
    })
}

fn asked(query: &AuditQuery) -> Result<Audit, Problem> {
    let word = |text: &Option<String>, field: &'static str| match text {
        Some(text) if text.is_empty() || text.chars().any(char::is_control) => {
            Err(bad(format!("{field} is empty, or holds control characters")).field(field))
        }
        text => Ok(text.clone()),
    };
    let subject = query.subject.as_deref().map(|text| {
        let wrong = || bad("subject must be a category, a colon and an id: group:<id>").field("subject");
        Audit::subject(text).ok_or_else(wrong)
    });
    let before = query.before.as_deref().map(|text| {
        let wrong = || bad("before must be a position: a whole number, 0 or more").field("before");
        moment::position(text).ok_or_else(wrong)
    });
    Ok(Audit {
        actor: word(&query.actor, "actor")?,
        action: word(&query.action, "action")?,
        subject: subject.transpose()?,
        since: moment_of(query.since.as_deref(), "since")?,
        until: moment_of(query.until.as_deref(), "until")?,
        before: before.transpose()?,
    })
}

/// The next page, as RFC 8288 names it.
fn link(query: &AuditQuery, next: Position) -> Option<HeaderValue> {
    let AuditQuery { actor, action, subject, since, until, before: _, limit, format } = query;
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    let given = [("actor", actor), ("action", action), ("subject", subject), ("since", since), ("until", until)];
    for (name, value) in given.into_iter().chain([("limit", limit), ("format", format)]) {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    pairs.append_pair("before", &next.to_string());
    HeaderValue::from_str(&format!("</api/v1/audit?{}>; rel=\"next\"", pairs.finish())).ok()
}

/// A row a line.
#[must_use]
pub fn lines<T: Serialize>(rows: &[T]) -> String {
    let line = |row| serde_json::to_string(row).expect("invariant: a row has string keys and plain values") + "\n";
    rows.iter().map(line).collect()
}

/// The columns of [`csv`].
const COLUMNS: [&str; 11] = [
    "position",
    "recorded_at",
    "occurred_at",
    "actor",
    "type",
    "source",
    "run_id",
    "correlation_id",
    "causation_id",
    "event_id",
    "payload",
];

/// A line of names, then an event a line (RFC 4180).
///
/// # Errors
/// None that can happen: it is written to memory.
pub fn csv(events: &[EventView]) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for event in events {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        writer.write_record([
            event.position.to_string(),
            event.recorded_at.clone(),
            event.occurred_at.clone(),
            event.actor.clone(),
            event.event_type.clone(),
            or_none(&event.source),
            or_none(&event.run_id),
            or_none(&event.correlation_id),
            or_none(&event.causation_id),
            event.event_id.clone(),
            event.payload.to_string(),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
