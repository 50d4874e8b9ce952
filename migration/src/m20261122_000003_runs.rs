//! Records beside the log: runs, when each source was last observed, and who may run a source now.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 5] = [
    // One row per source that a run asked: about the whole of it or about some users; `user_id` is set when it was one.
    "CREATE TABLE run (
        run_id {uuid} NOT NULL,
        source text NOT NULL,
        trigger text NOT NULL,
        scope text NOT NULL CONSTRAINT run_scope CHECK (scope IN ('whole', 'users')),
        user_id {uuid},
        began_at {time} NOT NULL,
        ended_at {time} NOT NULL,
        outcome text NOT NULL,
        error_class text,
        error_message text,
        created bigint NOT NULL,
        removed bigint NOT NULL,
        kept bigint NOT NULL,
        unchanged bigint NOT NULL,
        users_asked bigint NOT NULL,
        users_failed bigint NOT NULL,
        plan_hash text,
        position bigint,
        CONSTRAINT run_pk PRIMARY KEY (run_id, source)
    )",
    "CREATE INDEX run_by_source ON run (source, ended_at)",
    // The nil user stands for the source as a whole.
    "CREATE TABLE observation (
        source text NOT NULL CONSTRAINT observation_known_source REFERENCES source (name),
        user_id {uuid} NOT NULL,
        began_at {time} NOT NULL,
        completed_at {time} NOT NULL,
        run_id {uuid} NOT NULL,
        verdict text,
        CONSTRAINT observation_pk PRIMARY KEY (source, user_id)
    )",
    "CREATE INDEX observation_by_begin ON observation (source, began_at)",
    "CREATE TABLE lease (
        name text CONSTRAINT lease_pk PRIMARY KEY,
        holder text NOT NULL,
        epoch bigint NOT NULL,
        expires_at {time} NOT NULL
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
        execute(manager, &["DROP TABLE lease", "DROP TABLE observation", "DROP TABLE run"]).await
    }
}
