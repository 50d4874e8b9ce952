//! Leases: of all replicas and one-shots, one runs a source at a time.
//!
//! A lease is taken for a while and renewed; its epoch grows with each new holder, so that work begun under an old one can
//! be told. A holder that died on this machine is recognised at once, one on another machine when its lease runs out.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use sea_orm::ConnectionTrait;

use super::error::{Doing, StoreError};
use super::{Reader, Store};

/// A lease that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub epoch: i64,
    holder: String,
}

/// This process, as a lease's holder: host, process-id namespace, process id, and when it started (a reused id differs).
fn this_process() -> &'static str {
    static HOLDER: OnceLock<String> = OnceLock::new();
    HOLDER.get_or_init(|| {
        let id = std::process::id();
        let started = process_started(id).unwrap_or_default();
        format!("{}/{id}/{started}", this_machine())
    })
}

fn this_machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
    format!("{}/{}/{namespace}", read("/proc/sys/kernel/hostname"), read("/proc/sys/kernel/random/boot_id"))
}

/// When a process started, in clock ticks since boot (field 22 of `/proc/<id>/stat`); none when there is no such process, or
/// it has ended and waits to be buried (field 3).
fn process_started(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).ok()?;
    // The second field, in parentheses, may hold spaces.
    let fields = stat.rsplit_once(") ")?.1;
    let ended = fields.starts_with(['Z', 'X']);
    fields.split(' ').nth(19).filter(|_| !ended).map(str::to_owned)
}

/// Whether a holder was a process of this machine that is no more.
fn is_gone(holder: &str) -> bool {
    let Some(rest) = holder.strip_prefix(&this_machine()).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let Some((id, started)) = rest.split_once('/') else { return false };
    id.parse().is_ok_and(|id| process_started(id).as_deref() != Some(started)) && Path::new("/proc/self/stat").exists()
}

impl Store {
    /// Takes the lease `name` for `period`, unless somebody else holds it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn take_lease(&self, name: &str, period: Duration) -> Result<Option<Lease>, StoreError> {
        const DOING: &str = "taking a lease";
        let _turn = self.turn().await;
        let now = self.clock.now();
        let expires_at = now + period;
        let d = self.db.dialect();
        let seen = d.statement("SELECT holder, epoch, expires_at FROM lease WHERE name = $1", [name.into()]);
        let seen = self.db.query_one_raw(seen).await.doing(DOING)?;
        let epoch = match &seen {
            None => 0,
            Some(row) => {
                let holder: String = row.try_get_by_index(0).doing(DOING)?;
                let held_until: entitled_model::Instant = row.try_get_by_index(2).doing(DOING)?;
                if held_until > now && !is_gone(&holder) {
                    return Ok(None);
                }
                row.try_get_by_index(1).doing(DOING)?
            }
        };
        // Decided on what was seen: of two who saw the same, one meets the row as it was.
        let sql = "INSERT INTO lease (name, holder, epoch, expires_at) VALUES ($1, $2, $3 + 1, $4)
            ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, expires_at = excluded.expires_at
            WHERE lease.epoch = $3";
        let values = [name.into(), this_process().into(), epoch.into(), expires_at.into()];
        let taken = self.db.execute_raw(d.statement(sql, values)).await.doing(DOING)?.rows_affected() == 1;
        let lease = Lease { name: name.to_owned(), epoch: epoch + 1, holder: this_process().to_owned() };
        Ok(taken.then_some(lease))
    }

    /// Holds the lease for another `period`; false when somebody else has it by now.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn renew_lease(&self, lease: &Lease, period: Duration) -> Result<bool, StoreError> {
        let sql = "UPDATE lease SET expires_at = $1 WHERE name = $2 AND holder = $3 AND epoch = $4";
        self.set_lease(lease, self.clock.now() + period, sql).await
    }

    /// Lets the lease go; a lease that somebody else has by now is left alone.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn release_lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        let sql = "UPDATE lease SET expires_at = $1 WHERE name = $2 AND holder = $3 AND epoch = $4";
        // Long ago by every clock: one that is behind, or goes back, would else wait until it has caught up.
        self.set_lease(lease, entitled_model::Instant::UNIX_EPOCH, sql).await
    }

    async fn set_lease(
        &self,
        lease: &Lease,
        expires_at: entitled_model::Instant,
        sql: &str,
    ) -> Result<bool, StoreError> {
        let Lease { name, epoch, holder } = lease;
        let d = self.db.dialect();
        let values = [expires_at.into(), name.as_str().into(), holder.as_str().into(), (*epoch).into()];
        let met = self.db.execute_raw(d.statement(sql, values)).await.doing("holding a lease")?;
        Ok(met.rows_affected() == 1)
    }

    /// Whether the lease is still held, seen from within a transaction: work under a lost lease must not be committed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn holds_lease(&self, conn: &impl Reader, lease: &Lease) -> Result<bool, StoreError> {
        let d = conn.dialect();
        let sql = "SELECT 1 FROM lease WHERE name = $1 AND holder = $2 AND epoch = $3";
        let values = [lease.name.as_str().into(), lease.holder.as_str().into(), lease.epoch.into()];
        Ok(conn.query_one_raw(d.statement(sql, values)).await.doing("looking at a lease")?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_holder_is_not_gone_and_a_dead_one_is() {
        assert!(!is_gone(this_process()));
        assert!(is_gone(&format!("{}/{}/1", this_machine(), std::process::id())), "the id was reused");
        assert!(is_gone(&format!("{}/4194305/1", this_machine())), "above the largest process id");
        assert!(!is_gone("another-machine/x/pid:[1]/1/1"));
    }
}
