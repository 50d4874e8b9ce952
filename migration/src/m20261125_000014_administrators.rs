//! The administrators of directories, and beside the log when each was last looked up.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 2] = [
    "CREATE TABLE directory_administrator (
        user_id {uuid} NOT NULL,
        source text NOT NULL CONSTRAINT directory_administrator_known_source REFERENCES source (name),
        state text NOT NULL CONSTRAINT directory_administrator_state CHECK (state IN ('named', 'missed', 'kept')),
        since_position bigint NOT NULL,
        since_at {time} NOT NULL,
        CONSTRAINT directory_administrator_pk PRIMARY KEY (user_id, source)
    )",
    "CREATE TABLE directory_look_up (
        source text NOT NULL CONSTRAINT directory_look_up_known_source REFERENCES source (name),
        user_id {uuid} NOT NULL,
        answered_at {time},
        failed_at {time},
        failure text,
        CONSTRAINT directory_look_up_pk PRIMARY KEY (source, user_id)
    )",
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
        execute(manager, &["DROP TABLE directory_look_up", "DROP TABLE directory_administrator"]).await
    }
}
