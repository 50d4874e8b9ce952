//! `POST /hooks/login`: an application or identity provider reports a login.

use std::collections::BTreeMap;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use entitled_model::{EmailAddress, Subject};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::Principal;
use super::observe::RequestId;
use super::{Problem, Service, whole_body};
use crate::json::Object;
use crate::login::{Login, LoginAnswer, LoginError, SourcePart};

/// The most claims one login may carry.
const CLAIMS_MAX: usize = 64;

/// A login. At least one of `sub` and `email`.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"sub": "sub-ann", "email": "ann@commune-a.fr", "claims": {"siret": "21750001600019"}}))]
struct LoginBody {
    /// The subject that the identity provider knows the user by.
    sub: Option<String>,
    /// The address, as given; users are recognised by it folded.
    email: Option<String>,
    /// Claims to remember; `null` forgets one, one that is not named is kept.
    #[serde(default)]
    claims: Option<BTreeMap<String, Value>>,
}

/// What entitled knows about the user when the login's deadline is up.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginView {
    user: UserView,
    /// `allow` or `deny`.
    decision: &'static str,
    /// Why it is a denial.
    reason: Option<String>,
    groups: Vec<GroupView>,
    entitlements: Vec<EntitlementView>,
    sources: Vec<SourceView>,
    /// The position of the event log up to which everything is in this answer.
    position: i64,
}

#[derive(Serialize, ToSchema)]
struct UserView {
    /// None for a newcomer who is not stored yet, because a large change is being written: a later login tells it.
    id: Option<String>,
    sub: Option<String>,
    email: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct GroupView {
    group: String,
    sources: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct EntitlementView {
    source: String,
    key: String,
    value: Value,
}

#[derive(Serialize, ToSchema)]
struct SourceView {
    source: String,
    /// `fresh`, `cached`, `stale` or `unavailable`.
    freshness: &'static str,
    /// How old the source's answer is.
    age_seconds: Option<f64>,
    error: Option<ErrorView>,
}

#[derive(Serialize, ToSchema)]
struct ErrorView {
    class: &'static str,
    message: String,
}

/// Refreshes one user and answers within `hooks.login.deadline`.
///
/// When a source is slow or down it answers from the store; it never denies a login because of that.
#[utoipa::path(
    post, path = "/hooks/login", tag = "hooks", request_body = LoginBody, security(("bearer" = ["hook:login"])),
    responses(
        (status = 200, description = "What is known of the user", body = LoginView),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid credential", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The credential lacks hook:login", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody has this sub", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is of the wrong type or form", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong credentials came from this address", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "A fault of entitled's own", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer within the deadline", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn login(
    State(service): State<Service>,
    Extension(RequestId(id)): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<LoginView>, Problem> {
    let mut login = parse(&whole_body(body)?)?;
    login.actor = principal.actor();
    login.correlation_id = Some(id);
    let answer = service.logins.answer(login).await.map_err(|error| match error {
        LoginError::Unknown => Problem::new(StatusCode::NOT_FOUND, error.to_string()).field("sub"),
        LoginError::Nobody => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        LoginError::Busy => Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        LoginError::Store(error) => Problem::of_store(&service.reports, &error),
    })?;
    service.reports.store_works();
    Ok(Json(view(answer)))
}

pub(super) fn parse(body: &[u8]) -> Result<Login, Problem> {
    let Object(body): Object<LoginBody> = serde_json::from_slice(body).map_err(|error| {
        let status = match error.classify() {
            serde_json::error::Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_REQUEST,
        };
        // serde's text quotes what was given, which may be an address.
        let place = format!("line {} column {}", error.line(), error.column());
        Problem::new(status, format!("the body is not a login: a JSON object with sub, email and claims ({place})"))
    })?;
    let unprocessable = |field, error: &dyn std::fmt::Display| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).field(field)
    };
    let email = body
        .email
        .map(|given| EmailAddress::parse(&given))
        .transpose()
        .map_err(|error| unprocessable("email", &error))?;
    let sub = body.sub.map(|given| Subject::parse(&given)).transpose().map_err(|error| unprocessable("sub", &error))?;
    let claims = body.claims.unwrap_or_default();
    if claims.len() > CLAIMS_MAX {
        return Err(unprocessable("claims", &format!("more than {CLAIMS_MAX} claims")));
    }
    if claims.iter().any(|(name, value)| name.contains('\0') || has_nul(value)) {
        return Err(unprocessable("claims", &"claims must be free of NUL characters"));
    }
    Ok(Login { email, sub, claims, ..Login::default() })
}

/// PostgreSQL's text can't hold a NUL.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn view(answer: LoginAnswer) -> LoginView {
    let LoginAnswer { user, profile, decision, memberships, entitlements, sources, position } = answer;
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for membership in memberships {
        groups.entry(membership.group).or_default().push(membership.source.to_string());
    }
    let entitlements = entitlements.iter().flat_map(|(source, stated)| {
        stated.iter().map(move |(key, value)| EntitlementView {
            source: source.to_string(),
            key: key.clone(),
            value: value.json(),
        })
    });
    LoginView {
        user: UserView {
            id: user.map(|user| user.to_string()),
            sub: profile.sub.map(|sub| sub.as_str().to_owned()),
            email: profile.email.map(|email| email.as_given().to_owned()),
        },
        decision: decision.as_str(),
        reason: decision.reason().map(str::to_owned),
        groups: groups.into_iter().map(|(group, sources)| GroupView { group, sources }).collect(),
        entitlements: entitlements.collect(),
        sources: sources.into_iter().map(source_view).collect(),
        position: position.0,
    }
}

fn source_view(part: SourcePart) -> SourceView {
    let SourcePart { source, freshness, age, error } = part;
    SourceView {
        source: source.to_string(),
        freshness: freshness.as_str(),
        age_seconds: age.map(|age| age.as_secs_f64()),
        error: error.map(|(class, message)| ErrorView { class, message }),
    }
}
