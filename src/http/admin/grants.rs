//! Grants: listed, made, deleted; and the types of the resources on which they are given.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use entitled_model::event::Granted;
use entitled_model::instant::written;
use entitled_model::resource::{RESOURCE_TYPES, ResourceType, fold_id};
use entitled_model::{GrantId, GroupId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{admin, limit, next_of, object, plain, refused};
use crate::admin::AdminError;
use crate::http::auth::Principal;
use crate::http::observe::RequestId;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json;
use crate::store::{GrantFilter, GrantRecord};

/// A grant: a permission on a resource, which everybody in the group has.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct GrantView {
    pub id: String,
    pub group_id: String,
    /// The group's name.
    pub group: String,
    pub permission: String,
    pub resource_type: String,
    pub resource_id: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// A page of grants, oldest first.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct GrantsView {
    #[serde(deserialize_with = "json::objects")]
    pub grants: Vec<GrantView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// A grant to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewGrantBody {
    pub(super) group_id: String,
    /// Lower-case letters, digits and `_`, beginning with a letter.
    pub(super) permission: String,
    /// One of `/api/v1/admin/resource-types`.
    pub(super) resource_type: String,
    /// Of the type's form.
    pub(super) resource_id: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct GrantsQuery {
    resource_type: Option<String>,
    resource_id: Option<String>,
    group_id: Option<String>,
    /// The grant after which the page begins: `next` of the page before.
    after: Option<Uuid>,
    /// How many grants at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

/// A type of resource.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ResourceTypeView {
    /// The word in grants, groups' names and paths.
    pub key: String,
    /// The word in the paths that list and provision its resources.
    pub path: String,
    pub name: String,
    /// What an id of the type looks like, in words.
    pub id_format: String,
    pub id_example: String,
    /// How its resources are listed: `provisioned`.
    pub listed: String,
}

#[derive(Deserialize, Serialize, ToSchema)]
pub struct ResourceTypesView {
    #[serde(deserialize_with = "json::objects")]
    pub resource_types: Vec<ResourceTypeView>,
}

impl From<GrantRecord> for GrantView {
    fn from(record: GrantRecord) -> Self {
        let GrantRecord { group, group_name, granted, created_at } = record;
        let Granted { grant, permission, resource_type, resource_id } = granted;
        Self {
            id: grant.to_string(),
            group_id: group.to_string(),
            group: group_name,
            permission,
            resource_type,
            resource_id,
            created_at: written(created_at),
        }
    }
}

/// Grants, oldest first.
#[utoipa::path(
    get, path = "/api/v1/admin/grants", tag = "administration", params(GrantsQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = GrantsView),
        (status = 400, description = "A parameter is malformed, or there is no such resource type", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn list(
    State(service): State<Service>,
    query: Result<Query<GrantsQuery>, QueryRejection>,
) -> Result<Json<GrantsView>, Problem> {
    let Query(query) = query.map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "after must be a grant's id, limit a number, and none may stand there twice",
        )
    })?;
    let (after, limit) = (query.after.map(GrantId), limit(query.limit)?);
    let filter = filter(&service, query)?;
    let found = service.store.grants_after(service.store.reader(), &filter, after, limit + 1).await;
    let mut found = found.map_err(|error| refused(&service, error.into()))?;
    let next = next_of(&mut found, limit, |last| last.granted.grant.to_string());
    Ok(Json(GrantsView { grants: found.into_iter().map(GrantView::from).collect(), next }))
}

fn filter(service: &Service, query: GrantsQuery) -> Result<GrantFilter, Problem> {
    let GrantsQuery { resource_type, resource_id, group_id, after: _, limit: _ } = query;
    let kind = |key: &String| ResourceType::of_key(key).ok_or(AdminError::NoResourceType);
    let kind = resource_type.as_ref().map(kind).transpose().map_err(|error| refused(service, error))?;
    let id = |id: String| match kind {
        Some(kind) => kind.id(&id).map_err(|error| refused(service, AdminError::ResourceId(error))),
        None => plain("resource_id", fold_id(&id)),
    };
    let bad = |_| Problem::new(StatusCode::BAD_REQUEST, "group_id must be a group's id").field("group_id");
    let group = group_id.map(|id| Uuid::parse_str(&id).map(GroupId).map_err(bad)).transpose()?;
    Ok(GrantFilter { resource_id: resource_id.map(id).transpose()?, resource_type, group })
}

