//! How the daemon stops: by a signal, within its grace period, with the store whole (each world verifies its log).

use std::time::Duration;

use crate::answer::{DOMAIN_A, GROUP_A, NOISE, ONCE, ann, directory_alone, enrol_ann, login, never_cached, scheduled};
use crate::on_both_stores;
use crate::support::{Daemon, PATIENCE, World};
use crate::writer::Writer;
use entitled::clock::Clock;
use entitled_simulator::{Fault, System, Target};

/// The grace period of the tests' configuration.
const GRACE: Duration = Duration::from_secs(5);

async fn ended(daemon: &mut Daemon) -> Option<i32> {
    tokio::time::timeout(PATIENCE, daemon.child.wait()).await.expect("it ends").expect("it ends").code()
}

async fn timed_end(daemon: &mut Daemon) -> (Option<i32>, Duration) {
    let clock = Clock::system();
    let began = clock.monotonic();
    (ended(daemon).await, clock.monotonic() - began)
}

fn reading_held(world: &mut World) {
    directory_alone(world);
    world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
    scheduled(world, "google_sync", ONCE);
    enrol_ann(world);
    world.org().fault(Target::system(System::Google), Fault::hold("reading"));
}

const MEMBERS: i64 = 6_000;

/// A daemon that is writing a large first run.
async fn committing(world: &mut World) -> Daemon {
    directory_alone(world);
    scheduled(world, "google_sync", ONCE);
    for member in 0..MEMBERS {
        world.org().add_member(&format!("grp_acme_{}@example.com", member % 6), &format!("m{member}@example.org"));
    }
    let daemon = world.serve().await;
    // One page of groups, and 5 pages of 200 members for each of six.
    world.org().wait_for_requests(System::Google, 31, PATIENCE).await.expect("it reads everything");
    Writer::wait_for_another(world).await;
    daemon
}

async fn all_or_nothing(world: &World) {
    let written = world.count("SELECT count(*) FROM membership").await;
    assert!([0, MEMBERS].contains(&written), "{written}");
    assert_eq!(world.count("SELECT count(*) FROM user_account").await, written, "users and memberships come together");
    let runs = world.count("SELECT count(*) FROM run").await;
    assert_eq!(runs > 0, written > 0, "and so does the run's record");
    assert_eq!(world.run(&["verify"]).await.code, 0);
}

