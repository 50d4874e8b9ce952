//! Reading the event log.

use entitled_entity::event;
use entitled_model::event::{Cause, DecodeError, Digest, Event, Recorded, Stream};
use entitled_model::{EventId, GroupId, Position, RunId, SourceName};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::error::{Doing, StoreError};
use super::{Reader, Store};

/// The most events one page holds.
pub const PAGE_EVENTS_MAX: u64 = 200;

/// An event as it stands in the log, with the digest that is stored beside it.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    pub recorded: Recorded,
    pub digest: Digest,
    /// Whether payload and stream stand there as they were written: the digest is over the event that they were read as.
    pub as_written: bool,
}

/// Reads up to [`PAGE_EVENTS_MAX`] events after `after`, in order. An event that can't be read ends the page.
///
/// # Errors
/// When the database does not answer; per event, when it can't be decoded.
pub(super) async fn page(
    conn: &impl Reader,
    after: Position,
) -> Result<Vec<(Position, Result<StoredEvent, DecodeError>)>, StoreError> {
    let rows = event::Entity::find()
        .filter(event::Column::Position.gt(after.0))
        .order_by_asc(event::Column::Position)
        .limit(PAGE_EVENTS_MAX)
        .all(conn)
        .await
        .doing("reading the log")?;
    Ok(rows.into_iter().map(|row| (Position(row.position), stored(row))).collect())
}

pub(super) fn stored(row: event::Model) -> Result<StoredEvent, DecodeError> {
    let (event, written) = Event::decode(&row.event_type, row.schema_version, &row.payload)?;
    let cause = Cause {
        actor: row.actor,
        source: row.source.map(SourceName::stored),
        run_id: row.run_id.map(RunId),
        correlation_id: row.correlation_id,
        causation_id: row.causation_id.map(EventId),
    };
    let (occurred_at, recorded_at) = (row.occurred_at, row.recorded_at);
    let (position, event_id) = (Position(row.position), EventId(row.event_id));
    let recorded = Recorded { position, event_id, cause, occurred_at, recorded_at, event, written };
    let Stream(category, id) = recorded.event.stream();
    let as_written =
        recorded.written.payload == row.payload && (category, &id) == (row.stream_category.as_str(), &row.stream_id);
    // A digest of another length can't be right; the nil one never matches.
    Ok(StoredEvent { recorded, digest: row.digest.try_into().unwrap_or_default(), as_written })
}

impl Store {
    /// The digest of the event at a position, in hexadecimal; none when there is no such event.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn digest_at(&self, position: Position) -> Result<Option<String>, StoreError> {
        let found = event::Entity::find_by_id(position.0).one(&self.db).await.doing("reading an event's digest")?;
        Ok(found.map(|row| entitled_model::plan::hex(&row.digest)))
    }

    /// The newest position, and the digest there.
    ///
    /// # Errors
    /// When the database does not answer or holds no head.
    pub async fn head(&self, conn: &impl Reader) -> Result<(Position, Vec<u8>), StoreError> {
        const DOING: &str = "reading the head of the log";
        let dialect = conn.dialect();
        let head = dialect.statement("SELECT position, digest FROM event_head WHERE id = 1", []);
        let row = conn.query_one_raw(head).await.doing(DOING)?;
        let row = row.ok_or_else(|| StoreError::damaged("the head of the log is missing"))?;
        Ok((Position(row.try_get_by_index(0).doing(DOING)?), row.try_get_by_index(1).doing(DOING)?))
    }

    /// Events after `after`, in order, at most a page of them.
    ///
    /// # Errors
    /// When the database does not answer, or an event can't be read.
    pub async fn events_after(&self, after: Position) -> Result<Vec<StoredEvent>, StoreError> {
        let page = page(&self.db, after).await?;
        let read = page.into_iter().map(|(position, event)| {
            event.map_err(|error| StoreError::damaged(format!("the event at {position} can't be read: {error}")))
        });
        read.collect()
    }

    /// Whether anything happened after `since` that a plan of `source` rests on: its own memberships and entitlements,
    /// who is in `Admin`, and which users and groups there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn changed_since(
        &self,
        conn: &impl Reader,
        since: Position,
        source: &SourceName,
    ) -> Result<bool, StoreError> {
        let dialect = conn.dialect();
        let sql = "SELECT 1 FROM event WHERE position > $1 AND (source = $2 OR stream_id = $3
            OR event_type NOT IN ('membership.changed', 'entitlement.changed', 'user.profile_changed', 'token.created',
                'token.revoked')
            OR (event_type = 'user.profile_changed' AND payload LIKE '%\"email\"%')) LIMIT 1";
        let values = [since.0.into(), source.as_str().into(), GroupId::ADMIN.to_string().into()];
        let found = conn.query_one_raw(dialect.statement(sql, values)).await;
        Ok(found.doing("looking for newer events")?.is_some())
    }
}
