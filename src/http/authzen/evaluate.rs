//! `POST /access/v1/evaluation` and `/access/v1/evaluations`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use entitled_model::access::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Asked, AuthzenActionBody, AuthzenResourceBody, AuthzenSubjectBody, Maybe, asked, freshness, object};
use crate::access::AtLeast;
use crate::http::check::{PathView, QUESTIONS_MAX, answered, paths};
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json::Object;

/// One evaluation. `subject`, `action` and `resource` are required.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"subject": {"type": "user", "id": "ann@commune-a.fr"}, "action": {"name": "admin"},
    "resource": {"type": "maildomain", "id": "commune-a.fr"}}))]
pub(in crate::http) struct EvaluationBody {
    #[schema(value_type = Option<AuthzenSubjectBody>)]
    subject: Maybe<AuthzenSubjectBody>,
    #[schema(value_type = Option<AuthzenActionBody>)]
    action: Maybe<AuthzenActionBody>,
    #[schema(value_type = Option<AuthzenResourceBody>)]
    resource: Maybe<AuthzenResourceBody>,
    /// `min_position`: the position of the log that the answer must be at, or beyond; `wait_ms`: how long that is waited for.
    context: Option<Map<String, Value>>,
}

/// Many evaluations, with defaults for what they leave out; without any, one of the defaults alone.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct EvaluationsBody {
    #[schema(value_type = Option<AuthzenSubjectBody>)]
    subject: Maybe<AuthzenSubjectBody>,
    #[schema(value_type = Option<AuthzenActionBody>)]
    action: Maybe<AuthzenActionBody>,
    #[schema(value_type = Option<AuthzenResourceBody>)]
    resource: Maybe<AuthzenResourceBody>,
    context: Option<Map<String, Value>>,
    /// At most 1,000. They are answered at one position, the newest that any of them asks for.
    #[serde(default, deserialize_with = "crate::json::objects_or_none")]
    evaluations: Option<Vec<EvaluationBody>>,
    #[schema(value_type = Option<EvaluationsOptionsBody>)]
    options: Maybe<EvaluationsOptionsBody>,
}

#[derive(Deserialize, ToSchema)]
struct EvaluationsOptionsBody {
    #[serde(default)]
    evaluations_semantic: EvaluationsSemantic,
}

/// Where the answers end.
#[derive(Deserialize, ToSchema, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum EvaluationsSemantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

/// A decision.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct DecisionView {
    decision: bool,
    context: DecisionContextView,
}

#[derive(Serialize, ToSchema)]
struct DecisionContextView {
    /// The position of the log that this is true at.
    position: i64,
    /// Why not: as in `/api/v1/check`, or `unknown_subject_type`, `unknown_action`, `unknown_resource`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// By what it is permitted, up to twenty ways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<PathView>,
}

/// The decisions in the order of the evaluations, as far as the semantic goes; or the one decision, where there was no list.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum EvaluationsView {
    Many { evaluations: Vec<DecisionView> },
    One(DecisionView),
}

/// What is asked at once.
pub(in crate::http) struct Evaluations {
    pub asked: Vec<Asked>,
    pub at_least: AtLeast,
    semantic: EvaluationsSemantic,
    /// Whether there was a list.
    pub listed: bool,
}

