//! The newest run of a source and breadth, found without looking at all the others: there is one for each login.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &["CREATE INDEX run_newest ON run (source, scope, ended_at)", "DROP INDEX run_by_source"])
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &["CREATE INDEX run_by_source ON run (source, ended_at)", "DROP INDEX run_newest"]).await
    }
}
