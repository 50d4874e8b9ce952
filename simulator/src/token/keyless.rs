//! Keyless domain-wide delegation: the metadata server hands out the instance's own token, and with it IAM Credentials
//! signs an assertion that no key on disk could.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PRIVATE_KEY_ID, PRIVATE_KEY_PEM, SERVICE_ACCOUNT};
use crate::directory::GoogleError;
use crate::world::World;

const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// What is to be signed: a JSON object, as text.
#[derive(Debug, Deserialize)]
pub(super) struct SignJwt {
    payload: String,
}

/// The metadata server refuses whoever does not say that he means it.
pub(super) async fn own_token(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    if headers.get("metadata-flavor").is_none_or(|flavor| flavor != "Google") {
        let text = "Missing required header \"Metadata-Flavor\": \"Google\"";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let token = world.tokens.issue(CLOUD_PLATFORM, world.clock.unix_seconds());
    ([("metadata-flavor", "Google")], Json(token)).into_response()
}

pub(super) async fn sign_jwt(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(action): Path<String>,
    Json(request): Json<SignJwt>,
) -> Result<Response, GoogleError> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
    let issued = token.and_then(|token| world.tokens.find(token, world.clock.unix_seconds()));
    let scopes = issued.ok_or_else(|| GoogleError::new(401, "authError"))?.scopes;
    if !scopes.iter().any(|scope| scope == CLOUD_PLATFORM) {
        return Err(GoogleError::new(403, "insufficientPermissions"));
    }
    if action.strip_suffix(":signJwt") != Some(SERVICE_ACCOUNT) {
        return Err(GoogleError::new(404, "notFound"));
    }
    let signed_jwt = sign(&request.payload).ok_or_else(|| GoogleError::invalid("payload"))?;
    Ok(Json(json!({ "keyId": PRIVATE_KEY_ID, "signedJwt": signed_jwt })).into_response())
}

fn sign(payload: &str) -> Option<String> {
    let claims: Value = serde_json::from_str(payload).ok().filter(Value::is_object)?;
    let key = EncodingKey::from_rsa_pem(PRIVATE_KEY_PEM.as_bytes()).ok()?;
    let header = Header { kid: Some(PRIVATE_KEY_ID.to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, &claims, &key).ok()
}
