//! Proof: the log is whole, and the tables are what the log says. `verify` and `rebuild` replay the same way, into other tables.

use std::fmt;

use entitled_model::Position;
use entitled_model::event::GENESIS;
use entitled_model::projection::row_changes;
use sea_orm::{ConnectionTrait, TransactionOptions, TransactionTrait};

use super::error::{Doing, StoreError};
use super::log::{self, StoredEvent};
use super::project::{Projector, Tables};
use super::{Reader, Store};

/// The tables that are nothing but projections, children before parents.
const PROJECTIONS: [&str; 11] = [
    "directory_administrator",
    "role_assignment",
    "plan_approval",
    "token",
    "entitlement",
    "membership",
    "access_grant",
    "resource",
    "user_group",
    "suspension",
    "user_account",
];
/// The most faults that are listed; one is enough to know.
const FAULTS_MAX: usize = 100;

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How many events were read.
    pub events: u64,
    /// The newest position.
    pub head: Position,
    /// Empty when all is sound.
    pub faults: Vec<Fault>,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A position without an event.
    Missing { position: Position },
    /// An event that can't be read.
    Unreadable { position: Position, why: String },
    /// An event that is not what was written, or that follows another past than it did.
    Digest { position: Position },
    /// The head does not end the chain.
    Head { position: Position, says: Position },
    /// Rows of a table that are not what the events make them.
    Drift { table: &'static str, missing: u64, surplus: u64 },
    /// The events don't fit together, so that the tables can't be compared.
    Replay { why: String },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing { position } => write!(f, "the event at position {position} is missing"),
            Fault::Unreadable { position, why } => write!(f, "the event at position {position} can't be read: {why}"),
            Fault::Digest { position } => write!(f, "the event at position {position} is not what was written"),
            Fault::Head { position, says } => write!(f, "the log ends at {position} and its head says {says}"),
            Fault::Drift { table, missing, surplus } => {
                write!(
                    f,
                    "table {table} differs from the log: {missing} rows missing or changed, {surplus} too many or changed"
                )
            }
            Fault::Replay { why } => write!(f, "the log can't be replayed: {why}"),
        }
    }
}

impl Store {
    /// Reads the whole log, checks its chain, replays it beside the tables and compares. It writes nothing lasting.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn verify(&self) -> Result<Proof, StoreError> {
        const DOING: &str = "verifying";
        let options = TransactionOptions {
            isolation_level: match self.database() {
                super::Database::Postgres => Some(sea_orm::IsolationLevel::RepeatableRead),
                super::Database::Sqlite => None,
            },
            ..TransactionOptions::default()
        };
        let tx = self.db.begin_with_options(options).await.doing(DOING)?;
        let (head, digest) = self.head(&tx).await?;
        create_replayed(&tx).await?;
        let mut replay = Replay::new(Tables::REPLAYED, &tx);
        match replay.run(&tx).await {
            Ok(()) => {}
            // The comparison below would only repeat it.
            Err(StoreError::Damaged { what }) => replay.faults.push(Fault::Replay { why: what }),
            Err(other) => return Err(other),
        }
        replay.check_end(head, &digest);
        let mut faults = std::mem::take(&mut replay.faults);
        if !faults.iter().any(|fault| matches!(fault, Fault::Replay { .. } | Fault::Unreadable { .. })) {
            for table in PROJECTIONS {
                faults.extend(drift(&tx, table).await?);
            }
        }
        drop_replayed(&tx).await?;
        tx.rollback().await.doing(DOING)?;
        Ok(Proof { events: replay.events, head, faults })
    }

    /// Empties the tables of current state and fills them from the log. Profiles stand beside the log and stay.
    ///
    /// # Errors
    /// When the database refuses, or the log is not whole: the tables are then as before.
    pub async fn rebuild(&self) -> Result<Proof, StoreError> {
        let unit = self.begin().await?;
        let conn = unit.reader();
        for table in PROJECTIONS {
            conn.execute_unprepared(&format!("DELETE FROM {table}")).await.doing("emptying a table")?;
        }
        let mut replay = Replay::new(Tables::CURRENT, conn);
        let (head, digest) = self.head(conn).await?;
        replay.run(conn).await?;
        replay.check_end(head, &digest);
        if let Some(fault) = replay.faults.first() {
            return Err(StoreError::damaged(fault.to_string()));
        }
        let (events, faults) = (replay.events, Vec::new());
        let head = unit.commit().await?;
        Ok(Proof { events, head, faults })
    }
}

/// The log, read once from its beginning.
struct Replay {
    projector: Projector,
    position: Position,
    digest: [u8; 32],
    events: u64,
    faults: Vec<Fault>,
}

