//! Users: listed, made known, shut out, let in again.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use entitled_model::{EmailAddress, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::tag::{IfMatch, Tagged};
use super::{admin, bad_limit, limit, next_of, object, plain, refused, user_id};
use crate::admin::AdminError;
use crate::http::auth::Principal;
use crate::http::observe::RequestId;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json;
use crate::store::UserRecord;

/// A user.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AdminUserView {
    pub id: String,
    pub sub: Option<String>,
    pub email: Option<String>,
    /// `active`, `suspended` (by a source) or `deactivated` (by an administrator).
    pub status: String,
}

/// A user, with what logins have said of them.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct UserProfileView {
    #[serde(flatten)]
    pub user: AdminUserView,
    /// Those that are kept, the latest word of each.
    pub claims: BTreeMap<String, Value>,
}

/// A page of users, by id.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AdminUsersView {
    #[serde(deserialize_with = "json::objects")]
    pub users: Vec<AdminUserView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// A user to make known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewUserBody {
    pub(super) email: String,
}

/// What changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct UserPatchBody {
    pub(super) status: StatusWord,
}

/// Why somebody is erased.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EraseBody {
    /// Without naming anybody: it stays in the log.
    pub(super) reason: String,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum StatusWord {
    Active,
    Deactivated,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct UsersQuery {
    /// This one alone: an id, an address or a sub. Addresses in a query stand in the logs of proxies.
    user: Option<String>,
    /// The id after which the page begins: `next` of the page before.
    after: Option<Uuid>,
    /// How many users at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

impl From<UserRecord> for AdminUserView {
    fn from(user: UserRecord) -> Self {
        Self {
            id: user.id.to_string(),
            sub: user.profile.sub.map(|sub| sub.as_str().to_owned()),
            email: user.profile.email.map(|email| email.as_given().to_owned()),
            status: user.status,
        }
    }
}

impl From<UserRecord> for UserProfileView {
    fn from(mut user: UserRecord) -> Self {
        let claims = std::mem::take(&mut user.profile.claims);
        Self { user: user.into(), claims }
    }
}

/// Users, by id.
#[utoipa::path(
    get, path = "/api/v1/admin/users", tag = "administration", params(UsersQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = AdminUsersView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn list(
    State(service): State<Service>,
    query: Result<Query<UsersQuery>, QueryRejection>,
) -> Result<Json<AdminUsersView>, Problem> {
    let Query(UsersQuery { user, after, limit: asked }) = query.map_err(|_| bad_limit())?;
    let limit = limit(asked)?;
    if let Some(name) = user {
        let found = service.store.user_by_any_name(service.store.reader(), &plain("user", name)?).await;
        let found = found.map_err(|error| refused(&service, error.into()))?;
        return Ok(Json(AdminUsersView { users: found.into_iter().map(AdminUserView::from).collect(), next: None }));
    }
    let found = service.store.users_after(after.map(UserId), limit + 1).await;
    let mut found = found.map_err(|error| refused(&service, error.into()))?;
    let next = next_of(&mut found, limit, |last| last.id.to_string());
    Ok(Json(AdminUsersView { users: found.into_iter().map(AdminUserView::from).collect(), next }))
}

/// Makes a user known.
#[utoipa::path(
    post, path = "/api/v1/admin/users", tag = "administration", request_body = NewUserBody, security(("bearer" = ["admin"])),
    responses(
        (status = 201, body = AdminUserView),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody has the address", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn create(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<AdminUserView>), Problem> {
    let NewUserBody { email } = object(&whole_body(body)?, "email")?;
    let bad = |error: &dyn std::fmt::Display| Problem::new(StatusCode::BAD_REQUEST, error.to_string()).field("email");
    let email = EmailAddress::parse(&email).map_err(|error| bad(&error))?;
    let made = admin(&service, &principal, id).create_user(&email).await;
    made.map(|user| (StatusCode::CREATED, Json(user.into()))).map_err(|error| refused(&service, error))
}

/// One user, with the claims of their logins.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}", tag = "administration", params(("id" = String, Path, description = "The user's id")),
    security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = UserProfileView, headers(("ETag" = String, description = "Names what is shown: for `If-Match`"))),
        (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn show(
    State(service): State<Service>,
    Path(user): Path<String>,
) -> Result<Tagged<UserProfileView>, Problem> {
    let found = service.store.user_by_id(service.store.reader(), user_id(&user)?).await;
    let found = found.map_err(|error| refused(&service, error.into()))?;
    found.map(|user| Tagged(user.into())).ok_or_else(|| refused(&service, AdminError::NoUser))
}

/// Shuts a user out, or lets them in again. A source's suspension stays.
#[utoipa::path(
    patch, path = "/api/v1/admin/users/{id}", tag = "administration", request_body = UserPatchBody,
    params(
        ("id" = String, Path, description = "The user's id"),
        ("If-Match" = Option<String>, Header, description = "Changes them only while they are what this `ETag` named"),
    ),
    security(("bearer" = ["admin"])),
    responses(
        (status = 200, body = UserProfileView, headers(("ETag" = String, description = "Names what is shown: for `If-Match`"))),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The last active person in Admin, or somebody who was erased", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "It is not what `If-Match` names any more", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn change(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(user): Path<String>,
    if_match: IfMatch,
    body: Result<Bytes, BytesRejection>,
) -> Result<Tagged<UserProfileView>, Problem> {
    let admin = admin(&service, &principal, id);
    let user = user_id(&user)?;
    let UserPatchBody { status } = object(&whole_body(body)?, "status")?;
    let still = |user: &UserRecord| if_match.holds(&UserProfileView::from(user.clone()));
    let changed = match status {
        StatusWord::Active => admin.reactivate_user(user, &still).await,
        StatusWord::Deactivated => admin.deactivate_user(user, &still).await,
    };
    changed.map(|user| Tagged(user.into())).map_err(|error| refused(&service, error))
}

/// Erases what is personal about a user; the id stays, deactivated, and the log stays whole.
#[utoipa::path(
    post, path = "/api/v1/admin/users/{id}/erase", tag = "administration", request_body = EraseBody,
    params(("id" = String, Path, description = "The user's id")), security(("bearer" = ["admin"])),
    responses(
        (status = 200, body = AdminUserView),
        (status = 400, description = "The body is malformed, or the reason is missing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The last active person in Admin, or the last owner", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn erase(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(user): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<AdminUserView>, Problem> {
    let admin = admin(&service, &principal, id);
    let user = user_id(&user)?;
    let EraseBody { reason } = object(&whole_body(body)?, "reason")?;
    let erased = admin.erase_user(user, &reason).await;
    erased.map(|user| Json(user.into())).map_err(|error| refused(&service, error))
}
