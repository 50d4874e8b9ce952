//! Before every route: who is calling, and whether they may do what it does. Handlers are given a [`Principal`].
//!
//! Invariants: a route's effect stands in one table ([`effect`]), what a principal may do is decided in one place
//! ([`principal`]); no secret is kept or logged; a token is looked up anew with each request.

mod effect;
mod failures;
mod keys;
mod principal;
mod proxy;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use entitled_model::token::{PREFIX, TokenSecret, TokenStatus};
use entitled_model::{EmailKey, Subject, TokenId};
use subtle::ConstantTimeEq;

pub(super) use effect::{Keyed, keyed};
pub use failures::Failures;
pub use keys::Keys;
pub use principal::Principal;
pub use proxy::Proxy;

use effect::Effect;

use super::{Problem, Service};
use crate::access_log::VALID;
use crate::config::Scope;
use crate::oidc::{OidcError, Verifier, Vouched};
use crate::store::{StoreError, UserRecord};

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Where a request came from, and what is to be recorded of its caller, left here for whoever sees the answer.
#[derive(Clone, Default)]
pub(super) struct Caller {
    address: Option<IpAddr>,
    seen: Arc<Mutex<Option<Seen>>>,
}

/// A caller that is worth a row of the access log.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub token: Option<TokenId>,
    pub principal: Option<String>,
    pub verdict: &'static str,
}

impl Caller {
    pub(super) fn new(address: Option<IpAddr>) -> Self {
        Self { address, seen: Arc::default() }
    }

    fn remember(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }

