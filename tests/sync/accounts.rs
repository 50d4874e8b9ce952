//! Directories' accounts: people are joined by the immutable id, and whoever is suspended keeps their rows.

use serde_json::json;

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, give, google, groups_of, know_member, source, table, texts};
use crate::support::{Ended, SIRET, World};
use entitled_simulator::{Fault, System, Target};

const A: &str = "grp_acme_a@example.com";
const B: &str = "grp_acme_b@example.com";
const ANN: &str = "ann@example.org";
const EVENTS: &str = "SELECT event_type FROM event WHERE event_type LIKE 'user.%' ORDER BY position";

/// Runs until there is nothing left to do, which must be after the first time.
async fn settled(world: &World) -> Ended {
    let first = google(world, &[]).await;
    expect(&first, 0, "applied");
    expect(&google(world, &[]).await, 0, "unchanged");
    first
}

async fn status(world: &World, user: &str) -> String {
    world.user(user).await["status"].as_str().expect("a status").to_owned()
}

on_both_stores! {
    async fn a_suspended_user_keeps_their_rows_and_comes_back(world: World) {
        // G5
        world.org().add_member(A, ANN).add_member(A, "bob@example.org");
        settled(&world).await;
        let rows = table(&world, "membership").await;
        world.org().suspend_user(ANN);
        settled(&world).await;
        assert_eq!((status(&world, ANN).await.as_str(), table(&world, "membership").await), ("suspended", rows.clone()));
        assert_eq!(status(&world, "bob@example.org").await, "active");
        let rebuilt = world.run(&["rebuild"]).await;
        assert_eq!((rebuilt.code, status(&world, ANN).await.as_str()), (0, "suspended"), "{rebuilt:?}");
        world.org().reactivate_user(ANN);
        settled(&world).await;
        assert_eq!((status(&world, ANN).await.as_str(), table(&world, "membership").await), ("active", rows));
        assert_eq!(texts(&world, EVENTS).await, ["user.created", "user.suspended", "user.reactivated"]);
    }

    async fn a_refresh_of_one_user_tells_the_same_of_them_as_a_full_read(world: World) {
        // G4, G5
        world.org().add_member(A, ANN).add_alias(ANN, "a.nn@example.org");
        settled(&world).await;
        world.org().suspend_user(ANN).add_member(B, ANN);
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        assert_eq!(status(&world, ANN).await, "suspended");
        expect(&google(&world, &[]).await, 0, "unchanged");
        expect(&google(&world, &["--user", "a.nn@example.org"]).await, 0, "unchanged");
        assert_eq!(groups_of(&world, "a.nn@example.org", "google_sync").await, [A, B]);
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1, "an alias is nobody else");
    }

    async fn whoever_is_suspended_does_not_count_as_an_administrator(world: World) {
        // M6, G5
        let admins = "grp_acme_admin@example.com";
        world.org().add_member(admins, ANN).add_member(admins, "bob@example.org");
        settled(&world).await;
        world.org().suspend_user("bob@example.org");
        settled(&world).await;
        world.org().remove_member(admins, ANN);
        expect(&google(&world, &[]).await, 0, "blocked");
        assert_eq!(world.members("Admin", "google_sync").await, [ANN, "bob@example.org"]);
    }

    async fn a_person_whose_address_changed_is_the_same_user(world: World) {
        // S19
        world.org().add_member(A, ANN);
        settled(&world).await;
        let id = world.user(ANN).await["id"].clone();
        give(&world, ANN, "hand-made", "admin").await;
        world.org().readdress_user(ANN, "ann.b@example.org");
        expect(&google(&world, &[]).await, 0, "unchanged");
        assert_eq!(world.user("ann.b@example.org").await["id"], id);
        assert_eq!(groups_of(&world, "ann.b@example.org", "admin").await, ["hand-made"], "with all they were given");
        // The directory keeps the old address as an alias, and so it still names them.
        assert_eq!(world.user(ANN).await["email"], ANN);
        world.org().remove_alias("ann.b@example.org", ANN);
        settled(&world).await;
        assert_eq!((&world.user("ann.b@example.org").await["id"], groups_of(&world, "ann.b@example.org", "google_sync").await), (&id, vec![A.to_owned()]));
        assert_eq!(world.user(ANN).await["id"], id, "the old address names them until somebody else has it");
        assert_eq!(texts(&world, EVENTS).await, ["user.created", "user.profile_changed"]);
    }

    async fn whoever_gets_the_address_of_somebody_who_left_gets_none_of_their_access(world: World) {
        // S19
        world.org().add_member(A, ANN);
        settled(&world).await;
        let id = world.user(ANN).await["id"].clone();
        give(&world, ANN, "hand-made", "admin").await;
        world.org().purge_user(ANN).add_member(B, ANN);
        settled(&world).await;
        let newcomer = world.user(ANN).await;
        assert_ne!(newcomer["id"], id);
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [B]);
        assert_eq!(groups_of(&world, ANN, "admin").await, [""; 0]);
        let left = world.user(id.as_str().expect("an id")).await;
        assert_eq!((&left["email"], left["memberships"].as_array().map(Vec::len)), (&json!(null), Some(1)));
    }

    async fn the_same_is_found_out_when_one_user_is_refreshed(world: World) {
        // S19, G4
        world.org().add_member(A, ANN);
        settled(&world).await;
        let id = world.user(ANN).await["id"].clone();
        world.org().purge_user(ANN).add_member(B, ANN);
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        assert_ne!(world.user(ANN).await["id"], id);
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [B]);
        // A full read takes from the one who left what they had; nothing else is new to it.
        settled(&world).await;
        assert_eq!(groups_of(&world, id.as_str().expect("an id"), "google_sync").await, [""; 0]);
    }

    async fn an_alias_that_was_taken_for_a_person_is_theirs_again(world: World) {
        // S19
        let alias = "a.nn@example.org";
        know_member(&world, alias).await;
        world.org().set_domains(alias, SIRET, ["commune-a.fr"]);
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        world.org().add_member(A, ANN);
        settled(&world).await;
        world.org().add_alias(ANN, alias);
        settled(&world).await;
        assert_eq!(world.user(alias).await["id"], world.user(ANN).await["id"]);
        assert_eq!(world.count("SELECT count(*) FROM user_profile WHERE email IS NULL").await, 1);
    }

    async fn accounts_that_cannot_be_read_leave_people_as_they_are_and_groups_go_on(world: World) {
        // S5, G5
        world.org().add_member(A, ANN).add_alias(ANN, "a.nn@example.org").suspend_user(ANN);
        settled(&world).await;
        let before = [table(&world, "directory_account").await, table(&world, "directory_address").await];
        for (fault, class) in [
            (Fault::google_error(403, "forbidden"), "forbidden"),
            (Fault::status(500), "http_5xx"),
            (Fault::InvalidJson, "malformed"),
            (Fault::RepeatToken, "incomplete"),
        ] {
            let group = format!("grp_acme_{class}@example.com");
            world.org().add_member(&group, ANN).fault(Target::system(System::Google).path_contains("/users"), fault);
            let ended = google(&world, &[]).await;
            expect(&ended, 3, "applied");
            let entry = ended.source("google_sync");
            assert_eq!((&entry["error"]["class"], &entry["counts"]["created"]), (&json!(class), &json!(1)), "{entry}");
            assert_eq!(status(&world, ANN).await, "suspended", "{class}");
            let after = [table(&world, "directory_account").await, table(&world, "directory_address").await];
            assert_eq!(after, before, "{class}");
            world.org().clear_faults();
        }
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn two_directories_do_not_pull_at_one_address(world: World) {
        // S3
        let mut world = world;
        let second = world.config.split("[sources.google_sync]").nth(1).expect("a source").to_owned();
        let second = second.replace("prefix = \"grp_acme_\"", "prefix = \"grp_other_\"");
        let second = second.replace("admin_group = \"grp_acme_admin@example.com\"\n", "");
        let second = second.replace("everyone_group = \"grp_acme_all@example.com\"\n", "");
        world.configure_also(&format!("\n[sources.second]{second}"));
        world.org().add_member(A, ANN).add_member("grp_other_a@example.com", ANN).add_alias(ANN, "a.nn@example.org");
        assert_eq!(world.sync(&["--source", "google_sync", "--source", "second"]).await.code, 0);
        let head = world.count("SELECT position FROM event_head").await;
        for _ in 0..2 {
            let again = world.sync(&["--source", "google_sync", "--source", "second"]).await;
            expect(&again, 0, "unchanged");
        }
        assert_eq!(world.count("SELECT position FROM event_head").await, head);
        assert_eq!(groups_of(&world, ANN, source("second").as_str()).await, ["grp_other_a@example.com"]);
    }

    async fn an_address_that_went_to_somebody_in_no_group_takes_nothing_from_whoever_had_it(world: World) {
        // G4
        world.org().add_member(A, ANN);
        settled(&world).await;
        let id = world.user(ANN).await["id"].as_str().expect("id").to_owned();
        // Ann marries; her old address goes to a newcomer who is in no group.
        world.org().readdress_user(ANN, "ann.b@example.org").remove_alias("ann.b@example.org", ANN);
        world.org().add_user(ANN);
        let ended = google(&world, &["--user", &id]).await;
        assert_eq!(groups_of(&world, &id, "google_sync").await, [A], "{ended:?}");
    }

    async fn a_source_under_another_name_goes_on_with_the_people_it_knew(world: World) {
        // S19
        let mut world = world;
        world.org().add_member(A, ANN);
        settled(&world).await;
        // The operator gives the source another name.
        world.config = world.config.replace("[sources.google_sync]", "[sources.workspace]");
        let first = world.sync(&["--source", "workspace"]).await;
        assert_eq!(first.code, 0, "{first:?}");
        world.org().purge_user(ANN).add_member(B, ANN);
        let second = world.sync(&["--source", "workspace"]).await;
        assert_eq!(second.code, 0, "{second:?}");
    }

    async fn one_account_asked_about_under_two_addresses_is_one_user(world: World) {
        // S14
        let alias = "a.nn@example.org";
        know_member(&world, ANN).await;
        know_member(&world, alias).await;
        world.org().add_member(A, ANN).add_alias(ANN, alias);
        let ended = google(&world, &["--user", ANN, "--user", alias]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(world.count("SELECT count(*) FROM user_profile WHERE email IS NULL").await, 1, "somebody keeps the address");
    }

    async fn a_newcomer_asked_about_under_two_addresses_is_created_once(world: World) {
        // S14
        let alias = "a.nn@example.org";
        world.org().add_member(A, ANN).add_alias(ANN, alias);
        let ended = google(&world, &["--user", ANN, "--user", alias]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
    }

    async fn a_group_made_again_leaves_the_old_one_to_whoever_was_put_in_by_hand(world: World) {
        // S4
        world.org().add_member(A, ANN).add_member(B, ANN);
        settled(&world).await;
        give(&world, "bob@example.org", A, "admin").await;
        world.org().delete_group(A);
        world.org().add_member(A, ANN);
        let ended = google(&world, &[]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
    }

    async fn a_name_that_a_group_made_by_hand_has_is_waited_for(world: World) {
        // M3
        world.org().add_member(A, ANN).add_member(B, ANN);
        settled(&world).await;
        let made = world.run(&["group", "create", "grp_acme_c@example.com"]).await;
        assert_eq!(made.code, 0, "{made:?}");
        world.org().readdress_group(B, "grp_acme_c@example.com").readdress_group(A, B);
        let ended = google(&world, &[]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
    }

    async fn a_group_made_by_hand_can_not_pass_for_a_resources(world: World) {
        // S12
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let made = world.run(&["group", "create", "maildomain:commune-a.fr:admin"]).await;
        assert_eq!(made.code, 2, "{made:?}");
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, ["maildomain:commune-a.fr:admin"]);
        world.org().set_domains(ANN, SIRET, [] as [&str; 0]);
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, [""; 0]);
    }

    async fn the_last_administrator_is_kept_by_the_run_that_suspends_the_other(world: World) {
        // M6, G5
        let admins = "grp_acme_admin@example.com";
        world.org().add_member(admins, ANN).add_member(admins, "bob@example.org");
        settled(&world).await;
        world.org().suspend_user("bob@example.org").remove_member(admins, ANN);
        let ended = google(&world, &[]).await;
        let active = world.count("SELECT count(*) FROM membership m JOIN user_account u ON u.id = m.user_id JOIN user_group g ON g.id = m.group_id WHERE g.name = 'Admin' AND m.to_position IS NULL AND u.status = 'active'").await;
        assert_eq!(active, 1, "{ended:?}");
    }

    async fn a_schema_that_went_down_and_up_again_locks_nobody_out(world: World) {
        // H2
        world.org().add_member(A, ANN);
        settled(&world).await;
        world.org().suspend_user(ANN);
        settled(&world).await;
        assert_eq!(world.run(&["migrate", "down"]).await.code, 0);
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        let verified = world.run(&["verify"]).await;
        world.org().reactivate_user(ANN);
        let ended = google(&world, &[]).await;
        assert_eq!(status(&world, ANN).await, "active", "{ended:?} {verified:?}");
    }

    async fn two_refreshes_that_learn_of_an_account_at_once_agree(world: World) {
        // S10
        use sea_orm::ConnectionTrait;
        world.org().add_member(A, ANN);
        settled(&world).await;
        for round in 0..12 {
            // As after the upgrade: known, and not bound yet.
            let db = world.database.connect().await;
            db.execute_unprepared("DELETE FROM directory_account").await.expect("deleted");
            db.close().await.expect("closed");
            let arguments = ["--user", ANN];
            let (one, two) = tokio::join!(google(&world, &arguments), google(&world, &arguments));
            assert_eq!((one.code, two.code), (0, 0), "round {round}: {one:?} {two:?}");
        }
    }

    async fn whoever_moved_while_accounts_could_not_be_read_is_known_by_the_id(world: World) {
        // S5
        world.org().add_member(A, ANN);
        settled(&world).await;
        let id = world.user(ANN).await["id"].as_str().expect("id").to_owned();
        world.org().readdress_user(ANN, "ann.b@example.org").remove_alias("ann.b@example.org", ANN);
        world.org().fault(Target::system(System::Google).path_contains("/users"), Fault::status(500));
        let ended = google(&world, &[]).await;
        assert_eq!(groups_of(&world, &id, "google_sync").await, [A], "{ended:?}");
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
    }

    async fn an_address_reassigned_while_accounts_could_not_be_read_gives_nothing_away(world: World) {
        // S5
        world.org().add_member(A, ANN);
        settled(&world).await;
        let id = world.user(ANN).await["id"].as_str().expect("id").to_owned();
        world.org().purge_user(ANN).add_member(B, ANN);
        world.org().fault(Target::system(System::Google).path_contains("/users"), Fault::status(500));
        let ended = google(&world, &[]).await;
        assert_eq!(groups_of(&world, &id, "google_sync").await, [""; 0], "the newcomer's group is not the leaver's: {ended:?}");
    }

    async fn a_list_of_accounts_that_is_short_takes_no_alias_away(world: World) {
        // S5
        world.org().add_member(A, ANN).add_member(A, "bob@example.org").add_alias(ANN, "a.nn@example.org").add_alias("bob@example.org", "b.ob@example.org");
        settled(&world).await;
        let before = table(&world, "directory_address").await;
        world.org().fault(Target::system(System::Google).path_contains("/users").times(1), Fault::ShortList);
        let ended = google(&world, &[]).await;
        assert_eq!(table(&world, "directory_address").await, before, "{ended:?}");
    }

    async fn a_refresh_leaves_the_aliases_of_others_alone(world: World) {
        // G4
        world.org().add_member(A, ANN).add_alias(ANN, "a.nn@example.org");
        settled(&world).await;
        let id = world.user(ANN).await["id"].as_str().expect("id").to_owned();
        world.org().readdress_user(ANN, "ann.b@example.org").remove_alias("ann.b@example.org", ANN);
        world.org().add_member(B, ANN);
        google(&world, &["--user", ANN]).await;
        let shown = world.run(&["user", "show", "a.nn@example.org", "--output", "json"]).await;
        assert!(shown.code == 0 && shown.stdout.contains(&id), "{shown:?}");
    }
}
