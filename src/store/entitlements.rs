//! Entitlements: what backends state about users.

use std::collections::BTreeMap;

use entitled_entity::entitlement;
use entitled_model::entitlement::{EntitlementKey, EntitlementValue, Entitlements};
use entitled_model::{SourceName, UserId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult};

use super::error::{Doing, StoreError};
use super::sql::Among;
use super::{Reader, Store};

const DOING: &str = "reading entitlements";

impl Store {
    /// What `source` stated about these users.
    pub(super) async fn entitlements_of(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        users: &[UserId],
    ) -> Result<BTreeMap<UserId, Entitlements>, StoreError> {
        let d = conn.dialect();
        let Among { condition, values } = d.users_among("user_id", 2, users.iter().copied());
        let sql = format!("SELECT user_id, key, value FROM entitlement WHERE source = $1 AND {condition}");
        let values = std::iter::once(source.as_str().into()).chain(values);
        let rows = conn.query_all_raw(d.statement(sql, values)).await.doing(DOING)?;
        by_user(&rows)
    }

    /// Everything that `source` stated.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entitlements_of_source(
        &self,
        conn: &impl Reader,
        source: &SourceName,
    ) -> Result<BTreeMap<UserId, Entitlements>, StoreError> {
        let sql = "SELECT user_id, key, value FROM entitlement WHERE source = $1";
        let rows = conn.query_all_raw(conn.dialect().statement(sql, [source.as_str().into()])).await.doing(DOING)?;
        by_user(&rows)
    }

    /// Up to `rows_max` of what every source stated about a user after a source and key, by source and key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entitlements_after(
        &self,
        conn: &impl Reader,
        user: UserId,
        (source, key): (&str, &str),
        rows_max: u64,
    ) -> Result<Vec<(SourceName, EntitlementKey, EntitlementValue)>, StoreError> {
        let sql = "SELECT source, key, value FROM entitlement
            WHERE user_id = $1 AND (source, key) > ($2, $3) ORDER BY source, key LIMIT $4";
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let values = [user.0.into(), source.into(), key.into(), limit.into()];
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        let stated = |row: &QueryResult| {
            let source = SourceName::stored(row.try_get_by_index(0).doing(DOING)?);
            let value = EntitlementValue::stored(row.try_get_by_index(2).doing(DOING)?);
            Ok((source, row.try_get_by_index(1).doing(DOING)?, value))
        };
        found.iter().map(stated).collect()
    }

    /// What every source stated about a user, by source.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entitlements_of_user(
        &self,
        conn: &impl Reader,
        user: UserId,
    ) -> Result<BTreeMap<SourceName, Entitlements>, StoreError> {
        let rows = entitlement::Entity::find()
            .filter(entitlement::Column::UserId.eq(user.0))
            .order_by_asc(entitlement::Column::Source)
            .all(conn)
            .await
            .doing(DOING)?;
        let mut found: BTreeMap<SourceName, Entitlements> = BTreeMap::new();
        for row in rows {
            let stated = found.entry(SourceName::stored(row.source)).or_default();
            stated.insert(row.key, EntitlementValue::stored(row.value));
        }
        Ok(found)
    }
}

/// Rows of user, key and value.
fn by_user(rows: &[QueryResult]) -> Result<BTreeMap<UserId, Entitlements>, StoreError> {
    let mut found: BTreeMap<UserId, Entitlements> = BTreeMap::new();
    for row in rows {
        let user = UserId(row.try_get_by_index(0).doing(DOING)?);
        let value = EntitlementValue::stored(row.try_get_by_index(2).doing(DOING)?);
        found.entry(user).or_default().insert(row.try_get_by_index(1).doing(DOING)?, value);
    }
    Ok(found)
}
