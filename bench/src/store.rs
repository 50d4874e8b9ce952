//! One indexed look-up in a store, as bare as its driver lets it be.

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

const USER: &str = "SELECT user_id FROM user_profile WHERE email_key = $1";

pub enum Store {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Store {
    pub async fn connect(url: &str, connections: usize) -> anyhow::Result<Self> {
        let connections = u32::try_from(connections)?;
        Ok(if url.starts_with("sqlite") {
            Self::Sqlite(SqlitePoolOptions::new().max_connections(connections).connect(url).await?)
        } else {
            Self::Postgres(PgPoolOptions::new().max_connections(connections).connect(url).await?)
        })
    }

    /// Whether there is a user with this e-mail.
    pub async fn knows(&self, email: &str) -> anyhow::Result<bool> {
        Ok(match self {
            Self::Sqlite(pool) => sqlx::query(USER).bind(email).fetch_optional(pool).await?.is_some(),
            Self::Postgres(pool) => sqlx::query(USER).bind(email).fetch_optional(pool).await?.is_some(),
        })
    }
}
