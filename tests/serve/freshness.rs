//! How recent each source's part of an answer is.

use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

use crate::answer::{
    ANN, DOMAIN_A, GROUP_A, NOISE, ann, deploycenter_alone, enrol_ann, entitlement, freshness, groups, login,
    never_cached, source, timed_login,
};
use crate::on_both_stores;
use crate::support::{Kind, SIRET};

on_both_stores! {
    async fn a_recent_answer_serves_without_a_call(world: World) {
        // D3
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        let asked = (world.org().count(System::Deploycenter), world.org().count(System::Google));
        assert_eq!(asked.0, 1);
        world.org().set_domains(ANN, SIRET, ["commune-b.fr"]).remove_member(GROUP_A, ANN);
        let again = login(&daemon, &ann()).await;
        assert_eq!((freshness(&again, "deploycenter"), freshness(&again, "google_sync")), ("cached", "cached"));
        assert_eq!(groups(&again), [GROUP_A, DOMAIN_A]);
        assert_eq!((world.org().count(System::Deploycenter), world.org().count(System::Google)), asked);
    }

    async fn a_sync_asks_in_spite_of_the_cache_and_the_next_login_knows(world: World) {
        // D3
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        world.org().set_domains(ANN, SIRET, ["commune-b.fr"]);
        let forced = world.sync(&["--user", ANN, "--source", "deploycenter"]).await;
        assert_eq!((forced.code, &forced.json()["outcome"]), (0, &json!("applied")));
        let asked = world.org().count(System::Deploycenter);
        let after = login(&daemon, &ann()).await;
        assert_eq!(groups(&after), [GROUP_A, "maildomain:commune-b.fr:admin"]);
        assert_eq!(freshness(&after, "deploycenter"), "cached");
        assert_eq!(world.org().count(System::Deploycenter), asked);
    }

    async fn an_expired_answer_is_asked_for_again(world: World) {
        // D3
        let mut world = world;
        world.configure(r#"cache_ttl = "5m""#, r#"cache_ttl = "1ms""#);
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        world.org().set_domains(ANN, SIRET, ["commune-b.fr"]);
        let after = login(&daemon, &ann()).await;
        assert_eq!(groups(&after), [GROUP_A, "maildomain:commune-b.fr:admin"]);
        assert_eq!(freshness(&after, "deploycenter"), "fresh");
        assert_eq!(world.org().count(System::Deploycenter), 2);
    }

    async fn without_a_cache_every_login_asks_and_says_nothing_twice(world: World) {
        // D3 S3
        let mut world = world;
        never_cached(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        let first = login(&daemon, &ann()).await;
        for asked in 2..5 {
            let again = login(&daemon, &ann()).await;
            assert_eq!(freshness(&again, "deploycenter"), "fresh");
            assert_eq!(world.org().count(System::Deploycenter), asked);
            assert_eq!(again["position"], first["position"], "no event for what is known");
        }
    }

    async fn a_failing_source_is_answered_for_from_the_store_however_old(world: World) {
        // D4
        let mut world = world;
        never_cached(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        let good = login(&daemon, &ann()).await;
        let earlier = |column: &str| match world.database.kind() {
            Kind::Sqlite => format!("{column} = '2019' || substr({column}, 5)"),
            Kind::Postgres => format!("{column} = {column} - interval '2000 days'"),
        };
        let age_it = format!("UPDATE observation SET {}, {}", earlier("began_at"), earlier("completed_at"));
        world.database.execute(&age_it).await;
        for system in [System::Deploycenter, System::Google] {
            world.org().fault(Target::system(system), Fault::status(503));
        }
        let stale = login(&daemon, &ann()).await;
        for name in ["deploycenter", "google_sync"] {
            assert_eq!(freshness(&stale, name), "stale");
            assert_eq!(source(&stale, name)["error"]["class"], "http_5xx");
            let age = source(&stale, name)["age_seconds"].as_f64().expect("an age");
            assert!(age > 1_000.0 * 86_400.0, "its age is told: {age}");
        }
        assert_eq!((&stale["groups"], &stale["entitlements"]), (&good["groups"], &good["entitlements"]));
        assert_eq!(stale["decision"], "allow");
        assert_eq!(stale["position"], good["position"], "a failure writes no event");
    }

    async fn nothing_stored_and_a_failing_backend_is_answered_for_by_the_fallback(world: World) {
        // D5
        enrol_ann(&world);
        for system in [System::Deploycenter, System::Google] {
            world.org().fault(Target::system(system), Fault::Reset);
        }
        let daemon = world.serve().await;
        let answer = login(&daemon, &ann()).await;
        assert_eq!(answer["decision"], "allow");
        for name in ["deploycenter", "google_sync"] {
            let part = source(&answer, name);
            assert_eq!((&part["freshness"], &part["age_seconds"]), (&json!("unavailable"), &Value::Null), "{answer}");
            assert_eq!(part["error"]["class"], "connect");
        }
        let local = json!([{"source": "deploycenter", "key": "can_access", "value": true}]);
        assert_eq!((&answer["entitlements"], &answer["groups"]), (&local, &json!([])), "it says nothing about domains");
        assert_eq!(world.count("SELECT count(*) FROM entitlement").await, 0, "and is not stored");
        let recovered = {
            world.org().clear_faults();
            login(&daemon, &ann()).await
        };
        assert_eq!((groups(&recovered), freshness(&recovered, "deploycenter")), (vec![GROUP_A, DOMAIN_A], "fresh"));
    }

    async fn without_a_fallback_nothing_is_stated_for_a_failing_backend(world: World) {
        // D5
        let mut world = world;
        world.configure("fallback = \"local\"\n", "");
        world.org().fault(Target::system(System::Deploycenter), Fault::status(500));
        let daemon = world.serve().await;
        let answer = login(&daemon, &ann()).await;
        assert_eq!((freshness(&answer, "deploycenter"), &answer["entitlements"]), ("unavailable", &json!([])));
        assert_eq!(answer["decision"], "allow", "it never denies because of a failing source");
    }

    async fn an_answer_slower_than_the_timeout_is_a_timeout(world: World) {
        // D9
        let mut world = world;
        deploycenter_alone(&mut world);
        never_cached(&mut world);
        world.configure(r#"timeout = "2s""#, r#"timeout = "200ms""#);
        world.configure_also("[hooks.login]\ndeadline = \"20s\"\n");
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        world.org().fault(Target::system(System::Deploycenter), Fault::hold("slow"));
        let (answer, took) = timed_login(&daemon, &ann()).await;
        assert_eq!(
            (freshness(&answer, "deploycenter"), &source(&answer, "deploycenter")["error"]["class"]),
            ("stale", &json!("timeout"))
        );
        assert_eq!(groups(&answer), [DOMAIN_A]);
        assert!(took < std::time::Duration::from_millis(200) + NOISE, "{took:?}");
    }

    async fn a_login_is_answered_at_its_deadline_and_the_late_refresh_is_stored(world: World) {
        // D9
        let mut world = world;
        never_cached(&mut world);
        world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
        world.configure_also("[hooks.login]\ndeadline = \"300ms\"\n");
        enrol_ann(&world);
        for system in [System::Deploycenter, System::Google] {
            world.org().fault(Target::system(system), Fault::hold("slow"));
        }
        let daemon = world.serve().await;
        let (answer, took) = timed_login(&daemon, &ann()).await;
        assert!(took < std::time::Duration::from_millis(300) + NOISE, "{took:?}");
        assert_eq!(
            (freshness(&answer, "deploycenter"), freshness(&answer, "google_sync")),
            ("unavailable", "unavailable")
        );
        assert_eq!(source(&answer, "google_sync")["error"]["class"], "timeout");
        assert_eq!(entitlement(&answer, "deploycenter", "can_access"), &json!(true), "the fallback's word");
        assert!(world.org().release("slow"));
        daemon.wait_for_logs(2, |line| line["message"] == "run ended" && line["trigger"] == "login").await;
        let memberships = world.user(ANN).await["memberships"].clone();
        let held: Vec<&Value> = memberships.as_array().expect("a list").iter().map(|row| &row["group"]).collect();
        assert_eq!(held, [GROUP_A, DOMAIN_A], "what came late is known from now on");
    }
}
