//! A store with much in it, and how the database would look something up there.

use sea_orm::{ConnectionTrait, Statement};

use super::{Kind, World};

/// Fills the store beside the log: 2,000 users with their addresses and accounts, 5,000 groups, 40,000 memberships, 4,000
/// grants and 5,000 runs. Half of the users have no sub. What is a source's is `source`'s.
pub async fn fill(world: &mut World, source: &str) {
    world.leave_damaged();
    let postgres = world.database.kind() == Kind::Postgres;
    let id = |n: &str| match postgres {
        true => format!("CAST(lpad(to_hex({n}), 32, '0') AS uuid)"),
        false => format!("unhex(printf('%032x', {n}))"),
    };
    let at = if postgres { "now()" } else { "'2026-11-25T00:00:00+00:00'" };
    let (user, group, grant) = (id("1000000 + n"), id("2000000 + n"), id("3000000 + n"));
    let (of_group, of_user) = (id("2000001 + n % 5000"), id("1000001 + n / 20 % 2000"));
    for (count, columns, values) in [
        (
            2_000,
            "user_account (id, kind, status, created_position, created_at)",
            format!("{user}, 'person', 'active', 1, {at}"),
        ),
        (
            2_000,
            "user_profile (user_id, email, email_key, sub, claims, updated_at)",
            format!(
                "{user}, 'u' || n || '@x.fr', 'u' || n || '@x.fr', CASE n % 2 WHEN 0 THEN 'sub-' || n END, '{{}}', {at}"
            ),
        ),
        (
            2_000,
            "directory_address (source, email_key, user_id)",
            format!("'{source}', 'alias' || n || '@x.fr', {user}"),
        ),
        (
            5_000,
            "run (run_id, source, trigger, scope, user_id, began_at, ended_at, outcome, created, removed, kept, unchanged,
                 users_asked, users_failed)",
            format!("{user}, '{source}', 'login', 'users', {user}, {at}, {at}, 'unchanged', 0, 0, 0, 1, 1, 0"),
        ),
        (2_000, "directory_account (source, external_id, user_id)", format!("'{source}', 'account-' || n, {user}")),
        (
            2_000,
            "observation (source, user_id, began_at, completed_at, run_id)",
            format!("'{source}', {user}, {at}, {at}, {user}"),
        ),
        (
            5_000,
            "user_group (id, name, created_position, created_at, resource_type, resource_id, permission, managed_by, external_id)",
            format!(
                "{group}, 'group ' || n, 1, {at}, 'maildomain', 'f' || n || '.fr', 'admin', '{source}', 'group-' || n"
            ),
        ),
        (
            40_000,
            "membership (group_id, user_id, source, from_position, from_at)",
            format!("{of_group}, {of_user}, '{source}', 1, {at}"),
        ),
        (
            4_000,
            "access_grant (id, group_id, permission, resource_type, resource_id, since_position, since_at)",
            format!("{grant}, {of_group}, 'admin', 'maildomain', 'd' || n || '.fr', 1, {at}"),
        ),
    ] {
        let numbers = format!("WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})");
        world.database.execute(&format!("INSERT INTO {columns} {numbers} SELECT {values} FROM n")).await;
    }
}

/// How the database would carry the statement out once it has been sent often, a line a step.
/// PostgreSQL finds out the types of its parameters, but for those that are given.
pub async fn explained(world: &World, sql: &str, types: &str) -> Vec<String> {
    let connection = world.database.connect().await;
    let backend = connection.get_database_backend();
    let (explain, column) = match world.database.kind() {
        Kind::Sqlite => (format!("EXPLAIN QUERY PLAN {sql}"), 3),
        Kind::Postgres => {
            connection.execute_unprepared("SET plan_cache_mode = force_generic_plan").await.expect("set");
            connection.execute_unprepared(&format!("PREPARE q {types} AS {sql}")).await.expect("prepared");
            let parameters = (1..).take_while(|n| sql.contains(&format!("${n}"))).map(|_| "NULL");
            let parameters = parameters.collect::<Vec<_>>().join(", ");
            let given = if parameters.is_empty() { String::new() } else { format!("({parameters})") };
            (format!("EXPLAIN EXECUTE q {given}"), 0)
        }
    };
    let rows = connection.query_all_raw(Statement::from_string(backend, explain)).await.expect("a plan");
    let lines = rows.iter().map(|row| row.try_get_by_index::<String>(column).expect("a line")).collect();
    connection.close().await.expect("closed");
    lines
}
