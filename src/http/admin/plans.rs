//! Held plans: what they would do, and a person's word about them.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use entitled_model::instant::written;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{admin, object, refused};
use crate::admin::AdminError;
use crate::config;
use crate::http::auth::Principal;
use crate::http::observe::RequestId;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json;
use crate::store::{Approval, HeldPlan};

/// A plan that is held, or was before another took its place.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PlanView {
    pub hash: String,
    pub source: String,
    /// `held`, `approved`, `rejected` or `superseded`.
    pub status: String,
    /// Which limit it is beyond.
    pub held: String,
    pub created: u64,
    pub removed: u64,
    /// When it was first held, and last: RFC 3339, UTC.
    pub since: String,
    pub seen_at: String,
    pub superseded_by: Option<String>,
    /// Why a person does not want it.
    pub rejected: Option<String>,
    /// `created` and `removed`, each a list of user and group, cut at 10,000. Only of one plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Value>,
}

#[derive(Deserialize, Serialize, ToSchema)]
pub struct PlansView {
    #[serde(deserialize_with = "json::objects")]
    pub plans: Vec<PlanView>,
}

/// Why a plan is right.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ApproveBody {
    reason: String,
    /// How long the approval waits for the run that applies the plan: `4h`. Default: for as long as the plan is the same.
    expires_in: Option<String>,
}

/// Why a plan is wrong.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RejectBody {
    reason: String,
}

impl PlanView {
    /// A plan, with the approval that waits for its source.
    #[must_use]
    pub fn of(plan: HeldPlan, approval: Option<&Approval>) -> Self {
        let status = plan.status(approval);
        let HeldPlan {
            source,
            hash,
            run_id: _,
            since,
            seen_at,
            held,
            created,
            removed,
            changes,
            superseded_by,
            rejected,
        } = plan;
        Self {
            hash,
            source: source.to_string(),
            status: status.to_owned(),
            held,
            created,
            removed,
            since: written(since),
            seen_at: written(seen_at),
            superseded_by,
            rejected,
            changes: Some(changes),
        }
    }
}

async fn seen(service: &Service, plan: HeldPlan) -> Result<PlanView, AdminError> {
    let approval = service.store.approval(service.store.reader(), &plan.source).await?;
    Ok(PlanView::of(plan, approval.as_ref()))
}

/// Plans that are held, and those that they took the place of.
#[utoipa::path(
    get, path = "/api/v1/plans", tag = "administration", security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = PlansView),
        Refusals,
    )
)]
pub(in crate::http) async fn list(State(service): State<Service>) -> Result<Json<PlansView>, Problem> {
    let listed = async {
        let mut plans = Vec::new();
        for plan in service.store.held_plans(service.store.reader()).await? {
            plans.push(PlanView { changes: None, ..seen(&service, plan).await? });
        }
        Ok::<_, AdminError>(plans)
    };
    listed.await.map(|plans| Json(PlansView { plans })).map_err(|error| refused(&service, error))
}

/// One plan, with what it would do.
#[utoipa::path(
    get, path = "/api/v1/plans/{hash}", tag = "administration", security(("bearer" = ["read", "admin"])),
    params(("hash" = String, Path, description = "The plan's hash, or enough of its beginning")),
    responses(
        (status = 200, body = PlanView),
        (status = 404, description = "No such plan", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn show(
    State(service): State<Service>,
    Path(hash): Path<String>,
) -> Result<Json<PlanView>, Problem> {
    let shown = async {
        let plan = service.store.held_plan(service.store.reader(), &hash).await?.ok_or(AdminError::NoPlan)?;
        seen(&service, plan).await
    };
    shown.await.map(Json).map_err(|error| refused(&service, error))
}

/// Lets a plan be applied by the next run of its source, once, as long as it is this very plan.
#[utoipa::path(
    post, path = "/api/v1/plans/{hash}/approve", tag = "administration", request_body = ApproveBody, security(("bearer" = ["admin"])),
    params(("hash" = String, Path, description = "The plan's hash, or enough of its beginning")),
    responses(
        (status = 200, body = PlanView),
        (status = 400, description = "The body is malformed, or the reason is missing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such plan", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another plan has taken its place; the detail names it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn approve(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(hash): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<PlanView>, Problem> {
    let admin = admin(&service, &principal, id);
    let ApproveBody { reason, expires_in } = object(&whole_body(body)?, "reason and expires_in")?;
    let bad = || Problem::new(StatusCode::BAD_REQUEST, "expires_in must be a duration such as 4h").field("expires_in");
    let expires_at = match expires_in {
        None => None,
        Some(text) => {
            let wait = config::duration(&text).and_then(|wait| chrono::TimeDelta::from_std(wait).ok());
            let end = wait.and_then(|wait| service.store.clock().now().checked_add_signed(wait));
            Some(end.ok_or_else(bad)?)
        }
    };
    let approved = async { seen(&service, admin.approve_plan(&hash, &reason, expires_at).await?).await };
    approved.await.map(Json).map_err(|error| refused(&service, error))
}

/// Says that a plan is not wanted; it stays held, and an approval of it ends.
#[utoipa::path(
    post, path = "/api/v1/plans/{hash}/reject", tag = "administration", request_body = RejectBody, security(("bearer" = ["admin"])),
    params(("hash" = String, Path, description = "The plan's hash, or enough of its beginning")),
    responses(
        (status = 200, body = PlanView),
        (status = 400, description = "The body is malformed, or the reason is missing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such plan", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another plan has taken its place; the detail names it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn reject(
    State(service): State<Service>,
    Extension(id): Extension<RequestId>,
    Extension(principal): Extension<Principal>,
    Path(hash): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<PlanView>, Problem> {
    let admin = admin(&service, &principal, id);
    let RejectBody { reason } = object(&whole_body(body)?, "reason")?;
    let rejected = async { seen(&service, admin.reject_plan(&hash, &reason).await?).await };
    rejected.await.map(Json).map_err(|error| refused(&service, error))
}
