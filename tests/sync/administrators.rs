//! The last active person in `Admin` is never removed by a sync.

use crate::on_both_stores;
use crate::stage::{expect, give, google, groups_of, know_member, runs, texts};
use crate::support::{PATIENCE, SIRET};
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const ADMINS: &str = "grp_acme_admin@example.com";
const BLOCKED: &str = "SELECT count(*) FROM event WHERE event_type = 'membership.removal_blocked'";

on_both_stores! {
    async fn the_last_administrator_stays_and_that_is_told_once(world: World) {
        // M6
        world.org().add_member(ADMINS, "ann@example.org").add_member("grp_acme_a@example.com", "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(groups_of(&world, "ann@example.org", "google_sync").await, ["Admin", "grp_acme_a@example.com"]);
        world.org().remove_member(ADMINS, "ann@example.org");
        for (scope, told) in [(&["--user", "ann@example.org"][..], 1), (&[], 1), (&[], 1)] {
            let ended = google(&world, scope).await;
            expect(&ended, 0, "blocked");
            let entry = ended.source("google_sync");
            assert_eq!(entry["counts"], json!({"created": 0, "removed": 0, "kept": 1}), "{entry}");
            let kept = &entry["kept"][0];
            assert_eq!((&kept["group"], &kept["reason"]), (&json!("Admin"), &json!("last_administrator")));
            assert_eq!(world.count(BLOCKED).await, told);
            assert_eq!(groups_of(&world, "ann@example.org", "google_sync").await, ["Admin", "grp_acme_a@example.com"]);
            assert_eq!(runs(&world).await.pop().as_deref(), Some("blocked -"));
        }
        world.org().add_member(ADMINS, "bob@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(world.members("Admin", "google_sync").await, ["bob@example.org"]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn of_several_administrators_who_all_leave_one_stays(world: World) {
        // M6
        for user in ["ann@example.org", "bob@example.org", "cid@example.org"] {
            world.org().add_member(ADMINS, user);
        }
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().delete_group(ADMINS);
        expect(&google(&world, &[]).await, 0, "unchanged");
        expect(&google(&world, &[]).await, 0, "applied");
        let left = world.members("Admin", "google_sync").await;
        assert_eq!(left.len(), 1, "{left:?}");
        expect(&google(&world, &[]).await, 0, "blocked");
        assert_eq!(world.members("Admin", "google_sync").await, left);
    }

    async fn an_administrator_by_another_source_lets_the_last_one_of_this_source_go(world: World) {
        // M6
        world.org().add_member(ADMINS, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        give(&world, "bob@example.org", "Admin", "admin").await;
        world.org().remove_member(ADMINS, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(world.members("Admin", "google_sync").await, [""; 0]);
        assert_eq!(world.members("Admin", "admin").await, ["bob@example.org"]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn people_who_are_not_active_do_not_count_as_administrators(world: World) {
        // M6
        world.org().add_member(ADMINS, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        give(&world, "bob@example.org", "Admin", "admin").await;
        let bob = "(SELECT user_id FROM user_profile WHERE email_key = 'bob@example.org')";
        world.database.execute(&format!("UPDATE user_account SET status = 'suspended' WHERE id = {bob}")).await;
        world.org().remove_member(ADMINS, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "blocked");
        world
            .database
            .execute(&format!("UPDATE user_account SET status = 'active', kind = 'service' WHERE id = {bob}"))
            .await;
        expect(&google(&world, &[]).await, 0, "blocked");
        world.database.execute("UPDATE user_account SET kind = 'person'").await;
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(texts(&world, "SELECT source FROM membership WHERE to_position IS NULL").await, ["admin"]);
    }

    async fn the_last_owner_by_a_group_s_role_stays_whatever_the_source_says(world: World) {
        // R3
        let (ann, bob, group) = ("ann@example.org", "bob@example.org", "grp_acme_a@example.com");
        world.org().add_member(group, ann).add_member(group, bob);
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(world.run(&["role", "set", "owner", "--group", group]).await.code, 0);
        world.org().remove_member(group, ann);
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().remove_member(group, bob);
        for (scope, told) in [(&["--user", bob][..], 1), (&[], 1), (&[], 1)] {
            let ended = google(&world, scope).await;
            expect(&ended, 0, "blocked");
            assert_eq!(ended.source("google_sync")["kept"][0]["reason"], "last_owner");
            assert_eq!(world.count(BLOCKED).await, told);
        }
        assert_eq!(world.members(group, "google_sync").await, [bob]);
        assert_eq!(world.run(&["role", "set", "owner", "--user", ann]).await.code, 0);
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(world.members(group, "google_sync").await, [""; 0]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn of_the_last_two_owners_by_groups_one_stays_when_two_sources_let_go_of_both_at_once(world: World) {
        // R3
        let (ann, bob, group, domain) = ("ann@example.org", "bob@commune-a.fr", "grp_acme_a@example.com", "commune-a.fr");
        know_member(&world, bob).await;
        let in_charge = || {
            world.org().add_member(group, ann);
            world.org().set_domains(bob, SIRET, [domain]);
        };
        in_charge();
        expect(&world.sync(&[]).await, 0, "applied");
        for owners in [group, &format!("maildomain:{domain}:admin")] {
            assert_eq!(world.run(&["role", "set", "owner", "--group", owners]).await.code, 0);
        }
        for _ in 0..5 {
            world.org().remove_member(group, ann);
            world.org().set_domains(bob, SIRET, [""; 0]);
            world.org().clear_requests();
            world.org().fault(Target::system(System::Google).path_contains("/members"), Fault::hold("answers"));
            world.org().fault(Target::system(System::Deploycenter), Fault::hold("answers"));
            let both = async {
                while [System::Google, System::Deploycenter].into_iter().any(|system| !world.org().requests(system).iter().any(|call| {
                    system == System::Deploycenter || call.path.contains("/members")
                })) {
                    tokio::task::yield_now().await;
                }
                world.org().release("answers");
                world.org().clear_faults();
            };
            let (of_ann, of_bob) = (["--source", "google_sync"], ["--source", "deploycenter", "--user", bob]);
            let both = tokio::time::timeout(PATIENCE, both);
            let (of_ann, of_bob, both) = tokio::join!(world.sync(&of_ann), world.sync(&of_bob), both);
            both.expect("both sources are asked");
            let counts = [(of_ann, "google_sync"), (of_bob, "deploycenter")].map(|(ended, source)| {
                let counts = ended.source(source)["counts"].clone();
                (counts["removed"].clone(), counts["kept"].clone())
            });
            let one_of_each = [(json!(0), json!(1)), (json!(1), json!(0))];
            assert!(one_of_each.iter().all(|each| counts.contains(each)), "{counts:?}");
            in_charge();
            expect(&world.sync(&[]).await, 0, "applied");
        }
    }
}