/// Decides one evaluation.
#[utoipa::path(
    post, path = "/access/v1/evaluation", tag = "asking", request_body = EvaluationBody,
    security(("bearer" = ["check", "read", "admin"])),
    responses(
        (status = 200, description = "Permitted or denied", body = DecisionView),
        (status = 400, description = "The body is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn one(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<DecisionView>, Problem> {
    let (asked, at_least) = parse_one(&whole_body(body)?)?;
    let mut decisions = decide(&service, vec![asked], at_least).await?;
    decisions.pop().map(Json).ok_or_else(Problem::internal)
}

/// Decides many evaluations, all at the same position.
#[utoipa::path(
    post, path = "/access/v1/evaluations", tag = "asking", request_body = EvaluationsBody,
    security(("bearer" = ["check", "read", "admin"])),
    responses(
        (status = 200, description = "Permitted or denied, each", body = EvaluationsView),
        (status = 400, description = "The body, or one of the evaluations, is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn many(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<EvaluationsView>, Problem> {
    let Evaluations { asked, at_least, semantic, listed } = parse_many(&whole_body(body)?)?;
    let mut decisions = decide(&service, asked, at_least).await?;
    if !listed {
        return decisions.pop().map(|decision| Json(EvaluationsView::One(decision))).ok_or_else(Problem::internal);
    }
    let last = match semantic {
        EvaluationsSemantic::ExecuteAll => None,
        EvaluationsSemantic::DenyOnFirstDeny => decisions.iter().position(|decision| !decision.decision),
        EvaluationsSemantic::PermitOnFirstPermit => decisions.iter().position(|decision| decision.decision),
    };
    decisions.truncate(last.map_or(decisions.len(), |last| last + 1));
    Ok(Json(EvaluationsView::Many { evaluations: decisions }))
}

async fn decide(service: &Service, asked: Vec<Asked>, at_least: AtLeast) -> Result<Vec<DecisionView>, Problem> {
    let questions: Vec<_> = asked.iter().filter_map(|asked| asked.as_ref().ok().cloned()).collect();
    let seen = answered(service, &questions, at_least).await?;
    let (position, mut verdicts) = (seen.position.0, seen.found.into_iter());
    let decisions = asked.into_iter().map(|asked| match asked {
        Err(reason) => Some(denied(position, reason)),
        Ok(_) => verdicts.next().map(|verdict| decision(position, verdict)),
    });
    decisions.collect::<Option<_>>().ok_or_else(Problem::internal)
}

fn denied(position: i64, reason: &'static str) -> DecisionView {
    DecisionView { decision: false, context: DecisionContextView { position, reason: Some(reason), paths: Vec::new() } }
}

fn decision(position: i64, Verdict { user: _, denial, paths: found }: Verdict) -> DecisionView {
    match denial {
        Some(denial) => denied(position, denial.as_str()),
        None => DecisionView {
            decision: true,
            context: DecisionContextView { position, reason: None, paths: paths(found) },
        },
    }
}

pub(in crate::http) fn parse_one(body: &[u8]) -> Result<(Asked, AtLeast), Problem> {
    let body: EvaluationBody = object(body, "subject {type, id}, action {name}, resource {type, id} and context")?;
    let at_least = freshness(body.context.as_ref())?;
    Ok((evaluation(&body, None)?, at_least))
}

pub(in crate::http) fn parse_many(body: &[u8]) -> Result<Evaluations, Problem> {
    let form = "subject, action, resource, context, evaluations (a list of objects of these) and options";
    let EvaluationsBody { subject, action, resource, context, evaluations, options } = object(body, form)?;
    let defaults = EvaluationBody { subject, action, resource, context };
    let semantic = options.map(|Object(options)| options.evaluations_semantic).unwrap_or_default();
    let mut at_least = freshness(defaults.context.as_ref())?;
    let evaluations = evaluations.unwrap_or_default();
    if evaluations.is_empty() {
        return Ok(Evaluations { asked: vec![evaluation(&defaults, None)?], at_least, semantic, listed: false });
    }
    if evaluations.len() > QUESTIONS_MAX {
        let detail = format!("evaluations must be a list of at most {QUESTIONS_MAX}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).field("evaluations"));
    }
    let mut asked = Vec::with_capacity(evaluations.len());
    for one in &evaluations {
        if one.context.is_some() {
            let own = freshness(one.context.as_ref())?;
            at_least = if own.position > at_least.position { own } else { at_least };
        }
        asked.push(evaluation(one, Some(&defaults))?);
    }
    Ok(Evaluations { asked, at_least, semantic, listed: true })
}

fn evaluation(own: &EvaluationBody, defaults: Option<&EvaluationBody>) -> Result<Asked, Problem> {
    let EvaluationBody { subject, action, resource, context: _ } = own;
    let subject = subject.as_ref().or(defaults.and_then(|defaults| defaults.subject.as_ref()));
    let action = action.as_ref().or(defaults.and_then(|defaults| defaults.action.as_ref()));
    let resource = resource.as_ref().or(defaults.and_then(|defaults| defaults.resource.as_ref()));
    let missing = |field| move || Problem::new(StatusCode::BAD_REQUEST, format!("{field} is missing")).field(field);
    let Object(subject) = subject.ok_or_else(missing("subject"))?;
    let Object(action) = action.ok_or_else(missing("action"))?;
    let Object(resource) = resource.ok_or_else(missing("resource"))?;
    asked(subject, action, resource)
}
