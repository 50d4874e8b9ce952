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
use super::{bad_limit, limit, refused};
use crate::admin::AdminError;
use crate::http::auth::Principal;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service};
use crate::store::{AccessRecord, Accesses};

/// One answered request.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct AccessView {
    id: String,
    /// RFC 3339, UTC.
    at: String,
    token: Option<String>,
    /// Who it was, as events name an actor; none when nobody was recognised.
    principal: Option<String>,
    /// `valid`, or what was wrong: `expired`, `revoked`, `owner_inactive`, `forbidden`, `unknown`, `malformed`, `invalid`, `missing`.
    verdict: String,
    method: String,
    /// The route's template; `none` where there is none.
    route: String,
    status: u16,
    address: Option<String>,
    /// The `x-request-id` of the answer, and the correlation id of events.
    request_id: String,
}

/// A page of the access log, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct AccessesView {
    accesses: Vec<AccessView>,
    /// What `before` is for the next page; none on the last.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct AccessesQuery {
    /// The id before which the page begins: `next` of the page before.
    before: Option<Uuid>,
    /// How many at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

fn view(access: AccessRecord) -> AccessView {
    let AccessRecord { id, at, token, principal, verdict, method, route, status, address, request_id } = access;
    AccessView {
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

async fn page(
    service: &Service,
    which: Accesses,
    query: Result<Query<AccessesQuery>, QueryRejection>,
) -> Result<Json<AccessesView>, Problem> {
    let Query(AccessesQuery { before, limit: asked }) = query.map_err(|_| bad_limit())?;
    let limit = limit(asked)?;
    let found = service.store.accesses_before(which, before, limit + 1).await;
    let mut found = found.map_err(|error| refused(service, error.into()))?;
    let more = found.len() as u64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = found.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(AccessesView { accesses: found.into_iter().map(view).collect(), next }))
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
