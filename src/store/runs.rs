//! Run records: what each run of each source came to.

use std::collections::BTreeMap;

use entitled_entity::run;
use entitled_model::{ErrorClass, Instant, Outcome, Position, RunId, SourceName, Trigger, UserId};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::error::{Doing, StoreError};
use super::{Reader, Store, Unit};

/// How much of a source a run was about: a failure of the whole is over when the whole succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breadth {
    Users,
    Whole,
}

impl Breadth {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Breadth::Users => "users",
            Breadth::Whole => "whole",
        }
    }
}

/// One run of one source, ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    pub run_id: RunId,
    pub source: SourceName,
    pub trigger: Trigger,
    pub breadth: Breadth,
    /// Set when the run asked about this user alone.
    pub user: Option<UserId>,
    pub began_at: Instant,
    pub ended_at: Instant,
    pub outcome: Outcome,
    pub error: Option<(ErrorClass, String)>,
    pub created: u64,
    pub removed: u64,
    pub kept: u64,
    pub unchanged: u64,
    pub users_asked: u64,
    pub users_failed: u64,
    pub plan_hash: Option<String>,
    pub position: Option<Position>,
}

/// When a source last ran, and last ran well, over all that it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceRuns {
    pub last_ended_at: Option<Instant>,
    pub last_outcome: Option<String>,
    pub last_error_class: Option<String>,
    pub last_success_at: Option<Instant>,
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn row(record: &RunRecord) -> run::ActiveModel {
    run::ActiveModel {
        run_id: Set(record.run_id.0),
        source: Set(record.source.to_string()),
        trigger: Set(record.trigger.to_string()),
        scope: Set(record.breadth.as_str().to_owned()),
        user_id: Set(record.user.map(|user| user.0)),
        began_at: Set(record.began_at),
        ended_at: Set(record.ended_at),
        outcome: Set(record.outcome.to_string()),
        error_class: Set(record.error.as_ref().map(|(class, _)| class.to_string())),
        error_message: Set(record.error.as_ref().map(|(_, message)| message.clone())),
        created: Set(count(record.created)),
        removed: Set(count(record.removed)),
        kept: Set(count(record.kept)),
        unchanged: Set(count(record.unchanged)),
        users_asked: Set(count(record.users_asked)),
        users_failed: Set(count(record.users_failed)),
        plan_hash: Set(record.plan_hash.clone()),
        position: Set(record.position.map(|position| position.0)),
    }
}

impl Unit {
    /// Records the run within its own transaction.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_run(&mut self, record: &RunRecord) -> Result<(), StoreError> {
        self.record_runs(std::slice::from_ref(&record)).await
    }

    pub(super) async fn record_runs(&mut self, records: &[&RunRecord]) -> Result<(), StoreError> {
        let rows = records.iter().map(|record| row(record));
        run::Entity::insert_many(rows).exec_without_returning(self.reader()).await.doing("recording a run")?;
        Ok(())
    }
}

impl Store {
    /// Records a run that learned nothing, and so has no unit of work.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_run(&self, record: &RunRecord) -> Result<(), StoreError> {
        let _turn = self.turn().await;
        row(record).insert(&self.db).await.doing("recording a run")?;
        Ok(())
    }

    /// For each source, how its last run ended and when one last succeeded: of the runs about the whole of it, or, where
    /// it was never read as a whole, of those about users.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn source_runs(&self) -> Result<BTreeMap<String, SourceRuns>, StoreError> {
        let mut found = self.runs_of(Breadth::Users).await?;
        found.extend(self.runs_of(Breadth::Whole).await?);
        Ok(found)
    }

    async fn runs_of(&self, breadth: Breadth) -> Result<BTreeMap<String, SourceRuns>, StoreError> {
        const DOING: &str = "reading runs";
        let d = self.db.dialect();
        let mut found: BTreeMap<String, SourceRuns> = BTreeMap::new();
        let newest = |what: &str, condition: &str| {
            format!(
                "(SELECT n.{what} FROM run n WHERE n.source = s.name AND n.scope = $1 AND {condition}
                 ORDER BY n.ended_at DESC LIMIT 1)"
            )
        };
        // A user without a claim says nothing about the source.
        let latest = format!(
            "SELECT r.source, r.ended_at, r.outcome, r.error_class FROM source s CROSS JOIN run r
             WHERE r.source = s.name AND r.run_id = {}",
            newest("run_id", "(n.error_class IS NULL OR n.error_class <> 'missing_claim')")
        );
        let latest = d.statement(latest, [breadth.as_str().into()]);
        for row in self.db.query_all_raw(latest).await.doing(DOING)? {
            let runs = found.entry(row.try_get_by_index(0).doing(DOING)?).or_default();
            runs.last_ended_at = Some(row.try_get_by_index(1).doing(DOING)?);
            runs.last_outcome = Some(row.try_get_by_index(2).doing(DOING)?);
            runs.last_error_class = row.try_get_by_index(3).doing(DOING)?;
        }
        // A run with a part that failed is no success.
        let success = format!(
            "SELECT s.name, {} FROM source s",
            newest("ended_at", "n.outcome IN ('applied', 'unchanged', 'blocked') AND n.error_class IS NULL")
        );
        let success = d.statement(success, [breadth.as_str().into()]);
        for row in self.db.query_all_raw(success).await.doing(DOING)? {
            let succeeded_at: Option<Instant> = row.try_get_by_index(1).doing(DOING)?;
            if succeeded_at.is_some() {
                found.entry(row.try_get_by_index(0).doing(DOING)?).or_default().last_success_at = succeeded_at;
            }
        }
        Ok(found)
    }

    /// Whether a run about the whole of `source` began at `since` or later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn whole_run_since(&self, source: &SourceName, since: Instant) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM run WHERE source = $1 AND scope = $2 AND ended_at >= $3 AND began_at >= $3 LIMIT 1";
        let values = [source.as_str().into(), Breadth::Whole.as_str().into(), since.into()];
        let found = self.db.query_one_raw(self.db.dialect().statement(sql, values)).await;
        Ok(found.doing("looking for a newer run")?.is_some())
    }

    /// How many runs are on record.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run_count(&self) -> Result<u64, StoreError> {
        const DOING: &str = "counting runs";
        let row =
            self.db.query_one_raw(self.db.dialect().statement("SELECT count(*) FROM run", [])).await.doing(DOING)?;
        let count: i64 = row.map(|row| row.try_get_by_index(0).doing(DOING)).transpose()?.unwrap_or_default();
        Ok(count.unsigned_abs())
    }

    /// Forgets runs without changes that ended before `before`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_quiet_runs(&self, before: Instant) -> Result<u64, StoreError> {
        let _turn = self.turn().await;
        let old =
            run::Entity::delete_many().filter(run::Column::EndedAt.lt(before)).filter(run::Column::Position.is_null());
        Ok(old.exec(&self.db).await.doing("forgetting old runs")?.rows_affected)
    }
}
