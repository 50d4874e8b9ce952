//! The HTTP interface: parse, authorise, call, format. Handlers hold no decisions.
//!
//! May import: everything below, axum, utoipa. Every answer that is not a success is a problem (RFC 9457).

#![expect(clippy::result_large_err, reason = "a problem is made once, where its request ends")]

mod admin;
mod auth;
mod authzen;
mod check;
#[cfg(any(test, feature = "fuzzing"))]
mod decoders;
mod document;
mod health;
mod hint;
mod history;
mod idempotency;
mod login;
mod observe;
mod problem;
mod provisioning;
mod server;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use entitled_model::role::Role;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use admin::access::{
    EffectiveAccessView, PermissionView, ResourceAccessView, UserMembershipView, UserMembershipsView,
};
pub use admin::accesses::{AccessView, AccessesView, csv as accesses_csv};
pub use admin::due::{DueRemovalView, DueRemovalsView};
pub use admin::entitlements::{StatedEntitlementView, StatedEntitlementsView};
pub use admin::grants::{GrantView, GrantsView, ResourceTypesView};
pub use admin::groups::{AdminGroupView, AdminGroupsView, ListedGroupView};
pub use admin::members::{MemberView, MembersView, SupportView};
pub use admin::plans::{PlanView, PlansView};
pub use admin::roles::{RoleView, RolesView};
pub use admin::sources::{ListedSourceView, ListedSourcesView};
pub use admin::tokens::{NewTokenView, TokenView, TokensView};
pub use admin::users::{AdminUserView, AdminUsersView, UserProfileView};
pub use auth::{Failures, Keys, Proxy};
pub use check::PathView;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use decoders::DECODERS;
pub use history::audit::{AuditView, csv as audit_csv, lines as json_lines};
pub use history::events::EventsView;
pub use history::{DiffView, EntryView, EventView, HistoryView, MembershipsView, WhyView};
pub use problem::Problem;
pub use server::serve;

use crate::access::Asker;
use crate::access_log::AccessLog;
use crate::config::{FeaturesConfig, HttpConfig};
use crate::hints::Hints;
use crate::history::{Follower, History};
use crate::login::Logins;
use crate::metrics::Metrics;
use crate::oidc::Verifier;
use crate::report::Reports;
use crate::source::Registry;
use crate::store::Store;

/// What the handlers work with, as they are given it: each layer of each request makes a copy.
#[derive(Clone)]
pub struct Service(Arc<Parts>);

