//! Roles in entitled's own API: what is assigned, and who is an owner.

use entitled_model::desired::Pair;
use entitled_model::event::RoleSubject;
use entitled_model::role::Role;
use entitled_model::{GroupId, Instant, SourceName, UserId};
use sea_orm::{ConnectionTrait, QueryResult};

use super::error::{Doing, StoreError};
use super::{Reader, Store};

const DOING: &str = "reading roles";

/// The highest level that is assigned to the user `u` or to a group of theirs.
pub(super) const ASSIGNED_LEVEL: &str = "(SELECT max(r.level) FROM role_assignment r
    WHERE (r.subject_kind = 'user' AND r.subject_id = u.id)
       OR (r.subject_kind = 'group' AND r.subject_id IN (
           SELECT rm.group_id FROM membership rm JOIN user_group rg ON rg.id = rm.group_id
           WHERE rm.user_id = u.id AND COALESCE(rm.to_position, 0) = 0 AND rg.ended_position IS NULL)))";

/// A role that was assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAssignment {
    pub subject: RoleSubject,
    pub role: Role,
    pub since: Instant,
}

/// People who are owners by what sources say, and by that alone.
#[derive(Default)]
pub(super) struct OwnersBySources {
    pub by_group: Vec<(Pair, SourceName)>,
    pub by_directory: Vec<(UserId, SourceName)>,
}

fn assignment(row: &QueryResult) -> Result<RoleAssignment, StoreError> {
    let (kind, id): (String, uuid::Uuid) =
        (row.try_get_by_index(0).doing(DOING)?, row.try_get_by_index(1).doing(DOING)?);
    let level: i64 = row.try_get_by_index(2).doing(DOING)?;
    let role = Role::of_level(level).ok_or_else(|| StoreError::damaged("a role has an unknown level"))?;
    let subject = if kind == "user" { RoleSubject::User(UserId(id)) } else { RoleSubject::Group(GroupId(id)) };
    Ok(RoleAssignment { subject, role, since: row.try_get_by_index(3).doing(DOING)? })
}

impl Store {
    /// The role that is assigned to a subject itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn role_of(&self, conn: &impl Reader, subject: RoleSubject) -> Result<Option<Role>, StoreError> {
        let sql = "SELECT subject_kind, subject_id, level, since_at FROM role_assignment
            WHERE subject_kind = $1 AND subject_id = $2";
        let values = [subject.kind().into(), subject.id().into()];
        let row = conn.query_one_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        row.map(|row| assignment(&row).map(|assignment| assignment.role)).transpose()
    }

    /// Up to `rows_max` assignments whose subjects' ids follow `after`, by id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn roles_after(
        &self,
        after: Option<uuid::Uuid>,
        rows_max: u64,
    ) -> Result<Vec<RoleAssignment>, StoreError> {
        let sql = "SELECT subject_kind, subject_id, level, since_at FROM role_assignment
            WHERE subject_id > $1 ORDER BY subject_id, subject_kind LIMIT $2";
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let values = [after.unwrap_or_else(uuid::Uuid::nil).into(), limit.into()];
        let found = self.db.query_all_raw(self.db.dialect().statement(sql, values)).await.doing(DOING)?;
        found.iter().map(assignment).collect()
    }

    /// Where nobody is an owner by a role of their own or in `Admin`: the active people who are one by a group's role, with each
    /// support, and those who are one as the administrators of a directory, with each source; the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn owners_by_sources(&self, conn: &impl Reader) -> Result<OwnersBySources, StoreError> {
        // `MATERIALIZED` and `CROSS JOIN` keep the order, and what is asked of each candidate is asked by key: PostgreSQL would
        // find the candidates anew for each user until the tables are first analysed, and SQLite go through all memberships.
        let sql = "WITH giving AS MATERIALIZED (
                 SELECT g.id FROM role_assignment r CROSS JOIN user_group g
                 WHERE r.subject_kind = 'group' AND r.level >= $1 AND g.id = r.subject_id AND g.ended_position IS NULL),
             candidate AS MATERIALIZED (
                 SELECT m.group_id, m.user_id, m.source, m.from_position AS since FROM giving o CROSS JOIN membership m
                 WHERE m.group_id = o.id AND COALESCE(m.to_position, 0) = 0
                 UNION ALL SELECT NULL, da.user_id, da.source, da.since_position FROM directory_administrator da)
             SELECT c.group_id, c.user_id, c.source FROM candidate c
             WHERE (SELECT u.status = 'active' AND u.kind = 'person' AND COALESCE(p.email, p.sub) IS NOT NULL
                   FROM user_account u JOIN user_profile p ON p.user_id = u.id WHERE u.id = c.user_id)
               AND NOT EXISTS (SELECT 1 FROM role_assignment r JOIN user_account a ON a.id = r.subject_id
                   WHERE r.subject_kind = 'user' AND r.level >= $1 AND a.status = 'active' AND a.kind = 'person')
               AND NOT EXISTS (SELECT 1 FROM membership d JOIN user_account a ON a.id = d.user_id
                   WHERE d.group_id = $2 AND COALESCE(d.to_position, 0) = 0 AND a.status = 'active' AND a.kind = 'person')
             ORDER BY c.since, c.user_id";
        let values = [Role::Owner.level().into(), GroupId::ADMIN.0.into()];
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        let mut owners = OwnersBySources::default();
        for row in &found {
            let group: Option<uuid::Uuid> = row.try_get_by_index(0).doing(DOING)?;
            let user = UserId(row.try_get_by_index(1).doing(DOING)?);
            let source = SourceName::stored(row.try_get_by_index(2).doing(DOING)?);
            match group {
                Some(group) => owners.by_group.push(((GroupId(group), user), source)),
                None => owners.by_directory.push((user, source)),
            }
        }
        Ok(owners)
    }

    /// How many active people are owners: by a role of their own, by a group's, in `Admin`, or by a
    /// directory's word.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn owners(&self, conn: &impl Reader) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM user_account u
             JOIN user_profile p ON p.user_id = u.id AND (p.email IS NOT NULL OR p.sub IS NOT NULL)
             WHERE u.status = 'active' AND u.kind = 'person' AND u.id IN (
                 SELECT m.user_id FROM membership m JOIN user_group g ON g.id = m.group_id
                 WHERE COALESCE(m.to_position, 0) = 0 AND g.ended_position IS NULL AND (m.group_id = $2 OR m.group_id IN (
                     SELECT r.subject_id FROM role_assignment r WHERE r.subject_kind = 'group' AND r.level >= $1))
                 UNION SELECT r.subject_id FROM role_assignment r WHERE r.subject_kind = 'user' AND r.level >= $1
                 UNION SELECT da.user_id FROM directory_administrator da)";
        let values = [Role::Owner.level().into(), GroupId::ADMIN.0.into()];
        let row = conn.query_one_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        let count: i64 = row.map(|row| row.try_get_by_index(0).doing(DOING)).transpose()?.unwrap_or_default();
        Ok(count.unsigned_abs())
    }
}
