//! Removals that wait for their time.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use entitled_model::instant::{self, written};
use entitled_model::{SourceName, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{bad_limit, limit, next_of, plain};
use crate::http::problem::Refusals;
use crate::http::{Problem, Service};
use crate::json;
use crate::store::{DuePlace, MembershipRow, Store, StoreError};

/// A membership that goes at its time, unless its source lists it again.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct DueRemovalView {
    /// RFC 3339, UTC.
    pub due_at: String,
    /// The user's id.
    pub user: String,
    pub email: Option<String>,
    pub group: String,
    pub source: String,
}

/// A page of removals that wait, the next first.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct DueRemovalsView {
    #[serde(deserialize_with = "json::objects")]
    pub removals: Vec<DueRemovalView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct DueQuery {
    /// Only of this source.
    source: Option<String>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
    /// How many at most, 1 to 1,000. Default: 100.
    limit: Option<u64>,
}

impl DueRemovalsView {
    /// Up to `rows_max` removals that wait behind a place, of all sources or of one; and the place of the last, where more follow.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(
        store: &Store,
        source: Option<&str>,
        after: Option<&DuePlace>,
        rows_max: u64,
    ) -> Result<(Self, Option<DuePlace>), StoreError> {
        let conn = store.reader();
        let mut waiting = store.due_removals(conn, source, after, rows_max + 1).await?;
        let place = next_of(&mut waiting, rows_max, DuePlace::of).flatten();
        let users: Vec<UserId> = waiting.iter().map(|row| row.user).collect();
        let addresses = store.emails_of(conn, &users).await?;
        let removal = |row: MembershipRow| DueRemovalView {
            due_at: row.due_at.map(written).unwrap_or_default(),
            user: row.user.to_string(),
            email: addresses.get(&row.user).cloned(),
            group: row.group,
            source: row.source.to_string(),
        };
        let next = place.as_ref().map(text);
        Ok((Self { removals: waiting.into_iter().map(removal).collect(), next }, place))
    }
}

fn text(DuePlace { due_at, group, user, source }: &DuePlace) -> String {
    format!("{}/{user}/{source}/{group}", written(*due_at))
}

/// A place, as [`text`] writes it.
fn place(after: &str) -> Option<DuePlace> {
    let mut parts = after.splitn(4, '/');
    let (due_at, user, source, group) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(DuePlace {
        due_at: instant::read(due_at)?,
        user: UserId(Uuid::parse_str(user).ok()?),
        source: SourceName::stored(source.to_owned()),
        group: group.to_owned(),
    })
}

/// Removals that wait for their time, the next first.
#[utoipa::path(
    get, path = "/api/v1/plans/due", tag = "administration", params(DueQuery), security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = DueRemovalsView),
        (status = 400, description = "A parameter is malformed", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn list(
    State(service): State<Service>,
    query: Result<Query<DueQuery>, QueryRejection>,
) -> Result<Json<DueRemovalsView>, Problem> {
    let Query(DueQuery { source, after, limit: asked }) = query.map_err(|_| bad_limit())?;
    let limit = limit(asked)?;
    let source = source.map(|source| plain("source", source)).transpose()?;
    let bad = || Problem::new(StatusCode::BAD_REQUEST, "after must be next of the page before").field("after");
    let after = after.map(|after| plain("after", after)).transpose()?;
    let after = after.map(|after| place(&after).ok_or_else(bad)).transpose()?;
    let found = DueRemovalsView::read(&service.store, source.as_deref(), after.as_ref(), limit).await;
    found.map(|(page, _)| Json(page)).map_err(|error| Problem::of_store(&service.reports, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_as_it_was_written() {
        let written = "2026-11-22T10:00:00.000001Z/0198c0de-0000-7000-8000-000000000001/google_sync/a/b c@example.org";
        assert_eq!(place(written).as_ref().map(text).as_deref(), Some(written));
        for bad in [
            "",
            "/",
            "x/0198c0de-0000-7000-8000-000000000001/s/g",
            "2026-11-22T10:00:00Z/x/s/g",
            "2026-11-22T10:00:00Z",
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
