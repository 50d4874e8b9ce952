//! Tokens; beside the log their hashes, what they are called, and what was done with them.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 9] = [
    "CREATE TABLE token (
        id {uuid} CONSTRAINT token_pk PRIMARY KEY,
        owner_id {uuid} CONSTRAINT token_known_owner REFERENCES user_account (id),
        scopes text NOT NULL,
        created_position bigint NOT NULL,
        created_at {time} NOT NULL,
        expires_at {time} NOT NULL,
        revoked_position bigint,
        revoked_at {time}
    )",
    "CREATE INDEX token_by_owner ON token (owner_id, id)",
    // A table of its own, which no reader of the others needs to be given.
    "CREATE TABLE token_hash (
        token_id {uuid} CONSTRAINT token_hash_pk PRIMARY KEY,
        hash {bytes} NOT NULL CONSTRAINT token_hash_once UNIQUE
    )",
    // A name may be personal, and the last use is written all the time: neither is for the log.
    "CREATE TABLE token_name (
        token_id {uuid} CONSTRAINT token_name_pk PRIMARY KEY,
        name text NOT NULL
    )",
    "CREATE TABLE token_use (
        token_id {uuid} CONSTRAINT token_use_pk PRIMARY KEY,
        last_used_at {time} NOT NULL
    )",
    // Ids are in the order of time. No row is bound to a token: they outlive it.
    "CREATE TABLE access_log (
        id {uuid} CONSTRAINT access_log_pk PRIMARY KEY,
        at {time} NOT NULL,
        token_id {uuid},
        principal text,
        verdict text NOT NULL,
        method text NOT NULL,
        route text NOT NULL,
        status integer NOT NULL,
        address text,
        request_id text NOT NULL
    )",
    "CREATE INDEX access_log_by_token ON access_log (token_id, id)",
    "CREATE INDEX access_log_by_time ON access_log (at)",
    "CREATE INDEX access_log_failed ON access_log (id) WHERE verdict <> 'valid'",
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
        for table in ["access_log", "token_use", "token_name", "token_hash", "token"] {
            execute(manager, &[&format!("DROP TABLE {table}")]).await?;
        }
        Ok(())
    }
}