on_both_stores! {
    async fn a_signal_while_a_source_is_being_read_ends_it_with_nothing_written(world: World) {
        // S20
        let mut world = world;
        reading_held(&mut world);
        for signal in ["TERM", "INT"] {
            world.org().clear_requests();
            let mut daemon = world.serve().await;
            world.org().wait_for_requests(System::Google, 1, PATIENCE).await.expect("it reads");
            daemon.signal(signal);
            let (code, took) = timed_end(&mut daemon).await;
            assert_eq!(code, Some(0), "{signal}");
            assert!(took < GRACE, "{signal}: {took:?}");
            assert_eq!(world.count("SELECT count(*) FROM membership").await, 0);
        }
        world.org().clear_faults();
        let daemon = world.serve().await;
        assert_eq!(
            daemon.wait_for_run("google_sync", 0).await["outcome"],
            "applied",
            "the next start catches up at once"
        );
        assert_eq!(daemon.terminate().await, 0);
    }

    async fn a_signal_while_a_commit_waits_ends_it_within_the_grace_period(world: World) {
        // S20
        let mut world = world;
        reading_held(&mut world);
        world.configure(r#"grace = "5s""#, r#"grace = "1s""#);
        let mut daemon = world.serve().await;
        world.org().wait_for_requests(System::Google, 1, PATIENCE).await.expect("it reads");
        let writer = Writer::begin(&world).await;
        world.org().clear_faults();
        // Every page is read when the members of the only group are.
        world.org().wait_for_requests(System::Google, 2, PATIENCE).await.expect("it reads on");
        daemon.signal("TERM");
        let (code, took) = timed_end(&mut daemon).await;
        assert_eq!(code, Some(0), "{:?}", daemon.logs());
        assert!(took < Duration::from_secs(1) + NOISE, "{took:?}");
        writer.end().await;
        assert_eq!(world.count("SELECT count(*) FROM membership").await, 0, "rolled back");
    }

    async fn a_signal_during_a_large_commit_leaves_all_of_it_or_nothing(world: World) {
        // S20 S9
        let mut world = world;
        let mut daemon = committing(&mut world).await;
        daemon.signal("TERM");
        let (code, took) = timed_end(&mut daemon).await;
        assert_eq!(code, Some(0), "{:?}", daemon.logs());
        assert!(took < GRACE + NOISE, "{took:?}");
        all_or_nothing(&world).await;
    }

    async fn a_kill_during_a_large_commit_leaves_all_of_it_or_nothing(world: World) {
        // S9
        let mut world = world;
        let mut daemon = committing(&mut world).await;
        daemon.signal("KILL");
        ended(&mut daemon).await;
        all_or_nothing(&world).await;
        let daemon = world.serve().await;
        daemon.wait_for_run("google_sync", 0).await;
        assert_eq!(world.count("SELECT count(*) FROM membership").await, MEMBERS, "the next start catches up");
    }

    async fn a_second_signal_ends_it_at_once(world: World) {
        // S20
        let mut world = world;
        reading_held(&mut world);
        world.configure(r#"grace = "5s""#, r#"grace = "5m""#);
        let mut daemon = world.serve().await;
        world.org().wait_for_requests(System::Google, 1, PATIENCE).await.expect("it reads");
        let writer = Writer::begin(&world).await;
        world.org().clear_faults();
        world.org().wait_for_requests(System::Google, 2, PATIENCE).await.expect("it reads on");
        daemon.signal("TERM");
        daemon.wait_for_log(|line| line["message"].as_str().is_some_and(|text| text.starts_with("stopping"))).await;
        daemon.signal("TERM");
        let (_, took) = timed_end(&mut daemon).await;
        assert!(took < NOISE, "{took:?}");
        writer.end().await;
        assert_eq!(world.count("SELECT count(*) FROM membership").await, 0);
    }

    async fn a_login_under_way_is_still_answered(world: World) {
        // S20
        let mut world = world;
        never_cached(&mut world);
        enrol_ann(&world);
        let mut daemon = world.serve().await;
        login(&daemon, &ann()).await;
        world.org().clear_requests().fault(Target::system(System::Deploycenter), Fault::hold("slow"));
        let url = format!("{}/hooks/login", daemon.base);
        let asking = tokio::spawn(async move {
            let request = reqwest::Client::new().post(url).bearer_auth("login-key").json(&ann());
            let answer = request.send().await.expect("an answer");
            (answer.status().as_u16(), answer.json::<serde_json::Value>().await.expect("JSON"))
        });
        world.org().wait_for_requests(System::Deploycenter, 1, PATIENCE).await.expect("asked");
        daemon.signal("TERM");
        let (status, answer) = asking.await.expect("answered");
        assert_eq!((status, crate::answer::groups(&answer)), (200, vec![GROUP_A, DOMAIN_A]));
        assert_eq!(ended(&mut daemon).await, Some(0));
        let refused = reqwest::get(format!("{}/healthz", daemon.base)).await;
        assert!(refused.is_err(), "nobody listens any more");
    }

    async fn idle_and_half_open_connections_do_not_keep_it(world: World) {
        // S20
        use tokio::io::AsyncWriteExt as _;
        let mut world = world;
        world.configure(r#"grace = "5s""#, r#"grace = "1s""#);
        let mut daemon = world.serve().await;
        let address = daemon.base.strip_prefix("http://").expect("an address").to_owned();
        let _silent = tokio::net::TcpStream::connect(&address).await.expect("connected");
        let mut half = tokio::net::TcpStream::connect(&address).await.expect("connected");
        half.write_all(b"POST /hooks/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n").await.expect("sent");
        assert_eq!(daemon.get("/healthz").await.status(), 200);
        daemon.signal("TERM");
        let (code, took) = timed_end(&mut daemon).await;
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(1) + NOISE, "{took:?}");
    }
}
