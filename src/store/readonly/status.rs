//! The role as it is, compared with what it should be. Privileges are asked for as the server decides them, so that what
//! everybody has counts too.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{CONNECTIONS_MAX, LARGE_OBJECTS, READABLE, ReadonlyRole, RoleName, SETTINGS};
use crate::store::error::{Doing, StoreError};
use crate::store::sql::Dialect;

/// How the role's comment begins.
pub(super) const COMMENT: &str = "entitled: reads only; taken from everybody: ";

const DOING: &str = "looking at the read-only role";

pub(super) async fn exists(conn: &impl ConnectionTrait, role: &RoleName) -> Result<bool, StoreError> {
    is(conn, "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", role).await
}

/// What was taken from everybody for the role's sake, as its comment says.
pub(super) async fn taken(conn: &impl ConnectionTrait, role: &RoleName) -> Result<String, StoreError> {
    let sql = "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = $1";
    let row = one(conn, sql, [role.as_str().into()]).await?;
    let comment: String = row.map(|row| row.try_get_by_index(0).doing(DOING)).transpose()?.unwrap_or_default();
    Ok(if comment.starts_with(COMMENT) { comment } else { String::new() })
}

pub(super) async fn may_make_temporary(conn: &impl ConnectionTrait, role: &RoleName) -> Result<bool, StoreError> {
    is(conn, "SELECT has_database_privilege(CAST($1 AS name), current_database(), 'TEMPORARY')", role).await
}

pub(super) async fn may_make_large_objects(conn: &impl ConnectionTrait, role: &RoleName) -> Result<bool, StoreError> {
    let asked: Vec<String> = LARGE_OBJECTS
        .iter()
        .map(|function| format!("has_function_privilege(CAST($1 AS name), 'pg_catalog.{function}', 'EXECUTE')"))
        .collect();
    is(conn, &format!("SELECT {}", asked.join(" OR ")), role).await
}

pub(super) async fn is_superuser(conn: &impl ConnectionTrait) -> Result<bool, StoreError> {
    let row = one(conn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", []).await?;
    row.map_or(Ok(false), |row| row.try_get_by_index(0).doing(DOING))
}

/// Everything that differs, a line each.
pub(super) async fn read(conn: &impl ConnectionTrait, role: &RoleName) -> Result<ReadonlyRole, StoreError> {
    if !exists(conn, role).await? {
        return Ok(ReadonlyRole { exists: false, drift: Vec::new() });
    }
    let mut drift = attributes(conn, role).await?;
    drift.extend(tables(conn, role).await?);
    for (wrong, sql) in [
        (
            "it can't connect to the database",
            "NOT has_database_privilege(CAST($1 AS name), current_database(), 'CONNECT')",
        ),
        (
            "it may make schemas in the database",
            "has_database_privilege(CAST($1 AS name), current_database(), 'CREATE')",
        ),
        ("it can't use the schema", "NOT has_schema_privilege(CAST($1 AS name), current_schema(), 'USAGE')"),
        ("it may make tables in the schema", "has_schema_privilege(CAST($1 AS name), current_schema(), 'CREATE')"),
        ("it is a member of other roles", "EXISTS (SELECT 1 FROM pg_auth_members WHERE member = to_regrole($1))"),
        ("it owns something", "EXISTS (SELECT 1 FROM pg_class WHERE relowner = to_regrole($1))"),
        (
            "it may draw from sequences",
            "EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) AND
                CASE relkind WHEN 'S' THEN has_sequence_privilege(CAST($1 AS name), oid, 'USAGE, UPDATE') ELSE false END)",
        ),
    ] {
        if is(conn, &format!("SELECT {sql}"), role).await? {
            drift.push(wrong.to_owned());
        }
    }
    if may_make_temporary(conn, role).await? {
        drift.push("it may make temporary tables: `up` as the owner of the database closes them".to_owned());
    }
    if may_make_large_objects(conn, role).await? {
        drift.push("it may make large objects: `up` as a superuser closes them".to_owned());
    }
    Ok(ReadonlyRole { exists: true, drift })
}

async fn attributes(conn: &impl ConnectionTrait, role: &RoleName) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls,
            rolconnlimit, coalesce(array_to_string(rolconfig, chr(10)), '') FROM pg_roles WHERE rolname = $1";
    let Some(row) = one(conn, sql, [role.as_str().into()]).await? else { return Ok(Vec::new()) };
    let (login, more): (bool, bool) = (row.try_get_by_index(0).doing(DOING)?, row.try_get_by_index(1).doing(DOING)?);
    let (connections, settings): (i32, String) =
        (row.try_get_by_index(2).doing(DOING)?, row.try_get_by_index(3).doing(DOING)?);
    let mut drift = Vec::new();
    if !login {
        drift.push("it can't log in".to_owned());
    }
    if more {
        drift.push(
            "it has more than a role needs that reads: superuser, databases, roles, replication or row security"
                .to_owned(),
        );
    }
    if connections != CONNECTIONS_MAX {
        drift.push(format!("it may hold {connections} connections, and should hold {CONNECTIONS_MAX}"));
    }
    for (setting, value) in SETTINGS {
        if !settings.lines().any(|line| line == format!("{setting}={value}")) {
            drift.push(format!("{setting} is not {value}"));
        }
    }
    Ok(drift)
}

async fn tables(conn: &impl ConnectionTrait, role: &RoleName) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT c.relname::text, has_table_privilege(CAST($1 AS name), c.oid, 'SELECT')
                OR has_any_column_privilege(CAST($1 AS name), c.oid, 'SELECT'),
            has_table_privilege(CAST($1 AS name), c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                OR has_any_column_privilege(CAST($1 AS name), c.oid, 'INSERT, UPDATE, REFERENCES')
        FROM pg_class c WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        ORDER BY c.relname";
    let found = conn.query_all_raw(Dialect::Postgres.statement(sql, [role.as_str().into()])).await.doing(DOING)?;
    let mut drift = Vec::new();
    let mut there = Vec::with_capacity(found.len());
    for row in &found {
        let table: String = row.try_get_by_index(0).doing(DOING)?;
        let (reads, writes): (bool, bool) =
            (row.try_get_by_index(1).doing(DOING)?, row.try_get_by_index(2).doing(DOING)?);
        match (reads, READABLE.contains(&table.as_str())) {
            (true, false) => drift.push(format!("it may read {table}")),
            (false, true) => drift.push(format!("it can't read {table}")),
            (true, true) | (false, false) => {}
        }
        if writes {
            drift.push(format!("it may write to {table}"));
        }
        there.push(table);
    }
    let missing = READABLE.iter().filter(|table| !there.iter().any(|other| other == *table));
    drift.extend(missing.map(|table| format!("there is no table {table}")));
    Ok(drift)
}

async fn is(conn: &impl ConnectionTrait, sql: &str, role: &RoleName) -> Result<bool, StoreError> {
    let row = one(conn, sql, [role.as_str().into()]).await?;
    row.map_or(Ok(false), |row| row.try_get_by_index(0).doing(DOING))
}

async fn one<const N: usize>(
    conn: &impl ConnectionTrait,
    sql: &str,
    values: [Value; N],
) -> Result<Option<QueryResult>, StoreError> {
    conn.query_one_raw(Dialect::Postgres.statement(sql, values)).await.doing(DOING)
}
