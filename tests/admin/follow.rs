//! Following the log: nothing is missed that commits late, whoever waits is answered in time, and no wait holds up a shutdown.

use std::sync::Arc;
use std::time::Duration;

use entitled::history::{Follower, Full};
use entitled::store::{Store, Unit};
use entitled_model::event::{Cause, Event};
use entitled_model::{Position, UserId};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use crate::hand::{ask, head, serve};
use crate::on_both_stores;
use crate::support::{Daemon, PATIENCE, World};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);

/// Records one event, and leaves it to the caller to commit it.
async fn recorded(store: &Store, actor: &str) -> Unit {
    let mut unit = store.begin().await.expect("a unit");
    let (at, user) = (unit.at(), UserId(store.clock().new_id()));
    let cause = Cause { actor: actor.to_owned(), ..Cause::default() };
    unit.record(&cause, at, vec![Event::users_created(vec![user])]).await.expect("recorded");
    unit
}

async fn happen(store: &Store, actor: &str) {
    recorded(store, actor).await.commit().await.expect("committed");
}

async fn events(daemon: &Daemon, query: &str) -> (Vec<Value>, i64) {
    let (status, page) = ask(daemon, "GET", &format!("/events?{query}"), Some("read-key"), None).await;
    assert_eq!(status, 200, "{page}");
    (page["events"].as_array().expect("events").clone(), page["next"].as_i64().expect("a position"))
}

fn positions(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["position"].as_i64().expect("a position")).collect()
}

