//! Everything the endpoint refuses, with the texts of the captured version, French where it is French.

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Map, Value, json};

pub(super) const REQUIRED: &str = "Ce champ est obligatoire.";
pub(super) const BLANK: &str = "Ce champ ne peut être vide.";
pub(super) const INVALID_EMAIL: &str = "Saisissez une adresse e-mail valide.";
pub(super) const NO_ACCOUNT: &str = "Either 'account_id' or 'account_email' must be provided.";

const SERVER_ERROR_PAGE: &str = r#"
<!doctype html>
<html lang="en">
<head>
  <title>Server Error (500)</title>
</head>
<body>
  <h1>Server Error (500)</h1><p></p>
</body>
</html>
"#;

#[derive(Debug)]
pub(super) enum Refusal {
    /// An `Authorization` header is present (capture 44).
    ForeignAuthorization,
    /// Missing or wrong key, wrong scheme, unknown or missing service: indistinguishable (captures 40 to 48).
    NotAuthenticated,
    /// Capture 55.
    MethodNotAllowed(Method),
    /// Field and message (captures 49 to 53).
    Invalid(Vec<(&'static str, &'static str)>),
    /// A key that may not do this (capture 72).
    Forbidden,
    /// An id, or a page, that is not there.
    NotFound,
    /// A body that is not JSON; only newer versions read one.
    NotJson(String),
    /// What it did not expect (capture 47).
    ServerError,
}

impl Refusal {
    pub(super) fn missing(field: &'static str) -> Refusal {
        Refusal::Invalid(vec![(field, REQUIRED)])
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::ForeignAuthorization => unauthorized("no error description in www-authenticate"),
            Refusal::NotAuthenticated => unauthorized("Informations d'authentification non fournies."),
            Refusal::MethodNotAllowed(method) => {
                let detail = json!({ "detail": format!("Méthode « {method} » non autorisée.") });
                (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD, OPTIONS")], Json(detail)).into_response()
            }
            Refusal::Forbidden => {
                let detail = json!({ "detail": "Vous n'avez pas la permission d'effectuer cette action." });
                (StatusCode::FORBIDDEN, Json(detail)).into_response()
            }
            Refusal::NotFound => (StatusCode::NOT_FOUND, Json(json!({ "detail": "Pas trouvé." }))).into_response(),
            Refusal::Invalid(errors) => {
                let fields: Map<String, Value> =
                    errors.into_iter().map(|(field, message)| (field.to_owned(), json!([message]))).collect();
                (StatusCode::BAD_REQUEST, Json(fields)).into_response()
            }
            Refusal::NotJson(error) => {
                let detail = json!({ "detail": format!("Erreur d'analyse JSON - {error}") });
                (StatusCode::BAD_REQUEST, Json(detail)).into_response()
            }
            Refusal::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, Html(SERVER_ERROR_PAGE)).into_response(),
        }
    }
}

fn unauthorized(detail: &str) -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, r#"Bearer realm="api""#)];
    (StatusCode::UNAUTHORIZED, challenge, Json(json!({ "detail": detail }))).into_response()
}
