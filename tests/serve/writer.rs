//! Somebody else who writes to the store and takes their time.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use crate::support::{Kind, World};

/// An open transaction that holds the head of the log; everybody else who writes waits for it.
pub struct Writer(DatabaseTransaction);

impl Writer {
    pub async fn begin(world: &World) -> Self {
        Self::open(world, "PRAGMA busy_timeout = 20000", "").await.expect("the head")
    }

    pub async fn end(self) {
        self.0.rollback().await.expect("rolled back");
    }

    /// Writes something, and lets the head go.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub async fn leave(self, sql: &str) {
        self.0.execute_unprepared(sql).await.expect("written");
        self.0.commit().await.expect("committed");
    }

    /// Returns when somebody else holds the head: a commit is under way.
    pub async fn wait_for_another(world: &World) {
        let looking = async { while !Self::is_another(world).await {} };
        tokio::time::timeout(crate::support::PATIENCE, looking).await.expect("somebody writes");
    }

    /// Whether somebody else holds the head just now.
    pub async fn is_another(world: &World) -> bool {
        match Self::open(world, "PRAGMA busy_timeout = 0", " NOWAIT").await {
            Ok(writer) => {
                writer.end().await;
                false
            }
            Err(_) => true,
        }
    }

    async fn open(world: &World, patience: &str, or_fail: &str) -> Result<Self, DbErr> {
        let mut options = ConnectOptions::new(world.database.url());
        options.max_connections(1).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
        let connection = sea_orm::Database::connect(options).await?;
        let kind = world.database.kind();
        if kind == Kind::Sqlite {
            connection.execute_unprepared(patience).await?;
        }
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
        let transaction = connection.begin_with_options(options).await?;
        if kind == Kind::Postgres {
            transaction.execute_unprepared(&format!("SELECT 1 FROM event_head FOR UPDATE{or_fail}")).await?;
        }
        Ok(Self(transaction))
    }
}
