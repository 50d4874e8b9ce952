//! Roles: who somebody is here, and roles assigned to users and to groups.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use entitled_model::event::RoleSubject;
use entitled_model::instant::written;
use entitled_model::role::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{admin, bad_limit, group_id, limit, next_of, object, refused, user_id};
use crate::admin::AdminError;
use crate::http::auth::Principal;
use crate::http::observe::RequestId;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json;
use crate::store::DirectoryWord;

/// Who is asking.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct MeView {
    id: String,
    sub: Option<String>,
    email: Option<String>,
    /// `viewer`, `use`, `manage` or `owner`: the highest of what is given; none of somebody to whom nothing is.
    role: Option<&'static str>,
    /// What gives it: `assigned` (to the person or to a group of theirs), `admin` (in `Admin`), `directory` (an administrator of
    /// one), or `default`.
    by: Option<&'static str>,
    /// The directories of which the person is an administrator, and so an owner here.
    directories: Vec<DirectoryView>,
}

/// What a directory says: the person is an administrator of it.
#[derive(Serialize, ToSchema)]
struct DirectoryView {
    source: String,
    /// RFC 3339, UTC.
    since: String,
    /// `fresh`; or `stale`: the newest look-up failed, and what was said before it serves.
    freshness: &'static str,
    /// When the newest look-up that answered began. RFC 3339, UTC.
    observed_at: Option<String>,
    /// The class of the failure of a look-up since then.
    error: Option<String>,
}

/// A role that was assigned.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct RoleView {
    /// One of the two is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    pub role: String,
    /// RFC 3339, UTC.
    pub since: String,
}

/// A page of roles, by the id of their subjects.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct RolesView {
    #[serde(deserialize_with = "json::objects")]
    pub roles: Vec<RoleView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// A role for a user, or for everybody in a group.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RoleBody {
    /// One of the two is needed.
    pub(super) user_id: Option<String>,
    pub(super) group_id: Option<String>,
    /// `viewer`, `use`, `manage` or `owner`.
    pub(super) role: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct RolesQuery {
    /// The id after which the page begins: `next` of the page before.
    after: Option<Uuid>,
    /// How many roles at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

fn view(subject: RoleSubject, role: Role, since: entitled_model::Instant) -> RoleView {
    let id = subject.id().to_string();
    let (user_id, group_id) = match subject {
        RoleSubject::User(_) => (Some(id), None),
        RoleSubject::Group(_) => (None, Some(id)),
    };
    RoleView { user_id, group_id, role: role.to_string(), since: written(since) }
}

fn directory(word: DirectoryWord) -> DirectoryView {
    let DirectoryWord { source, since, observed_at, failure } = word;
    DirectoryView {
        source: source.to_string(),
        since: written(since),
        freshness: if failure.is_some() { "stale" } else { "fresh" },
        observed_at: observed_at.map(written),
        error: failure,
    }
}

/// Who is asking, and what role counts.
#[utoipa::path(
    get, path = "/api/v1/users/me", tag = "me", security(("bearer" = [])),
    responses((status = 200, body = MeView), Refusals)
)]
pub(in crate::http) async fn me(
    State(service): State<Service>,
    Extension(principal): Extension<Principal>,
) -> Result<Json<MeView>, Problem> {
    let (user, conn) = (principal.user()?, service.store.reader());
    let told = async {
        let standing = service.store.person(conn, user).await?.ok_or(AdminError::NoUser)?;
        let profile = service.store.user_by_id(conn, user).await?.ok_or(AdminError::NoUser)?.profile;
        let given = standing.role();
        let by = match given {
            Some(_) if standing.is_administrator => Some("admin"),
            Some(_) if standing.is_directory_administrator && standing.assigned != given => Some("directory"),
            Some(_) => Some("assigned"),
            None => service.default_role.map(|_| "default"),
        };
        Ok::<_, AdminError>(MeView {
            id: user.to_string(),
            sub: profile.sub.map(|sub| sub.as_str().to_owned()),
            email: profile.email.map(|email| email.as_given().to_owned()),
            role: given.or(service.default_role).map(Role::as_str),
            by,
            directories: service.store.directory_words(conn, user).await?.into_iter().map(directory).collect(),
        })
    };
    told.await.map(Json).map_err(|error| refused(&service, error))
}

/// Roles that were assigned, by the id of their subjects.
#[utoipa::path(
    get, path = "/api/v1/admin/roles", tag = "administration", params(RolesQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = RolesView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn list(
    State(service): State<Service>,
    query: Result<Query<RolesQuery>, QueryRejection>,
) -> Result<Json<RolesView>, Problem> {
    let Query(RolesQuery { after, limit: asked }) = query.map_err(|_| bad_limit())?;
    let limit = limit(asked)?;
    let found = service.store.roles_after(after, limit + 1).await;
    let mut found = found.map_err(|error| refused(&service, error.into()))?;
    let next = next_of(&mut found, limit, |last| last.subject.id().to_string());
    let roles = found.into_iter().map(|row| view(row.subject, row.role, row.since)).collect();
    Ok(Json(RolesView { roles, next }))
}

/// Assigns a role, in the place of the one before. Nobody reaches above their own, and nobody changes their own.
#[utoipa::path(
    post, path = "/api/v1/admin/roles", tag = "administration", request_body = RoleBody, security(("bearer" = ["admin"])),
    responses(
        (status = 200, description = "It is assigned", body = RoleView),
        (status = 400, description = "The body is malformed, or it is the caller's own role", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user or group", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The last owner", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn set(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<RoleView>, Problem> {
    let RoleBody { user_id: user, group_id: group, role } =
        object(&whole_body(body)?, "user_id or group_id, and role")?;
    let bad = |detail: &str, field| Problem::new(StatusCode::BAD_REQUEST, detail).field(field);
    let subject = match (user, group) {
        (Some(user), None) => RoleSubject::User(user_id(&user)?),
        (None, Some(group)) => RoleSubject::Group(group_id(&group)?),
        _ => return Err(bad("one of user_id and group_id is needed", "user_id")),
    };
    let role: Role =
        role.parse().map_err(|error: entitled_model::role::InvalidRole| bad(&error.to_string(), "role"))?;
    let changed = admin(&service, &principal, id).set_role(subject, Some(role)).await;
    changed.map_err(|error| refused(&service, error))?;
    Ok(Json(view(subject, role, service.store.clock().now())))
}

/// Takes a user's role away.
#[utoipa::path(
    delete, path = "/api/v1/admin/roles/users/{id}", tag = "administration", security(("bearer" = ["admin"])),
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, description = "The caller's own role", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user, or none assigned", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The last owner", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn remove_of_user(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    remove(&service, &principal, id, RoleSubject::User(user_id(&user)?)).await
}

/// Takes a group's role away.
#[utoipa::path(
    delete, path = "/api/v1/admin/roles/groups/{id}", tag = "administration", security(("bearer" = ["admin"])),
    params(("id" = String, Path, description = "The group's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such group, or none assigned", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The last owner", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn remove_of_group(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(group): Path<String>,
) -> Result<StatusCode, Problem> {
    remove(&service, &principal, id, RoleSubject::Group(group_id(&group)?)).await
}

async fn remove(
    service: &Service,
    principal: &Principal,
    id: RequestId,
    subject: RoleSubject,
) -> Result<StatusCode, Problem> {
    let before = admin(service, principal, id).set_role(subject, None).await;
    match before.map_err(|error| refused(service, error))? {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "no role is assigned to it")),
    }
}
