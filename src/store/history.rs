//! Looking back: which position an instant stands for, what was at a position, and what changed between two.

use std::collections::BTreeSet;

use entitled_entity::event;
use entitled_model::history::{About, Change};
use entitled_model::{GroupId, Instant, Position, SourceName, UserId};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IsolationLevel, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    TransactionOptions, TransactionTrait, Value,
};

use super::error::{Doing, StoreError};
use super::log::{self, StoredEvent};
use super::sql::{STATEMENT_ROWS_MAX, rows};
use super::{Database, Reader, Store};

/// Whose memberships are asked for, at which position; `after` is the last one of the page before.
#[derive(Debug, Clone)]
pub struct MembersAt {
    pub position: Position,
    pub user: Option<UserId>,
    pub group: Option<GroupId>,
    pub after: Option<(GroupId, UserId, SourceName)>,
}

/// A membership over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMembership {
    pub group: GroupId,
    /// As the group is called today, or was when it was deleted.
    pub name: String,
    pub user: UserId,
    pub source: SourceName,
    pub from: (Position, Instant),
    /// Where it ended, if it has.
    pub to: Option<(Position, Instant)>,
}

/// A membership that began or ended at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub group: GroupId,
    pub user: UserId,
    pub source: SourceName,
    pub position: Position,
    pub change: Change,
}

/// Which events are asked for.
#[derive(Debug, Clone)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub action: Option<String>,
    /// Whether `action` is only the beginning of the type.
    pub and_more: bool,
    /// A stream: its category, and the id within it.
    pub subject: Option<(String, String)>,
    /// Behind this position, up to and with the other.
    pub after: Position,
    pub to: Position,
}

/// Whether the membership `m` was there at the position that `parameter` holds.
fn open_at(parameter: &str) -> String {
    format!("m.from_position <= {parameter} AND (m.to_position IS NULL OR m.to_position > {parameter})")
}

fn count(rows_max: u64) -> Value {
    i64::try_from(rows_max).unwrap_or(i64::MAX).into()
}

impl Store {
    /// Up to `rows_max` events that fit, the newest first.
    ///
    /// # Errors
    /// When the database does not answer, or an event can't be read.
    pub async fn audited(
        &self,
        conn: &impl Reader,
        filter: &AuditFilter,
        rows_max: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let AuditFilter { actor, action, and_more, subject, after, to } = filter;
        let mut query = event::Entity::find()
            .filter(event::Column::Position.gt(after.0))
            .filter(event::Column::Position.lte(to.0))
            .order_by_desc(event::Column::Position)
            .limit(rows_max);
        if let Some(actor) = actor {
            query = query.filter(event::Column::Actor.eq(actor));
        }
        if let Some(action) = action {
            query = query.filter(match and_more {
                true => event::Column::EventType.starts_with(action),
                false => event::Column::EventType.eq(action),
            });
        }
        if let Some((category, id)) = subject {
            query = query.filter(event::Column::StreamCategory.eq(category)).filter(event::Column::StreamId.eq(id));
        }
        let rows = query.all(conn).await.doing("reading the audit")?;
        let unreadable = |error: entitled_model::event::DecodeError| StoreError::damaged(error.to_string());
        rows.into_iter().map(|row| log::stored(row).map_err(unreadable)).collect()
    }

