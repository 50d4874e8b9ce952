//! Whatever breaks a run off, the store holds all of it or nothing.

use std::time::Duration;

use crate::on_both_stores;
use crate::stage::{TABLES, expect, google, know_member, table, tables, texts};
use crate::support::{Kind, SIRET, World};
use rand::{RngExt, SeedableRng};

/// How often each store is killed; more by the environment.
const ROUNDS: usize = 15;
const MEMBERS: usize = 1_000;
const GROUPS: [&str; 2] = ["grp_acme_a@example.com", "grp_acme_b@example.com"];

fn rounds() -> usize {
    std::env::var("ENTITLED_TEST_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

/// Makes the database refuse the `nth` row that is inserted into a table from now on.
async fn break_insert(world: &World, table: &str, nth: i64) {
    let rows = world.count(&format!("SELECT count(*) FROM {table}")).await + nth - 1;
    let full = format!("(SELECT count(*) FROM {table}) >= {rows}");
    match world.database.kind() {
        Kind::Sqlite => {
            let raise = "SELECT RAISE(ABORT, 'the disk is on fire')";
            let sql = format!("CREATE TRIGGER broken BEFORE INSERT ON {table} WHEN {full} BEGIN {raise}; END");
            world.database.execute(&sql).await;
        }
        Kind::Postgres => {
            let sql = format!(
                "CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN IF {full} THEN RAISE EXCEPTION 'the disk is on fire'; END IF; RETURN NEW; END $$"
            );
            world.database.execute(&sql).await;
            let sql =
                format!("CREATE TRIGGER broken BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION break_it()");
            world.database.execute(&sql).await;
        }
    }
}

async fn mend(world: &World, table: &str) {
    match world.database.kind() {
        Kind::Sqlite => world.database.execute("DROP TRIGGER broken").await,
        Kind::Postgres => {
            world.database.execute(&format!("DROP TRIGGER broken ON {table}")).await;
            world.database.execute("DROP FUNCTION break_it()").await;
        }
    }
}

/// What a run leaves behind: its record, rows and events.
async fn traces(world: &World) -> [i64; 6] {
    let open = "membership WHERE to_position IS NULL";
    let counted = ["run", "membership", open, "event", "user_account", "user_profile"];
    let counts = counted.map(|of| format!("(SELECT count(*) FROM {of})")).join(" || ' ' || ");
    let counts = texts(world, &format!("SELECT {counts}")).await.remove(0);
    let mut counts = counts.split(' ').map(|count| count.parse().expect("a count"));
    std::array::from_fn(|_| counts.next().expect("a count of each"))
}

async fn open_in(world: &World, group: &str) -> usize {
    let sql = format!(
        "SELECT count(*) FROM membership m JOIN user_group g ON g.id = m.group_id
         WHERE g.name = '{group}' AND m.to_position IS NULL"
    );
    usize::try_from(world.count(&sql).await).expect("small")
}

/// Members join a group that is empty, or leave it when it is full.
fn turn_over(world: &World, group: &str, full: bool) {
    for number in 0..MEMBERS {
        let member = format!("m{number:04}@example.org");
        if full {
            world.org().remove_member(group, &member);
        } else {
            world.org().add_member(group, &member);
        }
    }
}

on_both_stores! {
    async fn a_write_that_fails_midway_leaves_nothing_behind(world: World) {
        // S9
        know_member(&world, "ann@commune-a.fr").await;
        world.org().add_member(GROUPS[0], "m0@example.org");
        expect(&world.sync(&[]).await, 0, "applied");
        world.org().set_domains("ann@commune-a.fr", SIRET, ["commune-a.fr"]).set_entitlement(
            "ann@commune-a.fr",
            "x",
            1.into(),
        );
        world.org().remove_member(GROUPS[0], "m0@example.org");
        for number in 1..8 {
            world
                .org()
                .add_member(GROUPS[0], &format!("m{number}@example.org"))
                .add_member(GROUPS[1], &format!("m{number}@example.org"));
        }
        let before = tables(&world, &TABLES).await;
        let google_writes =
            [("event", 2), ("user_account", 3), ("user_profile", 2), ("user_group", 1), ("membership", 9), ("run", 1)];
        let backend_writes = [("event", 2), ("entitlement", 1), ("membership", 1), ("run", 1)];
        let broken = google_writes.map(|at| ("google_sync", at)).into_iter();
        for (source, (table, nth)) in broken.chain(backend_writes.map(|at| ("deploycenter", at))) {
            break_insert(&world, table, nth).await;
            let ended = world.sync(&["--source", source]).await;
            expect(&ended, 1, "failed");
            assert_eq!(ended.source(source)["counts"]["created"], 0);
            assert_eq!(tables(&world, &TABLES).await, before, "{source} {table}");
            mend(&world, table).await;
        }
        expect(&world.sync(&[]).await, 0, "applied");
        expect(&world.sync(&[]).await, 0, "unchanged");
        assert_eq!(world.members(GROUPS[1], "google_sync").await.len(), 7);
    }

    async fn a_process_killed_at_any_moment_leaves_all_of_a_run_or_nothing(world: World) {
        // S9
        let mut world = world;
        world.configure(
            "retry = { attempts = 1 }",
            "retry = { attempts = 1 }\nguard = { max_removal_ratio = 1.0, max_removals = 1000000 }",
        );
        turn_over(&world, GROUPS[0], false);
        let clock = entitled::clock::Clock::system();
        expect(&google(&world, &[]).await, 0, "applied");
        let whole_run_ms = u64::try_from(clock.monotonic().as_millis()).expect("a short time");
        let mut random = rand::rngs::StdRng::seed_from_u64(0x656e_7469_746c_6564);
        let (mut asked, mut killed, mut applied) = ([true, false], 0, 0);
        for round in 0..rounds() {
            let turned = round % 2;
            turn_over(&world, GROUPS[turned], asked[turned]);
            asked[turned] = !asked[turned];
            let before = traces(&world).await;
            let mut running = world
                .command(&["sync", "--source", "google_sync"])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .expect("it starts");
            let moment = Duration::from_millis(random.random_range(whole_run_ms / 4..whole_run_ms));
            if tokio::time::timeout(moment, running.wait()).await.is_err() {
                running.kill().await.expect("killed");
                killed += 1;
            }
            let verified = world.run(&["verify"]).await;
            assert_eq!(verified.code, 0, "round {round}: {verified:?}");
            let after = traces(&world).await;
            if after[0] == before[0] {
                assert_eq!(after, before, "round {round}: a run without a record left something behind");
                continue;
            }
            applied += 1;
            assert_eq!(after[0], before[0] + 1, "round {round}");
            for (group, full) in GROUPS.iter().zip(asked) {
                assert_eq!(open_in(&world, group).await, if full { MEMBERS } else { 0 }, "round {round}: {group}");
            }
        }
        assert!(killed > 0, "no run was killed: {applied} applied");
        let last = google(&world, &[]).await;
        assert_eq!(last.code, 0, "{last:?}");
        expect(&google(&world, &[]).await, 0, "unchanged");
        for (group, full) in GROUPS.iter().zip(asked) {
            assert_eq!(open_in(&world, group).await, if full { MEMBERS } else { 0 }, "{group}");
        }
    }

    async fn a_run_that_is_told_to_stop_writes_nothing(world: World) {
        // S20
        let mut world = world;
        world.configure("timeout = \"2s\"", "timeout = \"60s\"");
        expect(&google(&world, &[]).await, 0, "unchanged");
        world.org().add_member(GROUPS[0], "ann@example.org").clear_requests();
        world.org().fault(
            entitled_simulator::Target::system(entitled_simulator::System::Google),
            entitled_simulator::Fault::hold("on"),
        );
        let before = table(&world, "membership").await;
        let running = world
            .command(&["sync", "--source", "google_sync", "--output", "json"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it starts");
        world
            .org()
            .wait_for_requests(entitled_simulator::System::Google, 1, crate::support::PATIENCE)
            .await
            .expect("asked");
        let id = running.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        let ended = tokio::time::timeout(crate::support::PATIENCE, running.wait_with_output())
            .await
            .expect("it ends")
            .expect("it ends");
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        world.org().clear_faults();
        assert_eq!(table(&world, "membership").await, before);
        expect(&google(&world, &[]).await, 0, "applied");
    }
}
