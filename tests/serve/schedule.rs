//! Runs by the clock.

use entitled_simulator::{Fault, System, Target};
use serde_json::json;

use crate::answer::{ANN, EVERY_SECOND, GROUP_A, ONCE, directory_alone, enrol_ann, scheduled};
use crate::on_both_stores;
use crate::scrape::{scrape, value};
use crate::support::PATIENCE;

const BOB: &str = "bob@example.org";

on_both_stores! {
    async fn a_source_is_read_at_the_start_whatever_its_schedule(world: World) {
        let mut world = world;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", ONCE);
        enrol_ann(&world);
        let daemon = world.serve().await;
        assert_eq!(daemon.wait_for_run("google_sync", 0).await["outcome"], "applied");
        assert_eq!(world.members(GROUP_A, "google_sync").await, [ANN]);
    }

    async fn a_removed_person_who_never_logs_in_disappears_within_an_interval(world: World) {
        // S12
        let mut world = world;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", EVERY_SECOND);
        enrol_ann(&world);
        world.org().add_member(GROUP_A, BOB);
        let daemon = world.serve().await;
        daemon.wait_for_run("google_sync", 0).await;
        assert_eq!(world.members(GROUP_A, "google_sync").await, [ANN, BOB]);
        world.org().remove_member(GROUP_A, BOB);
        let removed = daemon.wait_for_log(|line| line["message"] == "run ended" && line["removed"] == 1).await;
        assert_eq!((&removed["trigger"], &removed["outcome"]), (&json!("schedule"), &json!("applied")));
        assert_eq!(world.members(GROUP_A, "google_sync").await, [ANN]);
    }

    async fn a_removal_with_grace_is_executed_when_it_is_due_whatever_the_schedule(world: World) {
        // S12
        let mut world = world;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", ONCE);
        world.configure("[sources.google_sync]", "[sources.google_sync]\nremoval = { grace = \"1s\" }");
        enrol_ann(&world);
        world.org().add_member(GROUP_A, BOB);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        world.org().remove_member(GROUP_A, BOB);
        let daemon = world.serve().await;
        let first = daemon.wait_for_run("google_sync", 0).await;
        assert_eq!((&first["removed"], &first["kept"]), (&json!(0), &json!(1)));
        let second = daemon.wait_for_run("google_sync", 1).await;
        assert_eq!((&second["removed"], &second["trigger"]), (&json!(1), &json!("schedule")));
        assert_eq!(world.members(GROUP_A, "google_sync").await, [ANN]);
    }

    async fn a_removal_that_comes_due_while_the_source_is_read_is_executed_after_it(world: World) {
        // S12
        let mut world = world;
        directory_alone(&mut world);
        world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
        scheduled(&mut world, "google_sync", ONCE);
        world.configure("[sources.google_sync]", "[sources.google_sync]\nremoval = { grace = \"4s\" }");
        enrol_ann(&world);
        world.org().add_member(GROUP_A, BOB);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        world.org().remove_member(GROUP_A, BOB);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        world.org().fault(Target::system(System::Google).times(1), Fault::hold("reading"));
        let daemon = world.serve().await;
        daemon.wait_for_log(|line| line["message"].as_str().is_some_and(|text| text.contains("skipped"))).await;
        world.org().release("reading");
        assert_eq!(daemon.wait_for_run("google_sync", 0).await["removed"], 0, "it began before the time");
        assert_eq!(daemon.wait_for_run("google_sync", 1).await["removed"], 1);
        assert_eq!(world.members(GROUP_A, "google_sync").await, [ANN]);
    }

    async fn a_schedule_that_fires_while_the_previous_run_is_going_is_skipped_and_counted(world: World) {
        // S16
        let mut world = world;
        directory_alone(&mut world);
        world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
        scheduled(&mut world, "google_sync", EVERY_SECOND);
        enrol_ann(&world);
        world.org().fault(Target::system(System::Google), Fault::hold("reading"));
        let daemon = world.serve().await;
        world.org().wait_for_requests(System::Google, 1, PATIENCE).await.expect("it reads");
        let skipped = |line: &serde_json::Value| {
            line["source"] == "google_sync" && line["message"].as_str().is_some_and(|text| text.contains("skipped"))
        };
        daemon.wait_for_logs(2, skipped).await;
        assert_eq!(world.org().count(System::Google), 1, "nobody else asks");
        let samples = scrape(&daemon).await;
        assert!(value(&samples, "entitled_runs_skipped_total", &[("source", "google_sync")]) >= 2.0);
        world.org().release("reading");
        assert_eq!(daemon.wait_for_run("google_sync", 0).await["outcome"], "applied");
        assert_eq!(daemon.wait_for_run("google_sync", 1).await["outcome"], "unchanged", "and it goes on");
    }

    async fn a_failing_schedule_keeps_memberships_and_recovers_by_itself(world: World) {
        // S5
        let mut world = world;
        directory_alone(&mut world);
        scheduled(&mut world, "google_sync", EVERY_SECOND);
        enrol_ann(&world);
        let daemon = world.serve().await;
        daemon.wait_for_run("google_sync", 0).await;
        world.org().remove_member(GROUP_A, ANN).fault(Target::system(System::Google).times(2), Fault::Html);
        let unavailable = |line: &serde_json::Value| line["message"] == "run ended" && line["outcome"] == "unavailable";
        let failed = daemon.wait_for_log(unavailable).await;
        assert_eq!((&failed["error"], &failed["removed"]), (&json!("malformed"), &json!(0)));
        let applied = |line: &serde_json::Value| line["message"] == "run ended" && line["removed"] == 1;
        daemon.wait_for_log(applied).await;
        assert_eq!(world.members(GROUP_A, "google_sync").await, [""; 0]);
    }
}
