//! The unit of work: one transaction that holds the head of the log, and with it the right to write.

use entitled_entity::event as event_table;
use entitled_model::event::{Cause, Digest, Event, Recorded, Stream};
use entitled_model::plan::EVENT_PAIRS_MAX;
use entitled_model::projection::row_changes;
use entitled_model::{EventId, GroupId, Instant, Position, SourceName, UserId};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait, TransactionOptions, TransactionTrait,
};
use tokio::sync::OwnedSemaphorePermit;

use super::error::{Doing, StoreError};
use super::project::{Projector, Tables};
use super::sql::Dialect;
use super::{Reader, Store};
use crate::clock::Clock;

/// The most events one insert carries: 15 columns each stay below SQLite's 32,766 bound values.
const INSERT_EVENTS_MAX: usize = 1_000;
/// From this many bytes of payloads on an insert carries no more: on their way into the database they stand in memory five
/// times.
const INSERT_BYTES: usize = 1 << 20;

/// One transaction. Dropped without [`Unit::commit`], it leaves nothing behind.
pub struct Unit {
    tx: DatabaseTransaction,
    head: Position,
    digest: Digest,
    at: Instant,
    clock: Clock,
    everyone_seeded: bool,
    _turn: OwnedSemaphorePermit,
}

impl Store {
    /// Begins a unit of work; it waits for the head of the log, and from then on nobody else writes.
    ///
    /// # Errors
    /// When the database does not answer, or the head stays taken for too long.
    pub async fn begin(&self) -> Result<Unit, StoreError> {
        const DOING: &str = "taking the head of the log";
        let turn = self.turn_for_head().await;
        let options = TransactionOptions {
            // A deferred transaction that reads before it writes fails at once when another process wrote in between.
            sqlite_transaction_mode: Some(sea_orm::SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let tx = self.db.begin_with_options(options).await.doing(DOING)?;
        let dialect = tx.dialect();
        let lock = match dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE",
        };
        let head = dialect.statement(format!("SELECT position, digest FROM event_head WHERE id = 1{lock}"), []);
        let row = tx.query_one_raw(head).await.doing(DOING)?;
        let row = row.ok_or_else(|| StoreError::damaged("the head of the log is missing"))?;
        let digest: Vec<u8> = row.try_get_by_index(1).doing(DOING)?;
        let digest = digest.try_into().map_err(|_| StoreError::damaged("the head's digest is not 32 bytes"))?;
        let head = Position(row.try_get_by_index(0).doing(DOING)?);
        let (clock, everyone_seeded) = (self.clock.clone(), self.everyone_seeded);
        Ok(Unit { tx, head, digest, at: clock.now(), clock, everyone_seeded, _turn: turn })
    }
}

impl Unit {
    /// The newest position, this unit's own events included.
    #[must_use]
    pub fn head(&self) -> Position {
        self.head
    }

    /// When this unit's events count as recorded.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// A handle for reading within the transaction.
    #[must_use]
    pub fn reader(&self) -> &DatabaseTransaction {
        &self.tx
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.tx.dialect()
    }

    /// The events by which new users enter `Everyone`, once, where no source decides who is in it.
    #[must_use]
    pub fn seeded(&self, users: &[UserId]) -> Vec<Event> {
        let users = if self.everyone_seeded { users } else { &[] };
        let seed = SourceName::stored("system_seed".to_owned());
        let seeded =
            |users: &[UserId]| Event::memberships_changed(GroupId::EVERYONE, &seed, users.to_vec(), Vec::new());
        users.chunks(EVENT_PAIRS_MAX).map(seeded).collect()
    }

    /// Appends events, which happened at `occurred_at`, and carries out the row changes that follow from them.
    ///
    /// # Errors
    /// When the database refuses, or the rows are not what the events assume.
    pub async fn record(
        &mut self,
        cause: &Cause,
        occurred_at: Instant,
        events: impl IntoIterator<Item = Event, IntoIter: Send>,
    ) -> Result<(), StoreError> {
        let mut events = events.into_iter().peekable();
        if events.peek().is_none() {
            return Ok(());
        }
        let mut projector = Projector::new(Tables::CURRENT, self.dialect());
        while events.peek().is_some() {
            let recorded = self.batch(cause, occurred_at, &mut events);
            self.insert(&recorded).await?;
            for event in &recorded {
                let (since, changes) = row_changes(event);
                projector.take(&self.tx, since, changes).await?;
            }
        }
        projector.finish(&self.tx).await?;
        self.write_head().await
    }

    /// As many of the events as go over in one insert, each with its place in the log.
    fn batch(
        &mut self,
        cause: &Cause,
        occurred_at: Instant,
        events: &mut impl Iterator<Item = Event>,
    ) -> Vec<Recorded> {
        let (mut recorded, mut bytes) = (Vec::new(), 0);
        while recorded.len() < INSERT_EVENTS_MAX
            && bytes < INSERT_BYTES
            && let Some(event) = events.next()
        {
            let event = self.place(cause, occurred_at, event);
            bytes += event.written.payload.len();
            recorded.push(event);
        }
        recorded
    }

    fn place(&mut self, cause: &Cause, occurred_at: Instant, event: Event) -> Recorded {
        self.head = Position(self.head.0 + 1);
        let event_id = EventId(self.clock.new_id());
        Recorded {
            position: self.head,
            event_id,
            cause: cause.clone(),
            occurred_at,
            recorded_at: self.at,
            written: event.written(),
            event,
        }
    }

    async fn insert(&mut self, recorded: &[Recorded]) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(recorded.len());
        for event in recorded {
            self.digest = event.digest(&self.digest);
            rows.push(row(event, &self.digest));
        }
        event_table::Entity::insert_many(rows).exec_without_returning(&self.tx).await.doing("appending events")?;
        Ok(())
    }

    async fn write_head(&self) -> Result<(), StoreError> {
        let sql = "UPDATE event_head SET position = $1, digest = $2 WHERE id = 1";
        let moved = self.dialect().statement(sql, [self.head.0.into(), self.digest.to_vec().into()]);
        self.tx.execute_raw(moved).await.doing("moving the head of the log")?;
        Ok(())
    }

    /// Makes everything lasting.
    ///
    /// # Errors
    /// When the database refuses: nothing was written then.
    pub async fn commit(self) -> Result<Position, StoreError> {
        self.tx.commit().await.doing("committing")?;
        Ok(self.head)
    }
}

fn row(recorded: &Recorded, digest: &Digest) -> event_table::ActiveModel {
    let Recorded { position, event_id, cause, occurred_at, recorded_at, event, written } = recorded;
    let Cause { actor, source, run_id, correlation_id, causation_id } = cause;
    let Stream(stream_category, stream_id) = event.stream();
    event_table::ActiveModel {
        position: Set(position.0),
        event_id: Set(event_id.0),
        stream_category: Set(stream_category.to_owned()),
        stream_id: Set(stream_id),
        event_type: Set(event.event_type().to_owned()),
        schema_version: Set(written.schema_version),
        payload: Set(written.payload.clone()),
        actor: Set(actor.clone()),
        source: Set(source.as_ref().map(ToString::to_string)),
        run_id: Set(run_id.map(|id| id.0)),
        correlation_id: Set(correlation_id.clone()),
        causation_id: Set(causation_id.map(|id| id.0)),
        occurred_at: Set(*occurred_at),
        recorded_at: Set(*recorded_at),
        digest: Set(digest.to_vec()),
    }
}
