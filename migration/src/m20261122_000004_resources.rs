//! Resources: what access is granted on.

use sea_orm_migration::prelude::*;

use crate::dialect::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: [&str; 2] = [
    "CREATE TABLE resource (
        resource_type text NOT NULL,
        resource_id text NOT NULL,
        attributes text NOT NULL,
        since_position bigint NOT NULL,
        since_at {time} NOT NULL,
        CONSTRAINT resource_pk PRIMARY KEY (resource_type, resource_id)
    )",
    // Who is entitled to a resource that is being provisioned.
    "CREATE INDEX entitlement_by_key ON entitlement (source, key)",
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
        execute(manager, &["DROP INDEX entitlement_by_key", "DROP TABLE resource"]).await
    }
}
