//! Opening a database, with what each kind needs to be safe under several writers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseBackend, DbErr, RuntimeErr};
use tokio::sync::Semaphore;

use super::error::{Doing, StoreError};
use super::{Store, quiet, schema};
use crate::batch::Batches;
use crate::clock::Clock;

/// How many rows a connection's thread reads ahead of who takes them; each time it runs empty, two threads are woken.
const SQLITE_ROWS_AHEAD: usize = 1_000;
/// How long a SQLite writer waits for another process's transaction.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long is waited before a SQLite file that was busy is opened again.
const SQLITE_BUSY_PAUSE: Duration = Duration::from_millis(20);
const POSTGRES_PORT: u16 = 5432;
/// Where the log has every statement, at level trace.
const STATEMENTS: &str = "entitled::statements";
/// A connection that was idle for so long is pinged before it is used: the server may have gone away meanwhile. One in use
/// would cost each statement a second round trip, and is as likely to break during the statement as before it.
const POSTGRES_PING_AFTER: Duration = Duration::from_millis(250);
/// How long a PostgreSQL statement waits for another replica's lock.
const POSTGRES_LOCK_TIMEOUT_MS: u64 = 60_000;
/// How long the server waits for the next statement of a transaction before it ends the session. A replica that is paused,
/// or cut off, while it holds the head of the log would else stop every other writer for as long.
const POSTGRES_IDLE: (&str, &str) = ("idle_in_transaction_session_timeout", "15000");

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub(super) fn of(backend: DatabaseBackend) -> Self {
        match backend {
            DatabaseBackend::Postgres => Database::Postgres,
            _ => Database::Sqlite,
        }
    }

    fn of_url(url: &str) -> Result<Self, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Database::Sqlite),
            Some("postgres" | "postgresql") => Ok(Database::Postgres),
            _ => Err(StoreError::Address("expected sqlite://… or postgres://…".into())),
        }
    }
}

/// What the opener means to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    ReadWrite,
    /// Nothing at all is written, not even a missing file: a store that is not there reads as an empty one.
    ReadOnly,
}

impl Store {
    /// Opens the database at `url`, with at most `connections_max` connections, each opened within `connect_timeout`.
    ///
    /// # Errors
    /// When the address is of no known kind, or the database can't be reached or opened.
    pub async fn open(
        url: &str,
        connections_max: u32,
        connect_timeout: Duration,
        access: Access,
        clock: Clock,
    ) -> Result<Store, StoreError> {
        match Database::of_url(url)? {
            Database::Postgres => {
                let options = postgres_options(url, access);
                let opened = Self::connect(options, connections_max, connect_timeout, clock).await;
                match opened {
                    Ok(store) => Ok(store),
                    // The pool tells only that its time is over.
                    Err(error) => Err(unreachable(url, connect_timeout).await.unwrap_or(error)),
                }
            }
            Database::Sqlite => Self::open_sqlite(url, connections_max, connect_timeout, access, clock).await,
        }
    }

    /// The file of a SQLite address; none for one in memory, or for PostgreSQL.
    #[must_use]
    pub fn file_of(url: &str) -> Option<PathBuf> {
        sqlite_file(url)
    }

