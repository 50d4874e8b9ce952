//! Provisioning in the shape of DeployCenter's webhook, and what is provisioned.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use entitled_model::instant::written;
use entitled_model::resource::{Attributes, ResourceType};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::admin::next_of;
use super::auth::Principal;
use super::observe::RequestId;
use super::problem::Refusals;
use super::{Problem, Service, whole_body};
use crate::config::Scope;
use crate::provision::{Provisioned, Provisioner};

/// How many resources a page holds unless asked otherwise, and at most.
const PAGE_ROWS: u64 = 100;
const PAGE_ROWS_MAX: u64 = 1_000;

/// Resources to make known. `domains` is the field of maildomains; another type has its own.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents what is read by hand")]
struct ProvisioningBody {
    /// A list of names, or the names separated by commas.
    domains: Value,
    /// Attributes of each of them; they overwrite those of before.
    custom_attributes: Option<Map<String, Value>>,
}

/// What came of it. Always 200 when the request itself is well-formed.
#[derive(Serialize, ToSchema)]
pub(super) struct ProvisioningView {
    created: Vec<String>,
    existing: Vec<String>,
    /// Each with the name as given and what is wrong with it.
    errors: Vec<Value>,
}

/// Makes resources known; entitlements to them take effect in the same transaction.
#[utoipa::path(
    post, path = "/api/v1/provisioning/{resource_type}", tag = "resources", request_body = ProvisioningBody,
    params(("resource_type" = String, Path, description = "A resource type or its plural, such as maildomains")),
    security(("bearer" = ["provision:<resource_type>"])),
    responses(
        (status = 200, body = ProvisioningView),
        (status = 400, description = "The body is malformed, or names nothing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such resource type", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(super) async fn provision(
    State(service): State<Service>,
    Extension(RequestId(id)): Extension<RequestId>,
    Path(resource_type): Path<String>,
    Extension(principal): Extension<Principal>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ProvisioningView>, Problem> {
    let kind = resource_type_of(&resource_type)?;
    principal.require(&[Scope::Provision(kind.key.to_owned())])?;
    let (names, attributes) = parse(kind, &whole_body(body)?)?;
    let provisioner = Provisioner {
        store: &service.store,
        registry: &service.registry,
        kind,
        actor: principal.actor(),
        correlation_id: Some(id),
    };
    let outcome = provisioner
        .provision(&names, &attributes)
        .await
        .map_err(|error| Problem::of_store(&service.reports, &error))?;
    let Provisioned { created, existing, errors } = outcome;
    tracing::info!(
        resource_type = kind.key,
        created = created.len(),
        existing = existing.len(),
        errors = errors.len(),
        "provisioned"
    );
    let errors = errors.into_iter().map(|(name, error)| json!({ kind.noun: name, "error": error })).collect();
    Ok(Json(ProvisioningView { created, existing, errors }))
}

pub(super) fn resource_type_of(path: &str) -> Result<&'static ResourceType, Problem> {
    ResourceType::of_path(path).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such resource type"))
}

pub(super) fn parse(kind: &ResourceType, body: &[u8]) -> Result<(Vec<String>, Attributes), Problem> {
    let bad = |field, detail: String| Problem::new(StatusCode::BAD_REQUEST, detail).field(field);
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not a JSON object ({place})"))
    })?;
    let field = kind.field;
    let names = match body.get(field) {
        Some(Value::String(names)) => names.split(',').map(|name| Some(name.to_owned())).collect(),
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => None::<Vec<String>>,
    };
    let names =
        names.ok_or_else(|| bad(field, format!("{field} must be a list of names, or names separated by commas")))?;
    let names: Vec<String> = names.into_iter().filter(|name| !name.trim().is_empty()).collect();
    if names.is_empty() {
        return Err(bad(field, format!("{field} names nothing")));
    }
    let attributes = match body.get("custom_attributes") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(attributes)) => attributes.clone(),
        Some(_) => return Err(bad("custom_attributes", "custom_attributes must be an object".to_owned())),
    };
    let attributes = Attributes::of(&attributes);
    if attributes.text().contains("\\u0000") {
        return Err(bad("custom_attributes", "custom_attributes must be free of NUL characters".to_owned()));
    }
    Ok((names, attributes))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The id after which the page begins: `next` of the page before.
    after: Option<String>,
    /// How many resources at most, 1 to 1,000.
    limit: Option<u64>,
}

/// A page of resources, by id.
#[derive(Serialize, ToSchema)]
pub(super) struct ResourcesView {
    resources: Vec<ResourceView>,
    /// Where the next page begins; none on the last.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct ResourceView {
    id: String,
    attributes: Value,
    /// When it was provisioned, or its attributes last changed.
    since: String,
}

/// The resources of a type.
#[utoipa::path(
    get, path = "/api/v1/resources/{resource_type}", tag = "resources", security(("bearer" = ["read"])),
    params(("resource_type" = String, Path, description = "A resource type or its plural"), PageQuery),
    responses(
        (status = 200, body = ResourcesView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such resource type", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(super) async fn list(
    State(service): State<Service>,
    Path(resource_type): Path<String>,
    Extension(principal): Extension<Principal>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<ResourcesView>, Problem> {
    let kind = resource_type_of(&resource_type)?;
    principal.require(&[Scope::Read, Scope::Admin, Scope::Provision(kind.key.to_owned())])?;
    let bad = || {
        Problem::new(StatusCode::BAD_REQUEST, format!("limit must be a number from 1 to {PAGE_ROWS_MAX}"))
            .field("limit")
    };
    let Query(PageQuery { after, limit }) = query.map_err(|_| bad())?;
    let limit = limit.unwrap_or(PAGE_ROWS);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(bad());
    }
    let after = after.unwrap_or_default();
    if after.contains('\0') {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "after must be free of NUL characters").field("after"));
    }
    let found = service.store.resources(kind.key, &after, limit + 1).await;
    let mut found = found.map_err(|error| Problem::of_store(&service.reports, &error))?;
    let next = next_of(&mut found, limit, |last| last.resource_id.clone());
    let view = |resource: crate::store::Resource| ResourceView {
        id: resource.resource_id,
        attributes: resource.attributes.json(),
        since: written(resource.since_at),
    };
    Ok(Json(ResourcesView { resources: found.into_iter().map(view).collect(), next }))
}
