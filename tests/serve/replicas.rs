//! Several daemons on one store: one of them reads a source at a time, and none undoes what another established.

use std::sync::Arc;
use std::time::Duration;

use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

use crate::answer::{
    ANN, EVERY_SECOND, GROUP_A, ann, deploycenter_alone, directory_alone, enrol_ann, freshness, groups, held, login,
    never_cached, scheduled,
};
use crate::on_both_stores;
use crate::scrape::{scrape, value};
use crate::support::{PATIENCE, SIRET, World};

fn polled(world: &mut World) {
    directory_alone(world);
    world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
    scheduled(world, "google_sync", EVERY_SECOND);
    enrol_ann(world);
}

fn elsewhere(line: &Value) -> bool {
    line["message"] == "another process reads it, or has: skipped"
}

/// `true` when the run was given up, and not because a source failed.
fn given_up(line: &Value) -> bool {
    let told = line["message"].as_str().unwrap_or_default();
    told.starts_with("run interrupted") || told.starts_with("run failed")
}

on_both_stores! {
    async fn of_two_daemons_one_reads_a_source_at_a_time(world: World) {
        // S16
        let mut world = world;
        polled(&mut world);
        world.org().fault(Target::system(System::Google), Fault::hold("reading"));
        let first = world.serve().await;
        world.org().wait_for_requests(System::Google, 1, PATIENCE).await.expect("it reads");
        let second = world.serve().await;
        second.wait_for_logs(2, elsewhere).await;
        assert_eq!(world.org().count(System::Google), 1, "the other does not ask");
        let skipped = value(&scrape(&second).await, "entitled_runs_skipped_total", &[("source", "google_sync")]);
        assert!(skipped >= 2.0, "and counts it: {skipped}");
        world.org().release("reading");
        assert_eq!(first.wait_for_run("google_sync", 0).await["outcome"], "applied");
        let health: Value = second.get("/api/v1/health").await.json().await.expect("JSON");
        assert_eq!(health["sources"][0]["status"], "ok", "both know of it: {health}");
    }

    async fn two_polling_daemons_never_ask_at_the_same_time(world: World) {
        // S16
        let mut world = world;
        polled(&mut world);
        // One request a run, each slow enough to be met by the other daemon's schedule.
        world.org().remove_member(GROUP_A, ANN).delete_group(GROUP_A);
        world.org().fault(Target::system(System::Google), Fault::delay(300));
        let (first, second) = tokio::join!(world.serve(), world.serve());
        world.org().wait_for_requests(System::Google, 4, PATIENCE).await.expect("they poll");
        assert_eq!(world.org().peak_concurrency(System::Google), 1);
        let failed = |line: &Value| line["level"] == "ERROR";
        for daemon in [first, second] {
            assert_eq!(daemon.logs().into_iter().filter(failed).collect::<Vec<_>>(), [Value::Null; 0]);
            assert_eq!(daemon.terminate().await, 0);
        }
    }

    async fn a_killed_daemon_is_taken_over_from_by_the_other(world: World) {
        // S9 S16
        let mut world = world;
        polled(&mut world);
        world.configure(r#"grace = "5s""#, "grace = \"5s\"\nlease = \"10m\"");
        world.org().fault(Target::system(System::Google).times(1), Fault::hold("for ever"));
        let first = world.serve().await;
        world.org().wait_for_requests(System::Google, 1, PATIENCE).await.expect("it reads");
        let second = world.serve().await;
        second.wait_for_log(elsewhere).await;
        first.signal("KILL");
        let taken_over = second.wait_for_run("google_sync", 0).await;
        assert_eq!(taken_over["outcome"], "applied", "at once, and not when the lease runs out");
        assert_eq!(world.members(GROUP_A, "google_sync").await, [ANN]);
    }

    async fn a_silent_holder_is_waited_for_until_its_lease_runs_out(world: World) {
        // S16
        let mut world = world;
        polled(&mut world);
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        let store = world.store().await;
        let lease =
            store.take_lease("run:google_sync", Duration::from_secs(2)).await.expect("the store").expect("a lease");
        let until = entitled::clock::Clock::system().now() + Duration::from_secs(2);
        let daemon = world.serve().await;
        daemon.wait_for_log(elsewhere).await;
        daemon.wait_for_run("google_sync", 0).await;
        assert!(entitled::clock::Clock::system().now() >= until - Duration::from_millis(200));
        assert!(!store.renew_lease(&lease, Duration::from_secs(9)).await.expect("the store"), "it is another's now");
        store.close().await.expect("closed");
    }

    async fn a_daemon_that_slept_through_its_lease_undoes_nothing(world: World) {
        // S11 S16
        let mut world = world;
        polled(&mut world);
        world.configure(r#"grace = "5s""#, "grace = \"5s\"\nlease = \"1s\"");
        world.org().fault(Target::system(System::Google).times(1), Fault::hold("old"));
        let first = world.serve().await;
        world.org().wait_for_requests(System::Google, 1, PATIENCE).await.expect("it reads");
        first.pause().await;
        world.org().remove_member(GROUP_A, ANN).add_member("grp_acme_b@example.com", ANN);
        let second = world.serve().await;
        assert_eq!(second.wait_for_run("google_sync", 0).await["outcome"], "applied");
        assert_eq!(second.terminate().await, 0);
        world.org().release("old");
        first.signal("CONT");
        first.wait_for_log(given_up).await;
        let memberships = world.user(ANN).await["memberships"].clone();
        assert_eq!(memberships.as_array().expect("a list").len(), 1, "{memberships}");
        assert_eq!(memberships[0]["group"], "grp_acme_b@example.com");
    }

    async fn the_refresh_that_began_last_decides_whichever_daemon_made_it(world: World) {
        // S10
        let mut world = world;
        deploycenter_alone(&mut world);
        never_cached(&mut world);
        world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
        world.configure_also("[hooks.login]\ndeadline = \"200ms\"\n");
        enrol_ann(&world);
        let (first, second) = tokio::join!(world.serve(), world.serve());
        for daemon in [&first, &second] {
            login(daemon, &ann()).await;
            let ended = |line: &Value| line["message"] == "run ended" && line["trigger"] == "login";
            daemon.wait_for_log(ended).await;
        }
        world.org().set_domains(ANN, SIRET, ["commune-old.fr"]);
        world.org().clear_requests().fault(Target::system(System::Deploycenter).times(1), Fault::hold("old"));
        login(&first, &ann()).await;
        assert_eq!(world.org().count(System::Deploycenter), 1);
        world.org().set_domains(ANN, SIRET, ["commune-new.fr"]);
        login(&second, &ann()).await;
        second.wait_for_logs(2, |line| line["message"] == "run ended").await;
        world.org().release("old");
        first.wait_for_logs(2, |line| line["message"] == "run ended").await;
        assert_eq!(held(&world.user(ANN).await), "maildomain:commune-new.fr:admin");
    }

    async fn two_daemons_refreshing_one_user_at_once_agree_without_an_error(world: World) {
        // S10
        let mut world = world;
        never_cached(&mut world);
        world.configure_also("[hooks.login]\ndeadline = \"20s\"\n");
        enrol_ann(&world);
        let (first, second) = tokio::join!(world.serve(), world.serve());
        let daemons = [Arc::new(first), Arc::new(second)];
        let mut logins = Vec::new();
        for number in 0..20 {
            let daemon = Arc::clone(&daemons[number % 2]);
            logins.push(tokio::spawn(async move { login(&daemon, &ann()).await }));
        }
        for answered in logins {
            let answer = answered.await.expect("answered");
            assert_eq!((freshness(&answer, "deploycenter"), freshness(&answer, "google_sync")), ("fresh", "fresh"));
            assert_eq!(groups(&answer).len(), 2, "{answer}");
        }
        assert_eq!(world.count("SELECT count(*) FROM membership").await, 2, "no duplicate row");
        let created = "SELECT count(*) FROM event WHERE event_type LIKE 'membership%'";
        assert_eq!(world.count(created).await, 2, "no duplicate event");
        for daemon in &daemons {
            let errors: Vec<_> = daemon.logs().into_iter().filter(|line| line["level"] == "ERROR").collect();
            assert_eq!(errors, [json!(null); 0]);
        }
    }
}
