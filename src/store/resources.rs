//! Resources, and who is entitled to one that is being provisioned.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::resource::Attributes;
use entitled_model::{GroupId, Instant, SourceName, UserId};
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::Value;

use super::error::{Doing, StoreError};
use super::sql::rows;
use super::{Reader, Store};

/// A resource, as it has been since its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub resource_id: String,
    pub attributes: Attributes,
    pub since_at: Instant,
}

const DOING: &str = "reading resources";

fn resource(row: &QueryResult) -> Result<Resource, StoreError> {
    Ok(Resource {
        resource_id: row.try_get_by_index(0).doing(DOING)?,
        attributes: Attributes::stored(row.try_get_by_index(1).doing(DOING)?),
        since_at: row.try_get_by_index(2).doing(DOING)?,
    })
}

impl Store {
    /// Those of `ids` that are provisioned, with their attributes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn provisioned(
        &self,
        conn: &impl Reader,
        resource_type: &str,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Attributes>, StoreError> {
        let d = conn.dialect();
        let sql = format!(
            "SELECT resource_id, attributes, since_at FROM resource
             WHERE resource_type = $1 AND resource_id IN (SELECT {} FROM {})",
            d.text(0),
            d.each("$2")
        );
        let ids: Vec<[&String; 1]> = ids.iter().map(|id| [id]).collect();
        let found = conn.query_all_raw(d.statement(sql, [resource_type.into(), rows(&ids)])).await.doing(DOING)?;
        let read = |row: &QueryResult| resource(row).map(|resource| (resource.resource_id, resource.attributes));
        found.iter().map(read).collect()
    }

    /// Up to `rows_max` resources of a type, by id, after `after`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resources(
        &self,
        resource_type: &str,
        after: &str,
        rows_max: u64,
    ) -> Result<Vec<Resource>, StoreError> {
        let d = self.db.dialect();
        let sql = "SELECT resource_id, attributes, since_at FROM resource
            WHERE resource_type = $1 AND resource_id > $2 ORDER BY resource_id LIMIT $3";
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let values = [resource_type.into(), after.into(), limit.into()];
        let found = self.db.query_all_raw(d.statement(sql, values)).await.doing(DOING)?;
        found.iter().map(resource).collect()
    }

    /// The users of whom `source` states the set-valued entitlement `key`, with the values that mention `resource_id` in
    /// any spelling; the caller reads each value exactly.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entitled_to(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        key: &str,
        resource_id: &str,
    ) -> Result<Vec<(UserId, Value)>, StoreError> {
        const DOING: &str = "looking for those who are entitled to a resource";
        let d = conn.dialect();
        // lower() folds ASCII alone on SQLite: an id beyond it is looked for in all values.
        let mentions = if resource_id.is_ascii() { d.mentions("value", "$3") } else { "$3 <> ''".to_owned() };
        let sql = format!("SELECT user_id, value FROM entitlement WHERE source = $1 AND key = $2 AND {mentions}");
        let values = [source.as_str().into(), key.into(), resource_id.into()];
        let found = conn.query_all_raw(d.statement(sql, values)).await.doing(DOING)?;
        let mut users = Vec::new();
        for row in &found {
            let value: String = row.try_get_by_index(1).doing(DOING)?;
            let value = serde_json::from_str(&value).unwrap_or(Value::Null);
            users.push((UserId(row.try_get_by_index(0).doing(DOING)?), value));
        }
        Ok(users)
    }

    /// The users who are in a group by `source`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users_in(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        group: GroupId,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        const DOING: &str = "reading a group's members";
        let d = conn.dialect();
        let sql = "SELECT user_id FROM membership WHERE source = $1 AND group_id = $2 AND to_position IS NULL";
        let found =
            conn.query_all_raw(d.statement(sql, [source.as_str().into(), group.0.into()])).await.doing(DOING)?;
        found.iter().map(|row| Ok(UserId(row.try_get_by_index(0).doing(DOING)?))).collect()
    }
}
