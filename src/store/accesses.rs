//! The access log: what was done with each token, and which authentications failed. It stands beside the event log, and is
//! written in batches that never take its head.

use std::collections::BTreeMap;

use entitled_model::{Instant, TokenId};
use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::error::{Doing, StoreError};
use super::sql::{Field, rows, time};
use super::{Reader, Store};

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    /// In the order of time.
    pub id: Uuid,
    pub at: Instant,
    /// The token that was presented, if it is one of ours.
    pub token: Option<TokenId>,
    /// Who it was, as events name an actor; none when nobody was recognised.
    pub principal: Option<String>,
    /// `valid`, or what was wrong.
    pub verdict: String,
    pub method: String,
    /// The route's template.
    pub route: String,
    pub status: u16,
    pub address: Option<String>,
    pub request_id: String,
}

/// Which rows of the access log are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accesses {
    /// Those of one token.
    Of(TokenId),
    /// Those in which authentication or authorisation failed.
    Failed,
}

const COLUMNS: [(&str, Field); 10] = [
    ("id", Field::Uuid),
    ("at", Field::Time),
    ("token_id", Field::Uuid),
    ("principal", Field::Text),
    ("verdict", Field::Text),
    ("method", Field::Text),
    ("route", Field::Text),
    ("status", Field::Int),
    ("address", Field::Text),
    ("request_id", Field::Text),
];

impl Store {
    /// Appends to the access log, and moves the last use of each of these tokens forward.
    ///
    /// # Errors
    /// When the database refuses: nothing was written then, or the rows without the last uses.
    pub async fn record_accesses(
        &self,
        records: &[AccessRecord],
        last_used: &BTreeMap<TokenId, Instant>,
    ) -> Result<(), StoreError> {
        const DOING: &str = "writing the access log";
        let d = self.db.dialect();
        let _turn = self.turn().await;
        let row = |record: &AccessRecord| {
            let AccessRecord { id, at, token, principal, verdict, method, route, status, address, request_id } = record;
            json!([id, time(*at), token, principal, verdict, method, route, status, address, request_id])
        };
        let written: Vec<_> = records.iter().map(row).collect();
        // A batch whose answer was lost may come once more.
        let sql = d.insert("access_log", &COLUMNS, "ON CONFLICT (id) DO NOTHING");
        self.db.execute_raw(d.statement(sql, [rows(&written)])).await.doing(DOING)?;
        if last_used.is_empty() {
            return Ok(());
        }
        let used: Vec<_> = last_used.iter().map(|(token, at)| json!([token, time(*at)])).collect();
        let tail = "ON CONFLICT (token_id) DO UPDATE SET last_used_at = excluded.last_used_at
            WHERE excluded.last_used_at > token_use.last_used_at";
        let sql = d.insert("token_use", &[("token_id", Field::Uuid), ("last_used_at", Field::Time)], tail);
        self.db.execute_raw(d.statement(sql, [rows(&used)])).await.doing("writing last uses")?;
        Ok(())
    }

    /// Up to `rows_max` rows of the access log, newest first, from before `before`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn accesses_before(
        &self,
        which: Accesses,
        before: Option<Uuid>,
        rows_max: u64,
    ) -> Result<Vec<AccessRecord>, StoreError> {
        const DOING: &str = "reading the access log";
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let mut values: Vec<Value> = vec![before.unwrap_or(Uuid::max()).into(), limit.into()];
        let condition = match which {
            Accesses::Of(token) => {
                values.push(token.0.into());
                "token_id = $3"
            }
            Accesses::Failed => "verdict <> 'valid'",
        };
        let names = COLUMNS.map(|(name, _)| name).join(", ");
        let sql = format!("SELECT {names} FROM access_log WHERE id < $1 AND {condition} ORDER BY id DESC LIMIT $2");
        let found = self.db.query_all_raw(self.db.dialect().statement(sql, values)).await.doing(DOING)?;
        found.iter().map(|row| record(row).doing(DOING)).collect()
    }

    /// Forgets up to `rows_max` rows from before `before`, oldest first, and says how many there were.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_accesses(&self, before: Instant, rows_max: u32) -> Result<u64, StoreError> {
        let sql = "DELETE FROM access_log WHERE id IN
            (SELECT id FROM access_log WHERE at < $1 ORDER BY at LIMIT $2)";
        let _turn = self.turn().await;
        let forget = self.db.dialect().statement(sql, [before.into(), i64::from(rows_max).into()]);
        Ok(self.db.execute_raw(forget).await.doing("pruning the access log")?.rows_affected())
    }
}

fn record(row: &QueryResult) -> Result<AccessRecord, sea_orm::DbErr> {
    let token: Option<Uuid> = row.try_get_by_index(2)?;
    let status: i32 = row.try_get_by_index(7)?;
    Ok(AccessRecord {
        id: row.try_get_by_index(0)?,
        at: row.try_get_by_index(1)?,
        token: token.map(TokenId),
        principal: row.try_get_by_index(3)?,
        verdict: row.try_get_by_index(4)?,
        method: row.try_get_by_index(5)?,
        route: row.try_get_by_index(6)?,
        status: u16::try_from(status).unwrap_or_default(),
        address: row.try_get_by_index(8)?,
        request_id: row.try_get_by_index(9)?,
    })
}
