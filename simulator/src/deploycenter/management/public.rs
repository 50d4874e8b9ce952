//! What is not about one operator: the active organisations of a service, and the public list of services.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::{METRICS_KEY, Pairs, answered, authorized, last, service_of};
use crate::deploycenter::refusal::Refusal;
use crate::deploycenter::row;
use crate::world::World;

pub(super) fn routes() -> axum::Router<Arc<World>> {
    axum::Router::new()
        .route("/api/v1.0/metrics/subscriptions-by-service/", get(subscriptions_by_service))
        .route("/api/v1.0/lagaufre/services/", get(services))
}

/// Captures 71 and 72.
async fn subscriptions_by_service(State(world): State<Arc<World>>, headers: HeaderMap, query: Pairs) -> Response {
    answered(authorized(&headers, &[METRICS_KEY]).and_then(|()| {
        service_of(&world, last(&query, "service_id"))?;
        let organisation = world.organisation();
        let active = organisation.subscriptions.organizations().filter(|(_, organization)| organization.active);
        let rows: Vec<Value> = active.map(|(siret, _)| json!({ "siret": siret, "metrics": { "tu": 1 } })).collect();
        Ok(json!({ "count": rows.len(), "results": rows }))
    }))
}

/// Capture 70.
async fn services(State(world): State<Arc<World>>, query: Pairs) -> Response {
    let answer = || {
        let organisation = world.organisation();
        let siret = last(&query, "siret").unwrap_or_default();
        let organization = organisation.subscriptions.organization(siret).ok_or(Refusal::NotFound)?;
        let services: Vec<Value> = world
            .deploycenter
            .services
            .iter()
            .map(|service| {
                let name = row::kind_name(service.kind);
                json!({
                    "id": service.id, "name": name, "url": format!("https://{name}.example"), "maturity": "stable",
                    "logo": null, "subscribed": organization.active
                })
            })
            .collect();
        let organization = json!({ "name": organization.name, "type": "commune", "siret": siret });
        Ok(json!({ "organization": organization, "services": services }))
    };
    answered(answer())
}
