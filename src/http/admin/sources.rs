//! The sources, and what is left of those that are no longer configured.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use entitled_model::SourceName;
use entitled_model::instant::written;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::problem::Refusals;
use crate::http::{Problem, Service};
use crate::json;
use crate::store::{Store, StoreError};

/// A source that is configured or holds something.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ListedSourceView {
    pub source: String,
    /// As it is configured; `orphaned` when it no longer is, `reserved` for people's own hand and the seed.
    pub kind: String,
    /// How many it holds now.
    pub memberships: u64,
    /// RFC 3339, UTC; none when no run of it ever succeeded.
    pub last_success_at: Option<String>,
}

/// All sources, by name.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ListedSourcesView {
    #[serde(deserialize_with = "json::objects")]
    pub sources: Vec<ListedSourceView>,
}

impl ListedSourcesView {
    /// What is configured, each source with its kind, and what the store holds beside.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(store: &Store, configured: &BTreeMap<SourceName, &str>) -> Result<Self, StoreError> {
        let names: BTreeSet<SourceName> = configured.keys().cloned().collect();
        let orphaned = store.orphaned_sources(store.reader(), &names).await?;
        let (held, runs) = (store.memberships_by_source().await?, store.source_runs().await?);
        let mut kinds: BTreeMap<&str, &str> = held.keys().map(|name| (name.as_str(), "reserved")).collect();
        kinds.extend(orphaned.iter().map(|name| (name.as_str(), "orphaned")));
        kinds.extend(configured.iter().map(|(name, kind)| (name.as_str(), *kind)));
        let view = |(name, kind): (&str, &str)| ListedSourceView {
            source: name.to_owned(),
            kind: kind.to_owned(),
            memberships: held.get(name).copied().unwrap_or_default(),
            last_success_at: runs.get(name).and_then(|runs| runs.last_success_at).map(written),
        };
        Ok(Self { sources: kinds.into_iter().map(view).collect() })
    }
}

/// Every source that is configured or holds something.
#[utoipa::path(
    get, path = "/api/v1/admin/sources", tag = "administration", security(("bearer" = ["read", "admin"])),
    responses((status = 200, body = ListedSourcesView), Refusals)
)]
pub(in crate::http) async fn list(State(service): State<Service>) -> Result<Json<ListedSourcesView>, Problem> {
    let configured = service.registry.iter().map(|source| (source.name.clone(), source.kind)).collect();
    let listed = ListedSourcesView::read(&service.store, &configured).await;
    listed.map(Json).map_err(|error| Problem::of_store(&service.reports, &error))
}