    pub(super) fn seen(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why a caller was not recognised.
struct Unrecognised {
    /// A word for the access log and the metrics.
    verdict: &'static str,
    /// The token, where it is one of ours.
    token: Option<TokenId>,
}

/// A credential that was looked at.
enum Looked {
    In {
        principal: Principal,
        token: Option<TokenId>,
    },
    Out(Unrecognised),
    /// The credential is good, and of nobody who may come in here.
    Stranger(&'static str),
    /// The store, or the identity provider, does not answer.
    Unknown(Problem),
}

/// Lets a request through to its handler, with its [`Principal`], or answers it.
pub(super) async fn guard(State(service): State<Service>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let effect = effect::of(request.method(), route);
    if effect == Some(Effect::Open) {
        return next.run(request).await;
    }
    let asked = Asked::of(&request);
    let Some(effect) = effect else {
        // Nothing is done, and what a token was used for is on record all the same.
        let allowed = route.map(effect::methods);
        passing(&service, &asked).await;
        return match allowed {
            Some(allowed) => not_allowed(&allowed),
            None => next.run(request).await,
        };
    };
    match admit(&service, &asked, effect).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The answer to a method that a route does not take, or that nobody has said the effect of.
fn not_allowed(methods: &str) -> Response {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method");
    let mut response = problem.into_response();
    if let Ok(methods) = HeaderValue::from_str(methods) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// What of a request says who is asking.
struct Asked {
    headers: HeaderMap,
    peer: Option<IpAddr>,
    caller: Caller,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
        Self { headers: request.headers().clone(), peer: peer_of(request), caller }
    }
}

async fn admit(service: &Service, asked: &Asked, effect: Effect) -> Result<Principal, Problem> {
    let caller = &asked.caller;
    let (principal, token) = match look(service, asked).await {
        Looked::In { principal, token } => (principal, token),
        Looked::Out(unrecognised) => return Err(turn_away(service, asked, unrecognised)),
        Looked::Stranger(verdict) => return Err(stranger(service, asked, verdict)),
        Looked::Unknown(problem) => return Err(problem),
    };
    if effect.changes() && bearer(&asked.headers).is_none() && proxy::is_cross_site(&asked.headers) {
        return Err(stranger(service, asked, "cross_site"));
    }
    let (allowed, actor) = (principal.may(effect), principal.actor());
    let verdict = if allowed.is_ok() { VALID } else { "forbidden" };
    if let Err(problem) = allowed {
        service.metrics.authentication_failed(verdict);
        // A token's every use is recorded; of other callers as many refusals as somebody may want to read.
        let now = service.store.clock().monotonic();
        if token.is_some() || service.refusals.count(caller.address, now).is_ok() {
            caller.remember(Seen { token, principal: Some(actor), verdict });
        }
        return Err(problem);
    }
    if token.is_some() {
        caller.remember(Seen { token, principal: Some(actor), verdict });
    }
    Ok(principal)
}

/// Records the use of a token for something that there is not.
async fn passing(service: &Service, asked: &Asked) {
    if !bearer(&asked.headers).is_some_and(|given| given.starts_with(PREFIX)) {
        return;
    }
    let (token, principal, verdict) = match look(service, asked).await {
        Looked::In { principal, token } => (token, Some(principal.actor()), VALID),
        Looked::Out(Unrecognised { verdict, token: token @ Some(_) }) => (token, None, verdict),
        Looked::Out(_) | Looked::Stranger(_) | Looked::Unknown(_) => return,
    };
    asked.caller.remember(Seen { token, principal, verdict });
}

/// Who the credential is of.
async fn look(service: &Service, asked: &Asked) -> Looked {
    let out = |verdict| Looked::Out(Unrecognised { verdict, token: None });
    let Some(given) = bearer(&asked.headers) else {
        return match service.proxy.person(asked.peer, &asked.headers) {
            Some(Ok(email)) => {
                person(service, service.store.user_by_email(service.store.reader(), &email.key()).await).await
            }
            Some(Err(())) => out("proxy_malformed"),
            None => out("missing"),
        };
    };
    if let Some(key) = service.keys.find(given) {
        return Looked::In { principal: Principal::key(&key.name, &key.scopes), token: None };
    }
    if !given.starts_with(PREFIX) {
        return match &service.oidc {
            Some(verifier) if Verifier::takes(given) => vouched(service, verifier, given).await,
            _ => out("invalid"),
        };
    }
    match TokenSecret::parse(given) {
        Some(secret) => look_up(service, &secret).await,
        None => out("malformed"),
    }
}

async fn look_up(service: &Service, secret: &TokenSecret) -> Looked {
    let token = match service.store.token_of(secret).await {
        Ok(Some(token)) if bool::from(token.hash.ct_eq(&secret.hash())) => token,
        Ok(_) => return Looked::Out(Unrecognised { verdict: "unknown", token: None }),
        Err(error) => return Looked::Unknown(Problem::of_store(&service.reports, &error)),
    };
    let out = |verdict| Looked::Out(Unrecognised { verdict, token: Some(token.id) });
    match TokenStatus::of(token.expires_at, token.revoked_at, service.store.clock().now()) {
        TokenStatus::Live | TokenStatus::ExpiresSoon => {}
        TokenStatus::Expired => return out("expired"),
        TokenStatus::Revoked => return out("revoked"),
    }
    // A scope of a later version is one that this version can't grant.
    let scopes: BTreeSet<Scope> = token.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
    let principal = match &token.owner {
        Some(owner) if !owner.is_active => return out("owner_inactive"),
        Some(owner) => Principal::token(owner, &scopes, service.default_role),
        None => Principal::service(token.id, scopes),
    };
    Looked::In { principal, token: Some(token.id) }
}

/// The person whom the identity provider vouches for.
async fn vouched(service: &Service, verifier: &Verifier, token: &str) -> Looked {
    let vouched = match verifier.verify(token).await {
        Ok(vouched) => vouched,
        Err(OidcError::Invalid) => return Looked::Out(Unrecognised { verdict: "oidc_invalid", token: None }),
        Err(error @ OidcError::Unavailable) => {
            return Looked::Unknown(Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()));
        }
    };
    person(service, find(service, &vouched).await).await
}

/// The user of that `sub`; else of the address, unless that is known under another `sub`: addresses are given to new people.
async fn find(service: &Service, vouched: &Vouched) -> Result<Option<UserRecord>, StoreError> {
    let Ok(sub) = Subject::parse(&vouched.sub) else { return Ok(None) };
    let (store, conn) = (&service.store, service.store.reader());
    if let Some(user) = store.user_by_sub(conn, &sub).await? {
        return Ok(Some(user));
    }
    let Some(email) = &vouched.email else { return Ok(None) };
    let found = store.user_by_email(conn, &EmailKey::fold(email)).await?;
    Ok(found.filter(|user| user.profile.sub.is_none()))
}

/// Somebody who has logged in elsewhere, if they are known and active here.
async fn person(service: &Service, found: Result<Option<UserRecord>, StoreError>) -> Looked {
    let standing = match found {
        Ok(Some(user)) => service.store.person(service.store.reader(), user.id).await,
        Ok(None) => return Looked::Stranger("unknown_person"),
        Err(error) => Err(error),
    };
    match standing {
        Ok(Some(person)) if person.is_active => {
            Looked::In { principal: Principal::person(&person, service.default_role), token: None }
        }
        Ok(_) => Looked::Stranger("inactive_person"),
        Err(error) => Looked::Unknown(Problem::of_store(&service.reports, &error)),
    }
}

/// The answer to somebody who is who they say, and yet may not come in.
fn stranger(service: &Service, asked: &Asked, verdict: &'static str) -> Problem {
    service.metrics.authentication_failed(verdict);
    if service.refusals.count(asked.caller.address, service.store.clock().monotonic()).is_ok() {
        asked.caller.remember(Seen { token: None, principal: None, verdict });
    }
    let detail = match verdict {
        "unknown_person" => "you are not known here",
        "inactive_person" => "your account here is not active",
        _ => "another site made your browser ask for this",
    };
    Problem::new(StatusCode::FORBIDDEN, detail).code(verdict)
}

/// The answer to a caller who was not recognised: 401, and 429 after too many wrong credentials from one address.
fn turn_away(service: &Service, asked: &Asked, unrecognised: Unrecognised) -> Problem {
    let Unrecognised { verdict, token } = unrecognised;
    service.metrics.authentication_failed(verdict);
    let missing = verdict == "missing";
    let counted = if missing { &service.refusals } else { &service.failures };
    let counted = counted.count(asked.caller.address, service.store.clock().monotonic());
    // Whoever shows tokens of ours can be counted; what anybody can make up is recorded while it is not too much.
    if token.is_some() || counted.is_ok() {
        asked.caller.remember(Seen { token, principal: None, verdict });
    }
    match counted {
        Err(wait) if !missing => too_many(wait),
        _ if missing => {
            Problem::new(StatusCode::UNAUTHORIZED, "this needs a credential: Authorization: Bearer <key or token>")
                .challenge(r#"Bearer realm="entitled""#)
        }
        _ => Problem::new(StatusCode::UNAUTHORIZED, "the credential is not valid")
            .challenge(r#"Bearer realm="entitled", error="invalid_token""#),
    }
}

fn too_many(wait: Duration) -> Problem {
    let detail = "too many wrong credentials came from this address";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait)
}

/// Who is connected, as far as it is known.
pub(super) fn peer_of(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.0.to_canonical())
}

/// The credential of an `Authorization: Bearer` header; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}
