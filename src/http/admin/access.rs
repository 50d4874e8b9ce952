//! Who has access: all that a user has, the groups they are in, and what each type's resources are open to.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use entitled_model::access::ResourceRef;
use entitled_model::instant::written;
use entitled_model::resource::{RESOURCE_TYPES, ResourceType};
use entitled_model::{GroupId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{limit, plain, refused, user_id};
use crate::access;
use crate::admin::AdminError;
use crate::http::auth::Principal;
use crate::http::check::{PathView, at_least, unanswered};
use crate::http::problem::Refusals;
use crate::http::{Problem, Service};
use crate::json;
use crate::store::{AccessRow, MembershipRow, OverviewRow, StoreError};

/// All that a user has, by resource.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct EffectiveAccessView {
    pub user_id: String,
    /// `active`, `suspended` or `deactivated`: who is not active has nothing.
    pub status: String,
    #[serde(deserialize_with = "json::objects")]
    pub resources: Vec<ResourceAccessView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
    /// The position of the log that this is true at.
    pub position: i64,
}

/// A resource, with each permission on it.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ResourceAccessView {
    pub resource_type: String,
    pub resource_id: String,
    #[serde(deserialize_with = "json::objects")]
    pub access: Vec<PermissionView>,
}

/// A permission, with everything that gives it.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PermissionView {
    pub permission: String,
    #[serde(deserialize_with = "json::objects")]
    pub paths: Vec<PathView>,
}

/// The groups that a user is in.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct UserMembershipsView {
    #[serde(deserialize_with = "json::objects")]
    pub memberships: Vec<UserMembershipView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// A membership by one source; several sources may support the same one.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct UserMembershipView {
    pub group_id: String,
    pub group: String,
    pub source: String,
    /// RFC 3339, UTC.
    pub added_at: String,
    /// It goes from then on: its source no longer lists it, or it was given until then. RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
}

impl From<(GroupId, MembershipRow)> for UserMembershipView {
    fn from((group, row): (GroupId, MembershipRow)) -> Self {
        Self {
            group_id: group.to_string(),
            group: row.group,
            source: row.source.to_string(),
            added_at: written(row.added_at),
            due_at: row.due_at.map(written),
        }
    }
}

/// Every type of resource, with what its resources are open to.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct AccessOverviewView {
    resource_types: Vec<TypeOverviewView>,
}

