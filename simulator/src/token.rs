//! Where tokens come from: the OAuth token endpoint that takes a signed assertion, and the two calls of keyless
//! delegation. Only tokens issued here open the directory.

mod assertion;
mod issued;
mod keyless;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::world::World;

use assertion::{Claims, Invalid};
pub(crate) use issued::Tokens;

/// The grant a service account asks with.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The service account the simulator knows.
pub(crate) const SERVICE_ACCOUNT: &str = "entitled@simulated-project.iam.gserviceaccount.com";

const PRIVATE_KEY_ID: &str = "5157a7e0c0ffee00000000000000000000000042";
const PRIVATE_KEY_PEM: &str = include_str!("test_key.pem");
const PUBLIC_KEY_PEM: &str = include_str!("test_key.pub.pem");

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/token", post(exchange))
        .route("/computeMetadata/v1/instance/service-accounts/default/token", get(keyless::own_token))
        .route("/v1/projects/-/serviceAccounts/{action}", post(keyless::sign_jwt))
}

/// A key file as Google hands it out. The private key is a public test key.
pub(crate) fn service_account_key(token_uri: &str) -> Value {
    let begin = PRIVATE_KEY_PEM.find("-----BEGIN").unwrap_or_default();
    json!({
        "type": "service_account",
        "project_id": "simulated-project",
        "private_key_id": PRIVATE_KEY_ID,
        "private_key": &PRIVATE_KEY_PEM[begin..],
        "client_email": SERVICE_ACCOUNT,
        "client_id": "100000000000000000042",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "universe_domain": "googleapis.com"
    })
}

async fn exchange(State(world): State<Arc<World>>, body: Bytes) -> Response {
    match granted(&world, &form_pairs(&body)) {
        Ok(Claims { scope, .. }) => Json(world.tokens.issue(&scope, world.clock.unix_seconds())).into_response(),
        Err(invalid) => invalid.into_response(),
    }
}

fn granted(world: &World, form: &[(String, String)]) -> Result<Claims, Invalid> {
    let value = |name| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match value("grant_type") {
        Some(JWT_BEARER) => {}
        Some(other) => return Err(Invalid::grant_type(other)),
        None => return Err(Invalid::request("Missing required parameter: grant_type")),
    }
    let assertion = value("assertion").ok_or_else(|| Invalid::request("Missing required parameter: assertion"))?;
    let claims = assertion::verify(assertion, &world.audiences, world.clock.unix_seconds())?;
    if world.tokens.delegates(&claims.scope) { Ok(claims) } else { Err(Invalid::client()) }
}

/// A form's pairs; a body that is none has none.
fn form_pairs(body: &Bytes) -> Vec<(String, String)> {
    let uri = Uri::builder().path_and_query([b"/?", body.as_ref()].concat()).build();
    let query = uri.ok().and_then(|uri| axum::extract::Query::try_from_uri(&uri).ok());
    query.map(|axum::extract::Query(pairs)| pairs).unwrap_or_default()
}

impl IntoResponse for Invalid {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let status =
            if self.error == "unauthorized_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        (status, Json(body)).into_response()
    }
}
