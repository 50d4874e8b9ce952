//! How entitled is: alive, ready, and in detail. Nothing here is personal, so nothing here asks for a credential.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use entitled_model::instant::written;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Problem, Service};
use crate::store::{SchemaState, SourceRuns};

/// How long a store that does not answer is waited for.
const STORE_PATIENCE: Duration = Duration::from_millis(800);

#[derive(Serialize, ToSchema)]
pub(super) struct AliveView {
    status: &'static str,
}

/// The state in detail.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthView {
    /// `ok`, `degraded` (a source is failing or stale) or `down` (the store is not usable).
    status: &'static str,
    version: &'static str,
    db_schema: SchemaView,
    sources: Vec<SourceHealthView>,
    /// Sources that are no longer configured and still hold something; `entitled source forget` takes it away.
    orphaned_sources: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct SchemaView {
    /// `ok`, `mismatch` or `unreachable`.
    status: &'static str,
    current: Option<String>,
    expected: String,
}

#[derive(Serialize, ToSchema)]
struct SourceHealthView {
    source: String,
    kind: &'static str,
    /// `ok`, `failing`, `stale` (older than `fresh_within`), or `never` read.
    status: &'static str,
    last_success_at: Option<String>,
    /// The age of the last success.
    age_seconds: Option<f64>,
    /// The age from which on it is stale.
    fresh_within_seconds: Option<f64>,
    last_outcome: Option<String>,
    error: Option<String>,
    /// Failures in a row in this process.
    consecutive_failures: u32,
    /// While set, the source is not asked.
    circuit_open_until: Option<String>,
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = AliveView)))]
pub(super) async fn alive() -> Json<AliveView> {
    Json(AliveView { status: "ok" })
}

/// The store answers and its schema is the expected one.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, body = AliveView),
        (status = 503, description = "Not ready", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn ready(State(service): State<Service>) -> Result<Json<AliveView>, Problem> {
    let schema = schema(&service).await;
    if schema.status == "ok" {
        return Ok(Json(AliveView { status: "ok" }));
    }
    let detail = match (schema.status, &schema.current) {
        ("unreachable", _) => "the database does not answer".to_owned(),
        (_, current) => {
            let current = current.as_deref().unwrap_or("empty");
            format!("the database schema is not the expected one: current {current}, expected {}", schema.expected)
        }
    };
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
}

/// Status, schema, and each source with the age of its last success.
#[utoipa::path(get, path = "/api/v1/health", tag = "health", responses((status = 200, body = HealthView)))]
pub(super) async fn health(State(service): State<Service>) -> Json<HealthView> {
    let configured = service.registry.iter().map(|source| source.name.clone()).collect();
    let orphaned = service.store.orphaned_sources(service.store.reader(), &configured);
    let (schema, runs, orphaned) = tokio::join!(
        schema(&service),
        tokio::time::timeout(STORE_PATIENCE, service.store.source_runs()),
        tokio::time::timeout(STORE_PATIENCE, orphaned)
    );
    let runs = runs.ok().and_then(Result::ok).unwrap_or_default();
    let now = service.store.clock().now();
    let view = |source: &std::sync::Arc<crate::source::Source>| {
        let ran = runs.get(source.name.as_str()).cloned().unwrap_or_default();
        let SourceRuns { last_ended_at: _, last_outcome, last_error_class, last_success_at } = ran;
        let age = last_success_at.map(|at| (now - at).to_std().unwrap_or_default());
        let fresh_within = source.settings.fresh_within;
        let reading = source.health.read();
        let error = last_error_class.or(reading.last_error.map(|class| class.as_str().to_owned()));
        SourceHealthView {
            source: source.name.to_string(),
            kind: source.kind,
            status: match (&error, age) {
                (Some(_), _) => "failing",
                (None, None) => "never",
                (None, Some(age)) if fresh_within.is_some_and(|within| age > within) => "stale",
                (None, Some(_)) => "ok",
            },
            last_success_at: last_success_at.map(written),
            age_seconds: age.map(|age| age.as_secs_f64()),
            fresh_within_seconds: fresh_within.map(|within| within.as_secs_f64()),
            last_outcome,
            error,
            consecutive_failures: reading.consecutive_failures,
            circuit_open_until: reading.open_until.map(written),
        }
    };
    let sources: Vec<_> = service.registry.iter().map(view).collect();
    let degraded = sources.iter().any(|source| matches!(source.status, "failing" | "stale"));
    let status = match (schema.status, degraded) {
        ("ok", false) => "ok",
        ("ok", true) => "degraded",
        _ => "down",
    };
    let orphaned = orphaned.ok().and_then(Result::ok).unwrap_or_default();
    let orphaned_sources = orphaned.iter().map(ToString::to_string).collect();
    Json(HealthView { status, version: env!("CARGO_PKG_VERSION"), db_schema: schema, sources, orphaned_sources })
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(service): State<Service>, headers: HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text";
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let content_type = match accepted.contains(OPEN_METRICS) {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        // The same text: what the older form does not know stands in comments.
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, content_type)], service.metrics.text()).into_response()
}

async fn schema(service: &Service) -> SchemaView {
    let expected = crate::store::expected_schema();
    match tokio::time::timeout(STORE_PATIENCE, service.store.schema_state()).await {
        Ok(Ok(SchemaState::Ok { current })) => SchemaView { status: "ok", current: Some(current), expected },
        Ok(Ok(SchemaState::Mismatch { current, expected })) => SchemaView { status: "mismatch", current, expected },
        Ok(Err(error)) => {
            tracing::warn!(detail = crate::report::chain(&error), "the store does not answer");
            SchemaView { status: "unreachable", current: None, expected }
        }
        Err(_) => {
            tracing::warn!("the store does not answer in time");
            SchemaView { status: "unreachable", current: None, expected }
        }
    }
}
