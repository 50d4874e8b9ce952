//! Memberships: who is in what, by which source.

use std::collections::BTreeMap;

use entitled_model::desired::Pair;
use entitled_model::plan::Stored;
use entitled_model::{Facet, GroupId, Instant, SourceName, UserId};
use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};

use super::error::{Doing, StoreError};
use super::roles::OwnersBySources;
use super::sql::{Among, unpacked};
use super::{Reader, Store};

/// An open membership, with the names of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRow {
    pub group: String,
    pub user: UserId,
    pub source: SourceName,
    pub added_at: Instant,
    /// Its source no longer lists it, and it goes from then on.
    pub due_at: Option<Instant>,
}

/// Where a list of waiting removals goes on: behind this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePlace {
    pub due_at: Instant,
    pub group: String,
    pub user: UserId,
    pub source: SourceName,
}

impl DuePlace {
    /// That of a membership whose removal waits.
    #[must_use]
    pub fn of(row: &MembershipRow) -> Option<Self> {
        let MembershipRow { group, user, source, due_at, .. } = row.clone();
        Some(Self { due_at: due_at?, group, user, source })
    }
}

/// A membership that was given by hand until an instant that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    pub group: GroupId,
    pub user: UserId,
    pub source: SourceName,
    /// It was kept before, and that was told.
    pub blocked: bool,
}

const DOING: &str = "reading memberships";

// Where neither a whole source nor a source's group is read, the open rows are those of `COALESCE(to_position, 0) = 0`: the
// databases do not recognise them so, and keep from the index of open rows, which begins with the source. SQLite would read
// all that the source has, and PostgreSQL the whole of it until the table is first analysed.

