//! Groups of a directory that are renamed, deleted and made again: the immutable id says which is which.

use serde_json::json;

use crate::on_both_stores;
use crate::stage::{expect, give, google, groups_of, table, texts};
use crate::support::World;
use entitled_simulator::{Fault, System, Target};

const A: &str = "grp_acme_a@example.com";
const B: &str = "grp_acme_b@example.com";
const ANN: &str = "ann@example.org";
const EVENTS: &str = "SELECT event_type FROM event WHERE event_type LIKE 'group.%' ORDER BY position";

async fn group_events(world: &World) -> Vec<String> {
    let all = texts(world, EVENTS).await;
    // Those of the system groups come first.
    all[2..].to_vec()
}

async fn settled(world: &World) {
    expect(&google(world, &[]).await, 0, "applied");
    expect(&google(world, &[]).await, 0, "unchanged");
}

on_both_stores! {
    async fn a_renamed_group_stays_the_same_group_by_a_full_read_and_by_a_refresh(world: World) {
        // G3
        world.org().add_member(A, ANN).add_member(A, "bob@example.org");
        settled(&world).await;
        let memberships = table(&world, "membership").await;
        world.org().readdress_group(A, B);
        settled(&world).await;
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [B]);
        world.org().readdress_group(B, "grp_acme_c@example.com");
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        expect(&google(&world, &["--user", ANN]).await, 0, "unchanged");
        expect(&google(&world, &[]).await, 0, "unchanged");
        assert_eq!(groups_of(&world, "bob@example.org", "google_sync").await, ["grp_acme_c@example.com"]);
        assert_eq!(table(&world, "membership").await, memberships, "nobody left and nobody joined");
        assert_eq!(group_events(&world).await, ["group.created", "group.renamed", "group.renamed"]);
    }

    async fn groups_may_swap_their_names(world: World) {
        // G3
        world.org().add_member(A, ANN).add_member(B, "bob@example.org");
        settled(&world).await;
        let memberships = table(&world, "membership").await;
        world.org().readdress_group(A, "grp_acme_x@example.com").readdress_group(B, A);
        world.org().readdress_group("grp_acme_x@example.com", B);
        settled(&world).await;
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [B]);
        assert_eq!(groups_of(&world, "bob@example.org", "google_sync").await, [A]);
        assert_eq!(table(&world, "membership").await, memberships);
        let rebuilt = world.run(&["rebuild"]).await;
        assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [B]);
    }

    async fn a_group_that_vanished_goes_when_the_next_complete_list_agrees(world: World) {
        // G6, S5
        world.org().add_member(A, ANN).add_member(B, ANN);
        settled(&world).await;
        world.org().delete_group(A);
        let first = google(&world, &[]).await;
        expect(&first, 0, "unchanged");
        let entry = first.source("google_sync");
        assert_eq!((&entry["kept"][0]["group"], &entry["kept"][0]["reason"]), (&json!(A), &json!("awaiting_confirmation")));
        // Neither a list that breaks off nor a rehearsal is one that agrees.
        world.org().fault(Target::system(System::Google), Fault::status(503));
        expect(&google(&world, &[]).await, 3, "unavailable");
        world.org().clear_faults();
        let rehearsed = google(&world, &["--dry-run"]).await;
        assert_eq!(rehearsed.source("google_sync")["counts"], json!({"created": 0, "removed": 1, "kept": 0}));
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [A, B]);
        settled(&world).await;
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [B]);
        assert_eq!(group_events(&world).await, ["group.created", "group.created", "group.deleted"]);
        assert!(!world.run(&["group", "list"]).await.stdout.contains(A));
    }

    async fn a_group_that_is_listed_again_was_never_gone(world: World) {
        // G6
        world.org().add_member(A, ANN).add_member(B, ANN);
        settled(&world).await;
        let memberships = table(&world, "membership").await;
        for _ in 0..2 {
            // The list of groups is what is asked for first.
            world.org().fault(Target::system(System::Google).path_contains("/groups").times(1), Fault::ShortList);
            expect(&google(&world, &[]).await, 0, "unchanged");
            expect(&google(&world, &[]).await, 0, "unchanged");
        }
        assert_eq!(table(&world, "membership").await, memberships);
        assert_eq!(table(&world, "vanished_group").await, [""; 0]);
    }

    async fn a_group_that_went_away_while_it_was_read_is_confirmed_by_the_next_list(world: World) {
        // G6
        world.org().add_member(A, ANN).add_member(B, ANN).add_member("grp_acme_c@example.com", ANN);
        settled(&world).await;
        let gone = Fault::google_error(404, "notFound");
        world.org().fault(Target::system(System::Google).group(A).path_contains("/members").times(1), gone);
        let first = google(&world, &[]).await;
        expect(&first, 3, "unavailable");
        assert_eq!(first.source("google_sync")["kept"][0]["reason"], "incomplete");
        world.org().delete_group(A);
        settled(&world).await;
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [B, "grp_acme_c@example.com"]);
    }

    async fn a_group_made_again_under_the_same_address_is_another_group(world: World) {
        // G3
        world.org().add_member(A, ANN).add_member(A, "bob@example.org");
        settled(&world).await;
        world.org().delete_group(A);
        world.org().add_member(A, ANN);
        // A refresh of one user can't tell that the old group is gone, so that the new one waits for the full read.
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [""; 0]);
        settled(&world).await;
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [A]);
        assert_eq!(groups_of(&world, "bob@example.org", "google_sync").await, [""; 0]);
        assert_eq!(group_events(&world).await, ["group.created", "group.deleted", "group.created"]);
        let rebuilt = world.run(&["rebuild"]).await;
        assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
        assert_eq!(world.members(A, "google_sync").await, [ANN]);
    }

    async fn a_group_in_which_others_are_by_hand_outlives_the_directorys(world: World) {
        // S4
        world.org().add_member(A, ANN).add_member(B, ANN);
        settled(&world).await;
        give(&world, "bob@example.org", A, "admin").await;
        world.org().delete_group(A);
        expect(&google(&world, &[]).await, 0, "unchanged");
        settled(&world).await;
        assert_eq!(world.members(A, "google_sync").await, [""; 0]);
        assert_eq!(world.members(A, "admin").await, ["bob@example.org"]);
    }
}
