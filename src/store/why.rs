//! What an explanation rests on: a group that may be gone, a membership's intervals, the events behind them.

use std::collections::BTreeMap;

use entitled_entity::user_group;
use entitled_model::event::Cause;
use entitled_model::why::Happened;
use entitled_model::{EventId, Facet, GroupId, Instant, Position, RunId, SourceName, UserId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult};
use uuid::Uuid;

use super::error::{Doing, StoreError};
use super::sql::rows;
use super::{Reader, Store};

/// A group that is there, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastGroup {
    pub id: GroupId,
    pub name: String,
    pub managed_by: Option<SourceName>,
    pub resource: Option<(Facet, String)>,
    pub ended: Option<Position>,
}

/// A source's support of a membership, from where to where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    pub source: SourceName,
    pub from: Position,
    pub to: Option<Position>,
    /// Where a source's wish to remove it was refused.
    pub blocked: Option<Position>,
    /// When the source's wish to remove it is carried out, if it lasts.
    pub due_at: Option<Instant>,
}

impl From<user_group::Model> for PastGroup {
    fn from(row: user_group::Model) -> Self {
        let facet = row.resource_type.zip(row.permission);
        let facet = facet.map(|(resource_type, permission)| Facet { resource_type, permission });
        Self {
            id: GroupId(row.id),
            name: row.name,
            managed_by: row.managed_by.map(SourceName::stored),
            resource: facet.zip(row.resource_id),
            ended: row.ended_position.map(Position),
        }
    }
}

impl Store {
    /// The group of that name or id: one that is there, else the last one that was.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn group_ever(&self, conn: &impl Reader, name: &str) -> Result<Option<PastGroup>, StoreError> {
        const DOING: &str = "looking for a group";
        for ended in [false, true] {
            for name in [name.to_owned(), name.trim().to_lowercase()] {
                let named = user_group::Entity::find().filter(user_group::Column::Name.eq(name));
                let found = if ended {
                    named.order_by_desc(user_group::Column::EndedPosition)
                } else {
                    named.filter(user_group::Column::EndedPosition.is_null())
                };
                if let Some(found) = found.one(conn).await.doing(DOING)? {
                    return Ok(Some(found.into()));
                }
            }
            if let Ok(id) = Uuid::parse_str(name) {
                let found = user_group::Entity::find_by_id(id).one(conn).await.doing(DOING)?;
                return Ok(found.map(PastGroup::from));
            }
        }
        Ok(None)
    }

    /// Each source's supports of a membership, by source, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn intervals(
        &self,
        conn: &impl Reader,
        group: GroupId,
        user: UserId,
    ) -> Result<Vec<Interval>, StoreError> {
        const DOING: &str = "reading a membership's past";
        let sql = "SELECT source, from_position, to_position, blocked_position, due_at FROM membership
            WHERE group_id = $1 AND user_id = $2 ORDER BY source, from_position";
        let values = [group.0.into(), user.0.into()];
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            let (to, blocked): (Option<i64>, Option<i64>) =
                (row.try_get_by_index(2).doing(DOING)?, row.try_get_by_index(3).doing(DOING)?);
            Ok(Interval {
                source: SourceName::stored(row.try_get_by_index(0).doing(DOING)?),
                from: Position(row.try_get_by_index(1).doing(DOING)?),
                to: to.map(Position),
                blocked: blocked.map(Position),
                due_at: row.try_get_by_index(4).doing(DOING)?,
            })
        };
        found.iter().map(read).collect()
    }

    /// What stands behind the events at these positions.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn happened(
        &self,
        conn: &impl Reader,
        positions: &[Position],
    ) -> Result<BTreeMap<Position, Happened>, StoreError> {
        const DOING: &str = "reading what happened";
        let d = conn.dialect();
        let sql = format!(
            "SELECT e.position, e.event_id, e.actor, e.source, e.run_id, e.correlation_id, e.causation_id,
                e.occurred_at, e.recorded_at, r.trigger
             FROM event e LEFT JOIN run r ON r.run_id = e.run_id AND r.source = e.source
             WHERE e.position IN (SELECT {} FROM {})",
            d.int(0),
            d.each("$1")
        );
        let asked: Vec<[Position; 1]> = positions.iter().map(|position| [*position]).collect();
        let found = conn.query_all_raw(d.statement(sql, [rows(&asked)])).await.doing(DOING)?;
        found.iter().map(|row| happened(row).map(|happened| (happened.position, happened))).collect()
    }

    /// The sources that have suspended a user's account, each with where and since when.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn suspensions(
        &self,
        conn: &impl Reader,
        user: UserId,
    ) -> Result<Vec<(SourceName, Position, Instant)>, StoreError> {
        const DOING: &str = "reading suspensions";
        let sql = "SELECT source, since_position, since_at FROM suspension WHERE user_id = $1 ORDER BY source";
        let found = conn.query_all_raw(conn.dialect().statement(sql, [user.0.into()])).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            let source = SourceName::stored(row.try_get_by_index(0).doing(DOING)?);
            Ok((source, Position(row.try_get_by_index(1).doing(DOING)?), row.try_get_by_index(2).doing(DOING)?))
        };
        found.iter().map(read).collect()
    }
}

fn happened(row: &QueryResult) -> Result<Happened, StoreError> {
    const DOING: &str = "reading what happened";
    let source: Option<String> = row.try_get_by_index(3).doing(DOING)?;
    let run_id: Option<Uuid> = row.try_get_by_index(4).doing(DOING)?;
    let causation_id: Option<Uuid> = row.try_get_by_index(6).doing(DOING)?;
    let cause = Cause {
        actor: row.try_get_by_index(2).doing(DOING)?,
        source: source.map(SourceName::stored),
        run_id: run_id.map(RunId),
        correlation_id: row.try_get_by_index(5).doing(DOING)?,
        causation_id: causation_id.map(EventId),
    };
    Ok(Happened {
        position: Position(row.try_get_by_index(0).doing(DOING)?),
        event_id: EventId(row.try_get_by_index(1).doing(DOING)?),
        cause,
        trigger: row.try_get_by_index(9).doing(DOING)?,
        observed_at: row.try_get_by_index(7).doing(DOING)?,
        recorded_at: row.try_get_by_index(8).doing(DOING)?,
    })
}
