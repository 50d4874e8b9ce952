//! What every source states about a user.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use entitled_model::UserId;
use entitled_model::instant::written;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{bad_limit, limit, next_of, refused, user_id};
use crate::admin::AdminError;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service};
use crate::json;
use crate::store::{Store, StoreError};

/// What a source states about a user.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct StatedEntitlementView {
    pub source: String,
    pub key: String,
    pub value: Value,
    /// When the source was last heard about the user: RFC 3339, UTC.
    pub observed_at: Option<String>,
}

/// A page of what is stated about a user, by source and key.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct StatedEntitlementsView {
    #[serde(deserialize_with = "json::objects")]
    pub entitlements: Vec<StatedEntitlementView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct StatedQuery {
    /// The source and key after which the page begins: `next` of the page before.
    after: Option<String>,
    /// How many at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

impl StatedEntitlementsView {
    /// Up to `rows_max` of what is stated about a user after a source and key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(
        store: &Store,
        user: UserId,
        (source, key): (&str, &str),
        rows_max: u64,
    ) -> Result<Self, StoreError> {
        let conn = store.reader();
        let mut found = store.entitlements_after(conn, user, (source, key), rows_max.saturating_add(1)).await?;
        let observed = store.observed(conn, user).await?;
        let next = next_of(&mut found, rows_max, |(source, key, _)| format!("{source}:{key}"));
        let entitlements = found.into_iter().map(|(source, key, value)| StatedEntitlementView {
            observed_at: observed
                .get(&source)
                .and_then(|said| said.user.as_ref())
                .map(|mark| written(mark.completed_at)),
            source: source.to_string(),
            key,
            value: value.json(),
        });
        Ok(Self { entitlements: entitlements.collect(), next })
    }
}

/// What every source states about a user, by source and key.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}/entitlements", tag = "administration",
    params(("id" = String, Path, description = "The user's id"), StatedQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = StatedEntitlementsView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn of_user(
    State(service): State<Service>,
    Path(user): Path<String>,
    query: Result<Query<StatedQuery>, QueryRejection>,
) -> Result<Json<StatedEntitlementsView>, Problem> {
    let user = user_id(&user)?;
    let Query(StatedQuery { after, limit: asked }) = query.map_err(|_| bad_limit())?;
    let limit = limit(asked)?;
    // A key is as long as its source has made it, and the address of a request has a limit of its own.
    let place = match after.as_deref() {
        None => Some(("", "")),
        Some(after) if after.contains('\0') => None,
        Some(after) => after.split_once(':'),
    };
    let bad = || Problem::new(StatusCode::BAD_REQUEST, "after must be a source, a colon and a key").field("after");
    let place = place.ok_or_else(bad)?;
    let found = async {
        service.store.user_by_id(service.store.reader(), user).await?.ok_or(AdminError::NoUser)?;
        Ok(StatedEntitlementsView::read(&service.store, user, place, limit).await?)
    };
    found.await.map(Json).map_err(|error: AdminError| refused(&service, error))
}
