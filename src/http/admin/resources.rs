//! Resources made by hand, where the feature is on; and which features are.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use entitled_model::resource::{Attributes, ResourceType};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{admin, object, refused};
use crate::http::auth::Principal;
use crate::http::observe::RequestId;
use crate::http::problem::Refusals;
use crate::http::provisioning::resource_type_of;
use crate::http::{Problem, Service, whole_body};
use crate::provision::Provisioner;

/// A resource to make known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewResourceBody {
    /// Of the type's form: for a mail domain, a domain name.
    id: String,
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// A resource that was made.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct NewResourceView {
    resource_type: String,
    id: String,
    attributes: Value,
}

/// What an application may offer.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SettingsView {
    version: &'static str,
    /// Each feature, and whether it is on.
    features: BTreeMap<&'static str, bool>,
}

/// Makes a resource known by hand; entitlements to it take effect in the same transaction.
#[utoipa::path(
    post, path = "/api/v1/admin/resources/{resource_type}", tag = "administration", request_body = NewResourceBody,
    params(("resource_type" = String, Path, description = "A resource type or its plural, such as maildomains")),
    security(("bearer" = ["admin"])),
    responses(
        (status = 201, body = NewResourceView),
        (status = 400, description = "The body is malformed, or the id is not of the type's form", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such resource type", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The resource is known already", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn create(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(resource_type): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<NewResourceView>), Problem> {
    let admin = admin(&service, &principal, id);
    let kind = resource_type_of(&resource_type)?;
    admin.may_create(kind).map_err(|error| refused(&service, error))?;
    let (id, attributes) = parse(kind, &whole_body(body)?)?;
    let provisioner = Provisioner {
        store: &service.store,
        registry: &service.registry,
        kind,
        actor: admin.actor,
        correlation_id: admin.correlation_id,
    };
    let created = provisioner.create(&id, &attributes).await.map_err(|error| refused(&service, error.into()))?;
    if !created {
        return Err(Problem::new(StatusCode::CONFLICT, "the resource is known already").field("id"));
    }
    let view = NewResourceView { resource_type: kind.key.to_owned(), id, attributes: attributes.json() };
    Ok((StatusCode::CREATED, Json(view)))
}

pub(super) fn parse(kind: &ResourceType, body: &[u8]) -> Result<(String, Attributes), Problem> {
    let NewResourceBody { id, attributes } = object(body, "id and attributes")?;
    let id = kind.id(&id).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()).field("id"))?;
    let attributes = Attributes::of(&attributes);
    if attributes.text().contains("\\u0000") {
        let detail = "attributes must be free of NUL characters";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).field("attributes"));
    }
    Ok((id, attributes))
}

/// What an application may offer: the features that are on.
#[utoipa::path(
    get, path = "/api/v1/config", tag = "administration", security(("bearer" = [])),
    responses(
        (status = 200, body = SettingsView),
        Refusals,
    )
)]
pub(in crate::http) async fn settings(State(service): State<Service>) -> Result<Json<SettingsView>, Problem> {
    Ok(Json(SettingsView { version: env!("CARGO_PKG_VERSION"), features: service.features.all().clone() }))
}