    /// A transaction that reads one state, however long it takes, and writes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, StoreError> {
        let isolation_level = match self.database() {
            Database::Postgres => Some(IsolationLevel::RepeatableRead),
            Database::Sqlite => None,
        };
        let options = TransactionOptions { isolation_level, ..TransactionOptions::default() };
        self.db.begin_with_options(options).await.doing("opening a snapshot")
    }

    /// The newest position that was recorded at `at` or before; 0 when nothing was. Where the clock went back, an instant came
    /// twice, and the later time counts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn position_at(&self, conn: &impl Reader, at: Instant) -> Result<Position, StoreError> {
        const DOING: &str = "looking for the position of an instant";
        let d = conn.dialect();
        let latest =
            "SELECT position FROM event WHERE recorded_at <= $1 ORDER BY recorded_at DESC, position DESC LIMIT 1";
        let row = conn.query_one_raw(d.statement(latest, [at.into()])).await.doing(DOING)?;
        let Some(row) = row else { return Ok(Position(0)) };
        let latest: i64 = row.try_get_by_index(0).doing(DOING)?;
        // What was written later by a clock that had gone back. The sign keeps PostgreSQL from walking back row by row from the
        // end of the log; an index by time and position answers alone.
        let behind = "SELECT max(+position) FROM event WHERE position > $1 AND recorded_at <= $2";
        let row = conn.query_one_raw(d.statement(behind, [latest.into(), at.into()])).await.doing(DOING)?;
        let behind: Option<i64> = row.map(|row| row.try_get_by_index(0).doing(DOING)).transpose()?.flatten();
        Ok(Position(behind.unwrap_or(latest)))
    }

    /// Up to `rows_max` memberships as they were at a position, by group, user and source.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships_at(
        &self,
        conn: &impl Reader,
        asked: &MembersAt,
        rows_max: u64,
    ) -> Result<Vec<PastMembership>, StoreError> {
        const DOING: &str = "reading past memberships";
        let MembersAt { position, user, group, after } = asked;
        let mut values: Vec<Value> = vec![position.0.into(), count(rows_max)];
        let mut conditions = vec![open_at("$1")];
        let mut parameter = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        conditions.extend(user.map(|user| format!("m.user_id = {}", parameter(user.0.into()))));
        conditions.extend(group.map(|group| format!("m.group_id = {}", parameter(group.0.into()))));
        conditions.extend(after.as_ref().map(|(group, user, source)| {
            let key = [group.0.into(), user.0.into(), source.as_str().into()].map(&mut parameter).join(", ");
            format!("(m.group_id, m.user_id, m.source) > ({key})")
        }));
        let sql = format!(
            "SELECT m.group_id, g.name, m.user_id, m.source, m.from_position, m.from_at, m.to_position, m.to_at
             FROM membership m JOIN user_group g ON g.id = m.group_id
             WHERE {} ORDER BY m.group_id, m.user_id, m.source LIMIT $2",
            conditions.join(" AND ")
        );
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        found.iter().map(past_membership).collect()
    }

    /// Up to `rows_max` positions, from `first` to `last`, of events that may say something about whom is asked.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn positions_about(
        &self,
        conn: &impl Reader,
        about: About,
        (first, last): (Position, Position),
        rows_max: u64,
    ) -> Result<Vec<Position>, StoreError> {
        const DOING: &str = "looking for events";
        let within = |column: &str| format!("{column} >= $1 AND {column} <= $2");
        let of_stream = |category: &str| {
            let within = within("position");
            format!("SELECT position FROM event WHERE stream_category = '{category}' AND stream_id = $4 AND {within}")
        };
        let mut values: Vec<Value> = vec![first.0.into(), last.0.into(), count(rows_max)];
        let sql = match about {
            About::Memberships => {
                format!("SELECT position FROM event WHERE event_type = 'membership.changed' AND {}", within("position"))
            }
            About::Group(group) => {
                values.push(group.to_string().into());
                of_stream("group")
            }
            About::User(user) => {
                values.extend([user.to_string().into(), user.0.into()]);
                let column = |table: &str, key: &str, column: &str| {
                    format!(" UNION SELECT {column} FROM {table} WHERE {key} = $5 AND {}", within(column))
                };
                let memberships = ["from_position", "to_position", "blocked_position"];
                let memberships = memberships.map(|name| column("membership", "user_id", name));
                let created = column("user_account", "id", "created_position");
                format!("{}{created}{}", of_stream("user"), memberships.concat())
            }
        };
        let sql = format!("SELECT position FROM ({sql}) AS p ORDER BY position LIMIT $3");
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        found.iter().map(|row| Ok(Position(row.try_get_by_index(0).doing(DOING)?))).collect()
    }

    /// The events at these positions, in order.
    ///
    /// # Errors
    /// When the database does not answer, or an event can't be read.
    pub async fn events_at(&self, conn: &impl Reader, positions: &[Position]) -> Result<Vec<StoredEvent>, StoreError> {
        let at = event::Column::Position.is_in(positions.iter().map(|position| position.0));
        readable(conn, event::Entity::find().filter(at)).await
    }

    /// Up to `rows_max` events after `after`, in order.
    ///
    /// # Errors
    /// When the database does not answer, or an event can't be read.
    pub async fn events_page(
        &self,
        conn: &impl Reader,
        after: Position,
        rows_max: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let after = event::Column::Position.gt(after.0);
        readable(conn, event::Entity::find().filter(after).limit(rows_max)).await
    }

    /// Those of `changes` (by index) to which the difference between two positions comes down: the last of a membership that was
    /// there at one of them and not at the other.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn net_changes(
        &self,
        conn: &impl Reader,
        (from, to): (Position, Position),
        changes: &[Changed],
    ) -> Result<BTreeSet<usize>, StoreError> {
        const DOING: &str = "comparing memberships";
        let d = conn.dialect();
        let key = "SELECT 1 FROM membership m WHERE m.group_id = k.g AND m.user_id = k.u AND m.source = k.s AND";
        let (before, still) = (open_at("$2"), "(m.to_position IS NULL OR m.to_position > $3)");
        let sql = format!(
            "SELECT k.i FROM (SELECT {} AS i, {} AS g, {} AS u, {} AS s, {} AS p, {} AS added FROM {}) AS k
             WHERE (k.added = 1 AND EXISTS ({key} m.from_position = k.p AND {still}) AND NOT EXISTS ({key} {before}))
                OR (k.added = 0 AND EXISTS ({key} {before})
                    AND NOT EXISTS ({key} m.from_position >= k.p AND m.from_position <= $3))",
            d.int(0),
            d.uuid(1),
            d.uuid(2),
            d.text(3),
            d.int(4),
            d.int(5),
            d.each("$1")
        );
        let mut net = BTreeSet::new();
        let numbered: Vec<_> = changes
            .iter()
            .enumerate()
            .map(|(index, Changed { group, user, source, position, change })| {
                (index, group, user, source, position, i32::from(*change == Change::Added))
            })
            .collect();
        for chunk in numbered.chunks(STATEMENT_ROWS_MAX) {
            let values = [rows(chunk), from.0.into(), to.0.into()];
            for row in conn.query_all_raw(d.statement(&sql, values)).await.doing(DOING)? {
                let index: i64 = row.try_get_by_index(0).doing(DOING)?;
                net.extend(usize::try_from(index));
            }
        }
        Ok(net)
    }
}

async fn readable(conn: &impl Reader, events: sea_orm::Select<event::Entity>) -> Result<Vec<StoredEvent>, StoreError> {
    let found = events.order_by_asc(event::Column::Position).all(conn).await.doing("reading the log")?;
    let read = found.into_iter().map(|row| {
        let position = row.position;
        log::stored(row).map_err(|error| StoreError::damaged(format!("the event at {position} can't be read: {error}")))
    });
    read.collect()
}

fn past_membership(row: &QueryResult) -> Result<PastMembership, StoreError> {
    const DOING: &str = "reading past memberships";
    let (to_position, to_at): (Option<i64>, Option<Instant>) =
        (row.try_get_by_index(6).doing(DOING)?, row.try_get_by_index(7).doing(DOING)?);
    Ok(PastMembership {
        group: GroupId(row.try_get_by_index(0).doing(DOING)?),
        name: row.try_get_by_index(1).doing(DOING)?,
        user: UserId(row.try_get_by_index(2).doing(DOING)?),
        source: SourceName::stored(row.try_get_by_index(3).doing(DOING)?),
        from: (Position(row.try_get_by_index(4).doing(DOING)?), row.try_get_by_index(5).doing(DOING)?),
        to: to_position.map(Position).zip(to_at),
    })
}