impl Store {
    /// What the store holds of `source` about these users.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stored_of_users(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        users: &[UserId],
    ) -> Result<Stored, StoreError> {
        let d = conn.dialect();
        let Among { condition, values } = d.users_among("m.user_id", 2, users.iter().copied());
        let sql = format!(
            "SELECT m.group_id, m.user_id, m.blocked_position, m.due_at, g.resource_type, g.permission
             FROM membership m JOIN user_group g ON g.id = m.group_id
             WHERE m.source = $1 AND COALESCE(m.to_position, 0) = 0 AND {condition}
             ORDER BY m.group_id, m.user_id"
        );
        let mut stored = Stored::default();
        let statement = d.statement(sql, std::iter::once(source.as_str().into()).chain(values));
        let mut rows = Box::pin(conn.stream_raw(statement).await.doing(DOING)?);
        while let Some(row) = rows.try_next().await.doing(DOING)? {
            let pair = take_waiting(&mut stored, &row)?;
            stored.pairs.push(pair);
            let resource_type: Option<String> = row.try_get_by_index(4).doing(DOING)?;
            let permission: Option<String> = row.try_get_by_index(5).doing(DOING)?;
            if let (Some(resource_type), Some(permission)) = (resource_type, permission) {
                stored.facets.insert(pair.0, Facet { resource_type, permission });
            }
        }
        drop(rows);
        stored.entitlements = self.entitlements_of(conn, source, users).await?;
        Ok(stored)
    }

    /// All memberships that the store holds of `source`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stored_of_source(&self, conn: &impl Reader, source: &SourceName) -> Result<Stored, StoreError> {
        let d = conn.dialect();
        let mut stored = Stored::default();
        // Most are nothing but a pair, and a row for each costs several times what it holds.
        let sql = format!(
            "SELECT group_id, {} FROM membership WHERE source = $1 AND to_position IS NULL
             GROUP BY group_id ORDER BY group_id",
            d.packed("user_id")
        );
        let mut groups = Box::pin(conn.stream_raw(d.statement(sql, [source.as_str().into()])).await.doing(DOING)?);
        while let Some(row) = groups.try_next().await.doing(DOING)? {
            take_group(&mut stored, &row)?;
        }
        drop(groups);
        let open = "SELECT group_id, user_id, blocked_position, due_at FROM membership
            WHERE source = $1 AND to_position IS NULL";
        let sql = format!(
            "{open} AND blocked_position IS NOT NULL UNION ALL {open} AND due_at IS NOT NULL AND blocked_position IS NULL"
        );
        for row in conn.query_all_raw(d.statement(sql, [source.as_str().into()])).await.doing(DOING)? {
            take_waiting(&mut stored, &row)?;
        }
        Ok(stored)
    }

    /// The same, and who must not all go, whatever a source says.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn with_guardians(&self, conn: &impl Reader, stored: Stored) -> Result<Stored, StoreError> {
        let (admins, owners) = (self.administrators(conn).await?, self.owners_by_sources(conn).await?);
        let OwnersBySources { by_group: owners, by_directory: directory_owners } = owners;
        Ok(Stored { admins, owners, directory_owners, ..stored })
    }

    /// Active people in `Admin` with each source that supports them, oldest support first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn administrators(&self, conn: &impl Reader) -> Result<Vec<(UserId, SourceName)>, StoreError> {
        let d = conn.dialect();
        // Whoever can't log in by any name can't administer either.
        let sql = "SELECT m.user_id, m.source FROM membership m JOIN user_account u ON u.id = m.user_id
            JOIN user_profile p ON p.user_id = u.id AND (p.email IS NOT NULL OR p.sub IS NOT NULL)
            WHERE m.group_id = $1 AND COALESCE(m.to_position, 0) = 0 AND u.status = 'active' AND u.kind = 'person'
            ORDER BY m.from_position, m.user_id";
        let rows = conn.query_all_raw(d.statement(sql, [GroupId::ADMIN.0.into()])).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            let source = SourceName::stored(row.try_get_by_index(1).doing(DOING)?);
            Ok((UserId(row.try_get_by_index(0).doing(DOING)?), source))
        };
        rows.iter().map(read).collect()
    }

    /// A user's open memberships, by group and source.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships_of_user(
        &self,
        conn: &impl Reader,
        user: UserId,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        self.membership_rows(conn, "m.user_id", user.0).await
    }

    /// A group's open memberships, by user and source.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships_of_group(
        &self,
        conn: &impl Reader,
        group: GroupId,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        self.membership_rows(conn, "m.group_id", group.0).await
    }

    /// The sources by which a user is in a group.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships_of_user_in(
        &self,
        conn: &impl Reader,
        user: UserId,
        group: GroupId,
    ) -> Result<Vec<SourceName>, StoreError> {
        let sql = "SELECT source FROM membership WHERE user_id = $1 AND group_id = $2 AND COALESCE(to_position, 0) = 0";
        let found =
            conn.query_all_raw(conn.dialect().statement(sql, [user.0.into(), group.0.into()])).await.doing(DOING)?;
        found.iter().map(|row| Ok(SourceName::stored(row.try_get_by_index(0).doing(DOING)?))).collect()
    }

    /// The groups that a user is in by one source.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn groups_of_user_by(
        &self,
        conn: &impl Reader,
        user: UserId,
        source: &SourceName,
    ) -> Result<Vec<GroupId>, StoreError> {
        let sql = "SELECT group_id FROM membership WHERE user_id = $1 AND source = $2 AND COALESCE(to_position, 0) = 0
            ORDER BY group_id";
        let statement = conn.dialect().statement(sql, [user.0.into(), source.as_str().into()]);
        let found = conn.query_all_raw(statement).await.doing(DOING)?;
        found.iter().map(|row| Ok(GroupId(row.try_get_by_index(0).doing(DOING)?))).collect()
    }

    /// Up to `rows_max` users of a group whose ids follow `after`, by id, each with their open memberships of it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn members_after(
        &self,
        conn: &impl Reader,
        group: GroupId,
        after: Option<UserId>,
        rows_max: u64,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        let sql = "SELECT g.name, m.user_id, m.source, m.from_at, m.due_at
             FROM membership m JOIN user_group g ON g.id = m.group_id
             WHERE m.group_id = $1 AND COALESCE(m.to_position, 0) = 0 AND m.user_id IN (
                 SELECT DISTINCT p.user_id FROM membership p
                 WHERE p.group_id = $1 AND COALESCE(p.to_position, 0) = 0 AND p.user_id > $2 ORDER BY p.user_id LIMIT $3)
             ORDER BY m.user_id, m.source";
        let after = after.map_or(uuid::Uuid::nil(), |user| user.0);
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let statement = conn.dialect().statement(sql, [group.0.into(), after.into(), limit.into()]);
        let found = conn.query_all_raw(statement).await.doing(DOING)?;
        found.iter().map(membership_row).collect()
    }

    /// A user's open memberships of up to `groups_max` groups whose names follow `after`, by group and source.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships_after(
        &self,
        conn: &impl Reader,
        user: UserId,
        after: &str,
        groups_max: u64,
    ) -> Result<Vec<(GroupId, MembershipRow)>, StoreError> {
        let sql = "SELECT g.name, m.user_id, m.source, m.from_at, m.due_at, g.id
             FROM membership m JOIN user_group g ON g.id = m.group_id
             WHERE m.user_id = $1 AND COALESCE(m.to_position, 0) = 0 AND g.name IN (
                 SELECT DISTINCT n.name FROM membership p JOIN user_group n ON n.id = p.group_id
                 WHERE p.user_id = $1 AND COALESCE(p.to_position, 0) = 0 AND n.name > $2 ORDER BY n.name LIMIT $3)
             ORDER BY g.name, m.source";
        let limit = i64::try_from(groups_max).unwrap_or(i64::MAX);
        let statement = conn.dialect().statement(sql, [user.0.into(), after.into(), limit.into()]);
        let found = conn.query_all_raw(statement).await.doing(DOING)?;
        let read = |row: &QueryResult| Ok((GroupId(row.try_get_by_index(5).doing(DOING)?), membership_row(row)?));
        found.iter().map(read).collect()
    }

    async fn membership_rows(
        &self,
        conn: &impl Reader,
        by: &str,
        id: uuid::Uuid,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        let sql = format!(
            "SELECT g.name, m.user_id, m.source, m.from_at, m.due_at
             FROM membership m JOIN user_group g ON g.id = m.group_id
             WHERE {by} = $1 AND COALESCE(m.to_position, 0) = 0 ORDER BY g.name, m.user_id, m.source"
        );
        let statement: Statement = conn.dialect().statement(sql, [id.into()]);
        let rows = conn.query_all_raw(statement).await.doing(DOING)?;
        rows.iter().map(membership_row).collect()
    }

    /// Memberships whose removal waits for its time behind a place, those that are due first, of all sources or of one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_removals(
        &self,
        conn: &impl Reader,
        source: Option<&str>,
        after: Option<&DuePlace>,
        rows_max: u64,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        let behind =
            if after.is_some() { "AND (m.due_at, g.name, m.user_id, m.source) > ($2, $3, $4, $5)" } else { "" };
        let sql = format!(
            "SELECT g.name, m.user_id, m.source, m.from_at, m.due_at
             FROM membership m JOIN user_group g ON g.id = m.group_id
             WHERE m.due_at IS NOT NULL AND m.to_position IS NULL AND m.source = coalesce($1, m.source) {behind}
             ORDER BY m.due_at, g.name, m.user_id, m.source LIMIT {rows_max}"
        );
        let mut values: Vec<Value> = vec![source.into()];
        if let Some(DuePlace { due_at, group, user, source }) = after {
            values.extend([(*due_at).into(), group.as_str().into(), user.0.into(), source.as_str().into()]);
        }
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        found.iter().map(membership_row).collect()
    }

    /// Memberships of no source's but people's own hand that were given until `now` or earlier, the earliest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn expired(&self, conn: &impl Reader, now: Instant, rows_max: u32) -> Result<Vec<Expired>, StoreError> {
        let by_hand = SourceName::RESERVED.map(|name| format!("'{name}'")).join(", ");
        let sql = format!(
            "SELECT group_id, user_id, source, blocked_position IS NOT NULL FROM membership
             WHERE source IN ({by_hand}) AND due_at <= $1 AND to_position IS NULL
             ORDER BY due_at, group_id, user_id, source LIMIT {rows_max}"
        );
        let found = conn.query_all_raw(conn.dialect().statement(sql, [now.into()])).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            Ok(Expired {
                group: GroupId(row.try_get_by_index(0).doing(DOING)?),
                user: UserId(row.try_get_by_index(1).doing(DOING)?),
                source: SourceName::stored(row.try_get_by_index(2).doing(DOING)?),
                blocked: row.try_get_by_index(3).doing(DOING)?,
            })
        };
        found.iter().map(read).collect()
    }

    /// When the first of a source's scheduled removals after `now` is due.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_due(&self, source: &SourceName, now: Instant) -> Result<Option<Instant>, StoreError> {
        let sql = "SELECT due_at FROM membership WHERE source = $1 AND due_at > $2 AND to_position IS NULL
            ORDER BY due_at LIMIT 1";
        let statement = self.db.dialect().statement(sql, [source.as_str().into(), now.into()]);
        let row = self.db.query_one_raw(statement).await.doing(DOING)?;
        row.map(|row| row.try_get_by_index(0).doing(DOING)).transpose()
    }

    /// How many open memberships each source holds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships_by_source(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let d = self.db.dialect();
        let sql = "SELECT source, count(*) FROM membership WHERE to_position IS NULL GROUP BY source";
        let rows = self.db.query_all_raw(d.statement(sql, [])).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            let count: i64 = row.try_get_by_index(1).doing(DOING)?;
            Ok((row.try_get_by_index(0).doing(DOING)?, count.unsigned_abs()))
        };
        rows.iter().map(read).collect()
    }
}

