//! Who is who: one user per folded address, found by what the operator calls them, created only when a source vouches.

use crate::on_both_stores;
use crate::stage::{expect, google, groups_of, know, know_member, table, texts};
use crate::support::SIRET;
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const A: &str = "grp_acme_a@example.com";

on_both_stores! {
    async fn an_unknown_user_is_refused_and_nothing_is_created(world: World) {
        // S14
        for name in ["nobody@example.org", "no-such-sub", "0198a000-0000-7000-8000-000000000001"] {
            for arguments in [&[][..], &["--source", "google_sync"], &["--dry-run", "--source", "google_sync"]] {
                if arguments.len() == 3 && table_is_missing(&world).await {
                    continue;
                }
                let refused = world.sync(&[&["--user", name], arguments].concat()).await;
                assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
                assert!(refused.stderr.contains("error: ") && refused.stderr.contains("user"), "{refused:?}");
                assert!(!refused.stderr.contains("nobody@"), "{refused:?}");
            }
        }
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 0);
        assert_eq!(world.count("SELECT count(*) FROM run").await, 0);
    }

    async fn of_several_users_one_unknown_refuses_all(world: World) {
        // S14
        know_member(&world, "ann@example.org").await;
        world.org().add_member(A, "ann@example.org");
        let refused = google(&world, &["--user", "ann@example.org", "--user", "nobody@example.org"]).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert_eq!(table(&world, "membership").await.len(), 0);
    }

    async fn a_user_known_only_by_the_source_is_looked_up_there(world: World) {
        // S14
        world.org().add_member(A, "ann@example.org").add_member(A, "bob@example.org");
        let ended = google(&world, &["--user", "Ann@Example.org "]).await;
        expect(&ended, 0, "applied");
        assert_eq!(groups_of(&world, "ann@example.org", "google_sync").await, [A]);
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1, "only who was asked for");
        expect(&google(&world, &["--user", "ANN@example.org"]).await, 0, "unchanged");
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
    }

    async fn nobody_is_created_while_no_directory_can_vouch(world: World) {
        // S14, S5
        let mut world = world;
        world.configure("claims = [\"siret\"]", "claims = []");
        let stated =
            Fault::Status { code: 200, body: Some(json!({"entitlements": {}}).to_string()), retry_after: None };
        world.org().fault(Target::system(System::Deploycenter), stated);
        world.org().fault(Target::system(System::Google), Fault::status(500));
        for _ in 0..2 {
            let ended = world.sync(&["--user", "nobody@example.org"]).await;
            assert_eq!(ended.code, 3, "{ended:?}");
            assert_eq!(world.count("SELECT count(*) FROM user_account").await, 0);
        }
        world.org().add_member(A, "nobody@example.org");
        world.org().clear_faults().fault(Target::system(System::Deploycenter), Fault::replace_key("x", json!(1)));
        let ended = google(&world, &["--user", "nobody@example.org"]).await;
        expect(&ended, 0, "applied");
    }

    async fn a_user_is_found_by_address_sub_and_id(world: World) {
        // S14
        let ann = know_member(&world, "ann@example.org").await.to_string();
        world.database.execute("UPDATE user_profile SET sub = 'Sub-42'").await;
        world.org().add_member(A, "ann@example.org");
        expect(&google(&world, &["--user", &ann]).await, 0, "applied");
        for name in ["ann@example.org", " ANN@example.org", "Sub-42"] {
            expect(&google(&world, &["--user", name]).await, 0, "unchanged");
            assert_eq!(world.user(name).await["id"], json!(ann));
        }
        assert_eq!(google(&world, &["--user", "sub-42"]).await.code, 2, "a sub is compared as it is");
    }

    async fn one_person_however_the_address_is_written(world: World) {
        // S19
        know(&world, " Ann@Example.ORG ", json!({"siret": SIRET})).await;
        world.org().add_member(A, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        expect(&google(&world, &["--user", "aNN@example.org"]).await, 0, "unchanged");
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
        assert_eq!(world.count("SELECT count(*) FROM membership").await, 1);
        assert_eq!(texts(&world, "SELECT email FROM user_profile").await, ["Ann@Example.ORG"], "kept as given");
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn the_same_user_named_twice_is_asked_about_once(world: World) {
        // S14
        world.org().add_member(A, "ann@example.org");
        let ended = google(&world, &["--user", "ann@example.org", "--user", "ANN@example.org"]).await;
        expect(&ended, 0, "applied");
        assert_eq!(ended.source("google_sync")["counts"]["created"], 1);
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
    }
}

async fn table_is_missing(world: &crate::support::World) -> bool {
    world.database.try_execute("SELECT 1 FROM run").await.is_err()
}
