//! Removals that wait: for their time, for a second reading, for a group's own limits; and the additions of a held run.

use crate::on_both_stores;
use crate::stage::{expect, google, runs, tables};
use crate::support::World;
use serde_json::{Value, json};

const GROUP: &str = "grp_acme_a@example.com";
const OTHER: &str = "grp_acme_b@example.com";
const LASTING: [&str; 5] = ["event", "membership", "user_account", "user_group", "observation"];

fn ruled(world: &mut World, rules: &str) {
    world.configure("retry = { attempts = 1 }", &format!("retry = {{ attempts = 1 }}\n{rules}"));
}

fn member(number: usize) -> String {
    format!("m{number:02}@example.org")
}

async fn with_members(world: &World, group: &str, count: usize) {
    for number in 0..count {
        world.org().add_member(group, &member(number));
    }
    expect(&google(world, &[]).await, 0, "applied");
}

async fn events(world: &World, event_type: &str) -> i64 {
    world.count(&format!("SELECT count(*) FROM event WHERE event_type = '{event_type}'")).await
}

async fn due(world: &World) -> Value {
    let shown = world.run(&["plan", "due", "--output", "json"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    shown.json()
}

on_both_stores! {
    async fn a_removal_with_grace_is_shown_with_its_date_and_cancelled_when_the_source_lists_it_again(world: World) {
        // S2
        let mut world = world;
        ruled(&mut world, "removal = { grace = \"72h\" }");
        with_members(&world, GROUP, 2).await;
        world.org().remove_member(GROUP, &member(0));
        let ended = google(&world, &[]).await;
        expect(&ended, 0, "applied");
        let kept = ended.source("google_sync")["kept"][0].clone();
        assert_eq!((&kept["reason"], &kept["group"]), (&json!("grace"), &json!(GROUP)));
        assert_eq!(due(&world).await[0]["due_at"], kept["due_at"]);
        assert_eq!(world.user(&member(0)).await["memberships"][0]["due_at"], kept["due_at"]);
        let members = world.run(&["group", "members", GROUP, "--output", "json"]).await.json();
        assert_eq!((&members[0]["due_at"], &members[1]["due_at"]), (&kept["due_at"], &Value::Null));
        let before = tables(&world, &["event", "membership"]).await;
        expect(&google(&world, &[]).await, 0, "unchanged");
        assert_eq!(tables(&world, &["event", "membership"]).await, before, "polling changes nothing");
        world.org().add_member(GROUP, &member(0));
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(due(&world).await, json!([]));
        expect(&google(&world, &[]).await, 0, "unchanged");
        let told = [events(&world, "membership.removal_scheduled").await, events(&world, "membership.removal_cancelled").await];
        assert_eq!(told, [1, 1]);
        assert_eq!(world.members(GROUP, "google_sync").await.len(), 2);
    }

    async fn a_removal_goes_by_the_first_reading_after_its_time(world: World) {
        // S2
        let mut world = world;
        ruled(&mut world, "removal = { grace = \"1ms\" }");
        with_members(&world, GROUP, 2).await;
        world.org().remove_member(GROUP, &member(0));
        let scheduled = google(&world, &[]).await;
        assert_eq!(scheduled.source("google_sync")["counts"], json!({"created": 0, "removed": 0, "kept": 1}));
        let rehearsed = google(&world, &["--dry-run"]).await;
        let removed = google(&world, &[]).await;
        assert_eq!(removed.source("google_sync")["counts"], json!({"created": 0, "removed": 1, "kept": 0}));
        assert_eq!(rehearsed.json()["plan_hash"], removed.json()["plan_hash"]);
        assert_eq!(world.members(GROUP, "google_sync").await, [member(1)]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_failing_source_executes_no_removal_that_is_due(world: World) {
        // S5
        let mut world = world;
        ruled(&mut world, "removal = { grace = \"1ms\" }");
        with_members(&world, GROUP, 2).await;
        world.org().remove_member(GROUP, &member(0));
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().fault(entitled_simulator::Target::system(entitled_simulator::System::Google), entitled_simulator::Fault::Html);
        expect(&google(&world, &[]).await, 3, "unavailable");
        assert_eq!(world.members(GROUP, "google_sync").await.len(), 2);
    }

    async fn whoever_is_suspended_and_privileged_groups_have_no_grace(world: World) {
        let mut world = world;
        ruled(&mut world, "removal = { grace = \"72h\" }");
        world.configure_also(&format!("[[sources.google_sync.group]]\nname = \"{OTHER}\"\nprivileged = true\n"));
        with_members(&world, GROUP, 3).await;
        with_members(&world, OTHER, 2).await;
        world.org().remove_member(OTHER, &member(0)).remove_member(GROUP, &member(1)).remove_member(GROUP, &member(2));
        world.org().suspend_user(&member(1));
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(world.members(OTHER, "google_sync").await, [member(1)]);
        assert_eq!(world.members(GROUP, "google_sync").await, [member(0), member(2)]);
        world.org().suspend_user(&member(2));
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(world.members(GROUP, "google_sync").await, [member(0)], "what waited is not waited for");
    }

    async fn more_removals_than_a_number_wait_for_a_second_reading_that_agrees(world: World) {
        let mut world = world;
        ruled(&mut world, "removal = { confirm = 2, confirm_above = 1 }");
        with_members(&world, GROUP, 5).await;
        world.org().remove_member(GROUP, &member(0));
        assert_eq!(google(&world, &[]).await.source("google_sync")["counts"]["removed"], 1);
        world.org().remove_member(GROUP, &member(1)).remove_member(GROUP, &member(2));
        let first = google(&world, &[]).await;
        let kept = &first.source("google_sync")["kept"];
        assert_eq!((kept[0]["reason"].as_str(), kept.as_array().map(Vec::len)), (Some("second_reading"), Some(2)));
        world.org().add_member(GROUP, &member(2));
        let second = google(&world, &[]).await;
        assert_eq!(second.source("google_sync")["counts"], json!({"created": 0, "removed": 1, "kept": 0}));
        assert_eq!(world.members(GROUP, "google_sync").await, [member(2), member(3), member(4)]);
        assert_eq!(due(&world).await, json!([]));
    }

    async fn a_group_that_loses_more_than_its_limit_holds_the_run_until_it_is_raised(world: World) {
        let mut world = world;
        with_members(&world, OTHER, 80).await;
        with_members(&world, GROUP, 20).await;
        for number in 0..11 {
            world.org().remove_member(GROUP, &member(number));
        }
        let before = tables(&world, &LASTING).await;
        let held = google(&world, &[]).await;
        expect(&held, 4, "held");
        let why = held.source("google_sync")["held"].as_str().expect("a reason").to_owned();
        assert!(why.contains("11 of 20 memberships would go, more than max_removal_ratio = 0.5"), "{why}");
        assert_eq!(tables(&world, &LASTING).await, before);
        world.configure_also(&format!("[[sources.google_sync.group]]\nname = \"{GROUP}\"\nguard = {{ max_removal_ratio = 0.6 }}\n"));
        assert_eq!(google(&world, &[]).await.source("google_sync")["counts"]["removed"], 11);
    }

    async fn the_additions_of_a_held_run_are_made_and_its_hash_can_be_approved(world: World) {
        let mut world = world;
        ruled(&mut world, "on_hold = \"apply_additions\"\nguard = { max_removals = 1 }");
        with_members(&world, GROUP, 4).await;
        world.org().remove_member(GROUP, &member(0)).remove_member(GROUP, &member(1));
        world.org().add_member(OTHER, "new@example.org").add_member(OTHER, &member(0));
        let rehearsed = google(&world, &["--dry-run"]).await;
        let held = google(&world, &[]).await;
        expect(&held, 4, "held");
        assert_eq!(held.source("google_sync")["counts"], json!({"created": 2, "removed": 0, "kept": 2}));
        assert_eq!(world.members(OTHER, "google_sync").await, [member(0), "new@example.org".to_owned()]);
        assert_eq!(world.members(GROUP, "google_sync").await.len(), 4);
        assert!(runs(&world).await.pop().is_some_and(|run| run.starts_with("held")));
        let hash = held.json()["plan_hash"].as_str().expect("a hash").to_owned();
        assert_eq!(rehearsed.json()["plan_hash"], json!(hash));
        let before = tables(&world, &["event", "membership"]).await;
        let again = google(&world, &[]).await;
        assert_eq!((&again.json()["plan_hash"], again.code), (&json!(hash), 4));
        assert_eq!(tables(&world, &["event", "membership"]).await, before, "polling a held plan changes nothing");
        let approved = google(&world, &["--approve", &hash, "--reason", "they left"]).await;
        expect(&approved, 0, "applied");
        assert_eq!(world.members(GROUP, "google_sync").await, [member(2), member(3)]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn an_approved_plan_with_grace_schedules_what_it_was_held_for(world: World) {
        let mut world = world;
        ruled(&mut world, "removal = { grace = \"1ms\" }\nguard = { max_removals = 1 }");
        with_members(&world, GROUP, 4).await;
        world.org().remove_member(GROUP, &member(0)).remove_member(GROUP, &member(1));
        let held = google(&world, &[]).await;
        expect(&held, 4, "held");
        assert_eq!(due(&world).await, json!([]), "what is held is not scheduled");
        let hash = held.json()["plan_hash"].as_str().expect("a hash").to_owned();
        expect(&google(&world, &["--approve", &hash, "--reason", "they left"]).await, 0, "applied");
        assert_eq!(world.members(GROUP, "google_sync").await.len(), 4);
        let gone = google(&world, &[]).await;
        assert_eq!(gone.source("google_sync")["counts"]["removed"], 2, "the guard had its say before");
    }

    async fn additions_wait_while_a_newcomer_needs_an_address_that_another_gives_up(world: World) {
        let mut world = world;
        ruled(&mut world, "on_hold = \"apply_additions\"\nguard = { max_removals = 1 }");
        with_members(&world, GROUP, 4).await;
        world.org().remove_member(GROUP, &member(0)).remove_member(GROUP, &member(1));
        world.org().readdress_user(&member(3), "moved@example.org").remove_alias("moved@example.org", &member(3));
        world.org().add_member(OTHER, &member(3));
        let held = google(&world, &[]).await;
        expect(&held, 4, "held");
        assert_eq!(held.source("google_sync")["counts"], json!({"created": 0, "removed": 0, "kept": 2}));
        let hash = held.json()["plan_hash"].as_str().expect("a hash").to_owned();
        expect(&google(&world, &["--approve", &hash, "--reason", "they left"]).await, 0, "applied");
        assert_eq!(world.members(OTHER, "google_sync").await, [member(3)]);
        assert_eq!(world.members(GROUP, "google_sync").await, [member(2), "moved@example.org".to_owned()]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_held_plan_keeps_its_hash_while_its_additions_are_made_whatever_they_are(world: World) {
        // S3
        let mut world = world;
        ruled(&mut world, "on_hold = \"apply_additions\"\nguard = { max_removals = 1 }\nremoval = { grace = \"72h\" }");
        with_members(&world, GROUP, 5).await;
        world.org().remove_member(GROUP, &member(4));
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().add_member(GROUP, &member(4)).suspend_user(&member(4)).add_alias(&member(3), "alias3@example.org");
        world.org().remove_member(GROUP, &member(0)).remove_member(GROUP, &member(1));
        world.org().add_member(OTHER, "new@example.org").suspend_user("new@example.org").add_alias("new@example.org", "n@example.org");
        world.org().add_member("grp_acme_admin@example.com", "boss@example.org").add_external(OTHER, "guest@elsewhere.org");
        world.org().add_member("grp_acme_c@example.com", &member(0)).delete_group("grp_acme_c@example.com");
        let rehearsed = google(&world, &["--dry-run"]).await;
        let held = google(&world, &[]).await;
        expect(&held, 4, "held");
        let written = ["event", "membership", "user_account", "user_group", "user_profile", "observation", "suspension",
            "entitlement", "directory_account", "directory_address", "vanished_group"];
        let before = tables(&world, &written).await;
        for _ in 0..2 {
            let again = google(&world, &[]).await;
            assert_eq!((&again.json()["plan_hash"], again.code), (&held.json()["plan_hash"], 4));
            assert_eq!(again.source("google_sync")["counts"]["created"], 0);
        }
        assert_eq!(rehearsed.json()["plan_hash"], held.json()["plan_hash"]);
        assert_eq!(tables(&world, &written).await, before, "polling a held plan changes nothing");
        assert_eq!(world.user("new@example.org").await["status"], "suspended");
        let hash = held.json()["plan_hash"].as_str().expect("a hash").to_owned();
        expect(&google(&world, &["--approve", &hash, "--reason", "they left"]).await, 0, "applied");
        assert_eq!(due(&world).await.as_array().map(Vec::len), Some(2));
        assert_eq!(world.user(&member(4)).await["status"], "suspended");
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_removal_that_waits_is_forgotten_with_its_group_and_its_source(world: World) {
        // S22
        let mut world = world;
        ruled(&mut world, "removal = { grace = \"72h\" }");
        with_members(&world, GROUP, 2).await;
        world.org().remove_member(GROUP, &member(0));
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().readdress_group(GROUP, "grp_acme_renamed@example.com");
        google(&world, &[]).await;
        assert_eq!(due(&world).await.as_array().map(Vec::len), Some(1), "a rename cancels nothing");
        world.org().add_member("grp_acme_renamed@example.com", &member(0));
        expect(&google(&world, &["--user", &member(0)]).await, 0, "applied");
        assert_eq!(due(&world).await, json!([]), "a refresh of the user cancels as a full read does");
        world.org().remove_member("grp_acme_renamed@example.com", &member(0));
        expect(&google(&world, &["--user", &member(0)]).await, 0, "applied");
        assert_eq!(due(&world).await.as_array().map(Vec::len), Some(1));
        let config = world.config.clone();
        world.without_source("google_sync");
        let shown = world.run(&["source", "forget", "google_sync", "--output", "json"]).await.json();
        let hash = shown["plan_hash"].as_str().expect("a hash").to_owned();
        let done = world.run(&["source", "forget", "google_sync", "--approve", &hash, "--reason", "off"]).await;
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(due(&world).await, json!([]));
        assert_eq!(world.run(&["rebuild"]).await.code, 0);
        world.config = config;
        world.org().add_member("grp_acme_renamed@example.com", &member(0));
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(due(&world).await, json!([]), "what comes again does not inherit the date");
        assert_eq!(world.members("grp_acme_renamed@example.com", "google_sync").await.len(), 2);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }
}
