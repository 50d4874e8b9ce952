//! `Idempotency-Key` (IETF HTTPAPI, draft-ietf-httpapi-idempotency-key-header): a request that comes again under its key is not carried
//! out again; it is given the answer of the first.
//!
//! Invariants: it stands within the guard, so that a key is its caller's; whoever holds the claim carries the request out on a task of
//! its own, to its end, whether or not the caller still waits; a claim outlives every handler.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::auth::{Keyed, Principal, keyed};
use super::{Problem, Service, whole_body};
use crate::report::chain;
use crate::store::{Claimed, Fingerprint, StoredAnswer};

pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";

/// The longest key, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 255;
/// The largest answer that is kept: a plan with its changes, which are cut at 10,000, is the largest that there is.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a handler may work under a claim, whatever `http.request_timeout` says.
const HANDLER_LASTS: Duration = Duration::from_secs(45);
/// How long a claim counts that nobody answers, because its process was killed. Between this and the handler's time lies what the
/// clocks of two replicas may differ by.
const CLAIM_LASTS: TimeDelta = TimeDelta::seconds(60);
/// The headers of an answer that are given again.
const HEADERS: [HeaderName; 4] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG, header::WWW_AUTHENTICATE];

/// Carries a request with a key out once, and answers it as often as it comes.
pub(super) async fn once(State(service): State<Service>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let keyed = keyed(request.method(), route);
    if keyed == Keyed::Never || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    answer(service, keyed, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(service: Service, keyed: Keyed, request: Request, next: Next) -> Result<Response, Problem> {
    let key = key(request.headers())?;
    if keyed == Keyed::Refused {
        let detail = "this makes a secret, which is shown once and kept nowhere: it takes no Idempotency-Key";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).code("idempotency_key_refused"));
    }
    let actor = request.extensions().get::<Principal>().map(Principal::actor).ok_or_else(Problem::internal)?;
    let (request, fingerprint) = read(request).await?;
    let stale_before = service.store.clock().now() - CLAIM_LASTS;
    let claimed = service.store.claim_key(&actor, &key, &fingerprint, stale_before).await;
    match claimed.map_err(|error| Problem::of_store(&service.reports, &error))? {
        Claimed::Mine(claim) => {
            let running = service.tasks.clone().spawn(carry_out(service, actor, claim, request, next));
            running.await.map_err(|_| Problem::internal())
        }
        Claimed::Busy => {
            let detail = "the request of this Idempotency-Key is not answered yet: ask again soon";
            let problem = Problem::new(StatusCode::CONFLICT, detail).code("request_in_progress");
            Err(problem.retry_after(Duration::from_secs(1)))
        }
        Claimed::Another => {
            let detail = "this Idempotency-Key came with another request before";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).code("idempotency_key_reused"))
        }
        Claimed::Answered(answer) => again(answer),
    }
}

/// The key, as it stands in the header: quotes are a part of it.
fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let bad = || {
        let detail = format!("Idempotency-Key must be 1 to {KEY_BYTES_MAX} visible ASCII characters, given once");
        Problem::new(StatusCode::BAD_REQUEST, detail).code("idempotency_key_malformed")
    };
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(key), None) = (given.next(), given.next()) else { return Err(bad()) };
    let key = key.to_str().map_err(|_| bad())?;
    let plain = (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| key.to_owned()).ok_or_else(bad)
}

/// The request with its body read to the end, and what tells it from others.
async fn read(request: Request) -> Result<(Request, Fingerprint), Problem> {
    let (parts, body) = request.into_parts();
    let head = Request::from_parts(parts.clone(), body);
    let body = whole_body(Bytes::from_request(head, &()).await)?;
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let mut digest = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), path.as_bytes(), query.as_bytes(), body.as_ref()] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    Ok((Request::from_parts(parts, Body::from(body)), digest.finalize().into()))
}

/// Runs the handler and keeps its answer. A fault of our own is not kept: the request may come again.
async fn carry_out(service: Service, actor: String, claim: Uuid, request: Request, next: Next) -> Response {
    let Ok(response) = tokio::time::timeout(HANDLER_LASTS, next.run(request)).await else {
        // Whether it has had its effect is not known: the claim stands until it is stale.
        let detail = "the request took too long";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
    };
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, ANSWER_BYTES_MAX).await else { return Problem::internal().into_response() };
    let kept = if parts.status.is_server_error() {
        service.store.release_key(&actor, claim).await
    } else {
        let told = HEADERS.iter().filter_map(|name| Some((name.as_str(), parts.headers.get(name)?.to_str().ok()?)));
        let headers = serde_json::json!(told.collect::<BTreeMap<_, _>>()).to_string();
        let answer = StoredAnswer { status: parts.status.as_u16(), headers, body: body.to_vec() };
        service.store.answer_key(&actor, claim, answer).await
    };
    if let Err(error) = kept {
        tracing::warn!(detail = chain(&error), "the answer under an idempotency key was not kept");
    }
    Response::from_parts(parts, Body::from(body))
}

/// An answer that was given before.
fn again(answer: StoredAnswer) -> Result<Response, Problem> {
    let StoredAnswer { status, headers, body } = answer;
    let headers: BTreeMap<String, String> = serde_json::from_str(&headers).map_err(|_| Problem::internal())?;
    let status = StatusCode::from_u16(status).map_err(|_| Problem::internal())?;
    let mut response = (status, body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_key(values: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).expect("a value"));
        }
        key(&headers).ok()
    }

    #[test]
    fn a_key_is_visible_ascii_given_once() {
        // M12
        let longest = [b'k'; KEY_BYTES_MAX];
        for good in [&b"k"[..], b"\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", b"~!", &longest] {
            assert_eq!(read_key(&[good]).as_deref(), std::str::from_utf8(good).ok());
        }
        for bad in [&b""[..], b" ", b"a b", b"a\tb", "kl\u{e9}".as_bytes(), b"\xff", &[b'k'; KEY_BYTES_MAX + 1]] {
            assert_eq!(read_key(&[bad]), None, "{bad:?}");
        }
        assert_eq!(read_key(&[b"a", b"a"]), None);
        assert_eq!(read_key(&[]), None);
    }

    #[tokio::test]
    async fn a_fingerprint_tells_where_one_part_ends() {
        let of = async |method: &str, uri: &str, body: &'static str| {
            let request = Request::builder().method(method).uri(uri).body(Body::from(body)).expect("a request");
            read(request).await.map(|(_, fingerprint)| fingerprint).ok()
        };
        let one = of("POST", "/a?b", "c").await;
        assert!(one.is_some() && one == of("POST", "/a?b", "c").await);
        for other in [("PUT", "/a?b", "c"), ("POST", "/ab", "c"), ("POST", "/a", "bc"), ("POST", "/a?bc", "")] {
            assert_ne!(one, of(other.0, other.1, other.2).await, "{other:?}");
        }
    }
}