impl Replay {
    fn new(tables: Tables, conn: &impl Reader) -> Self {
        let projector = Projector::new(tables, conn.dialect());
        Self { projector, position: Position(0), digest: GENESIS, events: 0, faults: Vec::new() }
    }

    async fn run(&mut self, conn: &impl Reader) -> Result<(), StoreError> {
        loop {
            let page = log::page(conn, self.position).await?;
            if page.is_empty() {
                return self.projector.finish(conn).await;
            }
            for (position, event) in page {
                self.check_gap(position);
                match event {
                    Ok(event) => self.take(conn, event).await?,
                    Err(error) => {
                        let why =
                            std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
                        self.fault(Fault::Unreadable { position, why: format!("{error}{why}") });
                    }
                }
            }
        }
    }

    fn check_gap(&mut self, position: Position) {
        if position.0 != self.position.0 + 1 {
            self.fault(Fault::Missing { position: Position(self.position.0 + 1) });
        }
        self.position = position;
        self.events += 1;
    }

    /// Whether the head of the log is where the events end.
    fn check_end(&mut self, head: Position, digest: &[u8]) {
        if (self.position, self.digest.as_slice()) != (head, digest) {
            self.faults.push(Fault::Head { position: self.position, says: head });
        }
    }

    async fn take(&mut self, conn: &impl Reader, event: StoredEvent) -> Result<(), StoreError> {
        let StoredEvent { recorded, digest, as_written } = event;
        if recorded.digest(&self.digest) != digest || !as_written {
            self.fault(Fault::Digest { position: recorded.position });
        }
        self.digest = digest;
        let (since, changes) = row_changes(&recorded);
        self.projector.take(conn, since, changes).await
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}

async fn create_replayed(conn: &impl ConnectionTrait) -> Result<(), StoreError> {
    const DOING: &str = "making room for the replay";
    for table in PROJECTIONS {
        let name = Tables::REPLAYED.name(table);
        let sql = format!("CREATE TEMPORARY TABLE {name} AS SELECT * FROM {table} WHERE 1 = 0");
        conn.execute_unprepared(&sql).await.doing(DOING)?;
    }
    for index in [
        "CREATE UNIQUE INDEX replay_open ON replay_membership (source, group_id, user_id) WHERE to_position IS NULL",
        "CREATE UNIQUE INDEX replay_key ON replay_entitlement (user_id, source, key)",
        "CREATE UNIQUE INDEX replay_role_key ON replay_role_assignment (subject_id, subject_kind)",
        "CREATE UNIQUE INDEX replay_administrator_key ON replay_directory_administrator (user_id, source)",
        "CREATE UNIQUE INDEX replay_approval_key ON replay_plan_approval (source)",
        "CREATE UNIQUE INDEX replay_suspension_key ON replay_suspension (user_id, source)",
        "CREATE UNIQUE INDEX replay_resource_key ON replay_resource (resource_type, resource_id)",
        "CREATE UNIQUE INDEX replay_access_grant_key ON replay_access_grant (id)",
    ] {
        conn.execute_unprepared(index).await.doing(DOING)?;
    }
    Ok(())
}

async fn drop_replayed(conn: &impl ConnectionTrait) -> Result<(), StoreError> {
    for table in PROJECTIONS {
        let sql = format!("DROP TABLE IF EXISTS {}", Tables::REPLAYED.name(table));
        conn.execute_unprepared(&sql).await.doing("clearing the replay away")?;
    }
    Ok(())
}

async fn drift(conn: &impl Reader, table: &'static str) -> Result<Option<Fault>, StoreError> {
    const DOING: &str = "comparing tables";
    let d = conn.dialect();
    let replayed = Tables::REPLAYED.name(table);
    let count = async |of: String| {
        let sql = format!("SELECT count(*) FROM {of}");
        let row = conn.query_one_raw(d.statement(sql, [])).await.doing(DOING)?;
        let count: i64 = row.map(|row| row.try_get_by_index(0).doing(DOING)).transpose()?.unwrap_or_default();
        Ok::<u64, StoreError>(count.unsigned_abs())
    };
    let beyond = |one: &str, other: &str| format!("(SELECT * FROM {one} EXCEPT SELECT * FROM {other}) AS difference");
    let surplus = count(beyond(table, &replayed)).await?;
    // No two rows of a table are alike: where all are among as many, there are no others.
    let are_all = surplus == 0 && count(table.to_owned()).await? == count(replayed.clone()).await?;
    let missing = if are_all { 0 } else { count(beyond(&replayed, table)).await? };
    Ok((missing + surplus > 0).then_some(Fault::Drift { table, missing, surplus }))
}
