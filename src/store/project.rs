//! Carrying out row changes, many in one statement.
//!
//! The same code writes the current tables in an append's transaction, and the replayed ones that `verify` compares with.

mod columns;
mod opened;
mod standing;
mod write;

use std::collections::BTreeMap;

use entitled_model::event::{GrantCreated, Granted};
use entitled_model::projection::{RowChange, Since};
use entitled_model::{GroupId, SourceName, UserId};
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::json;

use super::error::{Doing, StoreError};
use super::sql::{Dialect, Field, time};
use columns::{ENTITLEMENT, GRANT, GROUP, REPLACE_ENTITLEMENT, REPLACE_RESOURCE, RESOURCE, USER};
use opened::Opened;

/// The most row changes held back before they are written.
const PENDING_ROWS_MAX: usize = 50_000;

/// Which set of tables is written: a prefix of their names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables(&'static str);

impl Tables {
    pub(super) const CURRENT: Tables = Tables("");
    pub(super) const REPLAYED: Tables = Tables("replay_");

    pub(super) fn name(self, table: &str) -> String {
        format!("{}{table}", self.0)
    }
}

/// One membership row: group, user, source, position, instant.
#[derive(Serialize)]
struct Row(GroupId, UserId, SourceName, i64, String);

/// Row changes on their way into the tables. What can't be reordered is written before it would be.
pub(super) struct Projector {
    tables: Tables,
    dialect: Dialect,
    pending: Pending,
}

/// Row changes that wait to be written together.
#[derive(Default)]
struct Pending {
    users: Vec<Json>,
    /// Each with its last word: since when, or no longer.
    suspensions: BTreeMap<(UserId, SourceName), Option<Since>>,
    groups: Vec<Json>,
    /// Nothing else waits beside these: a name is given up before another group takes it.
    renamed: Vec<(GroupId, String)>,
    grants: Vec<Json>,
    closed: Vec<Row>,
    opened: BTreeMap<GroupId, Vec<Opened>>,
    /// How many memberships those are.
    opened_rows: usize,
    /// Each with its last word: a value, or none.
    entitlements: BTreeMap<(UserId, SourceName, String), Option<(String, Since)>>,
    /// Each with its last attributes.
    resources: BTreeMap<(String, String), (String, Since)>,
}

impl Pending {
    fn rows(&self) -> usize {
        self.users.len()
            + self.suspensions.len()
            + self.groups.len()
            + self.renamed.len()
            + self.grants.len()
            + self.resources.len()
            + self.opened_rows
            + self.closed.len()
            + self.entitlements.len()
    }

    fn has_opened(&self, group: GroupId, source: &SourceName, users: &[UserId]) -> bool {
        self.opened
            .get(&group)
            .into_iter()
            .flatten()
            .any(|opened| opened.source == *source && users.iter().any(|user| opened.users.contains(user)))
    }
}

impl Projector {
    pub(super) fn new(tables: Tables, dialect: Dialect) -> Self {
        Self { tables, dialect, pending: Pending::default() }
    }

