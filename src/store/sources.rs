//! Sources, as the store knows them: what each holds, and what is left of those that are no longer configured.

use std::collections::BTreeSet;

use entitled_model::{SourceName, UserId};
use sea_orm::ConnectionTrait;

use super::error::{Doing, StoreError};
use super::{Reader, Store, Unit};

/// What stands beside the log of a source.
const BESIDE_THE_LOG: [&str; 7] = [
    "directory_account",
    "directory_address",
    "directory_look_up",
    "vanished_group",
    "membership_path",
    "held_plan",
    "observation",
];

impl Store {
    /// The sources beyond `configured` that hold memberships, entitlements, suspensions, accounts or groups, by name.
    /// Administrators, the seed and break-glass are no sources in this sense.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orphaned_sources(
        &self,
        conn: &impl Reader,
        configured: &BTreeSet<SourceName>,
    ) -> Result<Vec<SourceName>, StoreError> {
        const DOING: &str = "looking for sources that are no longer configured";
        let sql = "SELECT name FROM source s WHERE
               EXISTS (SELECT 1 FROM membership m WHERE m.source = s.name AND m.to_position IS NULL)
            OR EXISTS (SELECT 1 FROM entitlement e WHERE e.source = s.name)
            OR EXISTS (SELECT 1 FROM suspension u WHERE u.source = s.name)
            OR EXISTS (SELECT 1 FROM directory_administrator o WHERE o.source = s.name)
            OR EXISTS (SELECT 1 FROM directory_account a WHERE a.source = s.name)
            OR EXISTS (SELECT 1 FROM directory_address d WHERE d.source = s.name)
            OR EXISTS (SELECT 1 FROM user_group g WHERE g.managed_by = s.name AND g.ended_position IS NULL)
            ORDER BY name";
        let found = conn.query_all_raw(conn.dialect().statement(sql, [])).await.doing(DOING)?;
        let mut orphaned = Vec::new();
        for row in &found {
            let name = SourceName::stored(row.try_get_by_index(0).doing(DOING)?);
            if !name.is_reserved() && !configured.contains(&name) {
                orphaned.push(name);
            }
        }
        Ok(orphaned)
    }

    /// The users whom a source has suspended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn suspended_by(&self, conn: &impl Reader, source: &SourceName) -> Result<BTreeSet<UserId>, StoreError> {
        const DOING: &str = "reading whom a source has suspended";
        let sql = "SELECT user_id FROM suspension WHERE source = $1";
        let found = conn.query_all_raw(conn.dialect().statement(sql, [source.as_str().into()])).await.doing(DOING)?;
        found.iter().map(|row| Ok(UserId(row.try_get_by_index(0).doing(DOING)?))).collect()
    }
}

impl Unit {
    /// Forgets what stands beside the log of a source: accounts, addresses, paths, marks, held plans.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_source(&mut self, source: &SourceName) -> Result<(), StoreError> {
        for table in BESIDE_THE_LOG {
            let sql = format!("DELETE FROM {table} WHERE source = $1");
            let forget = self.dialect().statement(sql, [source.as_str().into()]);
            self.reader().execute_raw(forget).await.doing("forgetting a source")?;
        }
        Ok(())
    }
}
