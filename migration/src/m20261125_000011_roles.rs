//! Roles in entitled's own API, of users and of groups.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 1] = ["CREATE TABLE role_assignment (
        subject_kind text NOT NULL CONSTRAINT role_assignment_kind CHECK (subject_kind IN ('user', 'group')),
        subject_id {uuid} NOT NULL,
        level bigint NOT NULL CONSTRAINT role_assignment_level CHECK (level IN (5, 10, 20, 30)),
        since_position bigint NOT NULL,
        since_at {time} NOT NULL,
        CONSTRAINT role_assignment_pk PRIMARY KEY (subject_id, subject_kind)
    )"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &["DROP TABLE role_assignment"]).await
    }
}
