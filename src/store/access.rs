//! Access as it stands: what a user has, who has something, and what a type's resources are open to.

use entitled_model::access::{Path, ResourceRef};
use entitled_model::{GrantId, GroupId, Permission, Position, SourceName, UserId};
use sea_orm::QueryResult;

use super::error::{Doing, StoreError};
use super::{Reader, Store};

/// Something read together with the position of the log that it is true at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<T> {
    pub position: Position,
    pub found: T,
}

/// A permission that a user has on a resource by a group, with one source of the membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRow {
    pub resource: ResourceRef,
    pub permission: String,
    pub path: Path,
}

/// A resource of a type, with one group that has a permission on it; none when nobody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverviewRow {
    pub resource_id: String,
    /// Whether the resource itself is known, beside what is given on it.
    pub known: bool,
    pub given: Option<(String, Path)>,
}

const DOING: &str = "reading who has access";

impl Store {
    /// What a user has on up to `resources_max` resources after `after`, by type and id; `only` narrows it to a type and a
    /// permission. Nothing for who is not active, none when there is no such user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn access_of_user(
        &self,
        conn: &impl Reader,
        user: UserId,
        only: Option<(&str, &Permission)>,
        after: &ResourceRef,
        resources_max: u64,
    ) -> Result<Option<Seen<(String, Vec<AccessRow>)>>, StoreError> {
        // Open rows are told in a way that keeps PostgreSQL from their index: see `check.rs`.
        let narrowed = if only.is_some() { "x.resource_type = $5 AND x.permission = $6 AND" } else { "" };
        let sql = format!(
            "WITH mine AS MATERIALIZED (
                SELECT m.group_id, m.source FROM membership m WHERE m.user_id = $1 AND COALESCE(m.to_position, 0) = 0),
            access AS (
                SELECT a.resource_type, a.resource_id, a.permission, a.group_id, a.id AS grant_id, i.source
                FROM mine i JOIN access_grant a ON a.group_id = i.group_id
                UNION ALL
                SELECT g.resource_type, g.resource_id, g.permission, g.id, NULL, i.source
                FROM mine i JOIN user_group g ON g.id = i.group_id WHERE g.resource_type IS NOT NULL),
            page AS (
                SELECT DISTINCT x.resource_type, x.resource_id FROM access x
                WHERE {narrowed} (x.resource_type, x.resource_id) > ($2, $3)
                ORDER BY x.resource_type, x.resource_id LIMIT $4),
            shown AS (
                SELECT x.resource_type, x.resource_id, x.permission, x.group_id, g.name, x.grant_id, x.source
                FROM page JOIN access x ON x.resource_type = page.resource_type AND x.resource_id = page.resource_id
                JOIN user_group g ON g.id = x.group_id AND g.ended_position IS NULL)
            SELECT h.position, u.status, s.resource_type, s.resource_id, s.permission, s.group_id, s.name, s.grant_id, s.source
            FROM event_head h CROSS JOIN user_account u LEFT JOIN shown s ON u.status = 'active'
            WHERE h.id = 1 AND u.id = $1
            ORDER BY s.resource_type, s.resource_id, s.permission, s.name, s.group_id, s.grant_id, s.source"
        );
        let limit = i64::try_from(resources_max).unwrap_or(i64::MAX);
        let mut values =
            vec![user.0.into(), after.resource_type.as_str().into(), after.resource_id.as_str().into(), limit.into()];
        values.extend(only.into_iter().flat_map(|(kind, permission)| [kind.into(), permission.as_str().into()]));
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        let Some(first) = found.first() else { return Ok(None) };
        let position = Position(first.try_get_by_index(0).doing(DOING)?);
        let status = first.try_get_by_index(1).doing(DOING)?;
        let mut rows = Vec::new();
        for row in &found {
            take(&mut rows, row)?;
        }
        Ok(Some(Seen { position, found: (status, rows) }))
    }

    /// Up to `rows_max` permissions after `after`, by name, that a user has on a resource. None of who is not active.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn permissions_of(
        &self,
        conn: &impl Reader,
        user: UserId,
        resource: &ResourceRef,
        after: &str,
        rows_max: u64,
    ) -> Result<Seen<Vec<String>>, StoreError> {
        // In the order and by the keys of a check: see `check.rs`.
        let sql = "WITH giving AS MATERIALIZED (
                SELECT group_id, permission FROM access_grant WHERE resource_type = $1 AND resource_id = $2
                UNION ALL
                SELECT id, permission FROM user_group
                WHERE resource_type = $1 AND resource_id = $2 AND ended_position IS NULL),
            found AS (
                SELECT DISTINCT g.permission FROM giving g CROSS JOIN membership m CROSS JOIN user_account u
                WHERE m.group_id = g.group_id AND m.user_id = $3 AND COALESCE(m.to_position, 0) = 0
                    AND u.id = m.user_id AND u.status = 'active' AND g.permission > $4
                ORDER BY g.permission LIMIT $5)
            SELECT h.position, f.permission FROM event_head h LEFT JOIN found f ON h.id = 1
            WHERE h.id = 1 ORDER BY f.permission";
        let ResourceRef { resource_type, resource_id } = resource;
        let values = [
            resource_type.as_str().into(),
            resource_id.as_str().into(),
            user.0.into(),
            after.into(),
            i64::try_from(rows_max).unwrap_or(i64::MAX).into(),
        ];
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        let first = found.first().ok_or_else(|| StoreError::damaged("the head of the log is missing"))?;
        let position = Position(first.try_get_by_index(0).doing(DOING)?);
        let name = |row: &QueryResult| row.try_get_by_index::<Option<String>>(1).doing(DOING).transpose();
        Ok(Seen { position, found: found.iter().filter_map(name).collect::<Result<_, _>>()? })
    }

    /// Up to `rows_max` active users after `after`, by id, who have a permission on a resource.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users_with(
        &self,
        conn: &impl Reader,
        permission: &Permission,
        resource: &ResourceRef,
        after: UserId,
        rows_max: u64,
    ) -> Result<Seen<Vec<UserId>>, StoreError> {
        let sql = "WITH giving AS (
                SELECT group_id FROM access_grant WHERE resource_type = $1 AND resource_id = $2 AND permission = $3
                UNION
                SELECT id FROM user_group
                WHERE resource_type = $1 AND resource_id = $2 AND permission = $3 AND ended_position IS NULL),
            found AS (
                SELECT DISTINCT m.user_id FROM giving g JOIN membership m ON m.group_id = g.group_id
                JOIN user_account u ON u.id = m.user_id
                WHERE COALESCE(m.to_position, 0) = 0 AND u.status = 'active' AND m.user_id > $4 ORDER BY m.user_id LIMIT $5)
            SELECT h.position, f.user_id FROM event_head h LEFT JOIN found f ON h.id = 1 WHERE h.id = 1 ORDER BY f.user_id";
        let ResourceRef { resource_type, resource_id } = resource;
        let values = [
            resource_type.as_str().into(),
            resource_id.as_str().into(),
            permission.as_str().into(),
            after.0.into(),
            i64::try_from(rows_max).unwrap_or(i64::MAX).into(),
        ];
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        let first = found.first().ok_or_else(|| StoreError::damaged("the head of the log is missing"))?;
        let position = Position(first.try_get_by_index(0).doing(DOING)?);
        let user = |row: &QueryResult| row.try_get_by_index::<Option<uuid::Uuid>>(1).doing(DOING);
        let users = found.iter().filter_map(|row| user(row).map(|user| user.map(UserId)).transpose());
        Ok(Seen { position, found: users.collect::<Result<_, _>>()? })
    }

    /// Up to `resources_max` resources of a type after `after`, by id: those that are known, and those that anybody was
    /// given something on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn overview(
        &self,
        conn: &impl Reader,
        resource_type: &str,
        after: &str,
        resources_max: u64,
    ) -> Result<Vec<OverviewRow>, StoreError> {
        let sql = "WITH page AS (
                SELECT resource_id FROM resource WHERE resource_type = $1 AND resource_id > $2
                UNION
                SELECT resource_id FROM access_grant WHERE resource_type = $1 AND resource_id > $2
                UNION
                SELECT resource_id FROM user_group
                WHERE resource_type = $1 AND resource_id > $2 AND ended_position IS NULL
                ORDER BY resource_id LIMIT $3),
            given AS (
                SELECT resource_id, permission, group_id, id AS grant_id FROM access_grant WHERE resource_type = $1
                UNION ALL
                SELECT resource_id, permission, id, NULL FROM user_group
                WHERE resource_type = $1 AND ended_position IS NULL)
            SELECT p.resource_id, r.resource_id IS NOT NULL, x.permission, x.group_id, g.name, x.grant_id
            FROM page p LEFT JOIN resource r ON r.resource_type = $1 AND r.resource_id = p.resource_id
            LEFT JOIN given x ON x.resource_id = p.resource_id
            LEFT JOIN user_group g ON g.id = x.group_id
            ORDER BY p.resource_id, x.permission, g.name, x.group_id, x.grant_id";
        let limit = i64::try_from(resources_max).unwrap_or(i64::MAX);
        let values = [resource_type.into(), after.into(), limit.into()];
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        found.iter().map(overview_row).collect()
    }
}

