//! Alive, ready, and in detail: what an orchestrator and an operator ask.

use std::time::Duration;

use entitled::clock::Clock;
use entitled_simulator::{Fault, System, Target};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::answer::{ONCE, ann, directory_alone, enrol_ann, login, never_cached, scheduled, source};
use crate::on_both_stores;
use crate::proxy::Proxy;
use crate::support::{Daemon, Kind, PATIENCE, World};
use crate::writer::Writer;

/// What the contract grants a health check, and what a busy machine adds.
const AT_MOST: Duration = Duration::from_millis(1_500);

/// Status and body; a check that takes longer than it may fails.
async fn ask(daemon: &Daemon, path: &str) -> (u16, Value) {
    let clock = Clock::system();
    let began = clock.monotonic();
    let answer = daemon.get(path).await;
    let status = answer.status().as_u16();
    let content_type = answer.headers()["content-type"].to_str().expect("text").to_owned();
    assert_eq!(content_type, if status == 200 { "application/json" } else { "application/problem+json" });
    let body = answer.json().await.expect("JSON");
    let took = clock.monotonic() - began;
    assert!(took < AT_MOST, "{path}: {took:?}");
    (status, body)
}

/// `ALTER DATABASE ... ALLOW_CONNECTIONS`, and everybody thrown out when it is false.
async fn allow_connections(world: &World, allowed: bool) {
    let name = world.database.url().rsplit_once('/').expect("a database").1.to_owned();
    let server = std::env::var("ENTITLED_TEST_POSTGRES_URL").expect("the server of the tests");
    let server = crate::support::Database::raw(&server).await;
    server.execute_unprepared(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")).await.expect("altered");
    if !allowed {
        let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        server.execute_unprepared(&cut).await.expect("cut");
    }
    server.close().await.expect("closed");
}

on_both_stores! {
    async fn a_healthy_daemon_says_so_in_the_documented_shape(world: World) {
        // H1
        let mut world = world;
        scheduled(&mut world, "google_sync", ONCE);
        enrol_ann(&world);
        let daemon = world.serve().await;
        daemon.wait_for_run("google_sync", 0).await;
        assert_eq!(ask(&daemon, "/healthz").await, (200, json!({"status": "ok"})));
        assert_eq!(ask(&daemon, "/readyz").await, (200, json!({"status": "ok"})));
        let (status, health) = ask(&daemon, "/api/v1/health").await;
        assert_eq!((status, &health["status"]), (200, &json!("ok")));
        let schema = &health["db_schema"];
        assert_eq!((&schema["status"], &schema["current"]), (&json!("ok"), &schema["expected"]));
        assert!(schema["expected"].as_str().is_some_and(|step| step.starts_with("m20")), "{health}");
        let read = source(&health, "google_sync");
        assert_eq!(
            (&read["status"], &read["last_outcome"], &read["error"]),
            (&json!("ok"), &json!("applied"), &Value::Null)
        );
        assert!((0.0..60.0).contains(&read["age_seconds"].as_f64().expect("an age")), "{health}");
        let never = source(&health, "deploycenter");
        assert_eq!((&never["status"], &never["age_seconds"]), (&json!("never"), &Value::Null));
    }

    async fn a_failing_source_is_told_while_it_lasts_and_leaves_the_daemon_ready(world: World) {
        let mut world = world;
        never_cached(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        world.org().fault(Target::system(System::Deploycenter), Fault::status(500));
        login(&daemon, &ann()).await;
        let (_, health) = ask(&daemon, "/api/v1/health").await;
        assert_eq!(health["status"], "degraded");
        let failing = source(&health, "deploycenter");
        assert_eq!((&failing["status"], &failing["error"]), (&json!("failing"), &json!("http_5xx")));
        assert!(failing["age_seconds"].is_number(), "the age of the last success: {health}");
        assert_eq!(ask(&daemon, "/readyz").await.0, 200);
        world.org().clear_faults();
        login(&daemon, &ann()).await;
        assert_eq!(ask(&daemon, "/api/v1/health").await.1["status"], "ok");
    }

    async fn an_older_or_newer_schema_is_not_ready_until_it_is_as_expected(world: World) {
        // H1
        let daemon = world.serve().await;
        let expected = ask(&daemon, "/api/v1/health").await.1["db_schema"]["expected"].clone();
        let step = expected.as_str().expect("a step");
        for (break_it, current, mend_it) in [
            (
                format!("DELETE FROM seaql_migrations WHERE version = '{step}'"),
                None,
                format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{step}', 1)"),
            ),
            (
                "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99990101_000001_tomorrow', 1)".to_owned(),
                Some("m99990101_000001_tomorrow"),
                "DELETE FROM seaql_migrations WHERE version = 'm99990101_000001_tomorrow'".to_owned(),
            ),
        ] {
            world.database.execute(&break_it).await;
            let (status, problem) = ask(&daemon, "/readyz").await;
            assert_eq!((status, &problem["status"]), (503, &json!(503)));
            assert!(problem["detail"].as_str().is_some_and(|text| text.contains(step)), "{problem}");
            let (status, health) = ask(&daemon, "/api/v1/health").await;
            assert_eq!(
                (status, &health["status"], &health["db_schema"]["status"]),
                (200, &json!("down"), &json!("mismatch"))
            );
            assert_eq!(health["db_schema"]["expected"], expected);
            assert_ne!(health["db_schema"]["current"], expected);
            if let Some(current) = current {
                assert_eq!(health["db_schema"]["current"], current);
            }
            assert_eq!(ask(&daemon, "/healthz").await.0, 200, "alive all the same");
            world.database.execute(&mend_it).await;
            assert_eq!(ask(&daemon, "/readyz").await.0, 200);
        }
    }

    async fn health_answers_within_a_second_while_a_long_run_writes(world: World) {
        // H1
        let mut world = world;
        directory_alone(&mut world);
        never_cached(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        let writer = Writer::begin(&world).await;
        let body = json!({"email": "ann@commune-a.fr", "sub": "sub-other"});
        let (checks, (status, answer)) = tokio::join!(
            async {
                world.org().wait_for_requests(System::Google, 2, PATIENCE).await.expect("asked");
                (
                    ask(&daemon, "/healthz").await.0,
                    ask(&daemon, "/readyz").await.0,
                    ask(&daemon, "/api/v1/health").await.0,
                )
            },
            daemon.login(&body)
        );
        assert_eq!(checks, (200, 200, 200));
        assert_eq!(daemon.get("/metrics").await.status(), 200);
        assert_eq!(
            (status, crate::answer::groups(&answer).len()),
            (200, 1),
            "a login meanwhile is answered from the store"
        );
        writer.end().await;
    }

    async fn health_answers_within_a_second_during_a_large_first_run(world: World) {
        // H1
        const MEMBERS: u32 = 4_000;
        let mut world = world;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", ONCE);
        for member in 0..MEMBERS {
            world.org().add_member(&format!("grp_acme_{}@example.com", member % 4), &format!("m{member}@example.org"));
        }
        let daemon = world.serve().await;
        let done = |line: &Value| line["message"] == "run ended";
        while !daemon.logs().iter().any(done) {
            for path in ["/healthz", "/readyz", "/api/v1/health"] {
                assert_eq!(ask(&daemon, path).await.0, 200);
            }
        }
        assert_eq!(daemon.wait_for_run("google_sync", 0).await["created"], MEMBERS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_is_told_within_a_second_and_recovered_from() {
    // H1
    let world = World::new(Kind::Postgres).await;
    enrol_ann(&world);
    let daemon = world.serve().await;
    login(&daemon, &ann()).await;
    allow_connections(&world, false).await;
    for _ in 0..3 {
        let (status, problem) = ask(&daemon, "/readyz").await;
        assert_eq!((status, &problem["status"]), (503, &json!(503)));
        let (status, health) = ask(&daemon, "/api/v1/health").await;
        assert_eq!(
            (status, &health["status"], &health["db_schema"]["status"]),
            (200, &json!("down"), &json!("unreachable"))
        );
        assert_eq!(ask(&daemon, "/healthz").await.0, 200);
    }
    let (status, problem) = daemon.login(&ann()).await;
    assert_eq!((status, &problem["status"]), (503, &serde_json::json!(503)), "a login can't be answered: {problem}");
    allow_connections(&world, true).await;
    assert_eq!(ask(&daemon, "/readyz").await.0, 200, "by itself");
    login(&daemon, &ann()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_falls_silent_is_told_within_a_second_and_recovered_from() {
    // H1
    let mut world = World::new(Kind::Postgres).await;
    let url = world.database.url().to_owned();
    let (server, name) = url.rsplit_once('/').expect("a database");
    let (user, server) = server.split_once('@').expect("a user");
    let proxy = Proxy::start(server.to_owned()).await;
    world.configure(&url, &format!("{user}@{}/{name}", proxy.address));
    let daemon = world.serve().await;
    login(&daemon, &ann()).await;
    proxy.die();
    for _ in 0..3 {
        assert_eq!(ask(&daemon, "/readyz").await.0, 503);
        let (status, health) = ask(&daemon, "/api/v1/health").await;
        assert_eq!((status, &health["db_schema"]["status"]), (200, &json!("unreachable")));
        assert_eq!(ask(&daemon, "/healthz").await.0, 200);
    }
    let clock = Clock::system();
    let began = clock.monotonic();
    let (status, problem) = daemon.login(&ann()).await;
    let took = clock.monotonic() - began;
    assert_eq!(status, 503, "{problem}");
    assert!(took < Duration::from_secs(2) + AT_MOST, "within the login's deadline: {took:?}");
    proxy.revive();
    login(&daemon, &ann()).await;
    assert_eq!(ask(&daemon, "/readyz").await.0, 200, "by itself");
}
