//! What could be read applies; what could not is kept, counted and named. Every fault on page 2: `middle.rs`.

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, google, groups_of, know_member, runs, texts};
use crate::support::SIRET;
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const MANY: &str = "grp_acme_many@example.com";
const FEW: &str = "grp_acme_few@example.com";

fn members_of(group: &str) -> Target {
    Target::system(System::Google).path_contains("/members").group(group)
}

on_both_stores! {
    async fn one_failing_user_does_not_stop_the_others(world: World) {
        // S15
        for user in ["ann@commune-a.fr", "bob@commune-a.fr", "cid@commune-a.fr"] {
            know_member(&world, user).await;
            world.org().set_domains(user, SIRET, ["commune-a.fr"]);
        }
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        for user in ["ann@commune-a.fr", "bob@commune-a.fr", "cid@commune-a.fr"] {
            world.org().set_domains(user, SIRET, ["ville-a.fr"]);
        }
        world.org().fault(Target::system(System::Deploycenter).user("bob@commune-a.fr"), Fault::status(500));
        let ended = deploycenter(&world, &[]).await;
        assert_eq!(ended.code, 3, "{ended:?}");
        let entry = ended.source("deploycenter");
        assert_eq!(entry["error"]["class"], "http_5xx");
        let message = entry["error"]["message"].as_str().expect("a message");
        assert!(message.contains("1 of 3 users"), "{message}");
        assert_eq!(entry["counts"], json!({"created": 2, "removed": 2, "kept": 1}));
        let kept = &entry["kept"][0];
        assert_eq!((&kept["group"], &kept["reason"]), (&json!("maildomain:commune-a.fr:admin"), &json!("http_5xx")));
        assert_eq!(groups_of(&world, "ann@commune-a.fr", "deploycenter").await, ["maildomain:ville-a.fr:admin"]);
        assert_eq!(groups_of(&world, "bob@commune-a.fr", "deploycenter").await, ["maildomain:commune-a.fr:admin"]);
        let failed = texts(&world, "SELECT CAST(users_failed AS text) FROM run ORDER BY ended_at DESC LIMIT 1").await;
        assert_eq!(failed, ["1"]);
        let again = deploycenter(&world, &[]).await;
        expect(&again, 3, "unavailable");
        assert_eq!(again.source("deploycenter")["counts"]["created"], 0);
        world.org().clear_faults();
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        assert_eq!(groups_of(&world, "bob@commune-a.fr", "deploycenter").await, ["maildomain:ville-a.fr:admin"]);
    }

    async fn a_group_that_could_not_be_read_keeps_its_members(world: World) {
        // S5, G1
        let mut world = world;
        world.configure("prefix = \"grp_acme_\"", "prefix = \"grp_acme_\"\npage_cap = 4");
        for number in 0..450 {
            world.org().add_member(MANY, &format!("m{number:03}@example.org"));
        }
        world.org().add_member(FEW, "ann@example.org").add_member("grp_acme_other@example.com", "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().remove_member(MANY, "m001@example.org");
        let failing = [
            (members_of(MANY).page(1), Fault::status(500), "http_5xx"),
            (members_of(MANY).page(3), Fault::Truncate, "incomplete"),
            (members_of(MANY), Fault::RepeatToken, "incomplete"),
            (members_of(MANY), Fault::EndlessPages, "incomplete"),
        ];
        for (number, (target, fault, class)) in failing.into_iter().enumerate() {
            world.org().fault(target, fault.clone());
            world.org().add_member(FEW, &format!("new{number}@example.org"));
            let ended = google(&world, &[]).await;
            assert_eq!(ended.code, 3, "{fault:?}: {ended:?}");
            let entry = ended.source("google_sync");
            assert_eq!(entry["error"]["class"], class, "{fault:?}: {}", entry["error"]);
            assert_eq!(entry["counts"]["removed"], 0, "{fault:?}");
            let kept = entry["kept"].as_array().expect("kept");
            let of_many = |kept: &serde_json::Value| kept["group"] == MANY && kept["reason"] == class;
            assert!(!kept.is_empty() && kept.iter().all(of_many), "{fault:?}");
            assert_eq!(runs(&world).await.pop(), Some(format!("applied {class}")), "{fault:?}");
            world.org().clear_faults();
            assert_eq!(world.members(MANY, "google_sync").await.len(), 450, "{fault:?}");
        }
        let healed = google(&world, &[]).await;
        expect(&healed, 0, "applied");
        assert_eq!(healed.source("google_sync")["counts"], json!({"created": 0, "removed": 1, "kept": 0}));
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_count_that_disagrees_lets_additions_through_and_holds_removals(world: World) {
        // G2
        for user in ["ann@example.org", "bob@example.org", "cid@example.org"] {
            world.org().add_member(MANY, user).add_member(FEW, user);
        }
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().remove_member(MANY, "ann@example.org").add_member(MANY, "dan@example.org");
        world.org().state_members_count(MANY, Some(4));
        let ended = google(&world, &[]).await;
        assert_eq!(ended.code, 3, "{ended:?}");
        let entry = ended.source("google_sync");
        assert_eq!(entry["error"]["class"], "incomplete");
        assert_eq!(entry["counts"], json!({"created": 1, "removed": 0, "kept": 1}));
        assert_eq!(groups_of(&world, "dan@example.org", "google_sync").await, [MANY]);
        assert_eq!(groups_of(&world, "ann@example.org", "google_sync").await, [FEW, MANY]);
        expect(&google(&world, &[]).await, 3, "unavailable");
        world.org().state_members_count(MANY, None);
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(groups_of(&world, "ann@example.org", "google_sync").await, [FEW]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }
}
