//! Held plans, and the approvals that were given for them.

use entitled_model::{Instant, RunId, SourceName};
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::Value;

use super::error::{Doing, StoreError};
use super::sql::{Dialect, Field, rows, time};
use super::{Reader, Store, Unit};

/// The plans of one source that are remembered: the one that is held, and those before it.
const PLANS_PER_SOURCE_MAX: u32 = 10;

/// An approval that has not been used yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    pub hash: String,
    pub reason: String,
    /// As [`entitled_model::instant::written`]; such texts are in the order of their times.
    pub expires_at: Option<String>,
}

/// A plan as it was when it was last held.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldPlan {
    pub source: SourceName,
    pub hash: String,
    pub run_id: RunId,
    /// When it was first held, and last.
    pub since: Instant,
    pub seen_at: Instant,
    /// Which limit it is beyond.
    pub held: String,
    pub created: u64,
    pub removed: u64,
    /// What it would create and remove, each list cut.
    pub changes: Value,
    /// The hash of the plan that took its place.
    pub superseded_by: Option<String>,
    /// Why a person does not want it.
    pub rejected: Option<String>,
}

impl HeldPlan {
    /// `held`, `approved`, `rejected`, or `superseded` by another plan of the source.
    #[must_use]
    pub fn status(&self, approval: Option<&Approval>) -> &'static str {
        match (&self.superseded_by, &self.rejected) {
            (Some(_), _) => "superseded",
            (None, _) if approval.is_some_and(|approval| approval.hash == self.hash) => "approved",
            (None, Some(_)) => "rejected",
            (None, None) => "held",
        }
    }
}

const DOING: &str = "reading held plans";

const SELECT: &str =
    "SELECT source, hash, run_id, since, seen_at, held, created, removed, changes, superseded_by, rejected
    FROM held_plan";

fn held_plan(row: &QueryResult) -> Result<HeldPlan, StoreError> {
    let (created, removed): (i64, i64) = (row.try_get_by_index(6).doing(DOING)?, row.try_get_by_index(7).doing(DOING)?);
    let changes: String = row.try_get_by_index(8).doing(DOING)?;
    Ok(HeldPlan {
        source: SourceName::stored(row.try_get_by_index(0).doing(DOING)?),
        hash: row.try_get_by_index(1).doing(DOING)?,
        run_id: RunId(row.try_get_by_index(2).doing(DOING)?),
        since: row.try_get_by_index(3).doing(DOING)?,
        seen_at: row.try_get_by_index(4).doing(DOING)?,
        held: row.try_get_by_index(5).doing(DOING)?,
        created: created.unsigned_abs(),
        removed: removed.unsigned_abs(),
        changes: serde_json::from_str(&changes).unwrap_or_default(),
        superseded_by: row.try_get_by_index(9).doing(DOING)?,
        rejected: row.try_get_by_index(10).doing(DOING)?,
    })
}

impl Store {
    /// The approval that waits for a source's plan.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn approval(&self, conn: &impl Reader, source: &SourceName) -> Result<Option<Approval>, StoreError> {
        const DOING: &str = "reading an approval";
        let sql = "SELECT hash, reason, expires_at FROM plan_approval WHERE source = $1";
        let found = conn.query_one_raw(conn.dialect().statement(sql, [source.as_str().into()])).await.doing(DOING)?;
        let read = |row: QueryResult| {
            Ok(Approval {
                hash: row.try_get_by_index(0).doing(DOING)?,
                reason: row.try_get_by_index(1).doing(DOING)?,
                expires_at: row.try_get_by_index(2).doing(DOING)?,
            })
        };
        found.map(read).transpose()
    }

    /// Held plans and those before them, by source, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn held_plans(&self, conn: &impl Reader) -> Result<Vec<HeldPlan>, StoreError> {
        let sql = format!("{SELECT} ORDER BY source, seen_at DESC, hash");
        let found = conn.query_all_raw(conn.dialect().statement(sql, [])).await.doing(DOING)?;
        found.iter().map(held_plan).collect()
    }

    /// The plan of that hash, or of a hash that begins so and is the only one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn held_plan(&self, conn: &impl Reader, hash: &str) -> Result<Option<HeldPlan>, StoreError> {
        let mut found: Vec<HeldPlan> = self.held_plans(conn).await?;
        found.retain(|plan| !hash.is_empty() && plan.hash.starts_with(hash));
        Ok(if found.len() == 1 { found.pop() } else { None })
    }
}

impl Unit {
    /// Keeps a held plan for a person to look at; it takes the place of what the source's plan was before.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn keep_held_plan(&mut self, plan: &HeldPlan) -> Result<(), StoreError> {
        const DOING: &str = "keeping a held plan";
        let d = self.dialect();
        let columns = [
            ("source", Field::Text),
            ("hash", Field::Text),
            ("run_id", Field::Uuid),
            ("since", Field::Time),
            ("seen_at", Field::Time),
            ("held", Field::Text),
            ("created", Field::Int),
            ("removed", Field::Int),
            ("changes", Field::Text),
        ];
        let again = "ON CONFLICT (source, hash) DO UPDATE SET run_id = excluded.run_id, seen_at = excluded.seen_at,
            held = excluded.held, superseded_by = NULL";
        let HeldPlan { source, hash, run_id, since, seen_at, held, created, removed, changes, .. } = plan;
        let row = serde_json::json!([
            source,
            hash,
            run_id,
            time(*since),
            time(*seen_at),
            held,
            created,
            removed,
            changes.to_string()
        ]);
        let insert = d.statement(d.insert("held_plan", &columns, again), [rows(&[row])]);
        self.reader().execute_raw(insert).await.doing(DOING)?;
        let superseded = "UPDATE held_plan SET superseded_by = $1
            WHERE source = $2 AND hash <> $1 AND superseded_by IS NULL";
        let values = [hash.as_str().into(), source.as_str().into()];
        self.reader().execute_raw(d.statement(superseded, values)).await.doing(DOING)?;
        let old = format!(
            "DELETE FROM held_plan WHERE source = $1 AND hash NOT IN (
                SELECT hash FROM held_plan WHERE source = $1 ORDER BY seen_at DESC LIMIT {PLANS_PER_SOURCE_MAX})"
        );
        self.reader().execute_raw(d.statement(old, [source.as_str().into()])).await.doing(DOING)?;
        Ok(())
    }

    /// Forgets a source's held plans: nothing of it is held any more.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_held_plans(&mut self, source: &SourceName) -> Result<(), StoreError> {
        let d: Dialect = self.dialect();
        let forget = d.statement("DELETE FROM held_plan WHERE source = $1", [source.as_str().into()]);
        self.reader().execute_raw(forget).await.doing("forgetting held plans")?;
        Ok(())
    }

    /// Remembers that a person does not want a held plan, or (`None`) that they do after all.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn mark_rejected(&mut self, plan: &HeldPlan, reason: Option<&str>) -> Result<(), StoreError> {
        let sql = "UPDATE held_plan SET rejected = $1 WHERE source = $2 AND hash = $3";
        let values = [reason.into(), plan.source.as_str().into(), plan.hash.as_str().into()];
        let marked = self.dialect().statement(sql, values);
        self.reader().execute_raw(marked).await.doing("marking a held plan")?;
        Ok(())
    }
}