    /// Takes the changes of one event, and writes when enough have come together.
    pub(super) async fn take(
        &mut self,
        conn: &impl ConnectionTrait,
        since: Since,
        changes: Vec<RowChange<'_>>,
    ) -> Result<(), StoreError> {
        for change in changes {
            let is_rename = matches!(change, RowChange::RenameGroup { .. });
            if is_rename == self.pending.renamed.is_empty() && self.pending.rows() > 0 {
                self.finish(conn).await?;
            }
            match change {
                RowChange::InsertUsers { users } => {
                    let row = |user: &UserId| json!([user, "person", "active", since.position, time(since.at)]);
                    self.pending.users.extend(users.iter().map(row));
                }
                RowChange::PutSuspension { user, source } => {
                    self.pending.suspensions.insert((user, source.clone()), Some(since));
                }
                RowChange::DeleteSuspension { user, source } => {
                    self.pending.suspensions.insert((user, source.clone()), None);
                }
                RowChange::Deactivate { user } => {
                    self.finish(conn).await?;
                    self.deactivate(conn, user).await?;
                }
                RowChange::Restore { user } => {
                    self.finish(conn).await?;
                    self.restore(conn, user).await?;
                }
                RowChange::InsertToken(created) => {
                    self.finish(conn).await?;
                    self.insert_token(conn, since, created).await?;
                }
                RowChange::RevokeToken { token } => {
                    self.finish(conn).await?;
                    self.revoke_token(conn, since, token).await?;
                }
                RowChange::RenameGroup { group, name } => {
                    if self.pending.renamed.iter().any(|(other, _)| *other == group) {
                        self.finish(conn).await?;
                    }
                    self.pending.renamed.push((group, name.to_owned()));
                }
                RowChange::DescribeGroup { group, description } => {
                    self.finish(conn).await?;
                    self.describe_group(conn, group, description).await?;
                }
                RowChange::PutApproval(approved) => {
                    self.finish(conn).await?;
                    self.put_approval(conn, since, approved).await?;
                }
                RowChange::DeleteApproval { source, hash } => {
                    self.finish(conn).await?;
                    let sql =
                        format!("DELETE FROM {} WHERE source = $1 AND hash = $2", self.tables.name("plan_approval"));
                    let statement = self.dialect.statement(sql, [source.as_str().into(), hash.into()]);
                    conn.execute_raw(statement).await.doing("ending an approval")?;
                }
                RowChange::EndGroup { group } => {
                    self.finish(conn).await?;
                    self.end_group(conn, since, group).await?;
                }
                RowChange::InsertGroup(group) => {
                    let facet = group.facet.as_ref();
                    self.pending.groups.push(json!([
                        group.group,
                        group.name,
                        group.managed_by,
                        group.external_id,
                        facet.map(|facet| &facet.resource_type),
                        facet.map(|facet| &facet.permission),
                        group.resource_id,
                        since.position,
                        time(since.at),
                        group.description
                    ]));
                }
                RowChange::InsertGrant(created) => self.pending.grants.push(grant_row(created, since)),
                RowChange::PutRole { subject, role } => {
                    self.finish(conn).await?;
                    self.put_role(conn, since, subject, role).await?;
                }
                RowChange::DeleteRole { subject } => {
                    self.finish(conn).await?;
                    self.delete_role(conn, subject).await?;
                }
                RowChange::PutAdministrator { user, source, state } => {
                    self.finish(conn).await?;
                    self.put_administrator(conn, since, (user, source), state).await?;
                }
                RowChange::DeleteAdministrator { user, source } => {
                    self.finish(conn).await?;
                    self.delete_administrator(conn, user, source).await?;
                }
                RowChange::DeleteGrants(grants) => {
                    self.finish(conn).await?;
                    self.delete_grants(conn, grants).await?;
                }
                RowChange::OpenMemberships { users: [], .. } => {}
                RowChange::OpenMemberships { group, source, users } => {
                    self.pending.opened_rows += users.len();
                    let opened = Opened { group, source: source.clone(), users: users.to_vec(), since };
                    self.pending.opened.entry(group).or_default().push(opened);
                }
                RowChange::CloseMemberships { group, source, users } => {
                    if self.pending.has_opened(group, source, users) {
                        self.finish(conn).await?;
                    }
                    self.pending.closed.extend(membership_rows(group, source, users, since));
                }
                RowChange::PutEntitlement { user, source, key, value } => {
                    let key = (user, source.clone(), key.to_owned());
                    self.pending.entitlements.insert(key, Some((value.text().to_owned(), since)));
                }
                RowChange::DeleteEntitlement { user, source, key } => {
                    self.pending.entitlements.insert((user, source.clone(), key.to_owned()), None);
                }
                RowChange::PutResource { resource_type, resource_id, attributes } => {
                    let key = (resource_type.to_owned(), resource_id.to_owned());
                    self.pending.resources.insert(key, (attributes.text().to_owned(), since));
                }
                RowChange::MarkDue { group, source, users, due_at } => {
                    self.finish(conn).await?;
                    self.mark_due(conn, group, source, users, due_at).await?;
                }
                RowChange::MarkBlocked { group, source, user } => {
                    self.finish(conn).await?;
                    self.mark_blocked(conn, since, group, source, user).await?;
                }
            }
        }
        if self.pending.rows() >= PENDING_ROWS_MAX {
            self.finish(conn).await?;
        }
        Ok(())
    }

    /// Writes everything taken so far.
    pub(super) async fn finish(&mut self, conn: &impl ConnectionTrait) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut self.pending);
        let Pending { users, suspensions, groups, renamed, grants, closed, opened, .. } = pending;
        let (entitlements, resources) = (pending.entitlements, pending.resources);
        self.insert(conn, "user_account", &USER, "", &users).await?;
        self.suspend(conn, suspensions).await?;
        self.rename(conn, &renamed).await?;
        self.insert(conn, "user_group", &GROUP, "", &groups).await?;
        self.insert(conn, "access_grant", &GRANT, "", &grants).await?;
        self.close(conn, &closed).await?;
        let opened: Vec<Opened> = opened.into_values().flatten().collect();
        self.open(conn, &opened).await?;
        let resource = |((kind, id), (attributes, since)): ((String, String), (String, Since))| {
            json!([kind, id, attributes, since.position, time(since.at)])
        };
        let resources: Vec<Json> = resources.into_iter().map(resource).collect();
        self.insert(conn, "resource", &RESOURCE, REPLACE_RESOURCE, &resources).await?;
        let (mut put, mut deleted) = (Vec::new(), Vec::new());
        for ((user, source, key), word) in entitlements {
            match word {
                Some((value, since)) => put.push(json!([user, source, key, value, since.position, time(since.at)])),
                None => deleted.push(json!([user, source, key])),
            }
        }
        self.insert(conn, "entitlement", &ENTITLEMENT, REPLACE_ENTITLEMENT, &put).await?;
        self.delete_entitlements(conn, &deleted).await
    }

    async fn insert<T: Serialize>(
        &self,
        conn: &impl ConnectionTrait,
        table: &str,
        columns: &[(&str, Field)],
        tail: &str,
        all: &[T],
    ) -> Result<(), StoreError> {
        let sql = self.dialect.insert(&self.tables.name(table), columns, tail);
        self.write_all(conn, &sql, all, "writing rows").await
    }
}

fn grant_row(GrantCreated { group, after }: &GrantCreated, since: Since) -> Json {
    let Granted { grant, permission, resource_type, resource_id } = after;
    json!([grant, group, permission, resource_type, resource_id, since.position, time(since.at)])
}

fn membership_rows<'a>(
    group: GroupId,
    source: &'a SourceName,
    users: &'a [UserId],
    since: Since,
) -> impl Iterator<Item = Row> + 'a {
    let at = time(since.at);
    users.iter().map(move |user| Row(group, *user, source.clone(), since.position.0, at.clone()))
}
