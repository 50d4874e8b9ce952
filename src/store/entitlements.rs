//! Entitlements: what backends state about users.

use std::collections::BTreeMap;

use entitled_entity::entitlement;
use entitled_model::entitlement::{EntitlementValue, Entitlements};
use entitled_model::{SourceName, UserId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult};

use super::error::{Doing, StoreError};
use super::sql::ids;
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
        let sql = format!(
            "SELECT user_id, key, value FROM entitlement WHERE source = $1 AND user_id IN (SELECT {} FROM {})",
            d.uuid(0),
            d.each("$2")
        );
        let asked = ids(users.iter().map(|user| user.0));
        let rows = conn.query_all_raw(d.statement(sql, [source.as_str().into(), asked])).await.doing(DOING)?;
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
