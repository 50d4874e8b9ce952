//! Idempotency keys: which request of a caller came under which key, and what was answered.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 3] = [
    // An answer may tell of a person, and is its caller's alone: no reader of other tables needs it.
    "CREATE TABLE idempotency_key (
        actor text NOT NULL,
        key text NOT NULL,
        claim {uuid} NOT NULL,
        fingerprint {bytes} NOT NULL,
        claimed_at {time} NOT NULL,
        status integer,
        headers text,
        body {bytes},
        CONSTRAINT idempotency_key_pk PRIMARY KEY (actor, key),
        CONSTRAINT idempotency_key_whole_answer
            CHECK ((status IS NULL) = (headers IS NULL) AND (status IS NULL) = (body IS NULL))
    )",
    "CREATE INDEX idempotency_key_by_actor ON idempotency_key (actor, claimed_at)",
    "CREATE INDEX idempotency_key_by_time ON idempotency_key (claimed_at)",
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
        execute(manager, &["DROP TABLE idempotency_key"]).await
    }
}