/// A group with all its users.
fn take_group(stored: &mut Stored, row: &QueryResult) -> Result<(), StoreError> {
    let group = GroupId(row.try_get_by_index(0).doing(DOING)?);
    let users: String = row.try_get_by_index(1).doing(DOING)?;
    let begin = stored.pairs.len();
    for user in unpacked(&users) {
        stored.pairs.push((group, UserId(user?)));
    }
    // They come as the index has them, which neither database promises.
    stored.pairs[begin..].sort_unstable();
    Ok(())
}

/// A pair, with what there is to know about its end.
fn take_waiting(stored: &mut Stored, row: &QueryResult) -> Result<Pair, StoreError> {
    let pair: Pair = (GroupId(row.try_get_by_index(0).doing(DOING)?), UserId(row.try_get_by_index(1).doing(DOING)?));
    let blocked: Option<i64> = row.try_get_by_index(2).doing(DOING)?;
    if blocked.is_some() {
        stored.told_blocked.insert(pair);
    }
    let due_at: Option<Instant> = row.try_get_by_index(3).doing(DOING)?;
    stored.due.extend(due_at.map(|due_at| (pair, due_at)));
    Ok(pair)
}

fn membership_row(row: &QueryResult) -> Result<MembershipRow, StoreError> {
    Ok(MembershipRow {
        group: row.try_get_by_index(0).doing(DOING)?,
        user: UserId(row.try_get_by_index(1).doing(DOING)?),
        source: SourceName::stored(row.try_get_by_index(2).doing(DOING)?),
        added_at: row.try_get_by_index(3).doing(DOING)?,
        due_at: row.try_get_by_index(4).doing(DOING)?,
    })
}
