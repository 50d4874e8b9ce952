//! What a login reads, and what health tells of runs, is found by key: it costs the same whatever is stored.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entitled::clock::Clock;
use entitled::login::{Freshness, Login, Logins};
use entitled::runner::{Order, Runner};
use entitled::store::Store;
use entitled_model::{EmailAddress, Outcome, Trigger};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::filled::{explained, fill};
use crate::support::{Kind, SIRET, World};
use crate::{on_both_stores, parts};

const ANN: &str = "ann@commune-a.fr";
const GROUP: &str = "grp_acme_a@example.com";
/// More rows than three logins read, and fewer than there are users.
const ROWS_MAX: i64 = 1_000;
/// Some statements read all that is stored here, and none for each user anew.
const STORED_ROWS_MAX: i64 = 500_000;
/// A row is so dear that PostgreSQL reads as few as it can; of tables this small it would rather read all.
const DEAR_ROWS: &str = "DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET cpu_tuple_cost = 100', current_database());
    EXECUTE format('ALTER DATABASE %I SET cpu_index_tuple_cost = 100', current_database());
END $$";
const SESSIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'entitled'";
/// What SQLite may go through from end to end: sources, roles, directories' administrators, and what a
/// statement has found before.
const FEW: [&str; 6] = ["SCAN s", "SCAN directory_administrator", "SCAN da", "SCAN r", "SCAN o", "SCAN c"];

/// The statements that are sent, as the log has them.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<BTreeSet<String>>>);

impl Sent {
    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Sent {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "entitled::statements" {
            event.record(&mut Sql(self));
        }
    }
}

struct Sql<'a>(&'a Sent);

