//! The real binary, killed at random moments of a run of 5,000 changes.

use std::process::Stdio;
use std::time::Duration;

use entitled::clock::Clock;
use entitled_simulator::System;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::process::Child;

use crate::on_both_stores;
use crate::rounds;
use crate::stage::{expect, google, texts};
use crate::support::{Kind, PATIENCE, World};
use crate::writer::Writer;

/// How often each store is killed in every run of the tests.
const KILLS: usize = 12;
/// Then a run is let through, to see that it makes good what the killed ones left.
const KILLS_IN_A_ROW_MAX: usize = 3;
/// Everybody leaves one group and joins the other: twice as many changes.
const MEMBERS: usize = 2_500;
/// A smaller run, which is killed more often.
const FEW_MEMBERS: usize = 100;
const KILLS_OF_FEW: usize = 100;
const GROUPS: [&str; 2] = ["grp_acme_a@example.com", "grp_acme_b@example.com"];

/// How a run goes that nobody kills.
struct Course {
    requests: u64,
    whole: Duration,
    /// From the last question to the end: this is where it writes.
    tail: Duration,
    /// From begin to commit, at most.
    unit: Duration,
}

/// Where the kills fell.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    /// While the killed process held the head of the log: between begin and commit.
    within_the_unit: usize,
    nothing_stored: usize,
    all_stored: usize,
    /// The run was over before its time had come.
    too_late: usize,
}

