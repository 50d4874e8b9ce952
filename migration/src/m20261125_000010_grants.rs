//! Grants: permissions on resources that administrators give to groups.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 2] = [
    // The key begins as a question does: who has this permission on that resource?
    "CREATE TABLE access_grant (
        id {uuid} CONSTRAINT access_grant_pk PRIMARY KEY,
        group_id {uuid} NOT NULL CONSTRAINT access_grant_known_group REFERENCES user_group (id),
        permission text NOT NULL,
        resource_type text NOT NULL,
        resource_id text NOT NULL,
        since_position bigint NOT NULL,
        since_at {time} NOT NULL,
        CONSTRAINT access_grant_once UNIQUE (resource_type, resource_id, permission, group_id)
    )",
    "CREATE INDEX access_grant_by_group ON access_grant (group_id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &["DROP TABLE access_grant"]).await
    }
}
