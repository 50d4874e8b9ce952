//! Tokens, one's own and all: made, listed, revoked, and what was done with them.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use entitled_model::instant::written;
use entitled_model::token::{Lifetime, TokenSecret, TokenStatus};
use entitled_model::{Instant, TokenId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{admin, bad_limit, limit, next_of, object, refused};
use crate::admin::{AdminError, NewToken};
use crate::config::Scope;
use crate::http::auth::Principal;
use crate::http::observe::RequestId;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json;
use crate::store::TokenRecord;

/// A token, without its secret.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct TokenView {
    pub id: String,
    /// The user whose it is; none for a service's.
    pub owner: Option<String>,
    pub name: Option<String>,
    pub scopes: Vec<String>,
    /// `live`, `expires_soon` (30 days or less are left), `expired` or `revoked`.
    pub status: String,
    /// RFC 3339, UTC, as the others.
    pub created_at: String,
    pub expires_at: String,
    pub revoked_at: Option<String>,
    /// To the minute; none when it was never used.
    pub last_used_at: Option<String>,
}

/// A token that was just made: the only time that its secret is told.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct NewTokenView {
    #[serde(flatten)]
    pub token: TokenView,
    pub secret: String,
}

/// A page of tokens, newest first.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct TokensView {
    #[serde(deserialize_with = "json::objects")]
    pub tokens: Vec<TokenView>,
    /// What `before` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewTokenBody {
    /// Whose it is to be: a user's id. A service's when left out; not taken where it is one's own.
    pub(super) owner: Option<String>,
    /// For the list.
    pub(super) name: Option<String>,
    /// A person's: `read` and `admin`, default `read`. A service's: any, at least one.
    pub(super) scopes: Option<Vec<String>>,
    /// 1 to 3,650. Default: 365.
    #[schema(value_type = Option<i64>)]
    pub(super) expires_in_days: Option<Value>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct TokensQuery {
    /// Whose: a user's id. Default: everybody's and services'.
    owner: Option<Uuid>,
    /// The id before which the page begins: `next` of the page before.
    before: Option<Uuid>,
    /// How many at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct OwnTokensQuery {
    /// The id before which the page begins: `next` of the page before.
    before: Option<Uuid>,
    /// How many at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

impl TokenView {
    /// As it stands by then.
    #[must_use]
    pub fn at(token: TokenRecord, now: Instant) -> Self {
        let TokenRecord { id, owner, name, scopes, created_at, expires_at, revoked_at, last_used_at } = token;
        Self {
            id: id.to_string(),
            owner: owner.map(|owner| owner.to_string()),
            name,
            scopes,
            status: TokenStatus::of(expires_at, revoked_at, now).as_str().to_owned(),
            created_at: written(created_at),
            expires_at: written(expires_at),
            revoked_at: revoked_at.map(written),
            last_used_at: last_used_at.map(written),
        }
    }
}

fn made((token, secret): (TokenRecord, TokenSecret), now: Instant) -> Response {
    const NO_STORE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let view = NewTokenView { token: TokenView::at(token, now), secret: secret.reveal().to_owned() };
    (StatusCode::CREATED, [NO_STORE], Json(view)).into_response()
}

/// Reads a token to make; `owner` is the one whom the body names.
pub(super) fn parse(body: &[u8]) -> Result<NewToken, Problem> {
    let NewTokenBody { owner, name, scopes, expires_in_days } =
        object(body, "owner, name, scopes and expires_in_days")?;
    let bad = |detail: String, field| Problem::new(StatusCode::BAD_REQUEST, detail).field(field);
    let owner = owner.map(|owner| Uuid::parse_str(&owner).map(UserId)).transpose();
    let owner = owner.map_err(|_| bad("owner must be a user's id".to_owned(), "owner"))?;
    let lifetime = match expires_in_days {
        None | Some(Value::Null) => Some(Lifetime::DEFAULT),
        Some(days) => days.as_i64().and_then(Lifetime::days),
    };
    let lifetime = lifetime.ok_or_else(|| {
        let days = Lifetime::DAYS_MAX;
        bad(format!("expires_in_days must be a whole number from 1 to {days}"), "expires_in_days")
    })?;
    let scopes = match scopes {
        None if owner.is_some() => BTreeSet::from([Scope::Read]),
        scopes => {
            let scopes = scopes.unwrap_or_default();
            let read: Result<BTreeSet<Scope>, String> = scopes.iter().map(|scope| scope.parse()).collect();
            read.map_err(|detail| bad(detail, "scopes"))?
        }
    };
    Ok(NewToken { owner, name, scopes, lifetime })
}

async fn page(
    service: &Service,
    owner: Option<UserId>,
    before: Option<Uuid>,
    asked: Option<u64>,
) -> Result<Json<TokensView>, Problem> {
    let limit = limit(asked)?;
    let found = service.store.tokens_before(owner, before.map(TokenId), limit + 1).await;
    let mut found = found.map_err(|error| refused(service, error.into()))?;
    let next = next_of(&mut found, limit, |last| last.id.to_string());
    let now = service.store.clock().now();
    Ok(Json(TokensView { tokens: found.into_iter().map(|token| TokenView::at(token, now)).collect(), next }))
}

pub(super) fn token_id(text: &str) -> Result<TokenId, Problem> {
    let id = Uuid::parse_str(text);
    id.map(TokenId).map_err(|_| Problem::new(StatusCode::NOT_FOUND, AdminError::NoToken.to_string()))
}

/// Everybody's tokens and services', newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/tokens", tag = "administration", params(TokensQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = TokensView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn list(
    State(service): State<Service>,
    query: Result<Query<TokensQuery>, QueryRejection>,
) -> Result<Json<TokensView>, Problem> {
    let Query(TokensQuery { owner, before, limit }) = query.map_err(|_| bad_limit())?;
    page(&service, owner.map(UserId), before, limit).await
}