fn overview_row(row: &QueryResult) -> Result<OverviewRow, StoreError> {
    let group: Option<uuid::Uuid> = row.try_get_by_index(3).doing(DOING)?;
    let given = match group {
        None => None,
        Some(group) => {
            let grant: Option<uuid::Uuid> = row.try_get_by_index(5).doing(DOING)?;
            let name = row.try_get_by_index(4).doing(DOING)?;
            let path = Path { group: GroupId(group), name, grant: grant.map(GrantId), sources: Vec::new() };
            Some((row.try_get_by_index(2).doing(DOING)?, path))
        }
    };
    let (resource_id, known) = (row.try_get_by_index(0).doing(DOING)?, row.try_get_by_index(1).doing(DOING)?);
    Ok(OverviewRow { resource_id, known, given })
}

/// Takes one row; those that differ in their source alone follow each other.
fn take(rows: &mut Vec<AccessRow>, row: &QueryResult) -> Result<(), StoreError> {
    let group: Option<uuid::Uuid> = row.try_get_by_index(5).doing(DOING)?;
    let Some(group) = group.map(GroupId) else { return Ok(()) };
    let grant: Option<uuid::Uuid> = row.try_get_by_index(7).doing(DOING)?;
    let (resource_type, resource_id) = (row.try_get_by_index(2).doing(DOING)?, row.try_get_by_index(3).doing(DOING)?);
    let source = SourceName::stored(row.try_get_by_index(8).doing(DOING)?);
    let next = AccessRow {
        resource: ResourceRef { resource_type, resource_id },
        permission: row.try_get_by_index(4).doing(DOING)?,
        path: Path {
            group,
            name: row.try_get_by_index(6).doing(DOING)?,
            grant: grant.map(GrantId),
            sources: Vec::new(),
        },
    };
    let sources = |row: &AccessRow| AccessRow { path: Path { sources: Vec::new(), ..row.path.clone() }, ..row.clone() };
    match rows.last_mut() {
        Some(last) if sources(last) == next => last.path.sources.push(source),
        _ => rows.push(AccessRow { path: Path { sources: vec![source], ..next.path.clone() }, ..next }),
    }
    Ok(())
}
