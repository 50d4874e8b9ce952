//! Groups: listed, made, described, renamed, deleted.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use entitled_model::instant::written;
use entitled_model::{GroupId, GroupName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::tag::{IfMatch, Tagged};
use super::{admin, bad_limit, group_id, limit, next_of, object, plain, refused};
use crate::admin::{AdminError, GroupChange};
use crate::http::auth::Principal;
use crate::http::observe::RequestId;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json;
use crate::store::{GroupRecord, Store, StoreError};

/// A group.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AdminGroupView {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// The source that manages it; none when administrators do.
    pub managed_by: Option<String>,
    /// Set together: what the group's members have a permission on.
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// A group in a list.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ListedGroupView {
    #[serde(flatten)]
    pub group: AdminGroupView,
    /// How many users are in it, by any source.
    pub members: u64,
}

/// A page of groups, by name.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AdminGroupsView {
    #[serde(deserialize_with = "json::objects")]
    pub groups: Vec<ListedGroupView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// A group to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewGroupBody {
    /// Unique; surrounding white space is dropped.
    pub(super) name: String,
    pub(super) description: Option<String>,
}

/// What changes; a field that is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct GroupPatchBody {
    pub(super) name: Option<String>,
    /// Empty: none.
    pub(super) description: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct GroupsQuery {
    /// This one alone, by name or id.
    group: Option<String>,
    /// The name after which the page begins: `next` of the page before.
    after: Option<String>,
    /// How many groups at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

fn view(group: GroupRecord) -> AdminGroupView {
    let GroupRecord { id, name, description, managed_by, resource_type, resource_id, created_at } = group;
    AdminGroupView {
        id: id.to_string(),
        name,
        description,
        managed_by: managed_by.map(|source| source.to_string()),
        resource_type,
        resource_id,
        created_at: written(created_at),
    }
}

/// Groups, by name.
#[utoipa::path(
    get, path = "/api/v1/admin/groups", tag = "administration", params(GroupsQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = AdminGroupsView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn list(
    State(service): State<Service>,
    query: Result<Query<GroupsQuery>, QueryRejection>,
) -> Result<Json<AdminGroupsView>, Problem> {
    let Query(GroupsQuery { group, after, limit: asked }) = query.map_err(|_| bad_limit())?;
    let (after, limit) = (after.unwrap_or_default(), limit(asked)?);
    if after.contains('\0') {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "after must be free of NUL characters").field("after"));
    }
    if let Some(name) = group {
        let found = named(&service.store, &plain("group", name)?).await;
        let found = found.map_err(|error| refused(&service, error.into()))?;
        return page(&service, found.into_iter().collect(), None).await;
    }
    let found = service.store.groups_after(&after, limit + 1).await;
    let mut found = found.map_err(|error| refused(&service, error.into()))?;
    let next = next_of(&mut found, limit, |last| last.name.clone());
    page(&service, found, next).await
}

async fn named(store: &Store, name: &str) -> Result<Option<GroupRecord>, StoreError> {
    match store.group_by_any_name(name).await? {
        Some(group) => store.group_by_id(store.reader(), group).await,
        None => Ok(None),
    }
}

async fn page(
    service: &Service,
    found: Vec<GroupRecord>,
    next: Option<String>,
) -> Result<Json<AdminGroupsView>, Problem> {
    let ids: Vec<GroupId> = found.iter().map(|group| group.id).collect();
    let members = service.store.member_counts(service.store.reader(), &ids).await;
    let members = members.map_err(|error| refused(service, error.into()))?;
    let listed = |group: GroupRecord| {
        let members = members.get(&group.id).copied().unwrap_or_default();
        ListedGroupView { group: view(group), members }
    };
    Ok(Json(AdminGroupsView { groups: found.into_iter().map(listed).collect(), next }))
}

