//! Memberships that go at a later time, unless their source lists them before.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 2] = [
    "ALTER TABLE membership ADD COLUMN due_at {time}",
    "CREATE INDEX membership_due ON membership (source, due_at) WHERE to_position IS NULL AND due_at IS NOT NULL",
];

const DOWN: [&str; 2] = ["DROP INDEX membership_due", "ALTER TABLE membership DROP COLUMN due_at"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &DOWN).await
    }
}