impl Visit for Sql<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "sql" {
            self.0.0.lock().unwrap_or_else(PoisonError::into_inner).insert(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// The steps by which SQLite would read more than a key's rows: a table from end to end, or all that a source has.
fn broad(step: &str, sql: &str) -> bool {
    let step = step.trim();
    // What stands in a statement or its parameters is what is asked for.
    let is_small = FEW.contains(&step) || step.contains("VIRTUAL TABLE");
    let scans = step.starts_with("SCAN ") && !is_small;
    // The newest of a source is at the end of its index.
    let is_end = sql.contains("ORDER BY began_at DESC LIMIT 1");
    let of_source = (step.ends_with("(source=?)") || step.ends_with("(managed_by=?)")) && !is_end;
    // Whoever has no sub is one of many.
    let nameless = step.ends_with("(sub=?)") && sql.contains("sub IS NULL");
    scans || of_source || nameless
}

/// What SQLite would read broadly.
async fn read_broadly(world: &World, statements: &BTreeSet<String>) -> Vec<String> {
    let mut broadly = Vec::new();
    // What is inserted goes where its keys say; SQLite tells of references that it would follow for those who defer them.
    for sql in statements.iter().filter(|sql| !sql.starts_with("INSERT")) {
        let steps = explained(world, sql, "").await;
        if steps.iter().any(|step| broad(step, sql)) {
            broadly.push(format!("{sql}\n{}\n", steps.join("\n")));
        }
    }
    broadly
}

/// How many rows PostgreSQL has read in this database, by what its sessions told when they ended.
async fn rows_read(world: &World) -> i64 {
    world.wait_for_count(SESSIONS, 0).await;
    let scanned = "(SELECT sum(seq_tup_read) FROM pg_stat_user_tables)";
    let looked_up = "(SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)";
    world.count(&format!("SELECT CAST({scanned} + {looked_up} AS bigint)")).await
}

/// The store's runner, and the store.
async fn opened(world: &World) -> (Store, Runner) {
    let store = parts::open(world.database.url(), &Clock::system()).await;
    let runner = parts::runner(world, &store).await;
    (store, runner)
}

/// Ann logs in, all sources are asked, and answer; how many memberships she has then.
async fn login(runner: &Runner) -> usize {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let logins = Logins::new(runner.clone(), Duration::from_mins(1), false, tasks.clone(), stop);
    let login = Login {
        email: Some(EmailAddress::parse(ANN).expect("an address")),
        claims: [("siret".to_owned(), json!(SIRET))].into(),
        actor: "key:login-hook".to_owned(),
        ..Login::default()
    };
    let answer = Arc::new(logins).answer(login).await.expect("an answer");
    tasks.close();
    tasks.wait().await;
    assert!(answer.sources.iter().all(|part| part.freshness == Freshness::Fresh), "{:?}", answer.sources);
    answer.memberships.len()
}

/// What a login may come to: a newcomer's, one that changes nothing, and one by which memberships end.
async fn logins(world: &World, runner: &Runner) {
    world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(GROUP, ANN);
    assert_eq!(login(runner).await, 2);
    assert_eq!(login(runner).await, 2);
    world.org().set_domains(ANN, SIRET, [""; 0]).remove_member(GROUP, ANN);
    assert_eq!(login(runner).await, 0);
}

/// How many rows PostgreSQL reads for logins, and for health.
async fn read_by_logins(world: &World) -> i64 {
    let before = rows_read(world).await;
    let (store, runner) = opened(world).await;
    logins(world, &runner).await;
    store.source_runs().await.expect("runs");
    store.close().await.expect("closed");
    rows_read(world).await - before
}

on_both_stores! {
    async fn logins_and_health_find_what_they_read_by_key(world: World) {
        // D1
        let mut world = world;
        world.configure(r#"cache_ttl = "5m""#, r#"cache_ttl = "0s""#);
        let sent = Sent::default();
        tracing_subscriber::registry().with(sent.clone()).init();
        let (store, runner) = opened(&world).await;
        sent.take();
        logins(&world, &runner).await;
        store.source_runs().await.expect("runs");
        let statements = sent.take();
        assert!(statements.len() > 10, "{statements:?}");
        store.close().await.expect("closed");
        fill(&mut world, "google_sync").await;
        match world.database.kind() {
            Kind::Sqlite => {
                let broadly = read_broadly(&world, &statements).await;
                assert!(broadly.is_empty(), "{}", broadly.join("\n"));
            }
            Kind::Postgres => {
                // As after a first import, before it has ever looked at what is there: it may read all of it, each once.
                let read = read_by_logins(&world).await;
                assert!(read < STORED_ROWS_MAX, "{read} rows");
                world.database.execute("ANALYZE").await;
                world.database.execute(DEAR_ROWS).await;
                let read = read_by_logins(&world).await;
                assert!(read < ROWS_MAX, "{read} rows");
            }
        }
    }
}

/// SQLite's way to the owners is held above, by what a login may come to.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_may_end_something_looks_for_owners_once_on_postgres() {
    let world = World::new(Kind::Postgres).await;
    // R3: of as many people and groups, PostgreSQL once found all candidates anew for each user, before its first ANALYZE.
    for group in 0..100 {
        for member in 0..100 {
            let person = format!("person-{}@example.org", (37 * group + member) % 1_000);
            world.org().add_member(&format!("grp_acme_{group}@example.com"), &person);
        }
    }
    let read = async || {
        let (store, runner) = opened(&world).await;
        let source = runner.registry.iter().find(|source| source.name.as_str() == "google_sync").expect("a directory");
        let order = Order::new(runner.store.clock(), Trigger::Schedule, CancellationToken::new());
        let ended = runner.whole(source, &order).await.expect("a run").expect("nobody else is at it");
        store.close().await.expect("closed");
        ended.outcome
    };
    assert_eq!(read().await, Outcome::Applied);
    let before = rows_read(&world).await;
    assert_eq!(read().await, Outcome::Unchanged);
    let read = rows_read(&world).await - before;
    assert!(read < STORED_ROWS_MAX, "{read} rows");
}
