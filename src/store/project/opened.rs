//! Memberships that begin: most of what a first import writes, so that they go over packed.

use entitled_model::projection::Since;
use entitled_model::{GroupId, SourceName, UserId};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::Projector;
use crate::store::error::{Doing, StoreError};
use crate::store::sql::{Dialect, STATEMENT_ROWS_MAX, rows, time};

/// The memberships that one event begins: at least one, at most [`entitled_model::plan::EVENT_PAIRS_MAX`].
pub(super) struct Opened {
    pub group: GroupId,
    pub source: SourceName,
    pub users: Vec<UserId>,
    pub since: Since,
}

impl Projector {
    pub(super) async fn open(&self, conn: &impl ConnectionTrait, opened: &[Opened]) -> Result<(), StoreError> {
        const DOING: &str = "beginning memberships";
        let sql = open_sql(self.dialect, &self.tables.name("membership"));
        let mut rest = opened;
        while !rest.is_empty() {
            let (mut fits, mut meant) = (0, 0);
            while let Some(next) =
                rest.get(fits).filter(|next| fits == 0 || meant + next.users.len() <= STATEMENT_ROWS_MAX)
            {
                (fits, meant) = (fits + 1, meant + next.users.len());
            }
            let (chunk, later) = rest.split_at(fits);
            rest = later;
            let mut ids = Vec::with_capacity(16 * meant);
            let mut blocks = Vec::with_capacity(chunk.len());
            for Opened { group, source, users, since } in chunk {
                let first = ids.len() / 16;
                ids.extend(users.iter().flat_map(|user| user.0.into_bytes()));
                let last = ids.len() / 16 - 1;
                blocks.push(json!([group, source, since.position, time(since.at), first, last]));
            }
            let statement = self.dialect.statement(&sql, [rows(&blocks), ids.into()]);
            let met = conn.execute_raw(statement).await.doing(DOING)?.rows_affected();
            if met != meant as u64 {
                return Err(StoreError::damaged(format!("{DOING}: {meant} rows were meant and {met} were met")));
            }
        }
        Ok(())
    }
}

/// `$1`: a row for each event, with the places of its users in `$2`; `$2`: users' ids, sixteen bytes each. What an event's
/// rows have in common is read once.
fn open_sql(d: Dialect, table: &str) -> String {
    let event = format!(
        "SELECT {} AS group_id, {} AS source, {} AS from_position, {} AS from_at, {} AS place, {} AS last FROM {}",
        d.uuid(0),
        d.text(1),
        d.int(2),
        d.time(3),
        d.int(4),
        d.int(5),
        d.each("$1")
    );
    let rows = match d {
        Dialect::Sqlite => format!(
            "WITH RECURSIVE opened (group_id, source, from_position, from_at, place, last) AS (
                 {event} UNION ALL
                 SELECT group_id, source, from_position, from_at, place + 1, last FROM opened WHERE place < last)
             SELECT group_id, substr($2, 16 * place + 1, 16), source, from_position, from_at FROM opened"
        ),
        Dialect::Postgres => format!(
            "WITH opened AS MATERIALIZED ({event})
             SELECT o.group_id, CAST(encode(substr($2, CAST(16 * n.place + 1 AS int), 16), 'hex') AS uuid), o.source,
                 o.from_position, o.from_at
             FROM opened o CROSS JOIN LATERAL generate_series(o.place, o.last) AS n(place)"
        ),
    };
    format!("INSERT INTO {table} (group_id, user_id, source, from_position, from_at) {rows}")
}
