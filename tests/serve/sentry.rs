//! What Sentry hears: once of each source and class while a failure lasts, once of the recovery.

use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

use crate::answer::{EVERY_SECOND, ann, directory_alone, enrol_ann, login, never_cached, scheduled};
use crate::on_both_stores;
use crate::receiver::Receiver;
use crate::support::Daemon;

/// `(message, source, class)` of each event.
fn told(events: &[Value]) -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    events
        .iter()
        .map(|event| (text(&event["message"]), text(&event["tags"]["source"]), event["tags"]["error_class"].clone()))
        .collect()
}

async fn wait_for_runs(daemon: &Daemon, count: usize, outcome: &'static str) {
    daemon.wait_for_logs(count, move |line| line["message"] == "run ended" && line["outcome"] == outcome).await;
}

on_both_stores! {
    async fn a_lasting_failure_is_reported_once_and_its_end_once(world: World) {
        // S5
        let mut world = world;
        let receiver = Receiver::start(&mut world).await;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", EVERY_SECOND);
        world.configure_also("[sentry]\nenvironment = \"staging\"\nrelease = \"entitled@test\"\n");
        enrol_ann(&world);
        world.org().fault(Target::system(System::Google), Fault::status(503));
        let daemon = world.serve().await;
        wait_for_runs(&daemon, 3, "unavailable").await;
        world.org().clear_faults();
        wait_for_runs(&daemon, 1, "applied").await;
        wait_for_runs(&daemon, 2, "unchanged").await;
        assert_eq!(daemon.terminate().await, 0);
        let events = receiver.wait_for(2).await;
        assert_eq!(
            told(&events),
            [
                (
                    "source google_sync is failing: http_5xx; stored memberships are kept".into(),
                    "google_sync".into(),
                    json!("http_5xx")
                ),
                ("source google_sync has recovered from: http_5xx".into(), "google_sync".into(), Value::Null),
            ]
        );
        assert_eq!((&events[0]["level"], &events[1]["level"]), (&Value::Null, &json!("info")), "error is the default");
        for event in &events {
            assert_eq!((&event["release"], &event["environment"]), (&json!("entitled@test"), &json!("staging")));
            assert!(event["user"].is_null() && event["request"].is_null(), "{event}");
        }
        assert_ne!(events[0]["fingerprint"], events[1]["fingerprint"]);
    }

    async fn the_last_administrator_that_a_source_would_take_is_an_alert_once(world: World) {
        // M6
        let mut world = world;
        let receiver = Receiver::start(&mut world).await;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", EVERY_SECOND);
        world.org().add_member("grp_acme_admin@example.com", "ann@example.org");
        let daemon = world.serve().await;
        wait_for_runs(&daemon, 1, "applied").await;
        world.org().remove_member("grp_acme_admin@example.com", "ann@example.org");
        wait_for_runs(&daemon, 3, "blocked").await;
        assert_eq!(daemon.terminate().await, 0);
        let events = receiver.wait_for(1).await;
        let message = "source google_sync would take the last administrator, or the last owner; they stay";
        assert_eq!(told(&events), [(message.into(), "google_sync".into(), Value::Null)]);
        assert_eq!(world.members("Admin", "google_sync").await, ["ann@example.org"]);
    }

    async fn each_source_and_class_is_an_issue_of_its_own(world: World) {
        // S5
        let mut world = world;
        let receiver = Receiver::start(&mut world).await;
        never_cached(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        for (system, fault) in [
            (System::Deploycenter, Fault::status(500)),
            (System::Deploycenter, Fault::Html),
            (System::Google, Fault::status(500)),
            (System::Deploycenter, Fault::status(502)),
        ] {
            world.org().clear_faults().fault(Target::system(system), fault);
            login(&daemon, &ann()).await;
            login(&daemon, &ann()).await;
        }
        assert_eq!(daemon.terminate().await, 0);
        receiver.wait_for(1).await;
        let events = receiver.events();
        let failing: Vec<_> = events.iter().filter(|event| event["tags"]["error_class"].is_string()).collect();
        let fingerprints: Vec<&Value> = failing.iter().map(|event| &event["fingerprint"]).collect();
        let of = |source: &str, class: &str| json!(["source-failing", source, class]);
        assert_eq!(
            fingerprints,
            [
                &of("deploycenter", "http_5xx"),
                &of("deploycenter", "malformed"),
                &of("google_sync", "http_5xx"),
                &of("deploycenter", "http_5xx"),
            ],
            "DeployCenter recovered while the directory failed: {events:#?}"
        );
        for event in &events {
            assert_eq!(
                (&event["release"], &event["environment"]),
                (&json!(env!("CARGO_PKG_VERSION")), &json!("production"))
            );
        }
    }

    async fn a_refused_credential_is_one_report_that_names_the_setting(world: World) {
        // D8
        let mut world = world;
        let receiver = Receiver::start(&mut world).await;
        never_cached(&mut world);
        enrol_ann(&world);
        world.org().fault(Target::system(System::Deploycenter), Fault::status(401));
        let daemon = world.serve().await;
        for _ in 0..4 {
            login(&daemon, &ann()).await;
        }
        assert_eq!(daemon.terminate().await, 0);
        let events = receiver.wait_for(1).await;
        assert_eq!(events.len(), 1, "{events:#?}");
        assert!(
            events[0]["extra"]["detail"].as_str().is_some_and(|text| text.contains("sources.deploycenter.token")),
            "{events:#?}"
        );
    }

    async fn a_one_shot_reports_once(world: World) {
        // S5
        let mut world = world;
        let receiver = Receiver::start(&mut world).await;
        world.configure("attempts = 1", "attempts = 3, base = \"1ms\", max = \"2ms\"");
        enrol_ann(&world);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        world.org().fault(Target::system(System::Google), Fault::status(500));
        let ended = world.sync(&["--source", "google_sync"]).await;
        assert_eq!((ended.code, &ended.json()["outcome"]), (3, &json!("unavailable")));
        let events = receiver.wait_for(1).await;
        assert_eq!(events.len(), 1, "{events:#?}");
        assert_eq!(events[0]["tags"]["error_class"], "http_5xx");
    }

    async fn sentry_that_is_down_delays_and_breaks_nothing(world: World) {
        let mut world = world;
        never_cached(&mut world);
        enrol_ann(&world);
        let gone =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        world.environment.push(("SENTRY_DSN".to_owned(), format!("http://key@{gone}/1")));
        world.org().fault(Target::system(System::Google), Fault::status(500));
        let daemon = world.serve().await;
        let (answer, took) = crate::answer::timed_login(&daemon, &ann()).await;
        assert_eq!(crate::answer::freshness(&answer, "deploycenter"), "fresh");
        assert!(took < crate::answer::NOISE, "{took:?}");
        assert_eq!(daemon.terminate().await, 0);
    }
}
