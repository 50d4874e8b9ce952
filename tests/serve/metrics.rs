//! What a scraper reads, and that it says what happened.

use entitled_simulator::{Fault, System, Target};

use crate::answer::{ann, directory_alone, enrol_ann, login, never_cached, scheduled};
use crate::on_both_stores;
use crate::scrape::{scrape, value};

on_both_stores! {
    async fn every_line_is_a_sample_and_runs_logins_and_requests_are_counted(world: World) {
        let mut world = world;
        never_cached(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        let head = daemon.get("/metrics").await;
        let content_type = head.headers()["content-type"].to_str().expect("text").to_owned();
        assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
        login(&daemon, &ann()).await;
        world.org().fault(Target::system(System::Google), Fault::status(503));
        login(&daemon, &ann()).await;
        let samples = scrape(&daemon).await;
        let runs = |source, outcome| {
            value(&samples, "entitled_runs_total", &[("source", source), ("trigger", "login"), ("outcome", outcome)])
        };
        assert_eq!((runs("deploycenter", "applied"), runs("deploycenter", "unchanged")), (1.0, 1.0));
        assert_eq!((runs("google_sync", "applied"), runs("google_sync", "unavailable")), (1.0, 1.0));
        let failures = [("source", "google_sync"), ("class", "http_5xx")];
        assert_eq!(value(&samples, "entitled_run_failures_total", &failures), 1.0);
        assert_eq!(value(&samples, "entitled_source_failing", &[("source", "google_sync")]), 1.0);
        assert_eq!(value(&samples, "entitled_source_failing", &[("source", "deploycenter")]), 0.0);
        assert_eq!(
            value(&samples, "entitled_membership_changes_total", &[("source", "google_sync"), ("change", "created")]),
            1.0
        );
        assert_eq!(value(&samples, "entitled_logins_total", &[("decision", "allow")]), 2.0);
        assert_eq!(
            value(&samples, "entitled_login_answers_total", &[("source", "google_sync"), ("freshness", "stale")]),
            1.0
        );
        let requests = [("method", "POST"), ("route", "/hooks/login"), ("status", "200")];
        assert_eq!(value(&samples, "entitled_http_requests_total", &requests), 2.0);
        assert_eq!(value(&samples, "entitled_run_duration_seconds_count", &[("source", "google_sync")]), 2.0);
        assert!(
            value(&samples, "entitled_source_last_success_timestamp_seconds", &[("source", "deploycenter")]) > 1.6e9
        );
    }

    async fn scheduled_runs_are_counted_by_their_outcome(world: World) {
        // S3
        let mut world = world;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", crate::answer::EVERY_SECOND);
        enrol_ann(&world);
        let daemon = world.serve().await;
        daemon.wait_for_run("google_sync", 1).await;
        let samples = scrape(&daemon).await;
        let runs = |outcome| {
            value(
                &samples,
                "entitled_runs_total",
                &[("source", "google_sync"), ("trigger", "schedule"), ("outcome", outcome)],
            )
        };
        assert_eq!(runs("applied"), 1.0);
        assert!(runs("unchanged") >= 1.0);
        assert_eq!(world.count("SELECT count(*) FROM membership").await, 1);
    }

    async fn what_callers_make_up_does_not_become_a_label(world: World) {
        let daemon = world.serve().await;
        for number in 0..20 {
            let method = reqwest::Method::from_bytes(format!("MADEUP{number}").as_bytes()).expect("a token");
            let url = format!("{}/nothing/here/{number}", daemon.base);
            let answer = reqwest::Client::new().request(method, url).send().await.expect("an answer");
            assert!(answer.status().is_client_error());
        }
        let samples = scrape(&daemon).await;
        let made_up: Vec<_> = samples.iter().filter(|sample| format!("{sample:?}").contains("MADEUP")).collect();
        assert!(made_up.is_empty(), "as many series as somebody likes to make up: {made_up:?}");
        assert!(daemon.logs().iter().all(|line| !line.to_string().contains("MADEUP")));
        assert_eq!(
            value(&samples, "entitled_http_requests_total", &[("route", "none")]),
            20.0,
            "and yet they are counted"
        );
    }
}
