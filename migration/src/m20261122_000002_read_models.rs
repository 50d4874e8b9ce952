//! Current state, each row a projection of events; and people's profiles, which stand beside the log so that they can be erased.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 10] = [
    "CREATE TABLE source (
        name text CONSTRAINT source_pk PRIMARY KEY
    )",
    "INSERT INTO source (name) VALUES ('admin'), ('system_seed'), ('break_glass')",
    "CREATE TABLE user_account (
        id {uuid} CONSTRAINT user_account_pk PRIMARY KEY,
        kind text NOT NULL CONSTRAINT user_account_kind CHECK (kind IN ('person', 'service')),
        status text NOT NULL CONSTRAINT user_account_status CHECK (status IN ('active', 'suspended', 'deactivated')),
        created_position bigint NOT NULL,
        created_at {time} NOT NULL
    )",
    "CREATE TABLE user_profile (
        user_id {uuid} CONSTRAINT user_profile_pk PRIMARY KEY,
        email text,
        email_key text CONSTRAINT user_profile_email_once UNIQUE,
        sub text CONSTRAINT user_profile_sub_once UNIQUE,
        claims text NOT NULL,
        updated_at {time} NOT NULL
    )",
    "CREATE TABLE user_group (
        id {uuid} CONSTRAINT user_group_pk PRIMARY KEY,
        name text NOT NULL CONSTRAINT user_group_name_once UNIQUE,
        managed_by text CONSTRAINT user_group_known_source REFERENCES source (name),
        external_id text,
        resource_type text,
        permission text,
        resource_id text,
        created_position bigint NOT NULL,
        created_at {time} NOT NULL
    )",
    "CREATE TABLE membership (
        group_id {uuid} NOT NULL CONSTRAINT membership_known_group REFERENCES user_group (id),
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
    "CREATE UNIQUE INDEX membership_open ON membership (source, group_id, user_id) WHERE to_position IS NULL",
    "CREATE INDEX membership_by_user ON membership (user_id, from_position)",
    "CREATE TABLE entitlement (
        user_id {uuid} NOT NULL CONSTRAINT entitlement_known_user REFERENCES user_account (id),
        source text NOT NULL CONSTRAINT entitlement_known_source REFERENCES source (name),
        key text NOT NULL,
        value text NOT NULL,
        since_position bigint NOT NULL,
        since_at {time} NOT NULL,
        CONSTRAINT entitlement_pk PRIMARY KEY (user_id, source, key)
    )",
    "CREATE INDEX user_group_by_facet ON user_group (resource_type, resource_id)",
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
        let tables = ["entitlement", "membership", "user_group", "user_profile", "user_account", "source"];
        for table in tables {
            execute(manager, &[&format!("DROP TABLE {table}")]).await?;
        }
        Ok(())
    }
}
