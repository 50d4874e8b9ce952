//! Observation marks: when each source was last observed, per user and as a whole. Newest observation wins.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::Verdict;
use entitled_model::{Instant, RunId, SourceName, UserId};
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::json;
use uuid::Uuid;

use super::error::{Doing, StoreError};
use super::sql::{Among, Field, STATEMENT_ROWS_MAX, rows, time};
use super::{Reader, Store, Unit};

/// Stands for the source as a whole.
const WHOLE: UserId = UserId(Uuid::nil());

const DOING: &str = "reading observation marks";

/// When an applied observation began and ended, and whether it asked to deny a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub began_at: Instant,
    pub completed_at: Instant,
    pub verdict: Option<String>,
}

/// The marks that matter to one user: the newest of their own, and the newest of the source as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    pub user: Option<Mark>,
    pub whole: Option<Mark>,
}

impl Observed {
    /// The newest mark of either kind.
    #[must_use]
    pub fn newest(&self) -> Option<&Mark> {
        self.user.iter().chain(&self.whole).max_by_key(|mark| mark.began_at)
    }
}

/// The marks of some users, and of the source as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    pub whole: Option<Mark>,
    pub users: BTreeMap<UserId, Mark>,
}

fn mark(row: &QueryResult) -> Result<(UserId, Mark), StoreError> {
    let mark = Mark {
        began_at: row.try_get_by_index(1).doing(DOING)?,
        completed_at: row.try_get_by_index(2).doing(DOING)?,
        verdict: row.try_get_by_index(3).doing(DOING)?,
    };
    Ok((UserId(row.try_get_by_index(0).doing(DOING)?), mark))
}

impl Store {
    /// The newest beginning of any applied observation of `source`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn latest_begin(&self, conn: &impl Reader, source: &SourceName) -> Result<Option<Instant>, StoreError> {
        let d = conn.dialect();
        let sql = "SELECT began_at FROM observation WHERE source = $1 ORDER BY began_at DESC LIMIT 1";
        let row = conn.query_one_raw(d.statement(sql, [source.as_str().into()])).await.doing(DOING)?;
        row.map(|row| row.try_get_by_index(0).doing(DOING)).transpose()
    }

    /// The marks of these users, and of the source as a whole.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn marks_of_users(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        users: &[UserId],
    ) -> Result<Marks, StoreError> {
        let d = conn.dialect();
        let users = users.iter().copied().chain([WHOLE]);
        let Among { condition, values } = d.users_among("user_id", 2, users);
        let sql = format!(
            "SELECT user_id, began_at, completed_at, verdict FROM observation WHERE source = $1 AND {condition}"
        );
        let values = std::iter::once(source.as_str().into()).chain(values);
        let rows = conn.query_all_raw(d.statement(sql, values)).await.doing(DOING)?;
        let mut users = rows.iter().map(mark).collect::<Result<BTreeMap<_, _>, _>>()?;
        Ok(Marks { whole: users.remove(&WHOLE), users })
    }

    /// The marks that each source has on a user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn observed(
        &self,
        conn: &impl Reader,
        user: UserId,
    ) -> Result<BTreeMap<SourceName, Observed>, StoreError> {
        let d = conn.dialect();
        // The key begins with the source: without the few that there are, every mark would be looked at.
        let sql =
            "SELECT o.user_id, o.began_at, o.completed_at, o.verdict, o.source FROM source s CROSS JOIN observation o
            WHERE o.source = s.name AND o.user_id IN ($1, $2)";
        let rows = conn.query_all_raw(d.statement(sql, [user.0.into(), WHOLE.0.into()])).await.doing(DOING)?;
        let mut found: BTreeMap<SourceName, Observed> = BTreeMap::new();
        for row in &rows {
            let (of, mark) = mark(row)?;
            let observed = found.entry(SourceName::stored(row.try_get_by_index(4).doing(DOING)?)).or_default();
            if of == WHOLE {
                observed.whole = Some(mark);
            } else {
                observed.user = Some(mark);
            }
        }
        Ok(found)
    }

    /// The users of whom `source` said something that began after `began_at`; `None` when the source as a whole did.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn superseded(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        began_at: Instant,
    ) -> Result<Option<BTreeSet<UserId>>, StoreError> {
        let d = conn.dialect();
        let sql = "SELECT user_id FROM observation WHERE source = $1 AND began_at > $2";
        let rows =
            conn.query_all_raw(d.statement(sql, [source.as_str().into(), began_at.into()])).await.doing(DOING)?;
        let users: Result<BTreeSet<UserId>, StoreError> =
            rows.iter().map(|row| Ok(UserId(row.try_get_by_index(0).doing(DOING)?))).collect();
        let users = users?;
        Ok((!users.contains(&WHOLE)).then_some(users))
    }
}

/// An observation that is being applied: of whom (`None`: the source as a whole), when it began and ended, its verdict.
pub type Applied = (Option<UserId>, Instant, Instant, Option<Verdict>);

impl Unit {
    /// Remembers observations as the newest of their kind; one that began before the remembered one changes nothing.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn mark_observed(
        &mut self,
        source: &SourceName,
        run: RunId,
        applied: &[Applied],
    ) -> Result<(), StoreError> {
        let marks: Vec<_> = applied.iter().map(|applied| (source, run, applied)).collect();
        self.mark_all_observed(&marks).await
    }

    /// The same, of several runs and sources; each user of a source once.
    pub(super) async fn mark_all_observed(
        &mut self,
        marks: &[(&SourceName, RunId, &Applied)],
    ) -> Result<(), StoreError> {
        let d = self.dialect();
        let columns = [
            ("source", Field::Text),
            ("user_id", Field::Uuid),
            ("began_at", Field::Time),
            ("completed_at", Field::Time),
            ("run_id", Field::Uuid),
            ("verdict", Field::Text),
        ];
        let newest = "ON CONFLICT (source, user_id) DO UPDATE SET began_at = excluded.began_at,
                completed_at = excluded.completed_at, run_id = excluded.run_id, verdict = excluded.verdict
             WHERE excluded.began_at > observation.began_at";
        let sql = d.insert("observation", &columns, newest);
        for chunk in marks.chunks(STATEMENT_ROWS_MAX) {
            let chunk: Vec<_> = chunk
                .iter()
                .map(|(source, run, (user, began_at, completed_at, verdict))| {
                    let verdict = verdict.map(Verdict::as_str);
                    json!([source, user.unwrap_or(WHOLE), time(*began_at), time(*completed_at), run, verdict])
                })
                .collect();
            let statement = d.statement(&sql, [rows(&chunk)]);
            self.reader().execute_raw(statement).await.doing("writing observation marks")?;
        }
        Ok(())
    }
}
