//! The read-only role: a PostgreSQL user who may read the tables that are listed here, and nothing else.
//!
//! Grants are explicit, table by table: a table that a later step adds is closed until it is listed. The password comes as a
//! SCRAM verifier (RFC 5802; `pg_authid.rolpassword`), so that no statement and no log of the server holds it.

mod status;

use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};

use super::error::{Doing, StoreError};
use super::sql::Dialect;
use super::{Database, Store};

/// The tables that it may read.
pub const READABLE: &[&str] = &[
    "access_grant",
    "access_log",
    "directory_account",
    "directory_address",
    "directory_administrator",
    "directory_look_up",
    "entitlement",
    "event",
    "event_head",
    "held_plan",
    "lease",
    "membership",
    "membership_path",
    "observation",
    "plan_approval",
    "resource",
    "role_assignment",
    "run",
    "seaql_migrations",
    "source",
    "suspension",
    "token",
    "token_name",
    "token_use",
    "user_account",
    "user_group",
    "user_profile",
    "vanished_group",
];
/// The tables that it may not: credentials, and answers that were one caller's.
pub const HIDDEN: &[&str] = &["idempotency_key", "token_hash"];

/// The settings that hold for each of its sessions. It may change them, and then still has no right to write.
const SETTINGS: [(&str, &str); 4] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "60s"),
];
const CONNECTIONS_MAX: i32 = 5;
/// Serialises changes of the role; the number means nothing but must never change.
const LOCK: i64 = 0x726f_5f72_6f6c_6521;
/// What everybody may do by default, and nobody but its owner from then on; `down` gives it back.
const LARGE_OBJECTS: [&str; 9] = [
    "lo_creat(integer)",
    "lo_create(oid)",
    "lo_from_bytea(oid, bytea)",
    "lo_open(oid, integer)",
    "lo_put(oid, bigint, bytea)",
    "lo_truncate(integer, integer)",
    "lo_truncate64(integer, bigint)",
    "lo_unlink(oid)",
    "lowrite(integer, bytea)",
];
const TOOK_TEMPORARY: &str = "temporary tables";
const TOOK_LARGE_OBJECTS: &str = "large objects";

/// The name of the role: lower-case letters, digits and underscores, so that it needs no quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleName(String);

impl RoleName {
    /// # Errors
    /// When PostgreSQL, or a statement without quotes, would not take it.
    pub fn parse(name: &str) -> Result<Self, String> {
        let first = |c: char| c.is_ascii_lowercase() || c == '_';
        let all = name.chars().all(|c| first(c) || c.is_ascii_digit());
        let fits = all && name.starts_with(first) && name.len() <= 63 && !name.starts_with("pg_");
        let reserved = ["public", "none", "user", "current_user", "session_user", "current_role"].contains(&name);
        if fits && !reserved {
            return Ok(Self(name.to_owned()));
        }
        Err("expected lower-case letters, digits and _, 63 at most, not beginning with a digit or pg_".to_owned())
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

/// The role as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadonlyRole {
    pub exists: bool,
    /// What is not as it should be; empty when all is well.
    pub drift: Vec<String>,
}

impl Store {
    /// Makes the role, or makes it as it should be, with this password from now on; `None` on SQLite, which has no roles.
    ///
    /// # Errors
    /// When the database refuses: nothing has changed then.
    pub async fn readonly_role_up(&self, role: &RoleName, password: &str) -> Result<Option<ReadonlyRole>, StoreError> {
        const DOING: &str = "making the read-only role";
        let Some(tx) = self.begin_role().await? else { return Ok(None) };
        let name = role.as_str();
        let is_ours = "SELECT 1 WHERE current_user = $1 OR EXISTS (
            SELECT 1 FROM pg_class WHERE relowner = to_regrole($1) AND relnamespace = to_regnamespace(current_schema()))";
        let owner = tx.query_one_raw(Dialect::Postgres.statement(is_ours, [name.into()])).await.doing(DOING)?;
        if owner.is_some() {
            return Err(StoreError::Schema(format!(
                "{name} owns the tables, or is the user that asks: take another name"
            )));
        }
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        let verb = if status::exists(&tx, role).await? { "ALTER" } else { "CREATE" };
        run(&tx, &format!("{verb} ROLE {name} {ATTRIBUTES} PASSWORD '{verifier}'"), DOING).await?;
        for (setting, value) in SETTINGS {
            run(&tx, &format!("ALTER ROLE {name} SET {setting} = '{value}'"), DOING).await?;
        }
        grant(&tx, role).await?;
        close_what_everybody_has(&tx, role).await?;
        tx.commit().await.doing(DOING)?;
        self.readonly_role(role).await
    }

    /// Takes the role away, with every grant; a role that is not there is no error. `None` on SQLite.
    ///
    /// # Errors
    /// When the database refuses, as it does when the role has rights in another database: nothing has changed then.
    pub async fn readonly_role_down(&self, role: &RoleName) -> Result<Option<ReadonlyRole>, StoreError> {
        const DOING: &str = "taking the read-only role away";
        let Some(tx) = self.begin_role().await? else { return Ok(None) };
        if status::exists(&tx, role).await? {
            let (name, taken) = (role.as_str(), status::taken(&tx, role).await?);
            if taken.contains(TOOK_TEMPORARY) {
                run(&tx, &in_database("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC"), DOING).await?;
            }
            if taken.contains(TOOK_LARGE_OBJECTS) {
                let functions = LARGE_OBJECTS.join(", ");
                run(&tx, &format!("GRANT EXECUTE ON FUNCTION {functions} TO PUBLIC"), DOING).await?;
            }
            revoke(&tx, role).await?;
            run(&tx, &format!("DROP ROLE {name}"), DOING).await?;
        }
        tx.commit().await.doing(DOING)?;
        self.readonly_role(role).await
    }

