//! A source that fails for a while: how it is asked meanwhile, and what everybody else gets.

use std::time::Duration;

use entitled_simulator::{Fault, System, Target};
use serde_json::json;

use crate::answer::{
    ANN, DOMAIN_A, EVERY_SECOND, GROUP_A, NOISE, ann, deploycenter_alone, directory_alone, enrol_ann, freshness,
    groups, held, login, never_cached, scheduled, source, timed_login,
};
use crate::on_both_stores;
use crate::support::{PATIENCE, SIRET};

/// Requests that arrived after one another, in the order of their arrival.
fn gaps(world: &crate::support::World, system: System) -> Vec<Duration> {
    let requests = world.org().requests(system);
    requests.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

on_both_stores! {
    async fn a_refused_credential_is_reported_with_its_setting_and_not_tried_again_for_a_minute(world: World) {
        // D8
        let mut world = world;
        deploycenter_alone(&mut world);
        never_cached(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        login(&daemon, &json!({"email": "bob@example.org", "claims": {"siret": SIRET}})).await;
        assert_eq!(daemon.terminate().await, 0);
        scheduled(&mut world, "deploycenter", EVERY_SECOND);
        world.configure("attempts = 1", "attempts = 3");
        world
            .environment
            .iter_mut()
            .filter(|(name, _)| name == "DEPLOYCENTER_TOKEN")
            .for_each(|(_, token)| *token = "wrong".into());
        world.org().clear_requests();
        let daemon = world.serve().await;
        let first = daemon.wait_for_run("deploycenter", 0).await;
        assert_eq!((&first["outcome"], &first["error"]), (&json!("unavailable"), &json!("unauthorized")));
        assert!(first["detail"].as_str().expect("text").contains("sources.deploycenter.token"), "{first}");
        let answer = login(&daemon, &ann()).await;
        assert_eq!((freshness(&answer, "deploycenter"), groups(&answer)), ("stale", vec![DOMAIN_A]));
        assert_eq!(source(&answer, "deploycenter")["error"]["class"], "unauthorized");
        daemon.wait_for_run("deploycenter", 2).await;
        assert_eq!(world.org().count(System::Deploycenter), 1, "three runs of two users and a login asked once");
    }

    async fn a_pause_that_the_source_asks_for_is_kept_by_schedules_and_logins(world: World) {
        // S17
        let mut world = world;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", EVERY_SECOND);
        world.configure_also("[hooks.login]\ndeadline = \"200ms\"\n");
        enrol_ann(&world);
        world.org().fault(Target::system(System::Google).times(1), Fault::too_many_requests(2));
        let daemon = world.serve().await;
        let first = daemon.wait_for_run("google_sync", 0).await;
        assert_eq!((&first["outcome"], &first["error"]), (&json!("unavailable"), &json!("rate_limited")));
        let (answer, took) = timed_login(&daemon, &ann()).await;
        assert_eq!((freshness(&answer, "google_sync"), &answer["decision"]), ("unavailable", &json!("allow")));
        assert!(took < Duration::from_millis(200) + NOISE, "{took:?}");
        world.org().wait_for_requests(System::Google, 2, PATIENCE).await.expect("asked again");
        assert!(gaps(&world, System::Google)[0] >= Duration::from_secs(2), "{:?}", gaps(&world, System::Google));
    }

    async fn a_retry_waits_for_as_long_as_the_source_says(world: World) {
        // S17
        let mut world = world;
        directory_alone(&mut world);
        world.configure("attempts = 1", "attempts = 3");
        scheduled(&mut world, "google_sync", crate::answer::ONCE);
        enrol_ann(&world);
        world.org().fault(Target::system(System::Google).times(1), Fault::too_many_requests(2));
        let daemon = world.serve().await;
        assert_eq!(daemon.wait_for_run("google_sync", 0).await["outcome"], "applied");
        let gaps = gaps(&world, System::Google);
        assert!((Duration::from_secs(2)..Duration::from_secs(2) + NOISE).contains(&gaps[0]), "{gaps:?}");
    }

    async fn retries_stop_at_their_number(world: World) {
        // S17
        let mut world = world;
        directory_alone(&mut world);
        world.configure("attempts = 1", "attempts = 3, base = \"1ms\", max = \"2ms\"");
        scheduled(&mut world, "google_sync", crate::answer::ONCE);
        world.org().fault(Target::system(System::Google), Fault::status(500));
        let daemon = world.serve().await;
        assert_eq!(daemon.wait_for_run("google_sync", 0).await["error"], "http_5xx");
        assert_eq!(world.org().count(System::Google), 3);
    }

    async fn five_failures_open_the_circuit_and_logins_are_answered_from_the_store_at_once(world: World) {
        // S18
        let mut world = world;
        never_cached(&mut world);
        world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
        world.configure_also("[hooks.login]\ndeadline = \"20s\"\n");
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        world.org().clear_requests().fault(Target::system(System::Deploycenter), Fault::status(503));
        for _ in 0..5 {
            assert_eq!(freshness(&login(&daemon, &ann()).await, "deploycenter"), "stale");
        }
        world.org().clear_faults().fault(Target::system(System::Deploycenter), Fault::hold("for ever"));
        for _ in 0..3 {
            let (answer, took) = timed_login(&daemon, &ann()).await;
            assert_eq!((freshness(&answer, "deploycenter"), freshness(&answer, "google_sync")), ("stale", "fresh"));
            assert_eq!(source(&answer, "deploycenter")["error"]["class"], "http_5xx");
            assert_eq!(groups(&answer), [GROUP_A, DOMAIN_A]);
            assert!(took < NOISE, "{took:?}");
        }
        assert_eq!(world.org().count(System::Deploycenter), 5);
        let health: serde_json::Value = daemon.get("/api/v1/health").await.json().await.expect("JSON");
        let part = source(&health, "deploycenter");
        assert_eq!(part["consecutive_failures"], 5);
        assert!(part["circuit_open_until"].is_string(), "{health}");
    }

    async fn one_user_who_cannot_be_asked_about_does_not_keep_the_others_waiting(world: World) {
        // S15
        let mut world = world;
        deploycenter_alone(&mut world);
        let daemon = world.serve().await;
        for name in ["ann", "bob", "cem"] {
            let address = format!("{name}@commune-a.fr");
            world.org().set_domains(&address, SIRET, ["commune-a.fr"]);
            login(&daemon, &json!({"email": address, "claims": {"siret": SIRET}})).await;
            world.org().set_domains(&address, SIRET, ["commune-b.fr"]);
        }
        assert_eq!(daemon.terminate().await, 0);
        world.org().fault(Target::system(System::Deploycenter).user("bob@commune-a.fr"), Fault::status(500));
        scheduled(&mut world, "deploycenter", crate::answer::ONCE);
        let daemon = world.serve().await;
        let run = daemon.wait_for_run("deploycenter", 0).await;
        assert_eq!((&run["outcome"], &run["error"]), (&json!("applied"), &json!("http_5xx")));
        assert_eq!((&run["users"], &run["created"], &run["removed"]), (&json!(3), &json!(2), &json!(2)));
        assert!(run["detail"].as_str().expect("text").contains("1 of 3 users"), "{run}");
        assert_eq!(held(&world.user(ANN).await), "maildomain:commune-b.fr:admin");
        assert_eq!(
            held(&world.user("bob@commune-a.fr").await),
            DOMAIN_A,
            "nothing is taken from who could not be asked about"
        );
    }
}
