//! Paths: through which groups within it a member is in a directory's group. A direct member has none.
//!
//! They stand beside the log: a path that changes is no event, because the membership stays what it is.

use std::collections::BTreeMap;

use entitled_model::desired::Pair;
use entitled_model::path::{Comparison, PathChanges, Way};
use entitled_model::plan::Plan;
use entitled_model::{GroupId, SourceName, UserId};
use futures_util::TryStreamExt;
use sea_orm::QueryResult;

use super::error::{Doing, StoreError};
use super::sql::Field;
use super::{Reader, Store, Unit};

const DOING: &str = "reading paths of memberships";

impl Store {
    /// Tells `comparison` what is stored of a source; `listed` is all that should be stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn compare_paths(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        listed: &[Pair],
        comparison: &mut Comparison,
    ) -> Result<(), StoreError> {
        let sql = "SELECT group_id, user_id, path FROM membership_path WHERE source = $1 ORDER BY group_id, user_id";
        let statement = conn.dialect().statement(sql, [source.as_str().into()]);
        // One row at a time: a whole directory's are many.
        let mut rows = Box::pin(conn.stream_raw(statement).await.doing(DOING)?);
        while let Some(row) = rows.try_next().await.doing(DOING)? {
            let pair = (GroupId(row.try_get_by_index(0).doing(DOING)?), UserId(row.try_get_by_index(1).doing(DOING)?));
            let path: String = row.try_get_by_index(2).doing(DOING)?;
            comparison.stored(listed, pair, &path);
        }
        Ok(())
    }

    /// How a user is in a group by each source; by one that is not here, directly.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ways(
        &self,
        conn: &impl Reader,
        group: GroupId,
        user: UserId,
    ) -> Result<BTreeMap<SourceName, Way>, StoreError> {
        let sql = "SELECT source, path FROM membership_path WHERE user_id = $1 AND group_id = $2";
        let statement = conn.dialect().statement(sql, [user.0.into(), group.0.into()]);
        let found = conn.query_all_raw(statement).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            let source = SourceName::stored(row.try_get_by_index(0).doing(DOING)?);
            let path: String = row.try_get_by_index(1).doing(DOING)?;
            let damaged = |_| StoreError::damaged("the path of a membership is no list of names");
            Ok((source, Way::read(&path).map_err(damaged)?))
        };
        found.iter().map(read).collect()
    }
}

impl Unit {
    /// Writes what a plan changes about paths, no row that says so already: the memberships are what the plan says by then.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn write_paths(
        &mut self,
        source: &SourceName,
        changes: &PathChanges,
        plan: &Plan,
    ) -> Result<(), StoreError> {
        let d = self.dialect();
        let drop = format!(
            "DELETE FROM membership_path WHERE (source, group_id, user_id) IN (SELECT {}, {}, {} FROM {})",
            d.text(0),
            d.uuid(1),
            d.uuid(2),
            d.each("$1")
        );
        let dropped = changes.dropped(plan);
        self.write_rows(&drop, dropped.iter().map(|(group, user)| (source, group, user))).await?;
        let columns =
            [("source", Field::Text), ("group_id", Field::Uuid), ("user_id", Field::Uuid), ("path", Field::Text)];
        let differing = format!(
            "AND NOT EXISTS (SELECT 1 FROM membership_path p
                WHERE p.source = {} AND p.group_id = {} AND p.user_id = {} AND p.path = {})
             ON CONFLICT (source, group_id, user_id) DO UPDATE SET path = excluded.path",
            d.text(0),
            d.uuid(1),
            d.uuid(2),
            d.text(3)
        );
        let put = d.insert("membership_path", &columns, &differing);
        self.write_rows(&put, changes.put(plan).map(|((group, user), path)| (source, group, user, path))).await
    }
}
