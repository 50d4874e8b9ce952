//! The log, page by page, and waiting for more of it.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use entitled_model::{Position, moment};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::EventView;
use super::{bad, parameters, refused};
use crate::history::HistoryError;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service};
use crate::json;

/// How many events a page holds unless asked otherwise, and at most: one may carry 1,000 changes.
const EVENTS: u64 = 100;
const EVENTS_MAX: u64 = 200;
/// The longest time that a caller may wait for an event.
const WAIT_S_MAX: u64 = 60;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EventsQuery {
    /// The position behind which the page begins: `next` of the page before. Default: 0, before the first event.
    after: Option<String>,
    /// How many events at most, 1 to 200. Default: 100.
    limit: Option<String>,
    /// When there are none yet, how many seconds to wait for one, up to 60, and up to four fifths of `http.request_timeout`.
    /// Default: 0.
    wait: Option<String>,
}

/// Events in the order in which they were committed, without a gap.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct EventsView {
    #[serde(deserialize_with = "json::objects")]
    pub events: Vec<EventView>,
    /// What `after` is for the next page, whether there is one yet or not.
    pub next: i64,
}

/// Events after a position. Whoever goes on from `next` misses none: positions are in the order of commits.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "history", params(EventsQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = EventsView),
        (status = 400, description = "A parameter is malformed, or the position is not of this log", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn events(
    State(service): State<Service>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Json<EventsView>, Problem> {
    let EventsQuery { after, limit, wait } = parameters(query)?;
    let bad_after = || bad("after must be a position: a whole number, 0 or more").field("after");
    let after = after.map_or(Ok(Position(0)), |after| moment::position(&after).ok_or_else(bad_after))?;
    let limit = number(limit, EVENTS, 1..=EVENTS_MAX, "limit")?;
    let wait = Duration::from_secs(number(wait, 0, 0..=WAIT_S_MAX, "wait")?).min(service.request_timeout * 4 / 5);
    let refused = |error: HistoryError| refused(&service, error);
    let page = async || service.history.events_after(after, limit).await;
    let mut events = page().await.map_err(refused)?;
    if events.is_empty() && !wait.is_zero() {
        let waited = service.follower.wait(after, wait).await.map_err(|error| refused(error.into()))?;
        waited
            .map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many callers wait already: ask later"))?;
        events = page().await.map_err(refused)?;
    }
    let next = events.last().map_or(after, |event| event.recorded.position).0;
    Ok(Json(EventsView { events: events.into_iter().map(EventView::from).collect(), next }))
}

fn number(
    given: Option<String>,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
    field: &'static str,
) -> Result<u64, Problem> {
    let Some(given) = given else { return Ok(default) };
    let wrong = || bad(format!("{field} must be a number from {} to {}", range.start(), range.end())).field(field);
    given.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
}
