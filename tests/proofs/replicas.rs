//! Several daemons on one store, of which some are killed, paused or cut off in the middle of what they do.

use entitled_simulator::{Fault, System, Target};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement};
use serde_json::Value;

use crate::on_both_stores;
use crate::proxy::Proxy;
use crate::stage::{expect, google, texts};
use crate::support::{Daemon, Kind, PATIENCE, World};
use crate::writer::Writer;

const GROUP: &str = "grp_acme_a@example.com";
const MEMBERS: i64 = 2_000;
const EVERY_SECOND: &str = "* * * * * *";

/// The directory alone, read every second, with a lease that runs out soon.
fn polled(world: &mut World, lease: &str) {
    let (before, _) = world.config.split_once("[sources.deploycenter]").expect("DeployCenter's section");
    let (_, after) = world.config.split_once("[sources.google_sync]").expect("the directory's section");
    world.config = format!("{before}[sources.google_sync]\nschedule = \"{EVERY_SECOND}\"{after}");
    world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
    world.configure(r#"grace = "5s""#, &format!("grace = \"5s\"\nlease = \"{lease}\""));
}

fn enrol(world: &World) {
    for member in 0..MEMBERS {
        world.org().add_member(GROUP, &format!("m{member}@example.org"));
    }
}

/// The database's server and the address of the database without it: `user@` and `/name`.
fn server(world: &World) -> (String, String, String) {
    let (scheme_and_user, rest) = world.database.url().split_once('@').expect("a user");
    let (server, name) = rest.split_once('/').expect("a database");
    (scheme_and_user.to_owned(), server.to_owned(), name.to_owned())
}

/// Sessions that keep the head of the log without a word are ended by the server soon.
fn impatient(world: &mut World) {
    let url = world.database.url().to_owned();
    world.configure(&url, &format!("{url}?options[idle_in_transaction_session_timeout]=4s"));
}

/// Which of the daemons has the lease.
async fn holder(world: &World, daemons: &[Daemon]) -> usize {
    let looking = async {
        loop {
            let holder = texts(world, "SELECT holder FROM lease WHERE name = 'run:google_sync'").await.remove(0);
            let is_it = |daemon: &Daemon| {
                let id = daemon.child.id().map(|id| id.to_string());
                id.is_some_and(|id| holder.rsplit('/').nth(1) == Some(&id))
            };
            if let Some(at) = daemons.iter().position(is_it) {
                return at;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("one of them has it")
}

async fn stored(world: &World) -> i64 {
    world.count("SELECT count(*) FROM membership WHERE to_position IS NULL").await
}

/// A run that was given up, and not because a source failed.
fn given_up(line: &Value) -> bool {
    let told = line["message"].as_str().unwrap_or_default();
    told.starts_with("run interrupted") || told.starts_with("run failed")
}

fn ended(outcome: &'static str) -> impl Fn(&Value) -> bool {
    move |line| line["message"] == "run ended" && line["outcome"] == outcome
}

/// Returns when a statement like this waits for somebody's lock.
async fn waiting_at(world: &World, statement: &str) {
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'entitled' AND wait_event_type = 'Lock' AND query LIKE '{statement}'"
    );
    let looking = async { while world.count(&waiting).await == 0 {} };
    tokio::time::timeout(PATIENCE, looking).await.expect("somebody waits");
}

/// Keeps every unit of work from writing its last row, the run's record, while it is open.
struct Barrier(DatabaseConnection);

impl Barrier {
    async fn raise(world: &World) -> Self {
        let connection = world.database.connect().await;
        connection.execute_unprepared("BEGIN; LOCK TABLE run IN EXCLUSIVE MODE").await.expect("locked");
        Self(connection)
    }

    /// Returns when somebody stands before it, with all else written and nothing committed.
    async fn met(&self, world: &World) {
        waiting_at(world, "%INTO%run%").await;
    }

    async fn fall(self) {
        self.0.execute_unprepared("ROLLBACK").await.expect("open");
        self.0.close().await.expect("closed");
    }
}

/// What the others and the lost one come to: all of the run once, and both go on.
async fn both_go_on(world: &World, lost: Daemon, other: Daemon) {
    assert_eq!(stored(world).await, MEMBERS);
    assert_eq!(world.count("SELECT count(*) FROM membership").await, MEMBERS, "nothing was written twice");
    assert_eq!(world.count("SELECT count(*) FROM run WHERE outcome = 'applied'").await, 1);
    assert_eq!(other.terminate().await, 0);
    world.org().remove_member(GROUP, "m0@example.org");
    lost.wait_for_log(ended("applied")).await;
    assert_eq!(stored(world).await, MEMBERS - 1, "the lost one is itself again");
    assert_eq!(lost.terminate().await, 0);
    expect(&google(world, &[]).await, 0, "unchanged");
}

on_both_stores! {
    async fn of_three_daemons_the_last_one_finishes_what_two_killed_ones_began(world: World) {
        // S9 S16
        let mut world = world;
        polled(&mut world, "10m");
        enrol(&world);
        world.org().fault(Target::system(System::Google), Fault::hold("reading"));
        let mut daemons = vec![world.serve().await];
        world.org().wait_for_requests(System::Google, 1, PATIENCE).await.expect("it reads");
        daemons.extend([world.serve().await, world.serve().await]);
        assert_eq!(holder(&world, &daemons).await, 0);
        daemons.remove(0).signal("KILL");
        world.org().wait_for_requests(System::Google, 2, PATIENCE).await.expect("another reads");
        let second = holder(&world, &daemons).await;
        world.org().clear_faults();
        // The list of groups, the accounts, and ten pages of members.
        world.org().wait_for_requests(System::Google, 13, PATIENCE).await.expect("it reads everything");
        Writer::wait_for_another(&world).await;
        let mut killed = daemons.remove(second);
        killed.signal("KILL");
        killed.child.wait().await.expect("it ends");
        let third = daemons.remove(0);
        third.wait_for_log(|line| ended("applied")(line) || ended("unchanged")(line)).await;
        assert_eq!(stored(&world).await, MEMBERS);
        assert_eq!(world.count("SELECT count(*) FROM membership").await, MEMBERS, "nothing was written twice");
        assert_eq!(third.terminate().await, 0);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_daemon_whose_source_was_taken_over_while_it_waited_to_write_commits_nothing(world: World) {
        // S16
        let mut world = world;
        polled(&mut world, "10m");
        world.org().add_member(GROUP, "m0@example.org");
        world.org().fault(Target::system(System::Google).path_contains("/members"), Fault::hold("reading"));
        let paused = world.serve().await;
        world.org().wait_for_requests(System::Google, 3, PATIENCE).await.expect("it reads");
        let writer = Writer::begin(&world).await;
        world.org().release("reading");
        if world.database.kind() == Kind::Postgres {
            waiting_at(&world, "%event_head%FOR UPDATE%").await;
        }
        paused.pause().await;
        writer.leave("UPDATE lease SET holder = 'another-machine/x', epoch = epoch + 1").await;
        paused.signal("CONT");
        let lost = |line: &Value| line["detail"].as_str().is_some_and(|text| text.contains("took the source over"));
        paused.wait_for_log(lost).await;
        assert_eq!((stored(&world).await, world.count("SELECT count(*) FROM run").await), (0, 0));
        assert_eq!(paused.terminate().await, 0);
        world.database.execute("DELETE FROM lease").await;
        expect(&google(&world, &[]).await, 0, "applied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_paused_in_the_middle_of_a_commit_stops_nobody_and_commits_nothing_stale() {
    // S9 S16
    let mut world = World::new(Kind::Postgres).await;
    polled(&mut world, "1s");
    impatient(&mut world);
    enrol(&world);
    assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
    let barrier = Barrier::raise(&world).await;
    let paused = world.serve().await;
    barrier.met(&world).await;
    paused.pause().await;
    barrier.fall().await;
    assert!(Writer::is_another(&world).await, "it has the head of the log, and sleeps");
    let other = world.serve().await;
    other.wait_for_log(ended("applied")).await;
    paused.signal("CONT");
    paused.wait_for_log(given_up).await;
    both_go_on(&world, paused, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_cut_off_from_the_database_in_the_middle_of_a_commit_leaves_nothing_half_done() {
    // S9 S16
    for silent in [false, true] {
        let mut world = World::new(Kind::Postgres).await;
        polled(&mut world, "1s");
        impatient(&mut world);
        enrol(&world);
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        let (user, server, name) = server(&world);
        let proxy = Proxy::start(server.clone()).await;
        let barrier = Barrier::raise(&world).await;
        let direct = world.config.clone();
        world.configure(&format!("{user}@{server}/{name}"), &format!("{user}@{}/{name}", proxy.address));
        let lost = world.serve().await;
        barrier.met(&world).await;
        if silent {
            proxy.die()
        } else {
            proxy.cut()
        };
        barrier.fall().await;
        world.config = direct;
        let other = world.serve().await;
        other.wait_for_log(ended("applied")).await;
        proxy.revive();
        lost.wait_for_log(given_up).await;
        both_go_on(&world, lost, other).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_falls_silent_within_a_transaction_is_ended_by_the_server() {
    // S16
    let world = World::new(Kind::Postgres).await;
    let told = async |url: &str| {
        let store = crate::support::open(url).await;
        let asked = Statement::from_string(DatabaseBackend::Postgres, "SHOW idle_in_transaction_session_timeout");
        let row = store.reader().query_one_raw(asked).await.expect("an answer").expect("a row");
        store.close().await.expect("closed");
        row.try_get_by_index::<String>(0).expect("a text")
    };
    let url = world.database.url();
    assert_eq!(told(url).await, "15s", "as long as a lease");
    assert_eq!(
        told(&format!("{url}?options[idle_in_transaction_session_timeout]=4s")).await,
        "4s",
        "or as the operator says"
    );
}
