//! A run that would remove much is held, whole.

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, google, groups_of, know_member, runs, tables};
use crate::support::{SIRET, World};
use serde_json::{Value, json};

const GROUP: &str = "grp_acme_a@example.com";
const LASTING: [&str; 5] = ["event", "membership", "user_account", "user_group", "observation"];

fn guarded(world: &mut World, guard: &str) {
    world.configure("retry = { attempts = 1 }", &format!("retry = {{ attempts = 1 }}\nguard = {guard}"));
}

fn member(number: usize) -> String {
    format!("m{number:02}@example.org")
}

async fn with_members(world: &World, count: usize) {
    for number in 0..count {
        world.org().add_member(GROUP, &member(number));
    }
    expect(&google(world, &[]).await, 0, "applied");
}

fn leave(world: &World, numbers: std::ops::Range<usize>) {
    for number in numbers {
        world.org().remove_member(GROUP, &member(number));
    }
}

/// Runs again and insists that the plan is held, for the same hash, and that nothing but the run's record is written.
async fn held(world: &World, arguments: &[&str], asked: u64) -> Value {
    let before = tables(world, &LASTING).await;
    let rehearsed = google(world, &[&["--dry-run"], arguments].concat()).await;
    expect(&rehearsed, 4, "held");
    let first = google(world, arguments).await;
    expect(&first, 4, "held");
    let again = google(world, arguments).await;
    expect(&again, 4, "held");
    let hash = first.json()["plan_hash"].clone();
    assert!(hash.as_str().is_some_and(|hash| hash.len() == 64), "{hash}");
    assert_eq!((&again.json()["plan_hash"], &rehearsed.json()["plan_hash"]), (&hash, &hash));
    let entry = first.source("google_sync");
    assert_eq!(entry["counts"], json!({"created": 0, "removed": 0, "kept": asked}), "{entry}");
    assert!(entry["kept"].as_array().expect("kept").iter().all(|kept| kept["reason"] == "guard"), "{entry}");
    assert_eq!(runs(world).await.pop().as_deref(), Some("held -"));
    assert_eq!(tables(world, &LASTING).await, before);
    hash
}

on_both_stores! {
    async fn five_may_go_and_six_are_held(world: World) {
        let mut world = world;
        guarded(&mut world, "{ max_removal_ratio = 1.0, max_removals = 5, min_memberships = 0 }");
        with_members(&world, 12).await;
        leave(&world, 0..5);
        let ended = google(&world, &[]).await;
        expect(&ended, 0, "applied");
        assert_eq!(ended.source("google_sync")["counts"]["removed"], 5);
        leave(&world, 5..11);
        held(&world, &[], 6).await;
        world.org().add_member(GROUP, &member(5));
        let ended = google(&world, &[]).await;
        expect(&ended, 0, "applied");
        assert_eq!(ended.source("google_sync")["counts"], json!({"created": 0, "removed": 5, "kept": 0}));
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_held_run_adds_nothing_either_and_its_hash_follows_the_observation(world: World) {
        let mut world = world;
        guarded(&mut world, "{ max_removal_ratio = 1.0, max_removals = 2, min_memberships = 0 }");
        with_members(&world, 5).await;
        leave(&world, 0..3);
        let one = held(&world, &[], 3).await;
        world.org().add_member("grp_acme_b@example.com", "new@example.org");
        let other = held(&world, &[], 3).await;
        assert_ne!(one, other);
        assert_eq!(world.run(&["user", "show", "new@example.org"]).await.code, 2);
        world.org().remove_member("grp_acme_b@example.com", "new@example.org").delete_group("grp_acme_b@example.com");
        assert_eq!(held(&world, &[], 3).await, one, "the same observation on the same rows is the same plan");
    }

    async fn the_ratio_counts_only_above_the_smallest_number_of_memberships(world: World) {
        let mut world = world;
        guarded(&mut world, "{ max_removal_ratio = 0.5, max_removals = 100, min_memberships = 8 }");
        with_members(&world, 12).await;
        leave(&world, 0..7);
        held(&world, &[], 7).await;
        world.org().add_member(GROUP, &member(0));
        let half = google(&world, &[]).await;
        expect(&half, 0, "applied");
        assert_eq!(half.source("google_sync")["counts"]["removed"], 6);
        leave(&world, 0..1);
        leave(&world, 7..12);
        let below = google(&world, &[]).await;
        expect(&below, 0, "applied");
        assert_eq!(below.source("google_sync")["counts"]["removed"], 6, "six of six, and fewer than eight");
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn an_empty_directory_is_held_by_the_default_guard(world: World) {
        with_members(&world, 25).await;
        world.org().delete_group(GROUP);
        held(&world, &[], 25).await;
        assert_eq!(world.members(GROUP, "google_sync").await.len(), 25);
    }

    async fn a_backends_guard_counts_over_the_whole_run(world: World) {
        let mut world = world;
        guarded(&mut world, "{ max_removal_ratio = 1.0, max_removals = 5, min_memberships = 0 }");
        for number in 0..6 {
            let user = format!("u{number}@commune-a.fr");
            know_member(&world, &user).await;
            world.org().set_domains(&user, SIRET, ["commune-a.fr"]);
        }
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        for number in 0..6 {
            world.org().set_domains(&format!("u{number}@commune-a.fr"), SIRET, [""; 0]);
        }
        let ended = deploycenter(&world, &[]).await;
        expect(&ended, 4, "held");
        assert_eq!(ended.source("deploycenter")["counts"]["kept"], 6);
        expect(&deploycenter(&world, &["--user", "u0@commune-a.fr"]).await, 0, "applied");
        assert_eq!(groups_of(&world, "u0@commune-a.fr", "deploycenter").await, [""; 0]);
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
    }

    async fn a_held_source_does_not_hold_the_others(world: World) {
        let mut world = world;
        guarded(&mut world, "{ max_removal_ratio = 1.0, max_removals = 2, min_memberships = 0 }");
        know_member(&world, "ann@commune-a.fr").await;
        with_members(&world, 4).await;
        leave(&world, 0..4);
        world.org().set_domains("ann@commune-a.fr", SIRET, ["commune-a.fr"]);
        let ended = world.sync(&[]).await;
        expect(&ended, 4, "held");
        assert_eq!(ended.source("deploycenter")["outcome"], "applied");
        assert_eq!(ended.source("google_sync")["outcome"], "held");
    }
}
