//! `POST /api/v1/check`: may a user do something with a resource, and by what.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use entitled_model::access::{Path, Question, ResourceRef, UserRef, Verdict};
use entitled_model::{Permission, Position};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Refusals;
use super::{Problem, Service, whole_body};
use crate::access::{AskError, AtLeast, WAIT, WAIT_MAX};
use crate::json::{self, Object};

/// The most questions that one request may ask.
pub(super) const QUESTIONS_MAX: usize = 1_000;
/// The most paths that are told of one answer; one is enough.
const PATHS_MAX: usize = 20;

/// A question.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "ann@commune-a.fr", "permission": "admin",
    "resource": {"type": "maildomain", "id": "commune-a.fr"}}))]
pub(super) struct CheckBody {
    /// A user id, an e-mail or a sub, looked for in this order.
    user: String,
    permission: String,
    #[schema(value_type = CheckResourceBody)]
    resource: Object<CheckResourceBody>,
    /// The position of the log that the answer must be at, or beyond; it is waited for.
    #[schema(minimum = 0)]
    min_position: Option<i64>,
    /// How long, in milliseconds, at most 10,000. Default: 1,000.
    #[schema(minimum = 0, maximum = 10_000)]
    wait_ms: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckResourceBody {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

/// Up to 1,000 questions, answered at one position.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChecksBody {
    #[serde(deserialize_with = "json::objects")]
    checks: Vec<QuestionBody>,
    /// The position of the log that the answers must be at, or beyond; it is waited for.
    #[schema(minimum = 0)]
    min_position: Option<i64>,
    /// How long, in milliseconds, at most 10,000. Default: 1,000.
    #[schema(minimum = 0, maximum = 10_000)]
    wait_ms: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuestionBody {
    user: String,
    permission: String,
    #[schema(value_type = CheckResourceBody)]
    resource: Object<CheckResourceBody>,
}

/// An answer.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckView {
    #[serde(flatten)]
    answer: AnswerView,
    /// The position of the log that this is true at.
    position: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ChecksView {
    /// In the order of the questions.
    answers: Vec<AnswerView>,
    /// The position of the log that all of them are true at.
    position: i64,
}

#[derive(Serialize, ToSchema)]
struct AnswerView {
    allowed: bool,
    /// Why not: `unknown_user`, `suspended`, `deactivated`, `unknown_resource_type` or `no_access`.
    reason: Option<&'static str>,
    /// Who was meant; none when nobody is known by that name.
    user_id: Option<String>,
    /// By what it is allowed, up to twenty ways.
    paths: Vec<PathView>,
}

/// A way on which somebody has access.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PathView {
    pub group_id: String,
    /// The group's name.
    pub group: String,
    /// `grant`: the group was granted it. `facet`: the group is the resource's own, `<type>:<id>:<permission>`.
    pub by: String,
    pub grant_id: Option<String>,
    /// The sources by which the user is in the group; left out where no user is meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl From<Path> for PathView {
    fn from(path: Path) -> Self {
        let by = path.by().to_owned();
        let Path { group, name, grant, sources } = path;
        Self {
            group_id: group.to_string(),
            group: name,
            by,
            grant_id: grant.map(|grant| grant.to_string()),
            sources: sources.into_iter().map(|source| source.to_string()).collect(),
        }
    }
}

/// Up to twenty paths, as they are told.
pub(super) fn paths(paths: Vec<Path>) -> Vec<PathView> {
    paths.into_iter().take(PATHS_MAX).map(PathView::from).collect()
}

fn view(Verdict { user, denial, paths: found }: Verdict) -> AnswerView {
    AnswerView {
        allowed: denial.is_none(),
        reason: denial.map(entitled_model::access::Denial::as_str),
        user_id: user.map(|user| user.to_string()),
        paths: paths(found),
    }
}

/// Answers one question: may this user do that with the resource?
#[utoipa::path(
    post, path = "/api/v1/check", tag = "asking", request_body = CheckBody, security(("bearer" = ["check", "read", "admin"])),
    responses(
        (status = 200, description = "Allowed or not", body = CheckView),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(super) async fn one(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<CheckView>, Problem> {
    let (question, at_least) = parse_one(&whole_body(body)?)?;
    let mut seen = answered(&service, &[question], at_least).await?;
    let verdict = seen.found.pop().ok_or_else(Problem::internal)?;
    Ok(Json(CheckView { answer: view(verdict), position: seen.position.0 }))
}

/// Answers many questions, all at the same position.
#[utoipa::path(
    post, path = "/api/v1/check/batch", tag = "asking", request_body = ChecksBody, security(("bearer" = ["check", "read", "admin"])),
    responses(
        (status = 200, description = "The answers, in the order of the questions", body = ChecksView),
        (status = 400, description = "The body, or one of the questions, is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(super) async fn many(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ChecksView>, Problem> {
    let (questions, at_least) = parse_many(&whole_body(body)?)?;
    let seen = answered(&service, &questions, at_least).await?;
    Ok(Json(ChecksView { answers: seen.found.into_iter().map(view).collect(), position: seen.position.0 }))
}

pub(super) async fn answered(
    service: &Service,
    questions: &[Question],
    at_least: AtLeast,
) -> Result<crate::store::Seen<Vec<Verdict>>, Problem> {
    let answered = service.asker.check(questions, at_least).await;
    answered.map_err(|error| unanswered(service, error))
}

pub(super) fn unanswered(service: &Service, error: AskError) -> Problem {
    match error {
        AskError::Store(error) => Problem::of_store(&service.reports, &error),
        AskError::NotReached { .. } => Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            .field("min_position")
            .code("position_not_reached"),
    }
}

pub(super) fn parse_one(body: &[u8]) -> Result<(Question, AtLeast), Problem> {
    let body: CheckBody = super::admin::object(body, "user, permission, resource, min_position and wait_ms")?;
    let CheckBody { user, permission, resource: Object(resource), min_position, wait_ms } = body;
    let at_least = at_least(min_position, wait_ms)?;
    Ok((question(&user, &permission, &resource)?, at_least))
}

pub(super) fn parse_many(body: &[u8]) -> Result<(Vec<Question>, AtLeast), Problem> {
    let ChecksBody { checks, min_position, wait_ms } = super::admin::object(
        body,
        "checks (a list of objects of user, permission and resource), min_position and wait_ms",
    )?;
    if checks.is_empty() || checks.len() > QUESTIONS_MAX {
        let detail = format!("checks must be a list of 1 to {QUESTIONS_MAX} questions");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).field("checks"));
    }
    let read = |QuestionBody { user, permission, resource: Object(resource) }| question(&user, &permission, &resource);
    let questions = checks.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok((questions, at_least(min_position, wait_ms)?))
}

fn question(user: &str, permission: &str, resource: &CheckResourceBody) -> Result<Question, Problem> {
    let bad =
        |field, error: &dyn std::fmt::Display| Problem::new(StatusCode::BAD_REQUEST, error.to_string()).field(field);
    Ok(Question {
        user: UserRef::parse(user).map_err(|error| bad("user", &error))?,
        permission: Permission::parse(permission).map_err(|error| bad("permission", &error))?,
        resource: ResourceRef::parse(&resource.kind, &resource.id).map_err(|error| bad("resource", &error))?,
    })
}

/// How new an answer must be.
pub(super) fn at_least(min_position: Option<i64>, wait_ms: Option<u64>) -> Result<AtLeast, Problem> {
    let bad = |field, detail: String| Err(Problem::new(StatusCode::BAD_REQUEST, detail).field(field));
    let wait = wait_ms.map_or(WAIT, Duration::from_millis);
    if wait > WAIT_MAX {
        return bad("wait_ms", format!("wait_ms must be at most {}", WAIT_MAX.as_millis()));
    }
    match min_position.unwrap_or_default() {
        ..0 => bad("min_position", "min_position must not be negative".to_owned()),
        position => Ok(AtLeast { position: Position(position), wait }),
    }
}
