//! The log is append-only by the database's own word, and a reader that follows it misses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::on_both_stores;
use crate::stage::{expect, google, migrated, table};
use crate::support::{Kind, PATIENCE, World};
use entitled::store::Store;
use entitled_model::event::{Cause, Event};
use entitled_model::{Position, UserId};

const WRITERS: usize = 6;
const UNITS: usize = 15;

fn cause() -> Cause {
    Cause { actor: "operator".to_owned(), ..Cause::default() }
}

/// Writes units of one to three events; every fourth is given up.
async fn write(store: Store, writer: usize) -> usize {
    let mut written = 0;
    for number in 0..UNITS {
        let mut unit = store.begin().await.expect("a unit");
        let events = 1 + (writer + number) % 3;
        let users: Vec<Event> =
            (0..events).map(|_| Event::users_created(vec![UserId(store.clock().new_id())])).collect();
        let at = unit.at();
        unit.record(&cause(), at, users).await.expect("recorded");
        tokio::task::yield_now().await;
        if number % 4 == writer % 4 {
            continue;
        }
        unit.commit().await.expect("committed");
        written += events;
    }
    written
}

/// Follows positions until the writers are done and nothing newer comes.
async fn follow(store: Store, done: Arc<AtomicBool>) -> Vec<i64> {
    let mut seen: Vec<i64> = Vec::new();
    loop {
        let finished = done.load(Ordering::SeqCst);
        let after = Position(seen.last().copied().unwrap_or(0));
        let page = store.events_after(after).await.expect("a page");
        if page.is_empty() && finished {
            return seen;
        }
        seen.extend(page.iter().map(|event| event.recorded.position.0));
        tokio::task::yield_now().await;
    }
}

async fn refused(world: &World, sql: &str) {
    let before = table(world, "event").await;
    let error = world.database.try_execute(sql).await.expect_err(sql).to_string();
    assert!(error.contains("append-only"), "{sql}: {error}");
    assert_eq!(table(world, "event").await, before, "{sql}");
}

on_both_stores! {
    async fn the_database_itself_refuses_to_change_the_log(world: World) {
        // E2
        world.org().add_member("grp_acme_a@example.com", "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        refused(&world, "UPDATE event SET payload = '{}' WHERE position = 2").await;
        refused(&world, "UPDATE event SET position = position + 100").await;
        refused(&world, "DELETE FROM event WHERE position = 2").await;
        refused(&world, "DELETE FROM event").await;
        let columns = "position, event_id, stream_category, stream_id, event_type, schema_version, payload, actor,
            source, run_id, correlation_id, causation_id, occurred_at, recorded_at, digest";
        let twin = columns.replacen("event_id", "(SELECT event_id FROM event WHERE position = 1)", 1);
        let forged = columns.replacen("payload", "'{}'", 1);
        if world.database.kind() == Kind::Sqlite {
            refused(
                &world,
                &format!("INSERT OR REPLACE INTO event ({columns}) SELECT {forged} FROM event WHERE position = 2"),
            )
            .await;
            refused(
                &world,
                &format!(
                    "REPLACE INTO event ({columns}) SELECT {} FROM event WHERE position = 2",
                    twin.replacen("position", "99", 1)
                ),
            )
            .await;
            refused(&world, "UPDATE OR REPLACE event SET position = 1 WHERE position = 2").await;
        } else {
            refused(&world, "TRUNCATE event").await;
            refused(&world, "TRUNCATE event CASCADE").await;
        }
        let upsert = "ON CONFLICT (position) DO UPDATE SET payload = '{}'";
        let again = format!("INSERT INTO event ({columns}) SELECT {columns} FROM event WHERE position = 2 {upsert}");
        refused(&world, &again).await;
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_reader_that_follows_positions_never_misses_an_event(world: World) {
        // E3
        let store = migrated(&world).await;
        let done = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn(follow(world.store().await, Arc::clone(&done)));
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            // Some share a store, as within one process; some have their own, as several processes do.
            let store = if writer % 2 == 0 { store.clone() } else { world.store().await };
            writers.push(tokio::spawn(write(store, writer)));
        }
        let mut written = 2;
        for writer in writers {
            written += tokio::time::timeout(PATIENCE, writer).await.expect("it ends").expect("no panic");
        }
        done.store(true, Ordering::SeqCst);
        let seen = tokio::time::timeout(PATIENCE, reader).await.expect("it ends").expect("no panic");
        let expected: Vec<i64> = (1..=i64::try_from(written).expect("small")).collect();
        assert_eq!(seen, expected, "every event once, in order, without a gap");
    }

    async fn a_late_commit_is_seen_by_who_follows(world: World) {
        // E3
        let (one, other) = (migrated(&world).await, world.store().await);
        let head = one.head(one.reader()).await.expect("a head").0;
        let mut late = one.begin().await.expect("a unit");
        let at = late.at();
        late.record(&cause(), at, vec![Event::users_created(vec![UserId(one.clock().new_id())])])
            .await
            .expect("recorded");
        let mut second = tokio::spawn(async move {
            let mut unit = other.begin().await.expect("a unit");
            let at = unit.at();
            let event = Event::users_created(vec![UserId(other.clock().new_id())]);
            unit.record(&cause(), at, vec![event]).await.expect("recorded");
            unit.commit().await.expect("committed")
        });
        let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut second).await;
        assert!(early.is_err(), "nobody takes a position while an earlier one is open");
        assert!(one.events_after(head).await.expect("a page").is_empty());
        let first = late.commit().await.expect("committed");
        let second = tokio::time::timeout(PATIENCE, second).await.expect("it ends").expect("no panic");
        assert_eq!((first, second), (Position(head.0 + 1), Position(head.0 + 2)));
    }

    async fn a_log_that_was_written_anew_is_known_by_an_anchor_that_was_kept_elsewhere(world: World) {
        // E1
        world.org().add_member("grp_acme_a@example.com", "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        let sound = world.run(&["verify"]).await.stdout;
        let digest = sound.trim_end().rsplit(' ').next().expect("a digest").to_owned();
        let position = world.count("SELECT position FROM event_head").await;
        let anchor = format!("{position}:{digest}");
        let anchored = async |world: &World, anchor: &str| world.run(&["verify", "--anchor", anchor]).await;
        assert_eq!(anchored(&world, &anchor).await.code, 0);
        world.org().add_member("grp_acme_a@example.com", "bob@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(anchored(&world, &anchor).await.code, 0, "what came later does not matter");
        let other = format!("{position}:{}", "0".repeat(64));
        let wrong = anchored(&world, &other).await;
        assert_eq!(wrong.code, 1);
        assert!(wrong.stdout.contains(&format!("fault: the event at position {position} is not what was written")), "{wrong:?}");
        assert_eq!(anchored(&world, &format!("9999:{digest}")).await.code, 1, "the log was cut off");
        for bad in ["", "1", ":", &format!("0:{digest}"), &format!("-1:{digest}"), "1:xy", &format!("x:{digest}")] {
            assert_eq!(anchored(&world, bad).await.code, 2, "{bad}");
        }
    }
}