/// A type, with a block for each resource that is known, or on which anybody was given anything.
#[derive(Serialize, ToSchema)]
struct TypeOverviewView {
    key: &'static str,
    name: &'static str,
    blocks: Vec<BlockView>,
    /// What `after` is for the next page of this type; none on the last.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct BlockView {
    /// As grants store it.
    resource_id: String,
    /// Whether the resource itself is known.
    known: bool,
    access: Vec<PermissionView>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct EffectiveQuery {
    /// The resource after which the page begins: `next` of the page before.
    after: Option<String>,
    /// How many resources at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
    /// The position of the log that the answer must be at, or beyond; it is waited for.
    min_position: Option<i64>,
    /// How long, in milliseconds, at most 10,000. Default: 1,000.
    wait_ms: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct UserMembershipsQuery {
    /// The name of the group after which the page begins: `next` of the page before.
    after: Option<String>,
    /// How many groups at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct OverviewQuery {
    /// One type alone.
    resource_type: Option<String>,
    /// With `resource_type`: the resource after which the page begins, `next` of the page before.
    after: Option<String>,
    /// How many blocks of each type at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

fn malformed(_: QueryRejection) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "a parameter is no number, or stands there twice")
}

fn rows(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// All that a user has: every resource, with all groups and sources that give it. That of administrators is listed as anybody's.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}/effective-access", tag = "administration",
    params(("id" = String, Path, description = "The user's id"), EffectiveQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = EffectiveAccessView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn effective(
    State(service): State<Service>,
    Path(user): Path<String>,
    query: Result<Query<EffectiveQuery>, QueryRejection>,
) -> Result<Json<EffectiveAccessView>, Problem> {
    access_of(&service, user_id(&user)?, query).await
}

/// All that the person has who is asking, with all groups and sources that give it.
#[utoipa::path(
    get, path = "/api/v1/me/effective-access", tag = "me", params(EffectiveQuery), security(("bearer" = [])),
    responses(
        (status = 200, body = EffectiveAccessView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn own(
    State(service): State<Service>,
    Extension(principal): Extension<Principal>,
    query: Result<Query<EffectiveQuery>, QueryRejection>,
) -> Result<Json<EffectiveAccessView>, Problem> {
    access_of(&service, principal.user()?, query).await
}

async fn access_of(
    service: &Service,
    user: UserId,
    query: Result<Query<EffectiveQuery>, QueryRejection>,
) -> Result<Json<EffectiveAccessView>, Problem> {
    let Query(EffectiveQuery { after, limit: asked, min_position, wait_ms }) = query.map_err(malformed)?;
    let (after, limit) = (plain("after", after.unwrap_or_default())?, limit(asked)?);
    let at_least = at_least(min_position, wait_ms)?;
    let (resource_type, resource_id) = after.split_once(':').unwrap_or((&after, ""));
    let after = ResourceRef { resource_type: resource_type.to_owned(), resource_id: resource_id.to_owned() };
    access::reached(&service.store, at_least).await.map_err(|error| unanswered(service, error))?;
    let seen = service.store.access_of_user(service.store.reader(), user, None, &after, limit + 1).await;
    let seen = seen.map_err(|error| refused(service, error.into()))?;
    let seen = seen.ok_or_else(|| refused(service, AdminError::NoUser))?;
    let (status, found) = seen.found;
    let mut resources = by_resource(found);
    let more = resources.len() > rows(limit);
    resources.truncate(rows(limit));
    let next = resources.last().filter(|_| more);
    let next = next.map(|last| format!("{}:{}", last.resource_type, last.resource_id));
    Ok(Json(EffectiveAccessView { user_id: user.to_string(), status, resources, next, position: seen.position.0 }))
}

/// The rows of each resource together; they come by resource and permission.
fn by_resource(found: Vec<AccessRow>) -> Vec<ResourceAccessView> {
    let mut resources: Vec<ResourceAccessView> = Vec::new();
    for AccessRow { resource: ResourceRef { resource_type, resource_id }, permission, path } in found {
        let same =
            |last: &&mut ResourceAccessView| last.resource_type == resource_type && last.resource_id == resource_id;
        match resources.last_mut().filter(same) {
            Some(last) => give(&mut last.access, permission, path.into()),
            None => {
                let access = vec![PermissionView { permission, paths: vec![path.into()] }];
                resources.push(ResourceAccessView { resource_type, resource_id, access });
            }
        }
    }
    resources
}

fn give(access: &mut Vec<PermissionView>, permission: String, path: PathView) {
    match access.last_mut().filter(|last| last.permission == permission) {
        Some(last) => last.paths.push(path),
        None => access.push(PermissionView { permission, paths: vec![path] }),
    }
}

/// The groups that a user is in, each with its sources. Who is not active keeps them, and has nothing by them.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}/memberships", tag = "administration",
    params(("id" = String, Path, description = "The user's id"), UserMembershipsQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = UserMembershipsView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn memberships(
    State(service): State<Service>,
    Path(user): Path<String>,
    query: Result<Query<UserMembershipsQuery>, QueryRejection>,
) -> Result<Json<UserMembershipsView>, Problem> {
    let user = user_id(&user)?;
    let Query(UserMembershipsQuery { after, limit: asked }) = query.map_err(malformed)?;
    let (after, limit) = (plain("after", after.unwrap_or_default())?, limit(asked)?);
    let (store, conn) = (&service.store, service.store.reader());
    let found = async {
        store.user_by_id(conn, user).await?.ok_or(AdminError::NoUser)?;
        Ok(store.memberships_after(conn, user, &after, limit + 1).await?)
    };
    let found = found.await.map_err(|error: AdminError| refused(&service, error))?;
    let mut names: Vec<&str> = found.iter().map(|(_, row)| row.group.as_str()).collect();
    names.dedup();
    let beyond = names.get(rows(limit)).map(|name| (*name).to_owned());
    let next = beyond.as_ref().and_then(|_| names.get(rows(limit) - 1)).map(|name| (*name).to_owned());
    let shown = found.into_iter().filter(|(_, row)| Some(&row.group) != beyond.as_ref());
    let memberships = shown.map(UserMembershipView::from);
    Ok(Json(UserMembershipsView { memberships: memberships.collect(), next }))
}

/// Every type of resource, with what each of its resources is open to, and by what.
#[utoipa::path(
    get, path = "/api/v1/admin/access-overview", tag = "administration", params(OverviewQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = AccessOverviewView),
        (status = 400, description = "A parameter is malformed, or there is no such resource type", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn overview(
    State(service): State<Service>,
    query: Result<Query<OverviewQuery>, QueryRejection>,
) -> Result<Json<AccessOverviewView>, Problem> {
    let Query(OverviewQuery { resource_type, after, limit: asked }) = query.map_err(malformed)?;
    let (after, limit) = (plain("after", after.unwrap_or_default())?, limit(asked)?);
    let only = resource_type.as_deref().map(|key| ResourceType::of_key(key).ok_or(AdminError::NoResourceType));
    let only = only.transpose().map_err(|error| refused(&service, error))?;
    if only.is_none() && !after.is_empty() {
        let detail = "after is within one type: it needs resource_type";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).field("after"));
    }
    let mut resource_types = Vec::new();
    for kind in RESOURCE_TYPES.iter().filter(|kind| only.is_none_or(|only| only == *kind)) {
        let blocks = blocks(&service, kind, &after, limit).await;
        resource_types.push(blocks.map_err(|error| refused(&service, error.into()))?);
    }
    Ok(Json(AccessOverviewView { resource_types }))
}

async fn blocks(
    service: &Service,
    kind: &'static ResourceType,
    after: &str,
    limit: u64,
) -> Result<TypeOverviewView, StoreError> {
    let mut blocks: Vec<BlockView> = Vec::new();
    for row in service.store.overview(service.store.reader(), kind.key, after, limit + 1).await? {
        let OverviewRow { resource_id, known, given } = row;
        if blocks.last().is_none_or(|last| last.resource_id != resource_id) {
            blocks.push(BlockView { resource_id, known, access: Vec::new() });
        }
        if let (Some(last), Some((permission, path))) = (blocks.last_mut(), given) {
            give(&mut last.access, permission, path.into());
        }
    }
    let more = blocks.len() > rows(limit);
    blocks.truncate(rows(limit));
    let next = blocks.last().filter(|_| more).map(|last| last.resource_id.clone());
    Ok(TypeOverviewView { key: kind.key, name: kind.name, blocks, next })
}
