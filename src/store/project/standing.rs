//! Who is shut out, and which tokens there are.

use entitled_model::administrators::Administration;
use entitled_model::event::TokenCreated;
use entitled_model::projection::Since;
use entitled_model::{SourceName, TokenId, UserId};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::Projector;
use super::columns::{ADMINISTRATOR, REPLACE_ADMINISTRATOR, TOKEN};
use crate::store::error::StoreError;
use crate::store::sql::time;

impl Projector {
    pub(super) async fn deactivate(&self, conn: &impl ConnectionTrait, user: UserId) -> Result<(), StoreError> {
        let sql = format!("UPDATE {} SET status = 'deactivated' WHERE id = $1", self.tables.name("user_account"));
        self.one(conn, sql, [user.0.into()], "deactivating a user").await
    }

    /// What sources said meanwhile counts again.
    pub(super) async fn restore(&self, conn: &impl ConnectionTrait, user: UserId) -> Result<(), StoreError> {
        let (account, suspension) = (self.tables.name("user_account"), self.tables.name("suspension"));
        let sql = format!(
            "UPDATE {account} SET status = CASE
                 WHEN EXISTS (SELECT 1 FROM {suspension} s WHERE s.user_id = {account}.id) THEN 'suspended'
                 ELSE 'active' END
             WHERE id = $1 AND status = 'deactivated'"
        );
        self.one(conn, sql, [user.0.into()], "restoring a user").await
    }

    /// However their state changes, they are one since it began.
    pub(super) async fn put_administrator(
        &self,
        conn: &impl ConnectionTrait,
        since: Since,
        (user, source): (UserId, &SourceName),
        state: Administration,
    ) -> Result<(), StoreError> {
        let row = json!([user, source, state, since.position, time(since.at)]);
        self.insert(conn, "directory_administrator", &ADMINISTRATOR, REPLACE_ADMINISTRATOR, &[row]).await
    }

    pub(super) async fn delete_administrator(
        &self,
        conn: &impl ConnectionTrait,
        user: UserId,
        source: &SourceName,
    ) -> Result<(), StoreError> {
        let table = self.tables.name("directory_administrator");
        let sql = format!("DELETE FROM {table} WHERE user_id = $1 AND source = $2");
        self.one(conn, sql, [user.0.into(), source.as_str().into()], "ending an administrator").await
    }

    pub(super) async fn insert_token(
        &self,
        conn: &impl ConnectionTrait,
        since: Since,
        created: &TokenCreated,
    ) -> Result<(), StoreError> {
        let TokenCreated { token, owner, scopes, expires_at } = created;
        let row = json!([token, owner, scopes.join(" "), since.position, time(since.at), time(*expires_at)]);
        self.insert(conn, "token", &TOKEN, "", &[row]).await
    }

    pub(super) async fn revoke_token(
        &self,
        conn: &impl ConnectionTrait,
        since: Since,
        token: TokenId,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE {} SET revoked_position = $1, revoked_at = $2 WHERE id = $3 AND revoked_position IS NULL",
            self.tables.name("token")
        );
        let values = [since.position.0.into(), since.at.into(), token.0.into()];
        self.one(conn, sql, values, "revoking a token").await
    }
}