    /// Compares the role with what it should be; `None` on SQLite.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn readonly_role(&self, role: &RoleName) -> Result<Option<ReadonlyRole>, StoreError> {
        match self.database() {
            Database::Sqlite => Ok(None),
            Database::Postgres => status::read(&self.db, role).await.map(Some),
        }
    }

    async fn begin_role(&self) -> Result<Option<DatabaseTransaction>, StoreError> {
        const DOING: &str = "taking the read-only role's lock";
        if self.database() == Database::Sqlite {
            return Ok(None);
        }
        let tx = self.db.begin().await.doing(DOING)?;
        let lock = Dialect::Postgres.statement("SELECT pg_advisory_xact_lock($1)", [LOCK.into()]);
        tx.execute_raw(lock).await.doing(DOING)?;
        Ok(Some(tx))
    }
}

const ATTRIBUTES: &str = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 5 VALID UNTIL 'infinity'";

/// Every right that it should have, and no other.
async fn grant(tx: &DatabaseTransaction, role: &RoleName) -> Result<(), StoreError> {
    const DOING: &str = "granting what may be read";
    let name = role.as_str();
    revoke(tx, role).await?;
    run(tx, &in_database(&format!("GRANT CONNECT ON DATABASE {{database}} TO {name}")), DOING).await?;
    run(tx, &in_schema(&format!("GRANT USAGE ON SCHEMA {{schema}} TO {name}")), DOING).await?;
    run(tx, &format!("GRANT SELECT ON {} TO {name}", READABLE.join(", ")), DOING).await
}

/// Takes every right away that it has here, whoever gave it, and whatever else somebody added.
async fn revoke(tx: &DatabaseTransaction, role: &RoleName) -> Result<(), StoreError> {
    const DOING: &str = "revoking what may be read";
    let name = role.as_str();
    for kind in ["TABLES", "SEQUENCES", "FUNCTIONS"] {
        run(tx, &in_schema(&format!("REVOKE ALL ON ALL {kind} IN SCHEMA {{schema}} FROM {name}")), DOING).await?;
    }
    run(tx, &in_schema(&format!("REVOKE ALL ON SCHEMA {{schema}} FROM {name}")), DOING).await?;
    run(tx, &in_database(&format!("REVOKE ALL ON DATABASE {{database}} FROM {name}")), DOING).await
}

/// Everybody may make temporary tables and large objects, by PostgreSQL's default: that is writing too. What is taken from
/// everybody is remembered in the role's comment.
async fn close_what_everybody_has(tx: &DatabaseTransaction, role: &RoleName) -> Result<(), StoreError> {
    const DOING: &str = "closing what everybody may do";
    let mut taken = status::taken(tx, role).await?;
    if status::may_make_temporary(tx, role).await? {
        run(tx, &in_database("GRANT TEMPORARY ON DATABASE {database} TO CURRENT_USER"), DOING).await?;
        run(tx, &in_database("REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC"), DOING).await?;
        taken.push_str(TOOK_TEMPORARY);
    }
    if status::may_make_large_objects(tx, role).await? && status::is_superuser(tx).await? {
        let functions = LARGE_OBJECTS.join(", ");
        run(tx, &format!("REVOKE EXECUTE ON FUNCTION {functions} FROM PUBLIC"), DOING).await?;
        taken.push_str("; ");
        taken.push_str(TOOK_LARGE_OBJECTS);
    }
    let prefix = if taken.starts_with(status::COMMENT) { "" } else { status::COMMENT };
    run(tx, &format!("COMMENT ON ROLE {} IS '{prefix}{taken}'", role.as_str()), DOING).await
}

/// A statement in which `{database}` stands for the one that is connected to.
fn in_database(sql: &str) -> String {
    executed(sql, "{database}", "current_database()")
}

/// A statement in which `{schema}` stands for the one that holds the tables.
fn in_schema(sql: &str) -> String {
    executed(sql, "{schema}", "current_schema()")
}

/// No parameter can stand for a name: the server puts it in, quoted.
fn executed(sql: &str, mark: &str, name: &str) -> String {
    format!("DO $do$ BEGIN EXECUTE format('{}', {name}); END $do$", sql.replace(mark, "%I"))
}

async fn run(tx: &DatabaseTransaction, sql: &str, doing: &'static str) -> Result<(), StoreError> {
    tx.execute_unprepared(sql).await.doing(doing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_needs_quotes_or_is_postgresqls_own_is_refused() {
        // O3
        let long = "a".repeat(64);
        for bad in ["", "Auditor", "a b", "1a", "pg_monitor", "a\"; DROP ROLE x", "a'", "public", "é", &long, "a\0"] {
            assert!(RoleName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(RoleName::parse("entitled_readonly").is_ok());
    }
}