/// Gives a group a permission on a resource.
#[utoipa::path(
    post, path = "/api/v1/admin/grants", tag = "administration", request_body = NewGrantBody, security(("bearer" = ["admin"])),
    responses(
        (status = 201, description = "Made; `Location` names it", body = GrantView),
        (status = 400, description = "The body is malformed, or there is no such resource type", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such group", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The group has this permission on this resource already", body = Problem, content_type = "application/problem+json"),
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
    let form = "group_id, permission, resource_type and resource_id";
    let NewGrantBody { group_id, permission, resource_type, resource_id } = object(&whole_body(body)?, form)?;
    let made = async {
        let group = Uuid::parse_str(&group_id).map(GroupId).map_err(|_| AdminError::NoGroup);
        admin.create_grant(group?, &permission, &resource_type, &resource_id).await
    };
    let grant = GrantView::from(made.await.map_err(|error| refused(&service, error))?);
    let place = HeaderValue::from_str(&format!("/api/v1/admin/grants/{}", grant.id)).ok();
    let mut response = (StatusCode::CREATED, Json(grant)).into_response();
    response.headers_mut().extend(place.map(|place| (header::LOCATION, place)));
    Ok(response)
}

fn grant_id(text: &str) -> Result<GrantId, AdminError> {
    Uuid::parse_str(text).map(GrantId).map_err(|_| AdminError::NoGrant)
}

/// One grant.
#[utoipa::path(
    get, path = "/api/v1/admin/grants/{id}", tag = "administration", params(("id" = String, Path, description = "The grant's id")),
    security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = GrantView),
        (status = 404, description = "No such grant", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn show(
    State(service): State<Service>,
    Path(grant): Path<String>,
) -> Result<Json<GrantView>, Problem> {
    let found = async {
        let found = service.store.grant_by_id(service.store.reader(), grant_id(&grant)?).await?;
        found.ok_or(AdminError::NoGrant)
    };
    found.await.map(|grant| Json(grant.into())).map_err(|error| refused(&service, error))
}

/// Takes a grant back.
#[utoipa::path(
    delete, path = "/api/v1/admin/grants/{id}", tag = "administration", params(("id" = String, Path, description = "The grant's id")),
    security(("bearer" = ["admin"])),
    responses(
        (status = 204, description = "Gone"),
        (status = 404, description = "No such grant", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn delete(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Path(grant): Path<String>,
    Extension(principal): Extension<Principal>,
) -> Result<StatusCode, Problem> {
    let admin = admin(&service, &principal, id);
    let deleted = async { admin.delete_grant(grant_id(&grant)?).await };
    deleted.await.map(|()| StatusCode::NO_CONTENT).map_err(|error| refused(&service, error))
}

/// The types of resources.
#[utoipa::path(
    get, path = "/api/v1/admin/resource-types", tag = "administration", security(("bearer" = ["read", "admin"])),
    responses((status = 200, body = ResourceTypesView), Refusals)
)]
pub(in crate::http) async fn resource_types() -> Json<ResourceTypesView> {
    Json(ResourceTypesView::all())
}

impl ResourceTypesView {
    /// Those that this version knows.
    #[must_use]
    pub fn all() -> Self {
        let view = |kind: &ResourceType| ResourceTypeView {
            key: kind.key.to_owned(),
            path: kind.path.to_owned(),
            name: kind.name.to_owned(),
            id_format: kind.id_format().to_owned(),
            id_example: kind.example.to_owned(),
            listed: kind.listed.as_str().to_owned(),
        };
        Self { resource_types: RESOURCE_TYPES.iter().map(view).collect() }
    }
}
