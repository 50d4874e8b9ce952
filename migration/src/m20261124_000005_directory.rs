//! Directories: who is suspended, which account is whose, groups that end; and which groups were missing from a list.
//! Groups have a description.

use sea_orm_migration::prelude::*;

use crate::dialect::{execute, on_postgres};

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 5] = [
    "CREATE TABLE suspension (
        user_id {uuid} NOT NULL CONSTRAINT suspension_known_user REFERENCES user_account (id),
        source text NOT NULL CONSTRAINT suspension_known_source REFERENCES source (name),
        since_position bigint NOT NULL,
        since_at {time} NOT NULL,
        CONSTRAINT suspension_pk PRIMARY KEY (user_id, source)
    )",
    // A directory's accounts and their addresses stand beside the log, as profiles do, so that they can be erased.
    "CREATE TABLE directory_account (
        source text NOT NULL CONSTRAINT directory_account_known_source REFERENCES source (name),
        external_id text NOT NULL,
        user_id {uuid} NOT NULL,
        CONSTRAINT directory_account_pk PRIMARY KEY (source, external_id),
        CONSTRAINT directory_account_once UNIQUE (user_id, source)
    )",
    // Every address that an account has, or had before anybody else did.
    "CREATE TABLE directory_address (
        source text NOT NULL CONSTRAINT directory_address_known_source REFERENCES source (name),
        email_key text NOT NULL,
        user_id {uuid} NOT NULL,
        CONSTRAINT directory_address_pk PRIMARY KEY (email_key, source)
    )",
    "CREATE INDEX directory_address_by_user ON directory_address (user_id)",
    // Groups that the newest complete list of a source did not have, until the next one agrees.
    "CREATE TABLE vanished_group (
        source text NOT NULL CONSTRAINT vanished_group_known_source REFERENCES source (name),
        group_id {uuid} NOT NULL,
        since {time} NOT NULL,
        CONSTRAINT vanished_group_pk PRIMARY KEY (source, group_id)
    )",
];

const POSTGRES_GROUPS: [&str; 6] = [
    "ALTER TABLE user_group ADD COLUMN description text",
    "ALTER TABLE user_group ADD COLUMN ended_position bigint",
    "ALTER TABLE user_group ADD COLUMN ended_at {time}",
    "ALTER TABLE user_group DROP CONSTRAINT user_group_name_once",
    "CREATE UNIQUE INDEX user_group_name_once ON user_group (name) WHERE ended_position IS NULL",
    "CREATE INDEX user_group_by_external_id ON user_group (managed_by, external_id)",
];

/// SQLite can't drop a constraint: the table is made anew, and the one that refers to it with it.
const SQLITE_GROUPS: [&str; 13] = [
    "CREATE TABLE user_group_new (
        id {uuid} CONSTRAINT user_group_pk PRIMARY KEY,
        name text NOT NULL,
        managed_by text CONSTRAINT user_group_known_source REFERENCES source (name),
        external_id text,
        resource_type text,
        permission text,
        resource_id text,
        created_position bigint NOT NULL,
        created_at {time} NOT NULL,
        description text,
        ended_position bigint,
        ended_at {time}
    )",
    "INSERT INTO user_group_new SELECT id, name, managed_by, external_id, resource_type, permission, resource_id,
        created_position, created_at, NULL, NULL, NULL FROM user_group",
    "CREATE TABLE membership_new (
        group_id {uuid} NOT NULL CONSTRAINT membership_known_group REFERENCES user_group_new (id),
        user_id {uuid} NOT NULL CONSTRAINT membership_known_user REFERENCES user_account (id),
        source text NOT NULL CONSTRAINT membership_known_source REFERENCES source (name),
        from_position bigint NOT NULL,
        from_at {time} NOT NULL,
        to_position bigint,
        to_at {time},
        blocked_position bigint,
        CONSTRAINT membership_pk PRIMARY KEY (group_id, user_id, source, from_position),
        CONSTRAINT membership_interval CHECK (to_position >= from_position)
    )",
    "INSERT INTO membership_new SELECT * FROM membership",
    "DROP TABLE membership",
    "DROP TABLE user_group",
    "ALTER TABLE user_group_new RENAME TO user_group",
    "ALTER TABLE membership_new RENAME TO membership",
    "CREATE UNIQUE INDEX membership_open ON membership (source, group_id, user_id) WHERE to_position IS NULL",
    "CREATE INDEX membership_by_user ON membership (user_id, from_position)",
    "CREATE INDEX user_group_by_facet ON user_group (resource_type, resource_id)",
    "CREATE UNIQUE INDEX user_group_name_once ON user_group (name) WHERE ended_position IS NULL",
    "CREATE INDEX user_group_by_external_id ON user_group (managed_by, external_id)",
];

/// The older schema has no groups that ended: their names make room.
const FREE_NAMES: &str = "UPDATE user_group SET name = name || ' (ended at ' || ended_position || ')'
    WHERE ended_position IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if on_postgres(manager) {
            execute(manager, &POSTGRES_GROUPS).await?;
        } else {
            execute(manager, &SQLITE_GROUPS).await?;
        }
        execute(manager, &TABLES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The older program knows nobody who could lift it.
        execute(manager, &["UPDATE user_account SET status = 'active' WHERE status = 'suspended'"]).await?;
        for table in ["vanished_group", "directory_address", "directory_account", "suspension"] {
            execute(manager, &[&format!("DROP TABLE {table}")]).await?;
        }
        let down = ["DROP INDEX user_group_name_once", "DROP INDEX user_group_by_external_id", FREE_NAMES];
        execute(manager, &down).await?;
        execute(
            manager,
            &[
                "ALTER TABLE user_group DROP COLUMN ended_position",
                "ALTER TABLE user_group DROP COLUMN ended_at",
                "ALTER TABLE user_group DROP COLUMN description",
                if on_postgres(manager) {
                    "ALTER TABLE user_group ADD CONSTRAINT user_group_name_once UNIQUE (name)"
                } else {
                    // SQLite can't add a constraint; an index serves as well.
                    "CREATE UNIQUE INDEX user_group_name_once ON user_group (name)"
                },
            ],
        )
        .await
    }
}
