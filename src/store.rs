//! The store: the only place that knows SeaORM. Everything that is written goes through a [`Unit`], one transaction.
//!
//! May import: sea-orm, entity, migration, model, clock. Never a source, never HTTP.
//!
//! Invariants: events and the rows that follow from them commit together; the log's head is the lock under which all
//! writers stand, on both databases; no network call happens while it is held.

mod access;
mod accesses;
mod accounts;
mod administrators;
mod check;
mod connect;
mod entitlements;
mod error;
mod grants;
mod groups;
mod history;
mod idempotency;
mod leases;
mod log;
mod memberships;
mod observations;
mod paths;
mod plans;
mod profiles;
mod project;
mod proof;
mod quiet;
mod readonly;
mod resources;
mod roles;
mod runs;
mod schema;
mod sources;
mod sql;
mod tokens;
mod unit;
mod users;
mod why;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection, StreamTrait};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use access::{AccessRow, OverviewRow, Seen};
pub use accesses::{AccessRecord, Accesses};
pub use accounts::Standing;
pub use administrators::{DirectoryWord, LookUp, LookedUp};
pub use check::{Answers, check_sql};
pub use connect::{Access, Database};
pub use error::StoreError;
pub use grants::{GrantFilter, GrantRecord};
pub use groups::{GroupRecord, GroupRow};
pub use history::{AuditFilter, Changed, MembersAt, PastMembership};
pub use idempotency::{Claimed, Fingerprint, KEYS_OF_ACTOR_MAX, StoredAnswer};
pub use leases::Lease;
pub use log::StoredEvent;
pub use memberships::{DuePlace, Expired, MembershipRow};
pub use observations::{Applied, Mark, Marks, Observed};
pub use plans::{Approval, HeldPlan};
pub use profiles::{Profile, ProfileChange};
pub use proof::{Fault, Proof};
pub use quiet::QuietRun;
pub use readonly::{HIDDEN, READABLE, ReadonlyRole, RoleName};
pub use resources::Resource;
pub use roles::RoleAssignment;
pub use runs::{Breadth, RunRecord, SourceRuns};
pub use schema::{SchemaState, Step, expected_schema};
pub use tokens::{PersonStanding, PresentedToken, TokenRecord};
pub use unit::Unit;
pub use users::UserRecord;
pub use why::{Interval, PastGroup};

use sql::Dialect;

use crate::batch::Batches;
use crate::clock::Clock;

/// The store of one deployment, on SQLite or PostgreSQL.
#[derive(Clone)]
pub struct Store {
    db: DatabaseConnection,
    clock: Clock,
    /// Turns to write. On SQLite there is one: waiting here is fair and costs nothing, waiting in the database is neither. On
    /// PostgreSQL each waits for the head on a connection of its own, and some have to be left for those who read.
    turns: Arc<Semaphore>,
    /// Whether new users enter `Everyone` by `system_seed`.
    everyone_seeded: bool,
    statements: Arc<AtomicU64>,
    /// Runs that change nothing, recorded together.
    quiet: Arc<Batches<QuietRun, ()>>,
}

/// Something to read through: the store's connections, or an open transaction.
pub trait Reader: ConnectionTrait + StreamTrait {
    /// The dialect it speaks.
    fn dialect(&self) -> Dialect {
        Dialect::of(ConnectionTrait::get_database_backend(self))
    }
}

impl<C: ConnectionTrait + StreamTrait> Reader for C {}

impl Store {
    /// A handle for reading outside of a transaction.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.db
    }

    /// The same store, seeding `Everyone` or leaving it to the sources that are mapped to it.
    #[must_use]
    pub fn with_everyone_seeded(self, everyone_seeded: bool) -> Self {
        Self { everyone_seeded, ..self }
    }

    /// A turn to write beside the log, on SQLite; on PostgreSQL that waits for no head.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        match self.database() {
            Database::Sqlite => Some(self.turn_for_head().await),
            Database::Postgres => None,
        }
    }

    /// A turn to wait for the head of the log.
    async fn turn_for_head(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.turns).acquire_owned().await.expect("invariant: the turns are never closed")
    }

    /// The clock that stamps what is written.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How many statements this process has sent to the database so far.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Which database this is.
    #[must_use]
    pub fn database(&self) -> Database {
        Database::of(ConnectionTrait::get_database_backend(&self.db))
    }

    /// Lets go of all connections; on SQLite this folds the write-ahead log into the file.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn close(self) -> Result<(), StoreError> {
        use error::Doing;
        self.db.close().await.doing("closing the store")
    }
}
