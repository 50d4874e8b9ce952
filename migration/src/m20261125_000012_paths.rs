//! Paths: through which groups within it a member is in a directory's group. They stand beside the log.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 3] = [
    "CREATE TABLE membership_path (
        source text NOT NULL CONSTRAINT membership_path_known_source REFERENCES source (name),
        group_id {uuid} NOT NULL,
        user_id {uuid} NOT NULL,
        path text NOT NULL,
        CONSTRAINT membership_path_pk PRIMARY KEY (source, group_id, user_id)
    )",
    "CREATE INDEX membership_path_by_user ON membership_path (user_id, source)",
    // Of what is older than this table the path is unknown until it is read again.
    "INSERT INTO membership_path (source, group_id, user_id, path)
        SELECT m.source, m.group_id, m.user_id, 'null' FROM membership m JOIN user_group g ON g.id = m.group_id
        WHERE m.to_position IS NULL AND g.resource_type IS NULL
          AND m.source NOT IN ('admin', 'system_seed', 'break_glass')",
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
        execute(manager, &["DROP TABLE membership_path"]).await
    }
}
