//! What can go wrong in the store.

use sea_orm::DbErr;

/// A failure of the store, naming what was attempted.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{doing} failed")]
    Database { doing: &'static str, source: DbErr },
    #[error("PostgreSQL can't be reached at {address}")]
    Unreachable { address: String, source: std::io::Error },
    /// The rows are not what the log says they must be: `entitled verify` tells more, `entitled rebuild` mends it.
    #[error("the store is damaged: {what}")]
    Damaged { what: String },
    /// The schema is not the one this program expects.
    #[error("{0}")]
    Schema(String),
    #[error("there is no database at {address} yet")]
    Missing { address: String },
    #[error("the database address is unusable: {0}")]
    Address(String),
}

/// Names what was attempted when a database call fails.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, DbErr> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { doing, source })
    }
}

impl StoreError {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        StoreError::Damaged { what: what.into() }
    }
}
