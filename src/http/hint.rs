//! `POST /hooks/deploycenter`: DeployCenter's webhooks, taken as hints.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use entitled_model::{EmailKey, Subject, UserId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Problem, Service, whole_body};
use crate::hints::Hinted;
use crate::store::StoreError;

/// The fields of a body, at any depth, that may name a user. The body is a template of the deployment's choice.
const NAMING_FIELDS: [&str; 6] = ["account_email", "email", "account_id", "external_id", "sub", "user"];
/// The most users one body may name; beyond, everybody is asked about.
const USERS_NAMED_MAX: usize = 100;

/// What the hint leads to.
#[derive(Serialize, ToSchema)]
pub(super) struct HintView {
    /// `users` or `everybody` will be asked about; `nobody` when it names users who are not known here.
    scheduled: &'static str,
    /// After how long.
    in_seconds: f64,
}

/// Schedules a refresh of the users that the body names, or of everybody when it names none.
///
/// The body is never taken as data: the source is asked, `hooks.deploycenter.settle` after the first hint.
#[utoipa::path(
    post, path = "/hooks/deploycenter", tag = "hooks", request_body = Value, security(("bearer" = ["hook:deploycenter"])),
    responses(
        (status = 202, description = "A refresh is scheduled", body = HintView),
        (status = 400, description = "The body is not a JSON object", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid credential", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The credential lacks hook:deploycenter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No source of kind deploycenter is configured", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong credentials came from this address", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "A fault of entitled's own", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn hint(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<HintView>), Problem> {
    if service.hints.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "no source of kind deploycenter is configured"));
    }
    let names = read(&whole_body(body)?)?;
    let hinted = match names.len() {
        0 => Hinted::Everybody,
        named if named > USERS_NAMED_MAX => Hinted::Everybody,
        _ => Hinted::Users(known(&service, &names).await.map_err(|error| Problem::of_store(&service.reports, &error))?),
    };
    let scheduled = match &hinted {
        Hinted::Everybody => "everybody",
        Hinted::Users(users) if users.is_empty() => "nobody",
        Hinted::Users(_) => "users",
    };
    if scheduled != "nobody" {
        service.hints.iter().for_each(|hints| hints.hint(hinted.clone()));
    }
    let in_seconds = service.settle.as_secs_f64();
    Ok((StatusCode::ACCEPTED, Json(HintView { scheduled, in_seconds })))
}

/// The names of users that a body holds.
pub(super) fn read(body: &[u8]) -> Result<BTreeSet<String>, Problem> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if !body.is_object() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "the body is not a JSON object"));
    }
    let mut names = BTreeSet::new();
    collect_names(&body, &mut names);
    Ok(names)
}

fn collect_names(body: &Value, names: &mut BTreeSet<String>) {
    match body {
        Value::Object(fields) => {
            for (field, value) in fields {
                match value {
                    Value::String(name) if NAMING_FIELDS.contains(&field.as_str()) => drop(names.insert(name.clone())),
                    value => collect_names(value, names),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_names(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn known(service: &Service, names: &BTreeSet<String>) -> Result<BTreeSet<UserId>, StoreError> {
    let (store, conn) = (&service.store, service.store.reader());
    let mut users = BTreeSet::new();
    for name in names.iter().filter(|name| !name.contains('\0')) {
        let user = match (name.contains('@'), Subject::parse(name)) {
            (true, _) => store.user_by_email(conn, &EmailKey::fold(name)).await?,
            (false, Ok(sub)) => store.user_by_sub(conn, &sub).await?,
            (false, Err(_)) => None,
        };
        users.extend(user.map(|user| user.id));
    }
    Ok(users)
}
