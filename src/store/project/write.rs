//! The statements by which row changes are carried out.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::event::{Granted, PlanApproved, RoleSubject};
use entitled_model::projection::Since;
use entitled_model::role::Role;
use entitled_model::{GroupId, SourceName, UserId};
use sea_orm::{ConnectionTrait, Value};
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::json;

use super::columns::{APPROVAL, REPLACE_APPROVAL, REPLACE_ROLE, REPLACE_SUSPENSION, ROLE, SUSPENSION};
use super::{Projector, Row};
use crate::store::error::{Doing, StoreError};
use crate::store::sql::{STATEMENT_ROWS_MAX, rows, time};

impl Projector {
    pub(super) async fn suspend(
        &self,
        conn: &impl ConnectionTrait,
        suspensions: BTreeMap<(UserId, SourceName), Option<Since>>,
    ) -> Result<(), StoreError> {
        let (mut put, mut deleted) = (Vec::new(), Vec::new());
        let users: BTreeSet<UserId> = suspensions.keys().map(|(user, _)| *user).collect();
        for ((user, source), word) in suspensions {
            match word {
                Some(since) => put.push(json!([user, source, since.position, time(since.at)])),
                None => deleted.push(json!([user, source])),
            }
        }
        let d = self.dialect;
        let (suspension, account) = (self.tables.name("suspension"), self.tables.name("user_account"));
        self.insert(conn, "suspension", &SUSPENSION, REPLACE_SUSPENSION, &put).await?;
        let delete = format!(
            "DELETE FROM {suspension} WHERE (user_id, source) IN (SELECT {}, {} FROM {})",
            d.uuid(0),
            d.text(1),
            d.each("$1")
        );
        self.run_all(conn, &delete, &deleted, "ending suspensions").await?;
        // Whoever an administrator deactivated stays so.
        let status = format!(
            "UPDATE {account} SET status = CASE
                 WHEN EXISTS (SELECT 1 FROM {suspension} s WHERE s.user_id = {account}.id) THEN 'suspended'
                 ELSE 'active' END
             WHERE status <> 'deactivated' AND id IN (SELECT {} FROM {})",
            d.uuid(0),
            d.each("$1")
        );
        let users: Vec<Json> = users.into_iter().map(|user| json!([user])).collect();
        self.run_all(conn, &status, &users, "writing who is suspended").await
    }

    /// Two steps, since groups may swap their names.
    pub(super) async fn rename(
        &self,
        conn: &impl ConnectionTrait,
        renamed: &[(GroupId, String)],
    ) -> Result<(), StoreError> {
        let d = self.dialect;
        let table = self.tables.name("user_group");
        let sql =
            format!("UPDATE {table} SET name = {} FROM {} WHERE {table}.id = {}", d.text(1), d.each("$1"), d.uuid(0));
        let between: Vec<Json> = renamed.iter().map(|(group, _)| json!([group, format!("renaming {group}")])).collect();
        let after: Vec<Json> = renamed.iter().map(|(group, name)| json!([group, name])).collect();
        self.write_all(conn, &sql, &between, "renaming groups").await?;
        self.write_all(conn, &sql, &after, "renaming groups").await
    }

    pub(super) async fn put_role(
        &self,
        conn: &impl ConnectionTrait,
        since: Since,
        subject: RoleSubject,
        role: Role,
    ) -> Result<(), StoreError> {
        let row = json!([subject.kind(), subject.id(), role.level(), since.position, time(since.at)]);
        self.insert(conn, "role_assignment", &ROLE, REPLACE_ROLE, &[row]).await
    }

    pub(super) async fn delete_role(
        &self,
        conn: &impl ConnectionTrait,
        subject: RoleSubject,
    ) -> Result<(), StoreError> {
        let table = self.tables.name("role_assignment");
        let sql = format!("DELETE FROM {table} WHERE subject_kind = $1 AND subject_id = $2");
        self.one(conn, sql, [subject.kind().into(), subject.id().into()], "taking a role away").await
    }

    pub(super) async fn put_approval(
        &self,
        conn: &impl ConnectionTrait,
        since: Since,
        approved: &PlanApproved,
    ) -> Result<(), StoreError> {
        let PlanApproved { source, hash, reason, expires_at } = approved;
        let row = json!([source, hash, reason, expires_at, since.position, time(since.at)]);
        self.insert(conn, "plan_approval", &APPROVAL, REPLACE_APPROVAL, &[row]).await
    }

    pub(super) async fn delete_grants(
        &self,
        conn: &impl ConnectionTrait,
        grants: &[Granted],
    ) -> Result<(), StoreError> {
        let d = self.dialect;
        let table = self.tables.name("access_grant");
        let sql = format!("DELETE FROM {table} WHERE id IN (SELECT {} FROM {})", d.uuid(0), d.each("$1"));
        let grants: Vec<Json> = grants.iter().map(|granted| json!([granted.grant])).collect();
        self.write_all(conn, &sql, &grants, "deleting grants").await
    }