impl From<Parts> for Service {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Service {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What the handlers work with.
pub struct Parts {
    pub store: Store,
    pub registry: Arc<Registry>,
    pub logins: Arc<Logins>,
    pub metrics: Arc<Metrics>,
    pub reports: Arc<Reports>,
    pub keys: Arc<Keys>,
    /// The role of people to whom none was given.
    pub default_role: Option<Role>,
    /// What is believed of a proxy in front.
    pub proxy: Arc<Proxy>,
    /// Whoever checks the tokens of the organisation's identity provider.
    pub oidc: Option<Arc<Verifier>>,
    pub access_log: AccessLog,
    /// Wrong credentials, by address.
    pub failures: Arc<Failures>,
    /// Refusals that are recorded though nobody need fear them, by address.
    pub refusals: Arc<Failures>,
    /// What administrators may do by hand.
    pub features: Arc<FeaturesConfig>,
    /// One for each source of kind deploycenter.
    pub hints: Arc<Vec<Arc<Hints>>>,
    /// Answers to who may do what.
    pub asker: Asker,
    /// Answers about the past, and waiting for more of it.
    pub history: Arc<History>,
    pub follower: Arc<Follower>,
    /// How long a hint waits.
    pub settle: Duration,
    /// Where callers reach this interface, if that is known; without a slash at its end.
    pub public_url: Option<String>,
    pub request_timeout: Duration,
    /// What a stop waits for.
    pub tasks: TaskTracker,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "entitled", description = "Who belongs to what, and why"),
    modifiers(&Bearer),
    tags((name = "hooks", description = "What applications call"), (name = "asking", description = "Who may do what"), (name = "resources", description = "What access is granted on"),
        (name = "administration", description = "What people decide by hand"), (name = "me", description = "What is a person's own"),
        (name = "history", description = "What was, what changed, and why"), (name = "health", description = "How entitled is"))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        openapi.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}

fn documented() -> OpenApiRouter<Service> {
    let mut routes = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(login::login))
        .routes(routes!(hint::hint))
        .routes(routes!(provisioning::provision))
        .routes(routes!(provisioning::list))
        .routes(routes!(admin::resources::settings))
        .routes(routes!(admin::resources::create))
        .routes(routes!(admin::groups::list, admin::groups::create))
        .routes(routes!(admin::groups::show, admin::groups::change, admin::groups::delete))
        .routes(routes!(admin::members::list, admin::members::add))
        .routes(routes!(admin::members::remove))
        .routes(routes!(admin::users::list, admin::users::create))
        .routes(routes!(admin::users::show, admin::users::change))
        .routes(routes!(admin::users::erase))
        .routes(routes!(admin::roles::me))
        .routes(routes!(admin::roles::list, admin::roles::set))
        .routes(routes!(admin::roles::remove_of_user))
        .routes(routes!(admin::roles::remove_of_group))
        .routes(routes!(admin::tokens::list, admin::tokens::create))
        .routes(routes!(admin::tokens::revoke))
        .routes(routes!(admin::accesses::of_token))
        .routes(routes!(admin::accesses::refusals))
        .routes(routes!(admin::tokens::own, admin::tokens::create_own))
        .routes(routes!(admin::tokens::revoke_own))
        .routes(routes!(admin::accesses::of_own))
        .routes(routes!(admin::grants::list, admin::grants::create))
        .routes(routes!(admin::grants::show, admin::grants::delete))
        .routes(routes!(admin::grants::resource_types))
        .routes(routes!(admin::access::overview))
        .routes(routes!(admin::access::effective))
        .routes(routes!(admin::access::own))
        .routes(routes!(admin::access::memberships))
        .routes(routes!(admin::entitlements::of_user))
        .routes(routes!(admin::sources::list))
        .routes(routes!(check::one))
        .routes(routes!(check::many))
        .routes(routes!(authzen::evaluate::one))
        .routes(routes!(authzen::evaluate::many))
        .routes(routes!(authzen::search::subjects))
        .routes(routes!(authzen::search::resources))
        .routes(routes!(authzen::search::actions))
        .routes(routes!(authzen::metadata))
        .routes(routes!(admin::plans::list))
        .routes(routes!(admin::due::list))
        .routes(routes!(admin::plans::show))
        .routes(routes!(admin::plans::approve))
        .routes(routes!(admin::plans::reject))
        .routes(routes!(history::history))
        .routes(routes!(history::memberships))
        .routes(routes!(history::diff))
        .routes(routes!(history::why))
        .routes(routes!(history::events::events))
        .routes(routes!(history::audit::audit))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::health))
        .routes(routes!(health::metrics));
    document::complete(routes.get_openapi_mut());
    routes
}

/// The OpenAPI document of this interface.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented().into_openapi()
}

/// The whole interface.
pub fn router(service: Service, settings: &HttpConfig) -> Router {
    let (routes, document) = documented().split_for_parts();
    let document = Arc::new(document);
    routes
        .route("/api/openapi.json", axum::routing::get(move || async move { axum::Json(document.as_ref().clone()) }))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        // A handler that panics under a key is answered there, so that the key is free again.
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(service.clone(), idempotency::once))
        .layer(DefaultBodyLimit::max(settings.body_bytes_max))
        .layer(middleware::from_fn_with_state(service.clone(), auth::guard))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(service.clone(), observe::request))
        .with_state(service)
}

/// The body, once it has been read to its end.
fn whole_body(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejected| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than http.body_bytes_max")
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "the body could not be read"),
    })
}

/// The panic itself goes to Sentry by its own way.
fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response {
    Problem::internal().into_response()
}
