//! The words in which the two stores' dialects differ.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// Runs `statements`, having put each store's own words for `{uuid}`, `{time}` and `{bytes}`.
pub async fn execute(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let (uuid, time, bytes) = match manager.get_database_backend() {
        DatabaseBackend::Postgres => ("uuid", "timestamptz", "bytea"),
        _ => ("BLOB", "TEXT", "BLOB"),
    };
    for statement in statements {
        let statement = statement.replace("{uuid}", uuid).replace("{time}", time).replace("{bytes}", bytes);
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Whether the steps run on PostgreSQL.
pub fn on_postgres(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DatabaseBackend::Postgres
}
