//! A fresh database for each test, of either kind.

use std::path::Path;
use std::time::Duration;

use entitled::store::Store;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

/// The kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A database of its own; a PostgreSQL one is dropped with it.
pub struct Database {
    kind: Kind,
    url: String,
    name: String,
}

fn server() -> String {
    std::env::var("ENTITLED_TEST_POSTGRES_URL")
        .expect("ENTITLED_TEST_POSTGRES_URL must name a PostgreSQL whose user may create databases: run scripts/test")
}

impl Database {
    /// A connection beside the product. As there, nothing looks after it: see `store/connect.rs`.
    pub async fn raw(url: &str) -> DatabaseConnection {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).max_connections(1);
        sea_orm::Database::connect(options).await.expect("the database")
    }

    pub async fn create(kind: Kind, folder: &Path) -> Self {
        let name = format!("entitled_{}", uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple());
        let url = match kind {
            Kind::Sqlite => format!("sqlite://{}/entitled.db", folder.display()),
            Kind::Postgres => {
                let server = Self::raw(&server()).await;
                server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
                server.close().await.expect("closed");
                let (base, _) = server_base();
                format!("{base}/{name}")
            }
        };
        Self { kind, url, name }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Raw SQL, beside the product.
    pub async fn connect(&self) -> DatabaseConnection {
        Self::raw(&self.url).await
    }

    pub async fn store(&self) -> Store {
        super::open(&self.url).await
    }

    /// Runs SQL that must succeed.
    pub async fn execute(&self, sql: &str) {
        self.try_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs SQL that may be refused.
    pub async fn try_execute(&self, sql: &str) -> Result<u64, sea_orm::DbErr> {
        let connection = self.connect().await;
        let done = connection.execute_unprepared(sql).await.map(|done| done.rows_affected());
        connection.close().await.expect("closed");
        done
    }

    /// Reads one number.
    pub async fn count(&self, sql: &str) -> i64 {
        let connection = self.connect().await;
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let count = row.expect("a row").try_get_by_index(0).expect("a number");
        connection.close().await.expect("closed");
        count
    }
}

/// The server's address without its database, and the database.
fn server_base() -> (String, String) {
    let server = server();
    let (base, database) = server.rsplit_once('/').expect("an address with a database");
    (base.to_owned(), database.to_owned())
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.kind == Kind::Sqlite {
            return;
        }
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let server = Database::raw(&server()).await;
                server.execute_unprepared(&sql).await.expect("dropped");
            });
        });
        let _ = dropping.join();
    }
}
