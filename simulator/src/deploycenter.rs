//! DeployCenter as captured in `wire/deploycenter`: here its entitlements endpoint; [`management`] stands beside. It answers for one account a call; what
//! it refuses, it refuses in the order Django does: credential, method, parameters.

mod answer;
pub(crate) mod management;
mod refusal;
mod row;
mod webhook;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{OriginalUri, Query, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde::Deserialize;
use serde_json::Value;

use crate::world::World;

use refusal::Refusal;

pub use webhook::{Webhook, WebhookBody};

/// The path of the endpoint; without its last slash it answers 301.
pub(crate) const PATH: &str = "/api/v1.0/entitlements/";

/// Whether `POST` is answered like `GET`, as newer versions do, or with 405.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostSupport {
    /// 405, as the captured version.
    #[default]
    Refused,
    /// Answered as `GET`, given a JSON body with a list `usage_metrics`.
    Accepted,
}

/// A service registered with DeployCenter, with the key that calls for it.
#[derive(Debug, Clone)]
pub struct Service {
    /// The `service_id`.
    pub id: u64,
    /// The key expected in `X-Service-Auth: Bearer`.
    pub key: String,
    /// Decides which entitlements the answer has.
    pub kind: ServiceKind,
}

/// The type of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceKind {
    /// `can_access`, `can_store`, `can_admin_maildomains`, ...
    Messages,
    /// `can_create`, and no `can_access`.
    Meet,
    /// `can_upload`, `is_admin`, ...
    Drive,
    /// `can_access`, `is_admin`.
    Other,
}

/// What the endpoint is configured with.
#[derive(Debug, Clone)]
pub(crate) struct Deploycenter {
    pub services: Vec<Service>,
}

/// Who is asked about, after validation. Of a parameter given twice, the last counts (capture 60).
struct Question<'a> {
    siret: &'a str,
    account_id: Option<&'a str>,
    account_email: Option<&'a str>,
    idp_id: Option<&'a str>,
}

pub(crate) fn routes() -> axum::Router<Arc<World>> {
    axum::Router::new()
        .route(PATH, any(entitlements))
        .route(PATH.trim_end_matches('/'), any(append_slash))
        .merge(management::routes())
}

async fn entitlements(
    State(world): State<Arc<World>>,
    method: Method,
    headers: HeaderMap,
    query: Query<Vec<(String, String)>>,
    body: Bytes,
) -> Response {
    let parameters = Parameters(&query.0);
    let answered = answer(&world, &method, &headers, parameters, &body);
    dressed(answered.map_or_else(Refusal::into_response, |answer| Json(answer).into_response()))
}

fn answer(
    world: &World,
    method: &Method,
    headers: &HeaderMap,
    parameters: Parameters<'_>,
    body: &Bytes,
) -> Result<Value, Refusal> {
    let service = authenticate(&world.deploycenter, headers, parameters)?;
    check_method(world.post(), method, body)?;
    let question = parameters.question()?;
    Ok(answer::to(&question, service, &world.organisation().subscriptions))
}

/// An `Authorization` header is examined first and spoils a valid call (capture 44).
fn authenticate<'a>(
    deploycenter: &'a Deploycenter,
    headers: &HeaderMap,
    parameters: Parameters<'_>,
) -> Result<&'a Service, Refusal> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(Refusal::ForeignAuthorization);
    }
    let credential = headers.get("x-service-auth").and_then(|value| value.to_str().ok());
    let key = credential.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::NotAuthenticated)?;
    let service_id = parameters.last("service_id").ok_or(Refusal::NotAuthenticated)?;
    let service_id: u64 = service_id.trim().parse().map_err(|_| Refusal::ServerError)?;
    let matches = |service: &&Service| service.id == service_id && service.key == key;
    deploycenter.services.iter().find(matches).ok_or(Refusal::NotAuthenticated)
}

fn check_method(post: PostSupport, method: &Method, body: &Bytes) -> Result<(), Refusal> {
    match (method, post) {
        (&Method::GET | &Method::HEAD, _) => Ok(()),
        (&Method::POST, PostSupport::Accepted) => check_usage_metrics(body),
        _ => Err(Refusal::MethodNotAllowed(method.clone())),
    }
}

fn check_usage_metrics(body: &Bytes) -> Result<(), Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Refusal::NotJson(error.to_string()))?;
    if body["usage_metrics"].is_array() { Ok(()) } else { Err(Refusal::missing("usage_metrics")) }
}

#[derive(Clone, Copy)]
struct Parameters<'a>(&'a [(String, String)]);

impl<'a> Parameters<'a> {
    fn last(self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn given(self, name: &str) -> Option<&'a str> {
        self.last(name).filter(|value| !value.is_empty())
    }

    fn question(self) -> Result<Question<'a>, Refusal> {
        let mut errors = Vec::new();
        for name in ["account_type", "siret"] {
            match self.last(name) {
                None => errors.push((name, refusal::REQUIRED)),
                Some("") => errors.push((name, refusal::BLANK)),
                Some(_) => {}
            }
        }
        let account_email = self.given("account_email");
        if account_email.is_some_and(|email| !looks_like_an_email(email)) {
            errors.push(("account_email", refusal::INVALID_EMAIL));
        }
        if !errors.is_empty() {
            return Err(Refusal::Invalid(errors));
        }
        let account_id = self.given("account_id");
        if account_id.is_none() && account_email.is_none() {
            return Err(Refusal::Invalid(vec![("non_field_errors", refusal::NO_ACCOUNT)]));
        }
        let siret = self.last("siret").unwrap_or_default();
        Ok(Question { siret, account_id, account_email, idp_id: self.given("idp_id") })
    }
}

/// About what Django's validator lets through: a local part, one `@`, a dotted domain, no blanks.
fn looks_like_an_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let dotted = domain.split('.').all(|label| !label.is_empty()) && domain.contains('.');
    !local.is_empty() && !local.contains('@') && dotted && !text.contains(char::is_whitespace)
}

async fn append_slash(OriginalUri(uri): OriginalUri, RawQuery(query): RawQuery) -> Response {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("{}/{query}", uri.path());
    let head = [(header::LOCATION, location.as_str()), (header::CONTENT_TYPE, "text/html; charset=utf-8")];
    dressed((StatusCode::MOVED_PERMANENTLY, head).into_response())
}

/// The headers every answer carries.
fn dressed(mut response: Response) -> Response {
    const HEADERS: [(&str, &str); 7] = [
        ("server", "gunicorn"),
        ("vary", "Accept, origin, Accept-Language, Cookie"),
        ("x-frame-options", "DENY"),
        ("content-language", "fr-fr"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