    async fn open_sqlite(
        url: &str,
        connections_max: u32,
        connect_timeout: Duration,
        access: Access,
        clock: Clock,
    ) -> Result<Store, StoreError> {
        let file = sqlite_file(url);
        let missing = file.as_ref().is_none_or(|file| !file.exists());
        if missing && (file.is_none() || access == Access::ReadOnly) {
            let store = Self::connect(sqlite_options("sqlite::memory:", false), 1, connect_timeout, clock).await?;
            schema::up(&store).await?;
            store.seed_system_groups().await?;
            return Ok(store);
        }
        if let Some(parent) = file.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty())
            && !parent.is_dir()
        {
            return Err(StoreError::Address(format!("the folder {} does not exist", parent.display())));
        }
        if let Some(file) = file.filter(|_| missing) {
            create_private(&file)?;
        }
        let address = if url.contains('?') { url.to_owned() } else { format!("{url}?mode=rwc") };
        let options = sqlite_options(&address, access == Access::ReadOnly);
        let deadline = clock.monotonic() + SQLITE_BUSY_TIMEOUT;
        loop {
            match Self::connect(options.clone(), connections_max, connect_timeout, clock.clone()).await {
                // Another process is turning the new file to its write-ahead log; SQLite does not wait for that by itself.
                Err(error) if is_busy(&error) && clock.monotonic() < deadline => clock.sleep(SQLITE_BUSY_PAUSE).await,
                opened => return opened,
            }
        }
    }

    async fn connect(
        mut options: ConnectOptions,
        connections_max: u32,
        connect_timeout: Duration,
        clock: Clock,
    ) -> Result<Store, StoreError> {
        options
            .max_connections(connections_max)
            .connect_timeout(connect_timeout)
            .acquire_timeout(connect_timeout)
            // sqlx 0.9 looks after idle connections in a loop of as many turns as its counter of them says, and the counter
            // passes below zero for an instant when a connection is given back and taken: the loop then never ends, and
            // takes a core with it. Without these two it does not look.
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>)
            // Statements and their parameters hold personal data.
            .sqlx_logging(false);
        let mut db = sea_orm::Database::connect(options).await.doing("opening the store")?;
        let statements: Arc<AtomicU64> = Arc::default();
        let counted = Arc::clone(&statements);
        db.set_metric_callback(move |sent| {
            counted.fetch_add(1, Ordering::Relaxed);
            // Without its values, which are personal.
            tracing::trace!(target: STATEMENTS, sql = sent.statement.sql, "sent");
        });
        let turns = match Database::of(ConnectionTrait::get_database_backend(&db)) {
            Database::Sqlite => 1,
            Database::Postgres => (connections_max / 2).max(1),
        };
        let turns = Arc::new(Semaphore::new(turns as usize));
        // One after the other: the head of the log is one.
        let quiet = Arc::new(Batches::new(1, quiet::BATCH_MAX));
        Ok(Store { db, clock, turns, everyone_seeded: false, statements, quiet })
    }
}

/// Why nothing answers at the server's address; none when something does, or the address names no host.
async fn unreachable(url: &str, timeout: Duration) -> Option<StoreError> {
    let url = url::Url::parse(url).ok()?;
    let address = format!("{}:{}", url.host_str()?, url.port().unwrap_or(POSTGRES_PORT));
    let tried = tokio::time::timeout(timeout, tokio::net::TcpStream::connect(&address)).await;
    let source = match tried {
        Ok(Ok(_)) => return None,
        Ok(Err(error)) => error,
        Err(_) => std::io::ErrorKind::TimedOut.into(),
    };
    Some(StoreError::Unreachable { address, source })
}

/// Makes an empty file that nobody else may read, whatever the umask says: people's addresses will stand in it.
fn create_private(file: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::Address(format!("{} can't be made: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

/// Whether another process held a SQLite file (`SQLITE_BUSY`, in the low byte of its extended codes).
fn is_busy(error: &StoreError) -> bool {
    let StoreError::Database { source: DbErr::Conn(RuntimeErr::SqlxError(cause)), .. } = error else { return false };
    let code = cause.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// The file of a SQLite address; none for one in memory.
fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or(path);
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

fn sqlite_options(address: &str, query_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(address);
    let in_memory = address.ends_with(":memory:");
    // A file does not go away as a server does.
    options.test_before_acquire(false);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let sqlite = sqlite.foreign_keys(true).busy_timeout(SQLITE_BUSY_TIMEOUT).row_buffer_size(SQLITE_ROWS_AHEAD);
        match (in_memory, query_only) {
            (true, _) => sqlite,
            (false, true) => sqlite.pragma("query_only", "ON"),
            (false, false) => sqlite.pragma("journal_mode", "WAL").pragma("synchronous", "NORMAL"),
        }
    });
    options
}

fn postgres_options(url: &str, access: Access) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.set_application_name("entitled");
    options.test_before_acquire_if_idle_for(POSTGRES_PING_AFTER);
    let idle = (!url.contains(POSTGRES_IDLE.0)).then_some(POSTGRES_IDLE);
    options.map_sqlx_postgres_opts(move |postgres| {
        let postgres = postgres.options([("lock_timeout", POSTGRES_LOCK_TIMEOUT_MS.to_string())]).options(idle);
        match access {
            Access::ReadWrite => postgres,
            Access::ReadOnly => postgres.options([("default_transaction_read_only", "on")]),
        }
    });
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_an_address() {
        for (url, file) in [
            ("sqlite:///var/lib/entitled.db", Some("/var/lib/entitled.db")),
            ("sqlite://entitled.db", Some("entitled.db")),
            ("sqlite://entitled.db?mode=rw", Some("entitled.db")),
            ("sqlite::memory:", None),
            ("sqlite://:memory:", None),
        ] {
            assert_eq!(sqlite_file(url), file.map(PathBuf::from), "{url}");
        }
        assert!(Database::of_url("mysql://x").is_err());
    }
}
