//! Held plans, as they stand for a person to look at, and the approvals that were given.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 2] = [
    // One approval a source at most: of the plan with that hash.
    "CREATE TABLE plan_approval (
        source text CONSTRAINT plan_approval_pk PRIMARY KEY
            CONSTRAINT plan_approval_known_source REFERENCES source (name),
        hash text NOT NULL,
        reason text NOT NULL,
        expires_at text,
        since_position bigint NOT NULL,
        since_at {time} NOT NULL
    )",
    // Stands beside the log: what a source's plan was when it was last held, and those before it.
    "CREATE TABLE held_plan (
        source text NOT NULL CONSTRAINT held_plan_known_source REFERENCES source (name),
        hash text NOT NULL,
        run_id {uuid} NOT NULL,
        since {time} NOT NULL,
        seen_at {time} NOT NULL,
        held text NOT NULL,
        created bigint NOT NULL,
        removed bigint NOT NULL,
        changes text NOT NULL,
        superseded_by text,
        rejected text,
        CONSTRAINT held_plan_pk PRIMARY KEY (source, hash)
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
        execute(manager, &["DROP TABLE held_plan", "DROP TABLE plan_approval"]).await
    }
}
