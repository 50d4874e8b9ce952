//! Lists that are wrong: the answer about a user counts, and too many wrong ones make everybody be asked about.

use entitled_simulator::{Fault, System, Target};
use serde_json::json;

use crate::receiver::Receiver;
use crate::stage::{deploycenter, expect, groups_of, know_member, tables};
use crate::support::{SIRET, World};
use crate::{ANN, crowd, enumerating, member, on_both_stores, requests};

/// Makes the endpoint say of a user what no list says.
fn contradict(world: &World, user: usize) {
    world.org().set_entitlement(&member(user), "can_admin_maildomains", json!(["secret.fr"]));
}

on_both_stores! {
    async fn one_disagreement_is_told_by_id_and_the_answer_about_the_user_counts(world: World) {
        let mut world = world;
        enumerating(&mut world, 10);
        crowd(&world, 5).await;
        let reports = Receiver::start(&mut world).await;
        contradict(&world, 3);
        let ended = deploycenter(&world, &[]).await;
        expect(&ended, 0, "applied");
        assert_eq!(groups_of(&world, &member(3), "deploycenter").await, ["maildomain:secret.fr:admin"]);
        let id = world.user(&member(3)).await["id"].as_str().expect("an id").to_owned();
        let told = ended.stderr.lines().find(|line| line.contains("disagree")).expect("told");
        assert!(told.contains(&id) && !ended.stderr.contains(&member(3)), "{ended:?}");
        let events = reports.wait_for(1).await;
        assert!(events[0]["message"].as_str().expect("a message").contains("disagree"), "{events:#?}");
        assert!(!reports.text().contains(&member(3)));
        requests(&world);
        let again = deploycenter(&world, &[]).await;
        expect(&again, 0, "unchanged");
        assert_eq!(requests(&world), (2, 5), "the lists are still used, and the sample still asked about");
    }

    async fn two_disagreements_make_everybody_be_asked_about(world: World) {
        let mut world = world;
        enumerating(&mut world, 0);
        crowd(&world, 8).await;
        contradict(&world, 3);
        contradict(&world, 4);
        expect(&deploycenter(&world, &["--user", &member(3), "--user", &member(4)]).await, 0, "applied");
        requests(&world);
        contradict(&world, 5);
        let ended = deploycenter(&world, &[]).await;
        expect(&ended, 0, "applied");
        assert!(ended.stderr.contains("not trusted"), "{ended:?}");
        assert_eq!(requests(&world), (2, 8), "each is asked about once");
        assert_eq!(groups_of(&world, &member(5), "deploycenter").await, ["maildomain:secret.fr:admin"]);
        assert_eq!(groups_of(&world, &member(0), "deploycenter").await.len(), 2, "nobody lost anything");
    }

    async fn lists_are_not_believed_while_nobody_can_be_asked_about(world: World) {
        // S5
        let mut world = world;
        enumerating(&mut world, 2);
        crowd(&world, 5).await;
        world.org().set_roles(&member(4), SIRET, &["admin"]);
        let before = tables(&world, &["event", "membership", "entitlement", "observation"]).await;
        world.org().fault(Target::system(System::Deploycenter).path_contains("/entitlements/?"), Fault::status(503));
        let ended = deploycenter(&world, &[]).await;
        expect(&ended, 3, "unavailable");
        assert_eq!(ended.source("deploycenter")["error"]["class"], "http_5xx", "{ended:?}");
        assert_eq!(tables(&world, &["event", "membership", "entitlement", "observation"]).await, before);
        world.org().clear_faults();
        expect(&deploycenter(&world, &[]).await, 0, "applied");
    }

    async fn a_malformed_answer_about_one_user_stops_no_other(world: World) {
        // S8, S15
        let mut world = world;
        enumerating(&mut world, 0);
        crowd(&world, 3).await;
        know_member(&world, ANN).await;
        world.org().set_entitlement(ANN, "can_admin_maildomains", json!("commune-a.fr"));
        world.org().set_roles(&member(2), SIRET, &["admin"]);
        let ended = deploycenter(&world, &[]).await;
        assert_eq!((ended.code, ended.json()["outcome"].as_str()), (3, Some("applied")), "{ended:?}");
        assert_eq!(ended.source("deploycenter")["error"]["class"], "malformed", "{ended:?}");
        assert_eq!(groups_of(&world, &member(2), "deploycenter").await.len(), 2);
    }

    async fn a_held_plan_has_the_same_hash_in_every_run(world: World) {
        let mut world = world;
        enumerating(&mut world, 4);
        world.configure("fallback = \"local\"", "fallback = \"local\"\nguard = { max_removals = 1 }");
        crowd(&world, 12).await;
        world.org().set_roles(&member(0), SIRET, &[]);
        for number in 0..12 {
            world.org().set_entitlement(&member(number), "unicorn", json!(number));
        }
        let held = deploycenter(&world, &[]).await;
        expect(&held, 4, "held");
        for arguments in [&[][..], &["--dry-run"], &[]] {
            let again = deploycenter(&world, arguments).await;
            expect(&again, 4, "held");
            assert_eq!(again.json()["plan_hash"], held.json()["plan_hash"], "the same users are in the sample");
        }
    }

    async fn a_daemon_counts_disagreements_and_reports_them_once(world: World) {
        let mut world = world;
        enumerating(&mut world, 10);
        world.configure("fallback = \"local\"", "fallback = \"local\"\nschedule = \"* * * * * *\"");
        crowd(&world, 3).await;
        let reports = Receiver::start(&mut world).await;
        contradict(&world, 1);
        let daemon = world.serve().await;
        daemon.wait_for_run("deploycenter", 2).await;
        let metrics = daemon.get("/metrics").await.text().await.expect("a text");
        let of_source = "entitled_enumeration_disagreements_total{source=\"deploycenter\"} ";
        let counted = metrics.lines().find_map(|line| line.strip_prefix(of_source)).expect("counted");
        assert!(counted.parse::<u64>().expect("a number") >= 3, "one in each run: {metrics}");
        assert_eq!(daemon.terminate().await, 0);
        let told = reports.events().into_iter().filter(|event| event["message"].as_str().is_some_and(|text| text.contains("disagree")));
        assert_eq!(told.count(), 1);
    }
}
