//! What the tests set up and look at beside the command line: users with claims, rows of other writers, whole tables.

use std::collections::BTreeMap;

use entitled::clock::Clock;
use entitled::config;
use entitled::source::Registry;
use entitled::store::{ProfileChange, Store, Unit};
use entitled_model::event::{Cause, Event};
use entitled_model::observation::ObservedGroup;
use entitled_model::{EmailAddress, GroupId, GroupName, SourceName, UserId};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};

use crate::support::{Ended, Kind, SIRET, World};

/// The tables that a run writes to.
pub const TABLES: [&str; 9] = [
    "event",
    "event_head",
    "user_account",
    "user_profile",
    "user_group",
    "membership",
    "entitlement",
    "observation",
    "run",
];

/// The tables that follow from the log.
pub const PROJECTIONS: [&str; 4] = ["user_account", "user_group", "membership", "entitlement"];

pub fn source(name: &str) -> SourceName {
    SourceName::stored(name.to_owned())
}

/// The store, with its schema and the sources of the configuration.
pub async fn migrated(world: &World) -> Store {
    let store = world.store().await;
    store.migrate_up().await.expect("migrated");
    store.seed_system_groups().await.expect("seeded");
    store.register_sources([source("deploycenter"), source("google_sync")]).await.expect("registered");
    store
}

/// The sources of the world's configuration, in this process.
pub fn registry(world: &World, clock: &Clock) -> Registry {
    let environment: BTreeMap<String, String> = world.environment.iter().cloned().collect();
    let loaded = config::load(Some(&world.config_file()), &environment).expect("a configuration");
    Registry::build(&loaded.config, clock).expect("sources")
}

async fn record(unit: &mut Unit, event: Event) {
    let cause = Cause { actor: "operator".to_owned(), ..Cause::default() };
    let at = unit.at();
    unit.record(&cause, at, vec![event]).await.expect("recorded");
}

/// Makes a user known as a login does, with claims.
pub async fn know(world: &World, email: &str, claims: Value) -> UserId {
    let store = migrated(world).await;
    let address = EmailAddress::parse(email).expect("an address");
    let user = UserId(store.clock().new_id());
    let mut unit = store.begin().await.expect("a unit");
    unit.create_profiles(&[(user, address)]).await.expect("a profile");
    record(&mut unit, Event::users_created(vec![user])).await;
    let stored = store.user_by_id(unit.reader(), user).await.expect("an answer").expect("the user");
    let claims = claims.as_object().expect("an object").clone().into_iter().collect();
    let (profile, _) = stored.profile.after(&ProfileChange { claims, ..ProfileChange::default() });
    unit.update_profile(&stored, &profile).await.expect("claims");
    unit.commit().await.expect("committed");
    store.close().await.expect("closed");
    user
}

/// Makes a user known who belongs to the organisation that DeployCenter knows.
pub async fn know_member(world: &World, email: &str) -> UserId {
    know(world, email, json!({ "siret": SIRET })).await
}

/// A membership written by somebody else than a sync: the group, and the user, come to be when they are missing.
pub async fn give(world: &World, email: &str, group: &str, by: &str) {
    change(world, email, group, by, |user| (vec![user], Vec::new())).await;
}

/// The same writer takes it back.
pub async fn take(world: &World, email: &str, group: &str, by: &str) {
    change(world, email, group, by, |user| (Vec::new(), vec![user])).await;
}

async fn change(
    world: &World,
    email: &str,
    group: &str,
    by: &str,
    change: impl FnOnce(UserId) -> (Vec<UserId>, Vec<UserId>),
) {
    let store = migrated(world).await;
    let known = store.user_by_any_name(store.reader(), email).await.expect("an answer").map(|user| user.id);
    let user = match known {
        Some(user) => user,
        None => know(world, email, json!({})).await,
    };
    let known = store.group_by_any_name(group).await.expect("an answer");
    let mut unit = store.begin().await.expect("a unit");
    let id = match known {
        Some(id) => id,
        None => {
            let id = GroupId(store.clock().new_id());
            let name = GroupName::parse(group).expect("a name");
            let observed = ObservedGroup::Directory { name, external_id: None };
            record(&mut unit, Event::group_created(id, &observed, &source(by))).await;
            id
        }
    };
    let (added, removed) = change(user);
    record(&mut unit, Event::memberships_changed(id, &source(by), added, removed)).await;
    unit.commit().await.expect("committed");
    store.close().await.expect("closed");
}

/// `sync` of the directory, as a whole or with more arguments.
pub async fn google(world: &World, arguments: &[&str]) -> Ended {
    world.sync(&[&["--source", "google_sync"], arguments].concat()).await
}

/// `sync` of the backend, as a whole or with more arguments.
pub async fn deploycenter(world: &World, arguments: &[&str]) -> Ended {
    world.sync(&[&["--source", "deploycenter"], arguments].concat()).await
}

/// Insists on an exit code and an outcome.
#[track_caller]
pub fn expect(ended: &Ended, code: i32, outcome: &str) {
    assert_eq!((ended.code, ended.json()["outcome"].as_str()), (code, Some(outcome)), "{ended:?}");
}

/// The names of the groups that a user is in by one source, as `user show` tells them.
pub async fn groups_of(world: &World, user: &str, by: &str) -> Vec<String> {
    let shown = world.user(user).await;
    let memberships = shown["memberships"].as_array().expect("memberships").iter();
    let mut groups: Vec<String> = memberships
        .filter(|membership| membership["source"] == by)
        .map(|membership| membership["group"].as_str().expect("a group").to_owned())
        .collect();
    groups.sort();
    groups
}

/// The first column of a query, as text.
pub async fn texts(world: &World, sql: &str) -> Vec<String> {
    let db = world.database.connect().await;
    let read = read_texts(&db, sql).await;
    db.close().await.expect("closed");
    read
}

async fn read_texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

/// A whole table, a line a row, in a fixed order.
pub async fn table(world: &World, name: &'static str) -> Vec<String> {
    tables(world, &[name]).await.remove(name).expect("the table")
}

/// Some tables by their names.
pub async fn tables(world: &World, names: &[&'static str]) -> BTreeMap<&'static str, Vec<String>> {
    let db = world.database.connect().await;
    let mut all = BTreeMap::new();
    for name in names {
        let sql = match world.database.kind() {
            Kind::Postgres => format!("SELECT row_to_json(t)::text FROM {name} t ORDER BY 1"),
            Kind::Sqlite => {
                let columns = read_texts(&db, &format!("SELECT name FROM pragma_table_info('{name}')")).await;
                let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
                format!("SELECT {} FROM {name} ORDER BY 1", quoted.join(" || ',' || "))
            }
        };
        all.insert(*name, read_texts(&db, &sql).await);
    }
    db.close().await.expect("closed");
    all
}

/// The records of runs, oldest first: `outcome class`, with `-` for no class.
pub async fn runs(world: &World) -> Vec<String> {
    texts(world, "SELECT outcome || ' ' || COALESCE(error_class, '-') FROM run ORDER BY ended_at, source").await
}