/// `events tail --follow --output json`, as a process, line by line.
struct Tail {
    child: tokio::process::Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Tail {
    fn start(world: &World, after: i64) -> Self {
        let after = after.to_string();
        let mut command = world.command(&["events", "tail", "--follow", "--after", &after, "--output", "json"]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        Self { child, lines }
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("in time").expect("a line");
        serde_json::from_str(&line.expect("it goes on")).expect("JSON")
    }

    /// Interrupts it, and returns its exit code.
    async fn end(mut self) -> Option<i32> {
        let id = self.child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").arg("-TERM").arg(id).status().expect("kill").success());
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it ends").code()
    }
}

on_both_stores! {
    async fn an_event_that_commits_late_is_missed_by_nobody(world: World) {
        // E3
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (store, begin) = (world.store().await, head(&world).await);
        let mut tail = Tail::start(&world, begin);
        happen(&store, "first").await;
        assert_eq!(tail.next().await["actor"], "first");

        // One has written and has not committed; another comes later, and must wait for it.
        let late = recorded(&store, "late").await;
        let another = tokio::spawn({
            let store = world.store().await;
            async move { happen(&store, "after").await }
        });
        let (seen, next) = events(&daemon, &format!("after={begin}&wait=1")).await;
        assert_eq!((positions(&seen), next), (vec![begin + 1], begin + 1));
        let (seen, next) = events(&daemon, &format!("after={next}&wait=1")).await;
        assert_eq!((seen.len(), next), (0, begin + 1), "nothing of what is not committed");
        assert!(!another.is_finished());
        late.commit().await.expect("committed");
        another.await.expect("committed");

        let told = [tail.next().await, tail.next().await];
        assert_eq!(told.each_ref().map(|event| event["actor"].as_str().expect("an actor")), ["late", "after"]);
        let (seen, _) = events(&daemon, &format!("after={next}")).await;
        assert_eq!(seen, told, "the same over HTTP and on the command line");
        assert_eq!(tail.end().await, Some(0));
        store.close().await.expect("closed");
    }

    async fn whoever_follows_many_writers_reads_every_position_once(world: World) {
        // E3
        const WRITERS: usize = 4;
        const EACH: usize = 15;
        let mut world = world;
        let daemon = Arc::new(serve(&mut world).await);
        let begin = head(&world).await;
        let all = begin + i64::try_from(WRITERS * EACH).expect("small");
        let follower = tokio::spawn({
            let daemon = Arc::clone(&daemon);
            async move {
                let (mut seen, mut after) = (Vec::new(), begin);
                while after < all {
                    let (page, next) = events(&daemon, &format!("after={after}&wait=20&limit=7")).await;
                    assert!(page.len() <= 7);
                    seen.extend(positions(&page));
                    after = next;
                }
                seen
            }
        });
        let mut tail = Tail::start(&world, begin);
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            let store = world.store().await;
            writers.push(tokio::spawn(async move {
                for _ in 0..EACH {
                    happen(&store, "writer").await;
                }
                store.close().await.expect("closed");
            }));
        }
        for writer in writers {
            writer.await.expect("written");
        }
        let expected: Vec<i64> = (begin + 1..=all).collect();
        assert_eq!(tokio::time::timeout(PATIENCE, follower).await.expect("in time").expect("followed"), expected);
        for position in expected {
            assert_eq!(tail.next().await["position"], position);
        }
        assert_eq!(tail.end().await, Some(0));
    }

    async fn a_wait_ends_with_an_event_with_its_time_or_with_the_daemon(world: World) {
        // E3
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (store, begin) = (world.store().await, head(&world).await);
        let clock = store.clock().clone();
        let (seen, next) = events(&daemon, &format!("after={begin}&wait=1")).await;
        assert_eq!((seen.len(), next), (0, begin), "nothing came: the same place again");

        let began = clock.monotonic();
        let query = format!("after={begin}&wait=20");
        let (waited, ()) = tokio::join!(events(&daemon, &query), happen(&store, "news"));
        assert_eq!((positions(&waited.0), waited.1), (vec![begin + 1], begin + 1));
        assert!(clock.monotonic() - began < Duration::from_secs(15), "the event ends the wait");

        // One waits when the daemon is asked to stop.
        let address = daemon.base.strip_prefix("http://").expect("an address").to_owned();
        let mut waiting = tokio::net::TcpStream::connect(&address).await.expect("connected");
        let request = format!(
            "GET /api/v1/events?after={}&wait=60 HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer read-key\r\n\r\n",
            begin + 1
        );
        waiting.write_all(request.as_bytes()).await.expect("sent");
        for _ in 0..3 {
            assert_eq!(daemon.get("/healthz").await.status(), 200);
        }
        daemon.signal("TERM");
        let stopped = daemon.wait_for_log(|line| {
            line["message"] == "stopped" || line["message"].as_str().is_some_and(|text| text.starts_with("the grace"))
        });
        assert_eq!(stopped.await["message"], "stopped", "nobody had to be cut off");
        assert_eq!(daemon.terminate().await, 0);
        store.close().await.expect("closed");
    }

    async fn those_who_wait_are_limited_and_are_let_go_together(world: World) {
        // E3
        const WAITERS_MAX: usize = 256;
        let store = world.store().await;
        store.migrate_up().await.expect("migrated");
        let stop = CancellationToken::new();
        let follower = Arc::new(Follower::new(store.clone(), stop.clone()));
        let wait = || {
            let follower = Arc::clone(&follower);
            tokio::spawn(async move { follower.wait(Position(0), LONG).await.expect("an answer") })
        };
        let waiters: Vec<_> = (0..WAITERS_MAX + 5).map(|_| wait()).collect();
        let turned_away = async {
            while waiters.iter().filter(|waiter| waiter.is_finished()).count() < 5 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, turned_away).await.expect("five are too many");
        stop.cancel();
        let mut full = 0;
        for waiter in waiters {
            let ended = tokio::time::timeout(PATIENCE, waiter).await.expect("it ends").expect("it ends");
            full += usize::from(ended == Err(Full));
        }
        assert_eq!(full, 5, "all others wait until everything stops");
        store.close().await.expect("closed");
    }

    async fn the_tail_begins_where_it_is_told_and_ends_when_nobody_listens(world: World) {
        let store = world.store().await;
        store.migrate_up().await.expect("migrated");
        for number in 0..30 {
            happen(&store, &format!("actor-{number}")).await;
        }
        let lines = async |arguments: &[&str]| {
            let ended = world.run(&[&["events", "tail"], arguments].concat()).await;
            assert_eq!(ended.code, 0, "{ended:?}");
            ended.stdout.lines().map(str::to_owned).collect::<Vec<String>>()
        };
        let newest = lines(&["--output", "json"]).await;
        let newest: Vec<Value> = newest.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(positions(&newest), (11..=30).collect::<Vec<i64>>(), "the newest twenty");
        assert_eq!(newest[0]["type"], "user.created");
        assert_eq!(newest[0]["payload"]["users"].as_array().map(Vec::len), Some(1));
        assert_eq!(lines(&["--after", "0"]).await.len(), 30);
        assert_eq!(lines(&["--after", "30"]).await.len(), 0);
        assert!(lines(&["--after", "29"]).await[0].contains("actor-29"));

        // Who reads one line and goes: the next event finds nobody, and that ends it.
        let mut tail = Tail::start(&world, 29);
        assert_eq!(tail.next().await["position"], 30);
        let Tail { mut child, lines } = tail;
        drop(lines);
        happen(&store, "unheard").await;
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").expect("it ends");
        assert_eq!(ended.code(), Some(0));
        store.close().await.expect("closed");
    }

    async fn a_place_that_is_none_is_refused(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let head = head(&world).await;
        let ahead = format!("after={}", head + 1);
        for query in [
            "after=-1", "after=x", "after=", "after=1.5", "after=99999999999999999999", &ahead, "limit=0", "limit=201", "limit=-1",
            "limit=all", "wait=-1", "wait=61", "wait=0.5", "wait=soon", "before=3", "after=1&after=2",
        ] {
            let (status, problem) = ask(&daemon, "GET", &format!("/events?{query}"), Some("read-key"), None).await;
            assert_eq!(status, 400, "{query}: {problem}");
        }
        assert_eq!(ask(&daemon, "GET", "/events", None, None).await.0, 401);
        assert_eq!(ask(&daemon, "GET", "/events", Some("login-key"), None).await.0, 403);
        let ahead = (head + 1).to_string();
        for arguments in [["--after", "-1"], ["--after", "x"], ["--after", ""], ["--after", ahead.as_str()]] {
            let ended = world.run(&[&["events", "tail"], arguments.as_slice()].concat()).await;
            assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}: {ended:?}");
            assert!(ended.stderr.contains("error: "), "{ended:?}");
        }
    }
}
