//! Around every request: an id, a deadline, one log line, the metrics, and a row of the access log where one is due. Paths are told as templates, without their query.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::auth::{Caller, Seen, peer_of};
use super::{Problem, Service};
use crate::store::AccessRecord;

const REQUEST_ID: &str = "x-request-id";
/// The longest id that is taken over from a caller, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The id of a request, given by the caller or made here.
#[derive(Clone)]
pub(super) struct RequestId(pub String);

pub(super) async fn request(State(service): State<Service>, mut request: Request, next: Next) -> Response {
    let clock = service.store.clock();
    let began = clock.monotonic();
    let id = given_id(&request).unwrap_or_else(|| clock.new_id().to_string());
    let address = service.proxy.client(peer_of(&request), request.headers());
    let caller = Caller::new(address);
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(caller.clone());
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let answer = tokio::time::timeout(service.request_timeout, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the request took longer than http.request_timeout")
            .into_response()
    });
    let took = clock.monotonic().saturating_sub(began);
    let status = response.status().as_u16();
    service.metrics.request_answered(method, &route, status, took);
    if let Some(Seen { token, principal, verdict }) = caller.seen() {
        service.access_log.record(AccessRecord {
            id: clock.new_id(),
            at: clock.now(),
            token,
            principal,
            verdict: verdict.to_owned(),
            method: method.to_owned(),
            route: route.clone(),
            status,
            address: address.map(|address| address.to_string()),
            request_id: id.clone(),
        });
    }
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(method, route, status, duration_ms, request_id = id, "request");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A method that somebody made up is told as `other`: it would be a series of its own in the metrics, for ever.
fn known_method(method: &Method) -> &'static str {
    static KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ];
    KNOWN.iter().find(|known| *known == method).map_or("other", Method::as_str)
}

fn given_id(request: &Request) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    (!id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.chars().all(plain)).then(|| id.to_owned())
}