fn start(world: &World) -> Child {
    world.org().clear_requests();
    let mut command = world.command(&["sync", "--source", "google_sync"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

async fn questions(world: &World, count: u64) {
    world.org().wait_for_requests(System::Google, count, PATIENCE).await.expect("it asks");
}

async fn course(world: &World) -> Course {
    let clock = Clock::system();
    let mut running = start(world);
    running.wait().await.expect("it ends");
    let whole = clock.monotonic();
    let requests = world.org().count(System::Google);
    let clock = Clock::system();
    let mut running = start(world);
    questions(world, requests).await;
    let asked = clock.monotonic();
    running.wait().await.expect("it ends");
    let tail = (clock.monotonic() - asked).max(whole.saturating_sub(asked));
    Course { requests, whole, tail, unit: tail / 2 }
}

/// Everybody moves from one group to the other.
fn turn_over(world: &World, members: usize, into: usize) {
    for number in 0..members {
        let member = format!("m{number:04}@example.org");
        world.org().remove_member(GROUPS[1 - into], &member).add_member(GROUPS[into], &member);
    }
}

/// What a run leaves behind: its record first, then rows and events.
async fn traces(world: &World) -> [i64; 7] {
    let open = "membership WHERE to_position IS NULL";
    let counted = ["run", "membership", open, "event", "observation", "user_account", "user_profile"];
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

/// The server ends a session some time after its client is gone, and may carry out what it was told before.
async fn let_the_dead_go(world: &World) {
    if world.database.kind() == Kind::Sqlite {
        return;
    }
    let sessions = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'entitled' AND datname = current_database()";
    let going = async { while world.count(sessions).await > 0 {} };
    tokio::time::timeout(PATIENCE, going).await.expect("the session ends");
}

/// Waits until the run has begun its unit of work, or is over.
async fn begun(world: &World, running: &mut Child) {
    let looking = async { while !Writer::is_another(world).await && matches!(running.try_wait(), Ok(None)) {} };
    tokio::time::timeout(PATIENCE, looking).await.expect("it writes");
}

/// Starts a run and kills it at a random moment: of all of it, of what follows its last question, or, three times of four, of
/// its unit of work.
async fn strike(world: &World, course: &mut Course, random: &mut StdRng, tally: &mut Tally) {
    let mut running = start(world);
    let kill = tally.kills;
    let span = match kill % 8 {
        0 => course.whole,
        1 => course.tail,
        _ => course.unit,
    };
    if !kill.is_multiple_of(8) {
        questions(world, course.requests).await;
    }
    if kill % 8 > 1 {
        begun(world, &mut running).await;
    }
    let moment = span.mul_f64(random.random_range(0.0..1.0));
    tally.kills += 1;
    if tokio::time::timeout(moment, running.wait()).await.is_ok() {
        tally.too_late += 1;
        // The machine was slower when the course was taken.
        match kill % 8 {
            0 => course.whole = course.whole.mul_f64(0.8),
            1 => course.tail = course.tail.mul_f64(0.8),
            _ => course.unit /= 2,
        }
        return;
    }
    let writes = Writer::is_another(world).await;
    running.kill().await.expect("killed");
    let_the_dead_go(world).await;
    tally.within_the_unit += usize::from(writes);
}

/// Kills runs until `kills` of them are counted.
async fn kill_until(kills: usize, members: usize, world: World, random: &mut StdRng, tally: &mut Tally) {
    let mut world = world;
    world.configure(
        "retry = { attempts = 1 }",
        "retry = { attempts = 1 }\nguard = { max_removal_ratio = 1.0, max_removals = 1000000 }",
    );
    for number in 0..members {
        world.org().add_member(GROUPS[0], &format!("m{number:04}@example.org"));
    }
    world.org().add_group(GROUPS[1]);
    expect(&google(&world, &[]).await, 0, "applied");
    turn_over(&world, members, 1);
    let (mut course, mut full) = (course(&world).await, 1);
    while tally.kills < kills {
        full = 1 - full;
        turn_over(&world, members, full);
        for attempt in 0.. {
            let before = traces(&world).await;
            if attempt < KILLS_IN_A_ROW_MAX {
                strike(&world, &mut course, random, tally).await;
            } else {
                expect(&google(&world, &[]).await, 0, "applied");
            }
            let verified = world.run(&["verify"]).await;
            assert_eq!(verified.code, 0, "{tally:?}: {verified:?}");
            let after = traces(&world).await;
            if after[0] == before[0] {
                assert_eq!(after, before, "{tally:?}: a run without a record left something behind");
                tally.nothing_stored += 1;
                continue;
            }
            assert_eq!(after[0], before[0] + 1, "{tally:?}");
            assert_eq!(open_in(&world, GROUPS[full]).await, members, "{tally:?}: all of it is stored");
            assert_eq!(open_in(&world, GROUPS[1 - full]).await, 0, "{tally:?}: all of it is stored");
            tally.all_stored += usize::from(attempt < KILLS_IN_A_ROW_MAX);
            break;
        }
    }
    println!("{tally:?}; a run takes {:?}, the last {:?} of it to write", course.whole, course.tail);
    expect(&google(&world, &[]).await, 0, "unchanged");
}

on_both_stores! {
    async fn a_process_killed_at_any_moment_leaves_all_of_a_run_or_nothing(world: World) {
        // S9
        let (mut random, mut tally) = (StdRng::seed_from_u64(0x656e_7469_746c_6564), Tally::default());
        let (kind, kills) = (world.database.kind(), rounds(KILLS));
        kill_until(kills.min(KILLS), MEMBERS, world, &mut random, &mut tally).await;
        // A log that grows with every round would make each longer than the last.
        while tally.kills < kills {
            let goal = kills.min(tally.kills + KILLS);
            kill_until(goal, MEMBERS, World::new(kind).await, &mut random, &mut tally).await;
        }
        assert!(tally.within_the_unit * 4 >= tally.kills, "too few kills fell between begin and commit: {tally:?}");
    }

    async fn a_small_run_killed_a_hundred_times_leaves_all_of_it_or_nothing(world: World) {
        // S9
        let (mut random, mut tally) = (StdRng::seed_from_u64(0x6b69_6c6c), Tally::default());
        kill_until(KILLS_OF_FEW, FEW_MEMBERS, world, &mut random, &mut tally).await;
        assert!(tally.within_the_unit > 0 && tally.nothing_stored > 0 && tally.all_stored > 0, "{tally:?}");
    }
}