    pub(super) async fn end_group(
        &self,
        conn: &impl ConnectionTrait,
        since: Since,
        group: GroupId,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE {} SET ended_position = $1, ended_at = $2 WHERE id = $3 AND ended_position IS NULL",
            self.tables.name("user_group")
        );
        let values = [since.position.0.into(), since.at.into(), group.0.into()];
        self.one(conn, sql, values, "ending a group").await
    }

    pub(super) async fn describe_group(
        &self,
        conn: &impl ConnectionTrait,
        group: GroupId,
        description: Option<&str>,
    ) -> Result<(), StoreError> {
        let sql = format!("UPDATE {} SET description = $1 WHERE id = $2", self.tables.name("user_group"));
        self.one(conn, sql, [description.into(), group.0.into()], "describing a group").await
    }

    /// Runs a statement that must meet exactly one row.
    pub(super) async fn one<const N: usize>(
        &self,
        conn: &impl ConnectionTrait,
        sql: String,
        values: [Value; N],
        doing: &'static str,
    ) -> Result<(), StoreError> {
        let written = conn.execute_raw(self.dialect.statement(sql, values)).await.doing(doing)?;
        match written.rows_affected() {
            1 => Ok(()),
            met => Err(StoreError::damaged(format!("{doing}: 1 row was meant and {met} were met"))),
        }
    }

    pub(super) async fn close(&self, conn: &impl ConnectionTrait, closed: &[Row]) -> Result<(), StoreError> {
        let d = self.dialect;
        let table = self.tables.name("membership");
        let sql = format!(
            "UPDATE {table} SET to_position = x.at_position, to_at = x.at_time
             FROM (SELECT {} AS group_id, {} AS user_id, {} AS source, {} AS at_position, {} AS at_time FROM {}) AS x
             WHERE {table}.group_id = x.group_id AND {table}.user_id = x.user_id AND {table}.source = x.source
               AND {table}.to_position IS NULL",
            d.uuid(0),
            d.uuid(1),
            d.text(2),
            d.int(3),
            d.time(4),
            d.each("$1")
        );
        self.write_all(conn, &sql, closed, "ending memberships").await
    }

    /// Runs `sql` over the rows, a bounded number at a time; each row must have met exactly one row of the table.
    pub(super) async fn write_all<T: Serialize>(
        &self,
        conn: &impl ConnectionTrait,
        sql: &str,
        all: &[T],
        doing: &'static str,
    ) -> Result<(), StoreError> {
        for chunk in all.chunks(STATEMENT_ROWS_MAX) {
            let written = conn.execute_raw(self.dialect.statement(sql, [rows(chunk)])).await.doing(doing)?;
            if written.rows_affected() != chunk.len() as u64 {
                let (met, asked) = (written.rows_affected(), chunk.len());
                return Err(StoreError::damaged(format!("{doing}: {asked} rows were meant and {met} were met")));
            }
        }
        Ok(())
    }

    pub(super) async fn delete_entitlements(
        &self,
        conn: &impl ConnectionTrait,
        deleted: &[Json],
    ) -> Result<(), StoreError> {
        let d = self.dialect;
        let sql = format!(
            "DELETE FROM {} WHERE (user_id, source, key) IN (SELECT {}, {}, {} FROM {})",
            self.tables.name("entitlement"),
            d.uuid(0),
            d.text(1),
            d.text(2),
            d.each("$1")
        );
        // One that was put and deleted since the last write was never there.
        self.run_all(conn, &sql, deleted, "ending entitlements").await
    }

    /// Runs `sql` over the rows, a bounded number at a time, however many they meet.
    pub(super) async fn run_all(
        &self,
        conn: &impl ConnectionTrait,
        sql: &str,
        all: &[Json],
        doing: &'static str,
    ) -> Result<(), StoreError> {
        for chunk in all.chunks(STATEMENT_ROWS_MAX) {
            conn.execute_raw(self.dialect.statement(sql, [rows(chunk)])).await.doing(doing)?;
        }
        Ok(())
    }

    pub(super) async fn mark_due(
        &self,
        conn: &impl ConnectionTrait,
        group: GroupId,
        source: &SourceName,
        users: &[UserId],
        due_at: Option<&str>,
    ) -> Result<(), StoreError> {
        const DOING: &str = "marking scheduled removals";
        let d = self.dialect;
        let table = self.tables.name("membership");
        let at = due_at.map(|at| entitled_model::instant::read(at).ok_or_else(|| StoreError::damaged(DOING)));
        let row = json!([group, source, at.transpose()?.map(time)]);
        let marks: Vec<Json> = users.iter().map(|user| json!([row[0], user, row[1], row[2]])).collect();
        let sql = format!(
            "UPDATE {table} SET due_at = x.due_at
             FROM (SELECT {} AS group_id, {} AS user_id, {} AS source, {} AS due_at FROM {}) AS x
             WHERE {table}.group_id = x.group_id AND {table}.user_id = x.user_id AND {table}.source = x.source
               AND {table}.to_position IS NULL",
            d.uuid(0),
            d.uuid(1),
            d.text(2),
            d.time(3),
            d.each("$1")
        );
        self.write_all(conn, &sql, &marks, DOING).await
    }

    pub(super) async fn mark_blocked(
        &self,
        conn: &impl ConnectionTrait,
        since: Since,
        group: GroupId,
        source: &SourceName,
        user: UserId,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE {} SET blocked_position = $1
             WHERE group_id = $2 AND user_id = $3 AND source = $4 AND to_position IS NULL",
            self.tables.name("membership")
        );
        let values = [since.position.0.into(), group.0.into(), user.0.into(), source.as_str().into()];
        conn.execute_raw(self.dialect.statement(sql, values)).await.doing("marking a blocked removal")?;
        Ok(())
    }
}
