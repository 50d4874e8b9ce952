//! Groups: their names and ids.

use std::collections::{BTreeSet, HashMap};

use entitled_entity::user_group;
use entitled_model::event::{Cause, Event};
use entitled_model::groups::{KnownGroup, KnownGroups};
use entitled_model::observation::{ObservedGroup, SystemGroup};
use entitled_model::{GroupId, Instant, SourceName};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::error::{Doing, StoreError};
use super::sql::{Field, ids, rows};
use super::{Reader, Store};

/// A group as it stands; one that ended is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    pub id: GroupId,
    pub name: String,
    pub description: Option<String>,
    pub managed_by: Option<SourceName>,
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub created_at: Instant,
}

impl From<user_group::Model> for GroupRecord {
    fn from(row: user_group::Model) -> Self {
        Self {
            id: GroupId(row.id),
            name: row.name,
            description: row.description,
            managed_by: row.managed_by.map(SourceName::stored),
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            created_at: row.created_at,
        }
    }
}

/// A group, with how many users are in it by any source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    pub id: GroupId,
    pub name: String,
    pub managed_by: Option<SourceName>,
    pub members: u64,
}

impl Store {
    /// The ids of those of `names` that there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn group_ids(&self, conn: &impl Reader, names: &[&str]) -> Result<HashMap<String, GroupId>, StoreError> {
        let d = conn.dialect();
        let sql = format!(
            "SELECT name, id FROM user_group WHERE ended_position IS NULL AND name IN (SELECT {} FROM {})",
            d.text(0),
            d.each("$1")
        );
        let names: Vec<[&str; 1]> = names.iter().map(|name| [*name]).collect();
        self.names_and_ids(conn, d.statement(sql, [rows(&names)])).await
    }

    /// The groups that a source may speak of: all that it manages, and those of `names`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn groups_of_source(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        names: &[&str],
    ) -> Result<KnownGroups, StoreError> {
        let d = conn.dialect();
        let condition = format!("(managed_by = $1 OR name IN (SELECT {} FROM {}))", d.text(0), d.each("$2"));
        let names: Vec<[&str; 1]> = names.iter().map(|name| [*name]).collect();
        self.known_groups(conn, source, &condition, vec![rows(&names)]).await
    }

    /// Those of the groups that a source may speak of that have one of these names, or immutable ids of the directory.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn groups_named(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        names: &[&str],
        external_ids: &[&str],
    ) -> Result<KnownGroups, StoreError> {
        if names.is_empty() && external_ids.is_empty() {
            return Ok(KnownGroups::from_iter([]));
        }
        let d = conn.dialect();
        let named = d.among("name", 2, Field::Text, names);
        if external_ids.is_empty() {
            return self.known_groups(conn, source, &named.condition, named.values).await;
        }
        let known = d.among("external_id", 2 + named.values.len(), Field::Text, external_ids);
        // Two look-ups by key: with an OR, SQLite would read every group there is.
        let condition = format!(
            "id IN (SELECT id FROM user_group WHERE ended_position IS NULL AND {}
                UNION SELECT id FROM user_group WHERE managed_by = $1 AND {})",
            named.condition, known.condition
        );
        let values = named.values.into_iter().chain(known.values).collect();
        self.known_groups(conn, source, &condition, values).await
    }

    async fn known_groups(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        condition: &str,
        values: Vec<sea_orm::Value>,
    ) -> Result<KnownGroups, StoreError> {
        const DOING: &str = "reading groups";
        let sql = format!(
            "SELECT id, name, external_id, managed_by = $1, resource_type IS NOT NULL FROM user_group
             WHERE ended_position IS NULL AND {condition} ORDER BY id"
        );
        let values = std::iter::once(source.as_str().into()).chain(values);
        let found = conn.query_all_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        let read = |row: &sea_orm::QueryResult| {
            let managed: Option<bool> = row.try_get_by_index(3).doing(DOING)?;
            Ok(KnownGroup {
                id: GroupId(row.try_get_by_index(0).doing(DOING)?),
                name: row.try_get_by_index(1).doing(DOING)?,
                external_id: row.try_get_by_index(2).doing(DOING)?,
                managed: managed.unwrap_or_default(),
                of_resource: row.try_get_by_index(4).doing(DOING)?,
            })
        };
        found.iter().map(read).collect()
    }

    /// Those of `groups` in which other sources than `source` hold memberships, or to which administrators gave grants.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn groups_shared(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        groups: &BTreeSet<GroupId>,
    ) -> Result<BTreeSet<GroupId>, StoreError> {
        const DOING: &str = "reading groups that are shared";
        if groups.is_empty() {
            return Ok(BTreeSet::new());
        }
        let d = conn.dialect();
        let sql = format!(
            "SELECT DISTINCT group_id FROM membership
             WHERE source <> $1 AND COALESCE(to_position, 0) = 0 AND group_id IN (SELECT {uuid} FROM {each})
             UNION SELECT group_id FROM access_grant WHERE group_id IN (SELECT {uuid} FROM {each})",
            uuid = d.uuid(0),
            each = d.each("$2")
        );
        let values = [source.as_str().into(), ids(groups.iter().map(|group| group.0))];
        let found = conn.query_all_raw(d.statement(sql, values)).await.doing(DOING)?;
        found.iter().map(|row| Ok(GroupId(row.try_get_by_index(0).doing(DOING)?))).collect()
    }

    /// The names of those of `groups` that there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn group_names(
        &self,
        conn: &impl Reader,
        groups: &[GroupId],
    ) -> Result<HashMap<GroupId, String>, StoreError> {
        let d = conn.dialect();
        let sql = format!("SELECT name, id FROM user_group WHERE id IN (SELECT {} FROM {})", d.uuid(0), d.each("$1"));
        let found = self.names_and_ids(conn, d.statement(sql, [ids(groups.iter().map(|group| group.0))])).await?;
        Ok(found.into_iter().map(|(name, id)| (id, name)).collect())
    }

    async fn names_and_ids(
        &self,
        conn: &impl Reader,
        statement: sea_orm::Statement,
    ) -> Result<HashMap<String, GroupId>, StoreError> {
        const DOING: &str = "reading groups";
        let found = conn.query_all_raw(statement).await.doing(DOING)?;
        let read = |row: &sea_orm::QueryResult| {
            Ok((row.try_get_by_index(0).doing(DOING)?, GroupId(row.try_get_by_index(1).doing(DOING)?)))
        };
        found.iter().map(read).collect()
    }

    /// The group of that id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn group_by_id(&self, conn: &impl Reader, id: GroupId) -> Result<Option<GroupRecord>, StoreError> {
        let found = user_group::Entity::find_by_id(id.0).filter(user_group::Column::EndedPosition.is_null());
        Ok(found.one(conn).await.doing("looking for a group")?.map(GroupRecord::from))
    }

    /// Up to `rows_max` groups whose names follow `after`, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn groups_after(&self, after: &str, rows_max: u64) -> Result<Vec<GroupRecord>, StoreError> {
        let page = user_group::Entity::find()
            .filter(user_group::Column::EndedPosition.is_null())
            .filter(user_group::Column::Name.gt(after))
            .order_by_asc(user_group::Column::Name)
            .limit(rows_max);
        let found = page.all(&self.db).await.doing("listing groups")?;
        Ok(found.into_iter().map(GroupRecord::from).collect())
    }

    /// All groups, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn groups(&self) -> Result<Vec<GroupRow>, StoreError> {
        const DOING: &str = "listing groups";
        let sql = "SELECT g.id, g.name, g.managed_by,
                (SELECT count(DISTINCT m.user_id) FROM membership m WHERE m.group_id = g.id AND COALESCE(m.to_position, 0) = 0)
            FROM user_group g WHERE g.ended_position IS NULL ORDER BY g.name";
        let dialect = self.db.dialect();
        let found = self.db.query_all_raw(dialect.statement(sql, [])).await.doing(DOING)?;
        let mut groups = Vec::with_capacity(found.len());
        for row in &found {
            let managed_by: Option<String> = row.try_get_by_index(2).doing(DOING)?;
            let members: i64 = row.try_get_by_index(3).doing(DOING)?;
            groups.push(GroupRow {
                id: GroupId(row.try_get_by_index(0).doing(DOING)?),
                name: row.try_get_by_index(1).doing(DOING)?,
                managed_by: managed_by.map(SourceName::stored),
                members: members.unsigned_abs(),
            });
        }
        Ok(groups)
    }

    /// How many users are in each of `groups` by any source; a group without any is left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn member_counts(
        &self,
        conn: &impl Reader,
        groups: &[GroupId],
    ) -> Result<HashMap<GroupId, u64>, StoreError> {
        const DOING: &str = "counting members";
        let d = conn.dialect();
        let sql = format!(
            "SELECT group_id, count(DISTINCT user_id) FROM membership
             WHERE COALESCE(to_position, 0) = 0 AND group_id IN (SELECT {} FROM {}) GROUP BY group_id",
            d.uuid(0),
            d.each("$1")
        );
        let statement = d.statement(sql, [ids(groups.iter().map(|group| group.0))]);
        let found = conn.query_all_raw(statement).await.doing(DOING)?;
        let count = |row: &sea_orm::QueryResult| {
            let members: i64 = row.try_get_by_index(1).doing(DOING)?;
            Ok((GroupId(row.try_get_by_index(0).doing(DOING)?), members.unsigned_abs()))
        };
        found.iter().map(count).collect()
    }

    /// The group of that name or id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn group_by_any_name(&self, name: &str) -> Result<Option<GroupId>, StoreError> {
        const DOING: &str = "looking for a group";
        let named = |name: String| {
            user_group::Entity::find()
                .filter(user_group::Column::Name.eq(name))
                .filter(user_group::Column::EndedPosition.is_null())
        };
        for name in [name.to_owned(), name.trim().to_lowercase()] {
            if let Some(found) = named(name).one(&self.db).await.doing(DOING)? {
                return Ok(Some(GroupId(found.id)));
            }
        }
        let Ok(id) = uuid::Uuid::parse_str(name) else { return Ok(None) };
        let found = user_group::Entity::find_by_id(id).order_by_asc(user_group::Column::Id).one(&self.db).await;
        Ok(found.doing(DOING)?.map(|group| GroupId(group.id)))
    }

    /// Seeds the system groups that are missing.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn seed_system_groups(&self) -> Result<(), StoreError> {
        let names: Vec<&str> = SystemGroup::ALL.iter().map(|group| group.name()).collect();
        if self.group_ids(&self.db, &names).await?.len() == names.len() {
            return Ok(());
        }
        let mut unit = self.begin().await?;
        let there = self.group_ids(unit.reader(), &names).await?;
        let seeded = SourceName::stored("system_seed".to_owned());
        let missing = SystemGroup::ALL.into_iter().filter(|group| !there.contains_key(group.name()));
        let events = missing.map(|group| Event::group_created(group.id(), &ObservedGroup::System(group), &seeded));
        let at = unit.at();
        let cause = Cause { actor: "system".to_owned(), ..Cause::default() };
        unit.record(&cause, at, events).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Makes the configured sources known, so that the database takes their rows and refuses all others.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn register_sources(&self, names: impl IntoIterator<Item = SourceName>) -> Result<(), StoreError> {
        let d = self.db.dialect();
        let sql = d.insert("source", &[("name", Field::Text)], "ON CONFLICT (name) DO NOTHING");
        let names: Vec<[String; 1]> = names.into_iter().map(|name| [name.to_string()]).collect();
        self.db.execute_raw(d.statement(sql, [rows(&names)])).await.doing("registering sources")?;
        Ok(())
    }
}
