//! The management API, as captured: organisations with their subscriptions, accounts with their roles. Asked with
//! `Authorization: Bearer <key>`; changes made here are what the entitlements endpoint answers with from then on.

mod accounts;
mod public;
mod subscription;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::{Service, dressed, row};
use crate::organisation::{Organization, Subscriptions};
use crate::world::World;

/// The root under which the API's paths stand.
pub(crate) const ROOT: &str = "/api/v1.0/";
/// An operator's key, as in the captures.
pub(crate) const OPERATOR_KEY: &str = "op-ext-key";
/// A service's key for the management of its own subscriptions.
pub(crate) const SERVICE_KEY: &str = "svc-ext-key";
/// The key of the metrics.
pub(crate) const METRICS_KEY: &str = "metrics-key-research";
/// Rows of a page, unless a test wants fewer.
pub(crate) const PAGE_ROWS: usize = 100;

type Answered = Result<Value, Refusal>;
type Pairs = Query<Vec<(String, String)>>;

pub(super) fn routes() -> axum::Router<Arc<World>> {
    let organizations = "/api/v1.0/operators/{operator}/organizations/";
    let of_organization = |rest: &str| format!("{organizations}{{organization}}/{rest}");
    let of_subscription = |rest: &str| of_organization(&format!("services/{{service}}/subscription/{rest}"));
    axum::Router::new()
        .route(organizations, get(list_organizations))
        .route(&of_organization("accounts/"), get(accounts::list).post(accounts::upsert))
        .route(&of_subscription(""), get(subscription::show).patch(subscription::change))
        .route(&of_subscription("entitlements/"), get(subscription::entitlements))
        .route("/api/v1.0/accounts/{account}/", patch(accounts::change))
        .route("/api/v1.0/accounts/{account}/services/{service}/", patch(accounts::link))
        .merge(public::routes())
}

/// Capture 123. Only those with a subscription to `service` are listed, whatever its state, when that is given.
async fn list_organizations(
    State(world): State<Arc<World>>,
    Path(operator): Path<String>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    query: Pairs,
) -> Response {
    answered(authorized(&headers, &[OPERATOR_KEY]).and_then(|()| {
        let service = service_of(&world, last(&query, "service"))?;
        let organisation = world.organisation();
        let subscriptions = &organisation.subscriptions;
        let of_operator = subscriptions.organizations().filter(|(_, of)| of.operator == operator);
        let rows = of_operator.map(|(siret, of)| row::organization(siret, of, subscriptions, service)).collect();
        page(&world, rows, &headers, &uri, &query)
    }))
}

/// An answer with the headers that every answer carries.
fn answered(answer: Answered) -> Response {
    dressed(answer.map_or_else(Refusal::into_response, |answer| Json(answer).into_response()))
}

fn created(answer: Value) -> Response {
    dressed((StatusCode::CREATED, Json(answer)).into_response())
}

/// What a wrong key gets is captured for the metrics only (72).
fn authorized(headers: &HeaderMap, keys: &[&str]) -> Result<(), Refusal> {
    let credential = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = credential.and_then(|value| value.strip_prefix("Bearer "));
    let known = key.is_some_and(|key| keys.contains(&key));
    known.then_some(()).ok_or(Refusal::Forbidden)
}

/// The service of an id; the first one without it.
fn service_of<'a>(world: &'a World, id: Option<&str>) -> Result<&'a Service, Refusal> {
    let mut services = world.deploycenter.services.iter();
    let found = match id {
        None => services.next(),
        Some(id) => services.find(|service| service.id.to_string() == id),
    };
    found.ok_or(Refusal::NotFound)
}

/// The siret and the organisation of an id, when it is the operator's.
fn organization<'a>(
    subscriptions: &'a Subscriptions,
    operator: &str,
    id: &str,
) -> Result<(&'a String, &'a Organization), Refusal> {
    let mut organizations = subscriptions.organizations();
    let found = organizations.find(|(siret, of)| of.operator == operator && row::organization_id(siret) == id);
    found.ok_or(Refusal::NotFound)
}

fn fields(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::NotJson(error.to_string()))
}

/// One page of a list: how many there are in all, the addresses of its neighbours, its rows.
fn page(world: &World, rows: Vec<Value>, headers: &HeaderMap, uri: &Uri, query: &Pairs) -> Answered {
    let rows_max = world.page_rows.load(Ordering::Relaxed).max(1);
    let number = last(query, "page").map_or(Ok(1), |text| text.parse::<usize>().map_err(|_| Refusal::NotFound))?;
    let pages = rows.len().div_ceil(rows_max).max(1);
    if number == 0 || number > pages {
        return Err(Refusal::NotFound);
    }
    let address = |number: usize| {
        let others = query.0.iter().filter(|(name, _)| name != "page").map(|(name, value)| format!("{name}={value}&"));
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        format!("http://{host}{}?{}page={number}", uri.path(), others.collect::<String>())
    };
    let count = rows.len();
    let rows: Vec<Value> = rows.into_iter().skip((number - 1) * rows_max).take(rows_max).collect();
    Ok(json!({
        "count": count, "next": (number < pages).then(|| address(number + 1)),
        "previous": (number > 1).then(|| address(number - 1)), "results": rows
    }))
}

fn last<'a>(query: &'a Pairs, name: &str) -> Option<&'a str> {
    query.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}
