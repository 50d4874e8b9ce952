//! The event log and its head. The database itself refuses to change or remove an event.

use sea_orm_migration::prelude::*;

use crate::dialect::{execute, on_postgres};

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 4] = [
    "CREATE TABLE event_head (
        id integer CONSTRAINT event_head_pk PRIMARY KEY CONSTRAINT event_head_single CHECK (id = 1),
        position bigint NOT NULL,
        digest {bytes} NOT NULL
    )",
    "CREATE TABLE event (
        position bigint CONSTRAINT event_pk PRIMARY KEY,
        event_id {uuid} NOT NULL CONSTRAINT event_id_once UNIQUE,
        stream_category text NOT NULL,
        stream_id text NOT NULL,
        event_type text NOT NULL,
        schema_version integer NOT NULL,
        payload text NOT NULL,
        actor text NOT NULL,
        source text,
        run_id {uuid},
        correlation_id text,
        causation_id {uuid},
        occurred_at {time} NOT NULL,
        recorded_at {time} NOT NULL,
        digest {bytes} NOT NULL
    )",
    "CREATE INDEX event_by_stream ON event (stream_category, stream_id, position)",
    "CREATE INDEX event_by_run ON event (run_id)",
];

const SQLITE_GUARD: [&str; 4] = [
    "INSERT INTO event_head (id, position, digest) VALUES (1, 0, zeroblob(32))",
    "CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'event is append-only'); END",
    "CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'event is append-only'); END",
    // INSERT OR REPLACE removes the old row without firing the delete trigger.
    "CREATE TRIGGER event_no_replace BEFORE INSERT ON event
        WHEN EXISTS (SELECT 1 FROM event WHERE position = NEW.position OR event_id = NEW.event_id)
        BEGIN SELECT RAISE(ABORT, 'event is append-only'); END",
];

const POSTGRES_GUARD: [&str; 4] = [
    "INSERT INTO event_head (id, position, digest) VALUES (1, 0, decode(repeat('00', 32), 'hex'))",
    "CREATE FUNCTION event_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'event is append-only' USING ERRCODE = 'restrict_violation'; END $$",
    "CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE ON event
        FOR EACH ROW EXECUTE FUNCTION event_append_only()",
    "CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON event
        FOR EACH STATEMENT EXECUTE FUNCTION event_append_only()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &TABLES).await?;
        let guard = if on_postgres(manager) { &POSTGRES_GUARD } else { &SQLITE_GUARD };
        execute(manager, guard).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, &["DROP TABLE event", "DROP TABLE event_head"]).await?;
        if on_postgres(manager) {
            execute(manager, &["DROP FUNCTION event_append_only()"]).await?;
        }
        Ok(())
    }
}