/// Makes a group; its members are put in by hand.
#[utoipa::path(
    post, path = "/api/v1/admin/groups", tag = "administration", request_body = NewGroupBody, security(("bearer" = ["admin"])),
    responses(
        (status = 201, description = "Made; `Location` names it", body = AdminGroupView),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
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
    let admin = admin(&service, &principal, id);
    let NewGroupBody { name, description } = object(&whole_body(body)?, "name and description")?;
    let made = async {
        let group = admin.create_group(GroupName::parse(&name)?, description.as_deref()).await?;
        admin.store.group_by_id(admin.store.reader(), group).await?.ok_or(AdminError::NoGroup)
    };
    let group = made.await.map_err(|error| refused(&service, error))?;
    let place = HeaderValue::from_str(&format!("/api/v1/admin/groups/{}", group.id)).ok();
    let mut response = (StatusCode::CREATED, Json(view(group))).into_response();
    response.headers_mut().extend(place.map(|place| (header::LOCATION, place)));
    Ok(response)
}

/// One group.
#[utoipa::path(
    get, path = "/api/v1/admin/groups/{id}", tag = "administration", params(("id" = String, Path, description = "The group's id")),
    security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = AdminGroupView, headers(("ETag" = String, description = "Names what is shown: for `If-Match`"))),
        (status = 404, description = "No such group", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn show(
    State(service): State<Service>,
    Path(group): Path<String>,
) -> Result<Tagged<AdminGroupView>, Problem> {
    let found = service.store.group_by_id(service.store.reader(), group_id(&group)?).await;
    let found = found.map_err(|error| refused(&service, error.into()))?;
    found.map(|group| Tagged(view(group))).ok_or_else(|| refused(&service, AdminError::NoGroup))
}

/// Renames a group, or describes it.
#[utoipa::path(
    patch, path = "/api/v1/admin/groups/{id}", tag = "administration", request_body = GroupPatchBody,
    params(
        ("id" = String, Path, description = "The group's id"),
        ("If-Match" = Option<String>, Header, description = "Changes it only while it is what this `ETag` named"),
    ),
    security(("bearer" = ["admin"])),
    responses(
        (status = 200, body = AdminGroupView, headers(("ETag" = String, description = "Names what is shown: for `If-Match`"))),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such group", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken, or not the administrators' to change", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "It is not what `If-Match` names any more", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn change(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(group): Path<String>,
    if_match: IfMatch,
    body: Result<Bytes, BytesRejection>,
) -> Result<Tagged<AdminGroupView>, Problem> {
    let admin = admin(&service, &principal, id);
    let group = group_id(&group)?;
    let GroupPatchBody { name, description } = object(&whole_body(body)?, "name and description")?;
    let changed = async {
        let name = name.as_deref().map(GroupName::parse).transpose()?;
        let still = |group: &GroupRecord| if_match.holds(&view(group.clone()));
        admin.change_group(group, &GroupChange { name, description }, &still).await
    };
    changed.await.map(|group| Tagged(view(group))).map_err(|error| refused(&service, error))
}

/// Deletes a group with its memberships and grants.
#[utoipa::path(
    delete, path = "/api/v1/admin/groups/{id}", tag = "administration",
    params(
        ("id" = String, Path, description = "The group's id"),
        ("If-Match" = Option<String>, Header, description = "Deletes it only while it is what this `ETag` named"),
    ),
    security(("bearer" = ["admin"])),
    responses(
        (status = 204, description = "Gone, with its memberships and grants"),
        (status = 400, description = "`If-Match` is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such group", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A source or the system needs it", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "It is not what `If-Match` names any more", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn delete(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(group): Path<String>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let admin = admin(&service, &principal, id);
    let still = |group: &GroupRecord| if_match.holds(&view(group.clone()));
    let deleted = admin.delete_group(group_id(&group)?, &still).await;
    deleted.map(|()| StatusCode::NO_CONTENT).map_err(|error| refused(&service, error))
}
