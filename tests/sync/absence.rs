//! Known and empty removes; silence and nonsense do not.

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, google, groups_of, know_member, runs};
use crate::support::SIRET;
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const ANN: &str = "ann@commune-a.fr";
const MAPPED: &str = "can_admin_maildomains";

on_both_stores! {
    async fn a_known_and_empty_answer_removes_all_rows_of_that_source(world: World) {
        // S6
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr", "ville-a.fr"]);
        world.org().add_member("grp_acme_a@example.com", ANN);
        expect(&world.sync(&["--user", ANN]).await, 0, "applied");
        world.org().set_domains(ANN, SIRET, [""; 0]);
        let emptied = deploycenter(&world, &["--user", ANN]).await;
        expect(&emptied, 0, "applied");
        assert_eq!(emptied.source("deploycenter")["counts"]["removed"], 2);
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, [""; 0]);
        assert_eq!(groups_of(&world, ANN, "google_sync").await, ["grp_acme_a@example.com"]);
        world.org().remove_member("grp_acme_a@example.com", ANN);
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [""; 0]);
        expect(&world.sync(&["--user", ANN]).await, 0, "unchanged");
    }

    async fn a_missing_or_null_key_says_nothing(world: World) {
        // S7
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "applied");
        let kept = ["membership", "entitlement", "event"];
        let before = crate::stage::tables(&world, &kept).await;
        for silence in [Fault::omit_key(MAPPED), Fault::null_key(MAPPED)] {
            for scope in [&["--user", ANN][..], &[]] {
                world.org().fault(Target::system(System::Deploycenter), silence.clone());
                let ended = deploycenter(&world, scope).await;
                expect(&ended, 0, "unchanged");
                let entry = ended.source("deploycenter");
                assert_eq!(entry["counts"], json!({"created": 0, "removed": 0, "kept": 0}));
                assert_eq!((&entry["unchanged"], &entry["error"]), (&json!(1), &json!(null)));
                assert_eq!(crate::stage::tables(&world, &kept).await, before);
                world.org().clear_faults();
            }
        }
    }

    async fn with_a_mapped_key_absent_the_other_keys_still_apply(world: World) {
        // S7
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "applied");
        world.org().set_entitlement(ANN, "max_storage", json!(7)).set_entitlement(ANN, MAPPED, json!(null));
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "applied");
        let shown = world.user(ANN).await;
        let storage =
            shown["entitlements"].as_array().expect("a list").iter().find(|stated| stated["key"] == "max_storage");
        assert_eq!(storage.expect("max_storage")["value"], 7);
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, ["maildomain:commune-a.fr:admin"]);
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "unchanged");
    }

    async fn a_list_that_is_no_list_of_names_is_malformed_and_changes_nothing(world: World) {
        // S8
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "applied");
        let kept = ["membership", "entitlement", "event"];
        let before = crate::stage::tables(&world, &kept).await;
        for nonsense in [
            json!(["ville-a.fr", 42]),
            json!(["ville-a.fr", ""]),
            json!("commune-a.fr"),
            json!({}),
            json!([null]),
            json!(false),
        ] {
            world.org().fault(Target::system(System::Deploycenter), Fault::replace_key(MAPPED, nonsense.clone()));
            let ended = deploycenter(&world, &["--user", ANN]).await;
            expect(&ended, 3, "unavailable");
            assert_eq!(ended.source("deploycenter")["error"]["class"], "malformed", "{nonsense}");
            assert_eq!(crate::stage::tables(&world, &kept).await, before, "{nonsense}");
            assert_eq!(runs(&world).await.pop().as_deref(), Some("unavailable malformed"));
            world.org().clear_faults();
        }
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "unchanged");
    }

    async fn a_user_whom_the_directory_no_longer_knows_loses_its_rows(world: World) {
        // G6
        world.org().add_member("grp_acme_a@example.com", "ann@example.org");
        world.org().add_member("grp_acme_a@example.com", "bob@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().delete_user("ann@example.org").purge_user("bob@example.org");
        for user in ["ann@example.org", "bob@example.org"] {
            expect(&google(&world, &["--user", user]).await, 0, "applied");
            assert_eq!(groups_of(&world, user, "google_sync").await, [""; 0]);
            expect(&google(&world, &["--user", user]).await, 0, "unchanged");
        }
    }
}
