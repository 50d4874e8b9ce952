//! The subscription of an organisation to a service: read, patched, and its rows of entitlements.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value};

use super::{Answered, OPERATOR_KEY, Pairs, SERVICE_KEY, answered, authorized, fields, organization, page, service_of};
use crate::change::{Change, OrganisationChange};
use crate::deploycenter::refusal::Refusal;
use crate::deploycenter::row;
use crate::deploycenter::webhook::{self, Event};
use crate::world::World;

type Place = Path<(String, String, String)>;

/// What a patch asks for.
struct Patch {
    siret: String,
    active: Option<bool>,
    metadata: Option<Map<String, Value>>,
}

/// Capture 83.
pub(super) async fn show(State(world): State<Arc<World>>, place: Place, headers: HeaderMap) -> Response {
    answered(siret_of(&world, &place, &headers).and_then(|siret| shown(&world, &siret)))
}

/// Captures 84, 86, 110, 112 and 114. The webhook goes out first: whoever asks back at once sees the old state (94).
pub(super) async fn change(State(world): State<Arc<World>>, place: Place, headers: HeaderMap, body: Bytes) -> Response {
    let patch = match read(&world, &place, &headers, &body) {
        Ok(patch) => patch,
        Err(refusal) => return answered(Err(refusal)),
    };
    let domains = patch.metadata.as_ref().and_then(|metadata| metadata.get("domains"));
    webhook::send(&world, Event::SubscriptionUpdated, &patch.siret, domains).await;
    answered(apply(&world, patch))
}

/// Capture 89.
pub(super) async fn entitlements(
    State(world): State<Arc<World>>,
    place: Place,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    query: Pairs,
) -> Response {
    let rows = siret_of(&world, &place, &headers).map(|siret| row::entitlement_rows(&siret));
    answered(rows.and_then(|rows| page(&world, rows, &headers, &uri, &query)))
}

fn siret_of(world: &World, place: &Place, headers: &HeaderMap) -> Result<String, Refusal> {
    let Path((operator, id, service)) = place;
    authorized(headers, &[OPERATOR_KEY, SERVICE_KEY])?;
    service_of(world, Some(service))?;
    let organisation = world.organisation();
    organization(&organisation.subscriptions, operator, id).map(|(siret, _)| siret.clone())
}

fn read(world: &World, place: &Place, headers: &HeaderMap, body: &[u8]) -> Result<Patch, Refusal> {
    let siret = siret_of(world, place, headers)?;
    let fields = fields(body)?;
    let metadata = fields.get("metadata").and_then(Value::as_object).cloned();
    // The captured version falls over a domain that is no text, before anything is sent (114).
    let listed = metadata.as_ref().and_then(|metadata| metadata.get("domains")?.as_array());
    if listed.into_iter().flatten().any(|domain| !domain.is_string()) {
        return Err(Refusal::ServerError);
    }
    Ok(Patch { siret, active: fields.get("is_active").and_then(Value::as_bool), metadata })
}

fn apply(world: &World, patch: Patch) -> Answered {
    let Patch { siret, active, metadata } = patch;
    let activate =
        active.map(|active| OrganisationChange::Set { siret: siret.clone(), active, name: None, idp_id: None });
    let replace = metadata.map(|metadata| OrganisationChange::SetMetadata { siret: siret.clone(), metadata });
    for change in activate.into_iter().chain(replace) {
        let applied = world.organisation_mut().apply(&Change::Organisation(change));
        applied.map_err(|_| Refusal::ServerError)?;
    }
    shown(world, &siret)
}

fn shown(world: &World, siret: &str) -> Answered {
    let organisation = world.organisation();
    let subscriptions = &organisation.subscriptions;
    let organization = subscriptions.organization(siret).ok_or(Refusal::NotFound)?;
    Ok(row::subscription(siret, organization, subscriptions))
}
