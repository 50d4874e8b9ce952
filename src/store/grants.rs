//! Grants: permissions on resources that administrators have given to groups.

use entitled_model::event::Granted;
use entitled_model::{GrantId, GroupId, Instant};
use sea_orm::{QueryResult, Value};

use super::error::{Doing, StoreError};
use super::{Reader, Store};

/// A grant, with the name of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    pub group: GroupId,
    pub group_name: String,
    pub granted: Granted,
    pub created_at: Instant,
}

/// Which grants are asked for; what is none does not matter.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub group: Option<GroupId>,
}

const DOING: &str = "reading grants";
const SELECT: &str = "SELECT a.id, a.group_id, g.name, a.permission, a.resource_type, a.resource_id, a.since_at
    FROM access_grant a JOIN user_group g ON g.id = a.group_id";

fn record(row: &QueryResult) -> Result<GrantRecord, StoreError> {
    Ok(GrantRecord {
        group: GroupId(row.try_get_by_index(1).doing(DOING)?),
        group_name: row.try_get_by_index(2).doing(DOING)?,
        granted: Granted {
            grant: GrantId(row.try_get_by_index(0).doing(DOING)?),
            permission: row.try_get_by_index(3).doing(DOING)?,
            resource_type: row.try_get_by_index(4).doing(DOING)?,
            resource_id: row.try_get_by_index(5).doing(DOING)?,
        },
        created_at: row.try_get_by_index(6).doing(DOING)?,
    })
}

impl Store {
    /// The grant of that id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn grant_by_id(&self, conn: &impl Reader, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        let statement = conn.dialect().statement(format!("{SELECT} WHERE a.id = $1"), [id.0.into()]);
        conn.query_one_raw(statement).await.doing(DOING)?.as_ref().map(record).transpose()
    }

    /// Whether a group has this permission on that resource by a grant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_granted(
        &self,
        conn: &impl Reader,
        group: GroupId,
        permission: &str,
        resource_type: &str,
        resource_id: &str,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM access_grant
            WHERE resource_type = $1 AND resource_id = $2 AND permission = $3 AND group_id = $4";
        let values = [resource_type.into(), resource_id.into(), permission.into(), group.0.into()];
        Ok(conn.query_one_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?.is_some())
    }

    /// All that a group has by grants, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn grants_of_group(&self, conn: &impl Reader, group: GroupId) -> Result<Vec<Granted>, StoreError> {
        let sql = format!("{SELECT} WHERE a.group_id = $1 ORDER BY a.id");
        let found = conn.query_all_raw(conn.dialect().statement(sql, [group.0.into()])).await.doing(DOING)?;
        found.iter().map(|row| record(row).map(|record| record.granted)).collect()
    }

    /// Up to `rows_max` grants whose ids follow `after`, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn grants_after(
        &self,
        conn: &impl Reader,
        filter: &GrantFilter,
        after: Option<GrantId>,
        rows_max: u64,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let GrantFilter { resource_type, resource_id, group } = filter;
        let mut values: Vec<Value> = vec![after.map_or(uuid::Uuid::nil(), |after| after.0).into()];
        values.push(i64::try_from(rows_max).unwrap_or(i64::MAX).into());
        let mut sql = format!("{SELECT} WHERE a.id > $1");
        let asked: [(&str, Option<Value>); 3] = [
            ("a.resource_type", resource_type.clone().map(Value::from)),
            ("a.resource_id", resource_id.clone().map(Value::from)),
            ("a.group_id", group.map(|group| group.0.into())),
        ];
        for (column, value) in asked.into_iter().filter_map(|(column, value)| Some((column, value?))) {
            values.push(value);
            sql = format!("{sql} AND {column} = ${}", values.len());
        }
        let statement = conn.dialect().statement(format!("{sql} ORDER BY a.id LIMIT $2"), values);
        conn.query_all_raw(statement).await.doing(DOING)?.iter().map(record).collect()
    }
}
