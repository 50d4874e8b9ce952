//! The access log: what was done with a token, and who was refused.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use entitled_model::instant::written;
use entitled_model::{TokenId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::tokens::token_id;
use super::{bad_limit, limit, next_of, refused};
use crate::admin::AdminError;
use crate::http::auth::Principal;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service};
use crate::json;
use crate::store::{AccessRecord, Accesses};

/// One answered request.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AccessView {
    pub id: String,
    /// RFC 3339, UTC.
    pub at: String,
    pub token: Option<String>,
    /// Who it was, as events name an actor; none when nobody was recognised.
    pub principal: Option<String>,
    /// `valid`, or what was wrong: `expired`, `revoked`, `owner_inactive`, `forbidden`, `unknown`, `malformed`, `invalid`, `missing`.
    pub verdict: String,
    pub method: String,
    /// The route's template; `none` where there is none.
    pub route: String,
    pub status: u16,
    pub address: Option<String>,
    /// The `x-request-id` of the answer, and the correlation id of events.
    pub request_id: String,
}

/// A page of the access log, newest first.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AccessesView {
    #[serde(deserialize_with = "json::objects")]
    pub accesses: Vec<AccessView>,
    /// What `before` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct AccessesQuery {
    /// The id before which the page begins: `next` of the page before.
    before: Option<Uuid>,
    /// How many at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

impl From<AccessRecord> for AccessView {
    fn from(access: AccessRecord) -> Self {
        let AccessRecord { id, at, token, principal, verdict, method, route, status, address, request_id } = access;
        Self {
            id: id.to_string(),
            at: written(at),
            token: token.map(|token| token.to_string()),
            principal,
            verdict,
            method,
            route,
            status,
            address,
            request_id,
        }
    }
}

impl AccessesView {
    /// Of one row more than the page holds, where there are more.
    #[must_use]
    pub fn of(mut found: Vec<AccessRecord>, rows_max: u64) -> Self {
        let next = next_of(&mut found, rows_max, |last| last.id.to_string());
        Self { accesses: found.into_iter().map(AccessView::from).collect(), next }
    }
}

/// The columns of [`csv`].
const COLUMNS: [&str; 10] =
    ["id", "at", "token", "principal", "verdict", "method", "route", "status", "address", "request_id"];

/// A line of names, then a request a line (RFC 4180).
///
/// # Errors
/// None that can happen: it is written to memory.
pub fn csv(rows: &[AccessView]) -> Result<String, csv::Error> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).has_headers(false).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for row in rows {
        writer.serialize(row)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn page(
    service: &Service,
    which: Accesses,
    query: Result<Query<AccessesQuery>, QueryRejection>,
) -> Result<Json<AccessesView>, Problem> {
    let Query(AccessesQuery { before, limit: asked }) = query.map_err(|_| bad_limit())?;
    let limit = limit(asked)?;
    let found = service.store.accesses_before(which, before, limit + 1).await;
    found.map(|found| Json(AccessesView::of(found, limit))).map_err(|error| refused(service, error.into()))
}

/// Requires that the token is there, and one of this owner's if one is named.
async fn known(service: &Service, token: &str, owner: Option<UserId>) -> Result<TokenId, Problem> {
    let id = token_id(token)?;
    let found = service.store.token_by_id(service.store.reader(), id).await;
    let found = found.map_err(|error| refused(service, error.into()))?;
    let found = found.filter(|found| owner.is_none() || found.owner == owner);
    found.map(|found| found.id).ok_or_else(|| refused(service, AdminError::NoToken))
}

/// What was done with a token, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/tokens/{id}/access-log", tag = "administration",
    params(("id" = String, Path, description = "The token's id"), AccessesQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = AccessesView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such token", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn of_token(
    State(service): State<Service>,
    Path(token): Path<String>,
    query: Result<Query<AccessesQuery>, QueryRejection>,
) -> Result<Json<AccessesView>, Problem> {
    let token = known(&service, &token, None).await?;
    page(&service, Accesses::Of(token), query).await
}

/// What was done with a token of one's own, newest first.
#[utoipa::path(
    get, path = "/api/v1/me/tokens/{id}/access-log", tag = "me",
    params(("id" = String, Path, description = "The token's id"), AccessesQuery), security(("bearer" = [])),
    responses(
        (status = 200, body = AccessesView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such token of one's own", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn of_own(
    State(service): State<Service>,
    Extension(principal): Extension<Principal>,
    Path(token): Path<String>,
    query: Result<Query<AccessesQuery>, QueryRejection>,
) -> Result<Json<AccessesView>, Problem> {
    let token = known(&service, &token, Some(principal.user()?)).await?;
    page(&service, Accesses::Of(token), query).await
}

/// Who was refused for want of a credential or of a right, newest first; rate-bounded for each address.
#[utoipa::path(
    get, path = "/api/v1/admin/refusals", tag = "administration", params(AccessesQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = AccessesView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn refusals(
    State(service): State<Service>,
    query: Result<Query<AccessesQuery>, QueryRejection>,
) -> Result<Json<AccessesView>, Problem> {
    page(&service, Accesses::Failed, query).await
}
