//! Looking back over HTTP: who was in what, what changed by what cause, and why. What is decided stands in `crate::history`.

pub(super) mod audit;
pub(super) mod events;
mod view;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use entitled_model::Moment;
use entitled_model::history::{About, Place};
use serde::Deserialize;
use utoipa::IntoParams;

pub use view::{DiffView, EntryView, EventView, HistoryView, MembershipsView, WhyView};

use super::admin::{PAGE_ROWS_MAX, bad_limit, limit};
use super::problem::Refusals;
use super::{Problem, Service};
use crate::history::{HistoryError, MemberPlace, Members, Window};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// The user: an id, an address or a sub. Addresses in a query stand in the logs of proxies: an id is better.
    user: Option<String>,
    /// The group, by name or id, in the place of `user`. One that was deleted included.
    group: Option<String>,
    /// Only what came after this moment: `2026-11-22T10:00:00Z`, or a position of the log, `@1234`.
    since: Option<String>,
    /// Only what came up to this moment.
    until: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many entries at most, 1 to 1,000. Default: 100.
    limit: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct MembershipsQuery {
    /// The moment: `2026-11-22T10:00:00Z`, or a position of the log, `@1234`. Default: now.
    as_of: Option<String>,
    /// Only those of this user: an id, an address or a sub.
    user: Option<String>,
    /// Only those of this group, by name or id.
    group: Option<String>,
    /// `next` of the page before; all pages are true at the position of the first.
    after: Option<String>,
    /// How many memberships at most, 1 to 1,000. Default: 100.
    limit: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffQuery {
    /// The first moment: `2026-11-22T10:00:00Z`, or a position of the log, `@1234`.
    from: String,
    /// The second moment. Give the positions of the answer with the next page: an instant that is still to come moves.
    to: String,
    /// `next` of the page before.
    after: Option<String>,
    /// How many changes at most, 1 to 1,000. Default: 100. A page may have fewer, and `next` all the same.
    limit: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyQuery {
    /// The user: an id, an address or a sub.
    user: String,
    /// The group, by name or id; one that was deleted, or that an entitlement may name, included.
    group: String,
}

/// What happened to a user or to a group, oldest first, each with its cause.
#[utoipa::path(
    get, path = "/api/v1/history", tag = "history", params(HistoryQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = HistoryView),
        (status = 400, description = "A parameter is missing or malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user, or never such a group", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(super) async fn history(
    State(service): State<Service>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<HistoryView>, Problem> {
    let HistoryQuery { user, group, since, until, after, limit } = parameters(query)?;
    let window = Window {
        since: moment(since.as_deref(), "since")?,
        until: moment(until.as_deref(), "until")?,
        after: place(after.as_deref())?,
        rows_max: rows(limit.as_deref())?,
    };
    let about = match (user, group) {
        (Some(user), None) => service.history.user(&user).await.map(About::User),
        (None, Some(group)) => service.history.group(&group).await.map(About::Group),
        (Some(_), Some(_)) | (None, None) => return Err(bad("one of user and group is needed").field("user")),
    };
    let refused = |error| refused(&service, error);
    let told = service.history.of(about.map_err(refused)?, &window).await.map_err(refused)?;
    Ok(Json(told.into()))
}

/// Who was in what at a moment, by group, user and source.
#[utoipa::path(
    get, path = "/api/v1/memberships", tag = "history", params(MembershipsQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = MembershipsView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user, or never such a group", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(super) async fn memberships(
    State(service): State<Service>,
    query: Result<Query<MembershipsQuery>, QueryRejection>,
) -> Result<Json<MembershipsView>, Problem> {
    let MembershipsQuery { as_of, user, group, after, limit } = parameters(query)?;
    let (as_of, rows_max) = (moment(as_of.as_deref(), "as_of")?, rows(limit.as_deref())?);
    let after = after.map(|after| after.parse::<MemberPlace>()).transpose();
    let after = after.map_err(|error| bad(error.to_string()).field("after"))?;
    let asked = async {
        let user = match user {
            Some(user) => Some(service.history.user(&user).await?),
            None => None,
        };
        let group = match group {
            Some(group) => Some(service.history.group(&group).await?),
            None => None,
        };
        service.history.members(&Members { as_of, user, group, after, rows_max }).await
    };
    asked.await.map(|past| Json(past.into())).map_err(|error| refused(&service, error))
}

/// How the memberships of two moments differ, each change with what brought it about last.
#[utoipa::path(
    get, path = "/api/v1/diff", tag = "history", params(DiffQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = DiffView),
        (status = 400, description = "A parameter is missing or malformed, or the first moment lies behind the second", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(super) async fn diff(
    State(service): State<Service>,
    query: Result<Query<DiffQuery>, QueryRejection>,
) -> Result<Json<DiffView>, Problem> {
    let DiffQuery { from, to, after, limit } = parameters(query)?;
    let window = Window {
        since: moment(Some(&from), "from")?,
        until: moment(Some(&to), "to")?,
        after: place(after.as_deref())?,
        rows_max: rows(limit.as_deref())?,
    };
    let told = service.history.difference(&window).await.map_err(|error| refused(&service, error))?;
    Ok(Json(told.into()))
}

/// Why a user is in a group, by each source that supports it; or what is lacking.
#[utoipa::path(
    get, path = "/api/v1/why", tag = "history", params(WhyQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = WhyView),
        (status = 400, description = "A parameter is missing or malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user, or never such a group", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(super) async fn why(
    State(service): State<Service>,
    query: Result<Query<WhyQuery>, QueryRejection>,
) -> Result<Json<WhyView>, Problem> {
    let WhyQuery { user, group } = parameters(query)?;
    let explained = service.history.why(&user, &group).await;
    explained.map(|explanation| Json(explanation.into())).map_err(|error| refused(&service, error))
}

fn refused(service: &Service, error: HistoryError) -> Problem {
    let (status, field) = match &error {
        HistoryError::Store(error) => return Problem::of_store(&service.reports, error),
        HistoryError::NoUser => (StatusCode::NOT_FOUND, "user"),
        HistoryError::NoGroup => (StatusCode::NOT_FOUND, "group"),
        HistoryError::Order => return bad(error.to_string()),
        HistoryError::Ahead { .. } => return bad(error.to_string()).code("ahead"),
    };
    Problem::new(status, error.to_string()).field(field)
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

/// serde's text quotes what was given, which may be an address: only the names of parameters are told.
fn parameters<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let malformed = "the query has a parameter that is unknown, missing or given twice: see /api/openapi.json";
    query.map(|Query(query)| query).map_err(|_| bad(malformed))
}

fn moment(text: Option<&str>, field: &'static str) -> Result<Option<Moment>, Problem> {
    let moment = text.map(str::parse).transpose();
    moment.map_err(|error: entitled_model::moment::InvalidMoment| bad(error.to_string()).field(field))
}

fn place(text: Option<&str>) -> Result<Option<Place>, Problem> {
    let place = text.map(str::parse).transpose();
    place.map_err(|error: entitled_model::history::InvalidPlace| bad(error.to_string()).field("after"))
}

fn rows(text: Option<&str>) -> Result<usize, Problem> {
    let asked = text.map(|text| text.parse::<u64>().map_err(|_| bad_limit())).transpose()?;
    let rows = limit(asked)?.min(PAGE_ROWS_MAX);
    usize::try_from(rows).map_err(|_| bad_limit())
}