/// Makes a token for a user or a service. A token can't make tokens.
#[utoipa::path(
    post, path = "/api/v1/admin/tokens", tag = "administration", request_body = NewTokenBody, security(("bearer" = ["admin"])),
    responses(
        (status = 201, description = "Made: the secret is told this once", body = NewTokenView),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The user is not active, or has 20 live tokens", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn create(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let new = parse(&whole_body(body)?)?;
    let created = admin(&service, &principal, id).create_token(&new).await;
    created.map(|token| made(token, service.store.clock().now())).map_err(|error| refused(&service, error))
}

/// Revokes any token, at once.
#[utoipa::path(
    delete, path = "/api/v1/admin/tokens/{id}", tag = "administration", params(("id" = String, Path, description = "The token's id")),
    security(("bearer" = ["admin"])),
    responses(
        (status = 204, description = "Counts no longer"),
        (status = 404, description = "No such token", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn revoke(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(token): Path<String>,
) -> Result<StatusCode, Problem> {
    let revoked = admin(&service, &principal, id).revoke_token(token_id(&token)?, None).await;
    revoked.map(|()| StatusCode::NO_CONTENT).map_err(|error| refused(&service, error))
}

/// One's own tokens, newest first.
#[utoipa::path(
    get, path = "/api/v1/me/tokens", tag = "me", params(OwnTokensQuery), security(("bearer" = [])),
    responses(
        (status = 200, body = TokensView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn own(
    State(service): State<Service>,
    Extension(principal): Extension<Principal>,
    query: Result<Query<OwnTokensQuery>, QueryRejection>,
) -> Result<Json<TokensView>, Problem> {
    let Query(OwnTokensQuery { before, limit }) = query.map_err(|_| bad_limit())?;
    page(&service, Some(principal.user()?), before, limit).await
}

/// Makes a token of one's own. It takes a login: a token can't make tokens.
#[utoipa::path(
    post, path = "/api/v1/me/tokens", tag = "me", request_body = NewTokenBody, security(("bearer" = [])),
    responses(
        (status = 201, description = "Made: the secret is told this once", body = NewTokenView),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There are 20 live ones already", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn create_own(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let mut new = parse(&whole_body(body)?)?;
    if new.owner.is_some() {
        let detail = "owner is not taken here: the token is your own";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).field("owner"));
    }
    new.owner = Some(principal.user()?);
    if new.scopes.is_empty() {
        new.scopes.insert(Scope::Read);
    }
    let created = admin(&service, &principal, id).create_token(&new).await;
    created.map(|token| made(token, service.store.clock().now())).map_err(|error| refused(&service, error))
}

/// Revokes a token of one's own, at once.
#[utoipa::path(
    delete, path = "/api/v1/me/tokens/{id}", tag = "me", params(("id" = String, Path, description = "The token's id")),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "Counts no longer"),
        (status = 404, description = "No such token of one's own", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn revoke_own(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(token): Path<String>,
) -> Result<StatusCode, Problem> {
    let (token, owner) = (token_id(&token)?, principal.user()?);
    let revoked = admin(&service, &principal, id).revoke_token(token, Some(owner)).await;
    revoked.map(|()| StatusCode::NO_CONTENT).map_err(|error| refused(&service, error))
}
