//! A source that is taken out of the configuration: its rows stay, are shown, and go by a command alone.

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, give, google, groups_of, know_member, tables};
use crate::support::{Ended, SIRET, World};
use serde_json::json;

const ANN: &str = "ann@commune-a.fr";
const GROUP: &str = "grp_acme_a@example.com";
const ALL: [&str; 8] =
    ["event", "membership", "entitlement", "user_group", "suspension", "directory_account", "observation", "held_plan"];

/// Ann is in a group of the directory and of the backend, and one by hand; the directory is no longer configured.
async fn orphaned(world: &mut World) {
    know_member(world, ANN).await;
    world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(GROUP, ANN).suspend_user(ANN);
    expect(&google(world, &[]).await, 0, "applied");
    world.org().reactivate_user(ANN);
    expect(&google(world, &[]).await, 0, "applied");
    world.org().suspend_user(ANN);
    expect(&google(world, &[]).await, 0, "applied");
    expect(&deploycenter(world, &[]).await, 0, "unchanged");
    give(world, ANN, "Editors", "admin").await;
    world.without_source("google_sync");
}

async fn forget(world: &World, source: &str, more: &[&str]) -> Ended {
    world.run(&[&["source", "forget", source, "--output", "json"], more].concat()).await
}

on_both_stores! {
    async fn the_rows_of_a_source_that_is_gone_stay_and_are_shown_as_orphaned(world: World) {
        // S22
        let mut world = world;
        orphaned(&mut world).await;
        let before = tables(&world, &["membership", "entitlement", "user_group", "suspension"]).await;
        assert_eq!(world.sync(&[]).await.code, 0);
        assert_eq!(tables(&world, &["membership", "entitlement", "user_group", "suspension"]).await, before);
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [GROUP]);
        let listed = world.run(&["source", "list", "--output", "json"]).await.json();
        let listed = listed.as_array().expect("sources").clone();
        let gone = listed.iter().find(|source| source["source"] == "google_sync").expect("it is listed");
        assert_eq!((&gone["kind"], &gone["memberships"]), (&json!("orphaned"), &json!(1)));
        assert!(listed.iter().any(|source| source["source"] == "deploycenter" && source["kind"] == "deploycenter"));
        let doctor = world.run(&["doctor"]).await;
        assert!(doctor.stdout.contains("warn  google_sync: it is no longer configured"), "{doctor:?}");
        let daemon = world.serve().await;
        let health: serde_json::Value = daemon.get("/api/v1/health").await.json().await.expect("JSON");
        assert_eq!(health["orphaned_sources"], json!(["google_sync"]));
    }

    async fn what_a_source_left_behind_goes_by_the_hash_that_was_shown(world: World) {
        // S22
        let mut world = world;
        orphaned(&mut world).await;
        let before = tables(&world, &ALL).await;
        let shown = forget(&world, "google_sync", &[]).await;
        assert_eq!(shown.code, 4, "{shown:?}");
        assert_eq!((&shown.json()["memberships"], &shown.json()["suspensions"]), (&json!(1), &json!(1)));
        assert_eq!(tables(&world, &ALL).await, before);
        let hash = shown.json()["plan_hash"].as_str().expect("a hash").to_owned();
        let wrong = forget(&world, "google_sync", &["--approve", "00", "--reason", "it is off"]).await;
        assert_eq!(wrong.code, 2, "{wrong:?}");
        let blank = forget(&world, "google_sync", &["--approve", &hash, "--reason", " "]).await;
        assert_eq!(blank.code, 2, "{blank:?}");
        assert_eq!(tables(&world, &ALL).await, before);
        let done = forget(&world, "google_sync", &["--approve", &hash, "--reason", "it is off"]).await;
        assert_eq!(done.code, 0, "{done:?}");
        let ann = world.user(ANN).await;
        assert_eq!(ann["status"], "active", "nobody else suspended them");
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [""; 0]);
        assert_eq!(groups_of(&world, ANN, "admin").await, ["Editors"]);
        let groups = world.run(&["group", "list", "--output", "json"]).await.json();
        assert!(groups.as_array().expect("groups").iter().all(|group| group["name"] != GROUP), "{groups}");
        for table in ["directory_account", "directory_address", "membership_path", "observation", "held_plan", "vanished_group"] {
            assert_eq!(world.count(&format!("SELECT count(*) FROM {table} WHERE source = 'google_sync'")).await, 0, "{table}");
        }
        let told = "SELECT count(*) FROM event WHERE event_type = 'source.forgotten' AND actor = 'operator'";
        assert_eq!(world.count(told).await, 1);
        assert_eq!(forget(&world, "google_sync", &[]).await.code, 2, "nothing is left");
    }

    async fn a_source_that_is_configured_reserved_or_unknown_is_not_forgotten(world: World) {
        // S22
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        let before = tables(&world, &ALL).await;
        for source in ["deploycenter", "admin", "system_seed", "nobody", "No Name", ""] {
            let refused = forget(&world, source, &["--approve", "00", "--reason", "why not"]).await;
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{source}: {refused:?}");
            assert!(refused.stderr.starts_with("error: "), "{refused:?}");
        }
        assert_eq!(tables(&world, &ALL).await, before);
    }

    async fn the_last_administrator_outlives_the_source_and_nobody_else_does(world: World) {
        // S22 M6
        let mut world = world;
        world.org().add_member("grp_acme_admin@example.com", ANN).add_member("grp_acme_admin@example.com", "bob@example.org");
        world.org().add_member("grp_acme_all@example.com", ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        world.without_source("google_sync");
        let hash = forget(&world, "google_sync", &[]).await.json()["plan_hash"].as_str().expect("a hash").to_owned();
        let done = forget(&world, "google_sync", &["--approve", &hash, "--reason", "it is off"]).await;
        assert_eq!((done.code, &done.json()["kept"]), (0, &json!(1)), "{done:?}");
        assert_eq!(world.count("SELECT count(*) FROM membership WHERE to_position IS NULL").await, 1);
        assert_eq!(world.members("Admin", "google_sync").await.len(), 1);
        assert_eq!(forget(&world, "google_sync", &[]).await.json()["memberships"], json!(0), "only they are left");
    }

    async fn a_source_of_which_only_accounts_are_left_can_be_forgotten(world: World) {
        // S22
        let mut world = world;
        world.org().add_member(GROUP, ANN).add_alias(ANN, "a.nn@commune-a.fr");
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().delete_group(GROUP);
        google(&world, &[]).await;
        expect(&google(&world, &[]).await, 0, "applied");
        world.without_source("google_sync");
        let shown = forget(&world, "google_sync", &[]).await;
        assert_eq!(shown.code, 4, "{shown:?}");
        let hash = shown.json()["plan_hash"].as_str().expect("a hash").to_owned();
        assert_eq!(forget(&world, "google_sync", &["--approve", &hash, "--reason", "it is off"]).await.code, 0);
        for table in ["directory_account", "directory_address"] {
            assert_eq!(world.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        assert_eq!(forget(&world, "google_sync", &[]).await.code, 2, "nothing is left");
    }
}
