//! A group's members: who is in it by which source; and those whom administrators put in and take out.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use entitled_model::instant::{read, written};
use entitled_model::{GroupId, Instant, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{admin, bad_limit, group_id, limit, next_of, object, refused};
use crate::admin::AdminError;
use crate::http::auth::Principal;
use crate::http::observe::RequestId;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json;
use crate::store::{MembershipRow, StoreError};

/// A member of a group.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MemberView {
    pub user_id: String,
    pub email: Option<String>,
    /// Each source that supports the membership.
    #[serde(deserialize_with = "json::objects")]
    pub sources: Vec<SupportView>,
}

/// A source's support for a membership.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct SupportView {
    pub source: String,
    /// RFC 3339, UTC.
    pub added_at: String,
    /// It goes from then on: its source no longer lists it, or it was given until then. RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
}

/// A page of members, by user id.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MembersView {
    #[serde(deserialize_with = "json::objects")]
    pub members: Vec<MemberView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// Whom to put into the group.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewMemberBody {
    pub(super) user_id: String,
    /// When the membership ends by itself: RFC 3339. Default: never.
    pub(super) expires_at: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct MembersQuery {
    /// The user id after which the page begins: `next` of the page before.
    after: Option<Uuid>,
    /// How many members at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

/// Who is in a group, and by which sources.
#[utoipa::path(
    get, path = "/api/v1/admin/groups/{id}/members", tag = "administration",
    params(("id" = String, Path, description = "The group's id"), MembersQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = MembersView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such group", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn list(
    State(service): State<Service>,
    Path(group): Path<String>,
    query: Result<Query<MembersQuery>, QueryRejection>,
) -> Result<Json<MembersView>, Problem> {
    let group = group_id(&group)?;
    let Query(MembersQuery { after, limit: asked }) = query.map_err(|_| bad_limit())?;
    let (after, limit) = (after.map(UserId), limit(asked)?);
    page(&service, group, after, limit).await.map(Json).map_err(|error| refused(&service, error))
}

async fn page(service: &Service, group: GroupId, after: Option<UserId>, limit: u64) -> Result<MembersView, AdminError> {
    let (store, conn) = (&service.store, service.store.reader());
    store.group_by_id(conn, group).await?.ok_or(AdminError::NoGroup)?;
    let mut members = by_user(store.members_after(conn, group, after, limit + 1).await?);
    let next = next_of(&mut members, limit, |(user, _)| user.to_string());
    let users: Vec<UserId> = members.iter().map(|(user, _)| *user).collect();
    let addresses: HashMap<UserId, String> = store.emails_of(conn, &users).await?;
    let view = |(user, sources): (UserId, Vec<SupportView>)| MemberView {
        user_id: user.to_string(),
        email: addresses.get(&user).cloned(),
        sources,
    };
    Ok(MembersView { members: members.into_iter().map(view).collect(), next })
}

/// The rows of each user together; they come by user.
fn by_user(rows: Vec<MembershipRow>) -> Vec<(UserId, Vec<SupportView>)> {
    let mut members: Vec<(UserId, Vec<SupportView>)> = Vec::new();
    for row in rows {
        let support = SupportView {
            source: row.source.to_string(),
            added_at: written(row.added_at),
            due_at: row.due_at.map(written),
        };
        match members.last_mut() {
            Some((user, sources)) if *user == row.user => sources.push(support),
            _ => members.push((row.user, vec![support])),
        }
    }
    members
}

/// Puts a user into a group by hand.
#[utoipa::path(
    post, path = "/api/v1/admin/groups/{id}/members", tag = "administration", request_body = NewMemberBody,
    params(("id" = String, Path, description = "The group's id")), security(("bearer" = ["admin"])),
    responses(
        (status = 201, description = "In the group, by source `admin`", body = MemberView),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such group, or no such user", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A source manages the group, or the user is in it by hand already", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn add(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(group): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<MemberView>), Problem> {
    let admin = admin(&service, &principal, id);
    let group = group_id(&group)?;
    let NewMemberBody { user_id, expires_at } = object(&whole_body(body)?, "user_id and expires_at")?;
    let user = UserId(Uuid::parse_str(&user_id).map_err(|_| refused(&service, AdminError::NoUser))?);
    let expires_at = expires_at.as_deref().map(instant).transpose()?;
    admin.add_member(group, user, expires_at).await.map_err(|error| refused(&service, error))?;
    let member = member(&service, group, user).await.map_err(|error| refused(&service, error.into()))?;
    Ok((StatusCode::CREATED, Json(member)))
}

fn instant(text: &str) -> Result<Instant, Problem> {
    let wrong =
        || Problem::new(StatusCode::BAD_REQUEST, "expires_at is not an instant of RFC 3339").field("expires_at");
    read(text).ok_or_else(wrong)
}

async fn member(service: &Service, group: GroupId, user: UserId) -> Result<MemberView, StoreError> {
    let (store, conn) = (&service.store, service.store.reader());
    let rows = store.memberships_of_user(conn, user).await?;
    let name = store.group_names(conn, &[group]).await?.remove(&group);
    let rows = rows.into_iter().filter(|row| Some(&row.group) == name.as_ref()).collect();
    let sources = by_user(rows).pop().map(|(_, sources)| sources).unwrap_or_default();
    let email = store.emails_of(conn, &[user]).await?.remove(&user);
    Ok(MemberView { user_id: user.to_string(), email, sources })
}

/// Takes a user out of a group into which an administrator has put them; other sources' support stays.
#[utoipa::path(
    delete, path = "/api/v1/admin/groups/{id}/members/{user_id}", tag = "administration",
    params(("id" = String, Path, description = "The group's id"), ("user_id" = String, Path, description = "The user's id")),
    security(("bearer" = ["admin"])),
    responses(
        (status = 204, description = "No longer in the group by hand"),
        (status = 404, description = "No such group or user, or no administrator has put them in; the sources that did are named", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The last administrator, or a group that a source manages", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn remove(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path((group, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let admin = admin(&service, &principal, id);
    let group = group_id(&group)?;
    let user = UserId(Uuid::parse_str(&user).map_err(|_| refused(&service, AdminError::NoUser))?);
    let removed = admin.remove_member(group, user).await;
    removed.map(|()| StatusCode::NO_CONTENT).map_err(|error| refused(&service, error))
}
