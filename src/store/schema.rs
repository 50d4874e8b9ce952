//! The schema: which steps the database has, which this program expects, and the way from one to the other.

use std::collections::BTreeSet;

use entitled_migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, TransactionOptions, TransactionTrait};

use super::error::{Doing, StoreError};
use super::sql::Dialect;
use super::{Database, Store};

/// Serialises migrations of several processes on PostgreSQL; the number means nothing but must never change.
const POSTGRES_MIGRATION_LOCK: i64 = 0x656e_7469_746c_6564;

/// Whether the database's schema is the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    Ok {
        current: String,
    },
    /// Steps are missing, or there are steps that this program does not know.
    Mismatch {
        current: Option<String>,
        expected: String,
    },
}

/// A step and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub name: String,
    pub applied: bool,
}

fn expected() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

/// The newest step that this program knows.
#[must_use]
pub fn expected_schema() -> String {
    expected().pop().unwrap_or_default()
}

/// Applies all pending steps; several processes may do so at once.
///
/// # Errors
/// When a step fails: the schema and the data are then as before.
pub(super) async fn up(store: &Store) -> Result<Vec<String>, StoreError> {
    const DOING: &str = "migrating the schema";
    let _turn = store.turn_for_head().await;
    let tx = begin(store).await?;
    let before: BTreeSet<String> = applied(&tx).await?.into_iter().collect();
    let known: BTreeSet<String> = expected().into_iter().collect();
    if let Some(newer) = before.difference(&known).last() {
        return Err(StoreError::Schema(format!(
            "the schema has step {newer}, which this version of entitled does not know"
        )));
    }
    Migrator::up(&tx, None).await.doing(DOING)?;
    tx.commit().await.doing(DOING)?;
    Ok(known.difference(&before).cloned().collect())
}

/// Takes `steps` steps back, or all. What they held is gone.
///
/// # Errors
/// When a step fails: the schema and the data are then as before.
async fn down(store: &Store, steps: Option<u32>) -> Result<Vec<String>, StoreError> {
    const DOING: &str = "taking the schema back";
    let _turn = store.turn_for_head().await;
    let tx = begin(store).await?;
    let before: BTreeSet<String> = applied(&tx).await?.into_iter().collect();
    Migrator::down(&tx, steps).await.doing(DOING)?;
    let after: BTreeSet<String> = applied(&tx).await?.into_iter().collect();
    tx.commit().await.doing(DOING)?;
    let mut taken_back: Vec<String> = before.difference(&after).cloned().collect();
    taken_back.reverse();
    Ok(taken_back)
}

async fn begin(store: &Store) -> Result<sea_orm::DatabaseTransaction, StoreError> {
    const DOING: &str = "taking the schema's lock";
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(sea_orm::SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = store.db.begin_with_options(options).await.doing(DOING)?;
    if store.database() == Database::Postgres {
        let lock = Dialect::Postgres.statement("SELECT pg_advisory_xact_lock($1)", [POSTGRES_MIGRATION_LOCK.into()]);
        tx.execute_raw(lock).await.doing(DOING)?;
    }
    Ok(tx)
}

/// The steps that the database has, oldest first; none when it has never been migrated.
async fn applied(conn: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    const DOING: &str = "reading the schema's steps";
    let dialect = Dialect::of(conn.get_database_backend());
    let table = match dialect {
        Dialect::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
        Dialect::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
    };
    if conn.query_one_raw(dialect.statement(table, [])).await.doing(DOING)?.is_none() {
        return Ok(Vec::new());
    }
    let names = dialect.statement("SELECT version FROM seaql_migrations ORDER BY version", []);
    let rows = conn.query_all_raw(names).await.doing(DOING)?;
    rows.iter().map(|row| row.try_get_by_index(0).doing(DOING)).collect()
}

impl Store {
    /// Applies all pending steps and returns their names.
    ///
    /// # Errors
    /// When a step fails, or the database has steps that this program does not know; nothing has changed then.
    pub async fn migrate_up(&self) -> Result<Vec<String>, StoreError> {
        up(self).await
    }

    /// Takes the newest `steps` steps back (`None`: all) and returns their names.
    ///
    /// # Errors
    /// When a step fails; nothing has changed then.
    pub async fn migrate_down(&self, steps: Option<u32>) -> Result<Vec<String>, StoreError> {
        down(self, steps).await
    }

    /// All known steps, oldest first, and any unknown ones that the database has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn migration_steps(&self) -> Result<Vec<Step>, StoreError> {
        let applied: BTreeSet<String> = applied(&self.db).await?.into_iter().collect();
        let all: BTreeSet<String> = expected().into_iter().chain(applied.iter().cloned()).collect();
        Ok(all.into_iter().map(|name| Step { applied: applied.contains(&name), name }).collect())
    }

    /// Compares the database's schema with the expected one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        let applied = applied(&self.db).await?;
        let expected = expected();
        let newest = |names: &[String]| names.last().cloned();
        if applied == expected {
            return Ok(SchemaState::Ok { current: newest(&applied).unwrap_or_default() });
        }
        Ok(SchemaState::Mismatch { current: newest(&applied), expected: newest(&expected).unwrap_or_default() })
    }
}
