//! The OpenID AuthZEN Authorization API 1.0: evaluations and searches, in the words of that standard.
//!
//! A subject is of type `user` and named by id, e-mail or sub; an action is a permission; a resource is of one of our types.
//! What can't be so here is a denial with a reason in `context`; 400 is for bodies that are not the standard's. `context`
//! carries `min_position` and `wait_ms` in, and `position`, `reason` and `paths` out.

pub(super) mod evaluate;
pub(super) mod search;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use entitled_model::Permission;
use entitled_model::access::{Question, ResourceRef, UserRef};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::check::at_least;
use super::{Problem, Service};
use crate::access::AtLeast;
use crate::json::Object;

/// The one type of subject.
const USER: &str = "user";

/// Somebody, or of what type somebody is.
#[derive(Deserialize, ToSchema)]
pub(super) struct AuthzenSubjectBody {
    /// `user`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A user id, an e-mail or a sub.
    pub id: String,
    #[allow(dead_code, reason = "must be an object where it is given")]
    properties: Option<Map<String, Value>>,
}

/// A resource.
#[derive(Deserialize, ToSchema)]
pub(super) struct AuthzenResourceBody {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    #[allow(dead_code, reason = "must be an object where it is given")]
    properties: Option<Map<String, Value>>,
}

/// What is searched for: its type alone. An id is ignored.
#[derive(Deserialize, ToSchema)]
pub(super) struct AuthzenTypeBody {
    #[serde(rename = "type")]
    pub kind: String,
    #[allow(dead_code, reason = "must be an object where it is given")]
    properties: Option<Map<String, Value>>,
}

/// What is to be done: the name is a permission.
#[derive(Deserialize, ToSchema)]
pub(super) struct AuthzenActionBody {
    pub name: String,
    #[allow(dead_code, reason = "must be an object where it is given")]
    properties: Option<Map<String, Value>>,
}

/// The parts of this interface that there are.
#[derive(Serialize, ToSchema)]
pub(super) struct AuthzenMetadataView {
    /// The identifier of this decision point: its address.
    policy_decision_point: String,
    access_evaluation_endpoint: String,
    access_evaluations_endpoint: String,
    search_subject_endpoint: String,
    search_resource_endpoint: String,
    search_action_endpoint: String,
}

/// Where the parts of this interface are found, when `http.public_url` is set.
#[utoipa::path(
    get, path = "/.well-known/authzen-configuration", tag = "asking",
    responses(
        (status = 200, body = AuthzenMetadataView),
        (status = 404, description = "`http.public_url` is not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metadata(State(service): State<Service>) -> Result<Json<AuthzenMetadataView>, Problem> {
    let unset = || Problem::new(StatusCode::NOT_FOUND, "the address of this service is not known: http.public_url");
    let base = service.public_url.as_ref().ok_or_else(unset)?;
    let at = |path: &str| format!("{base}/access/v1/{path}");
    Ok(Json(AuthzenMetadataView {
        access_evaluation_endpoint: at("evaluation"),
        access_evaluations_endpoint: at("evaluations"),
        search_subject_endpoint: at("search/subject"),
        search_resource_endpoint: at("search/resource"),
        search_action_endpoint: at("search/action"),
        policy_decision_point: base.clone(),
    }))
}

/// A question, or why it can only be denied.
type Asked = Result<Question, &'static str>;

/// Something that the standard allows and that does not exist here.
const NO_SUBJECT_TYPE: &str = "unknown_subject_type";
const NO_ACTION: &str = "unknown_action";
const NO_RESOURCE: &str = "unknown_resource";

fn asked(
    subject: &AuthzenSubjectBody,
    action: &AuthzenActionBody,
    resource: &AuthzenResourceBody,
) -> Result<Asked, Problem> {
    let user = user(subject)?;
    let (permission, resource) = (permission(action)?, resource_of(resource)?);
    let question = || Ok(Question { user: user?, permission: permission?, resource: resource? });
    Ok(question())
}

fn user(subject: &AuthzenSubjectBody) -> Result<Result<UserRef, &'static str>, Problem> {
    text("subject", &subject.kind)?;
    text("subject", &subject.id)?;
    Ok(if subject.kind == USER { UserRef::parse(&subject.id).or(Err("unknown_user")) } else { Err(NO_SUBJECT_TYPE) })
}

fn permission(action: &AuthzenActionBody) -> Result<Result<Permission, &'static str>, Problem> {
    text("action", &action.name)?;
    Ok(Permission::parse(&action.name).or(Err(NO_ACTION)))
}

fn resource_of(resource: &AuthzenResourceBody) -> Result<Result<ResourceRef, &'static str>, Problem> {
    text("resource", &resource.kind)?;
    text("resource", &resource.id)?;
    Ok(ResourceRef::parse(&resource.kind, &resource.id).or(Err(NO_RESOURCE)))
}

/// A text that names something: of one line, and of a bounded length.
fn text(field: &'static str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() || text.len() > ResourceRef::BYTES_MAX || text.chars().any(char::is_control) {
        let max = ResourceRef::BYTES_MAX;
        let detail =
            format!("the texts of {field} must not be blank, nor longer than {max} bytes, nor hold control characters");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).field(field));
    }
    Ok(())
}

/// How new an answer must be, by a `context`; other keys are the caller's.
fn freshness(context: Option<&Map<String, Value>>) -> Result<AtLeast, Problem> {
    let number = |key: &'static str| match context.and_then(|context| context.get(key)) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().filter(|number| *number >= 0).map(Some).ok_or_else(|| {
            let detail = format!("context.{key} must be a number from 0 on");
            Problem::new(StatusCode::BAD_REQUEST, detail).field("context")
        }),
    };
    let (min_position, wait_ms) = (number("min_position")?, number("wait_ms")?);
    at_least(min_position, wait_ms.map(i64::unsigned_abs))
}

/// A JSON object of the standard's; what it does not name is passed over.
fn object<T: DeserializeOwned>(body: &[u8], form: &str) -> Result<T, Problem> {
    super::admin::object(body, form)
}

/// An object where there may be none.
type Maybe<T> = Option<Object<T>>;
