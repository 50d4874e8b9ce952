//! A whole directory, read page by page.

use crate::on_both_stores;
use crate::stage::{expect, google, groups_of, runs, texts};
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const A: &str = "grp_acme_a@example.com";

on_both_stores! {
    async fn every_page_of_a_large_group_is_read(world: World) {
        // G1
        for number in 0..450 {
            world.org().add_member(A, &format!("m{number:03}@example.org"));
        }
        let ended = google(&world, &[]).await;
        expect(&ended, 0, "applied");
        assert_eq!(ended.source("google_sync")["counts"]["created"], 450);
        let pages =
            world.org().requests(System::Google).into_iter().filter(|request| request.path.ends_with("/members"));
        assert_eq!(pages.count(), 3);
        assert_eq!(world.count("SELECT count(*) FROM membership WHERE to_position IS NULL").await, 450);
        world.org().remove_member(A, "m449@example.org");
        assert_eq!(google(&world, &[]).await.source("google_sync")["counts"]["removed"], 1);
        let again = google(&world, &[]).await;
        expect(&again, 0, "unchanged");
        assert_eq!(again.source("google_sync")["unchanged"], 449);
    }

    async fn only_groups_that_count_come_through_and_the_mapped_ones_under_their_own_names(world: World) {
        // G3
        world.org().add_member("GRP_Acme_Team@Example.com", "Ann@Example.org");
        world.org().add_member("other@example.com", "bob@example.org");
        world.org().add_member("grp_acme_admin@example.com", "ann@example.org");
        world.org().add_member("grp_acme_all@example.com", "ann@example.org");
        world
            .org()
            .add_customer("grp_acme_all@example.com")
            .add_external("grp_acme_team@example.com", "ext@elsewhere.org");
        let ended = google(&world, &[]).await;
        expect(&ended, 0, "applied");
        let memberships = groups_of(&world, "ann@example.org", "google_sync").await;
        assert_eq!(memberships, ["Admin", "Everyone", "grp_acme_team@example.com"]);
        assert_eq!(
            world.run(&["user", "show", "bob@example.org"]).await.code,
            2,
            "only in a group that does not count"
        );
        let groups = texts(&world, "SELECT name FROM user_group ORDER BY name").await;
        assert_eq!(groups.iter().filter(|name| name.contains('@')).count(), 1, "{groups:?}");
        expect(&google(&world, &["--user", "ann@example.org"]).await, 0, "unchanged");
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn nested_groups_come_out_the_same_for_one_user_and_for_all(world: World) {
        // G4
        let [one, two, three] = ["grp_acme_1@example.com", "grp_acme_2@example.com", "inner@example.com"];
        for group in [one, two, three] {
            world.org().add_group(group);
        }
        world
            .org()
            .add_member(one, two)
            .add_member(two, three)
            .add_member(three, one)
            .add_member(three, "ann@example.org");
        expect(&google(&world, &["--user", "ann@example.org"]).await, 0, "applied");
        assert_eq!(groups_of(&world, "ann@example.org", "google_sync").await, [one, two]);
        expect(&google(&world, &[]).await, 0, "unchanged");
        world.org().remove_member(two, three);
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(groups_of(&world, "ann@example.org", "google_sync").await, [""; 0]);
        expect(&google(&world, &["--user", "ann@example.org"]).await, 0, "unchanged");
    }

    async fn a_refusal_for_too_many_calls_is_asked_again_and_one_for_lack_of_rights_is_not(world: World) {
        // G7
        let mut world = world;
        world.configure("retry = { attempts = 1 }", "retry = { attempts = 3, base = \"10ms\", max = \"20ms\" }");
        world.org().add_member(A, "ann@example.org");
        let google_calls = || Target::system(System::Google);
        world.org().fault(google_calls().times(2), Fault::google_error(403, "userRateLimitExceeded"));
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().clear_requests().fault(google_calls(), Fault::google_error(403, "forbidden"));
        let refused = google(&world, &[]).await;
        expect(&refused, 3, "unavailable");
        assert_eq!(refused.source("google_sync")["error"]["class"], "forbidden");
        let message = refused.source("google_sync")["error"]["message"].as_str().expect("a message").to_owned();
        assert!(message.contains("sources.google_sync.subject"), "{message}");
        assert_eq!(world.org().count(System::Google), 1);
        world
            .org()
            .clear_faults()
            .clear_requests()
            .fault(google_calls(), Fault::google_error(403, "rateLimitExceeded"));
        let limited = google(&world, &[]).await;
        assert_eq!(limited.source("google_sync")["error"]["class"], "rate_limited");
        assert_eq!(world.org().count(System::Google), 3);
        assert_eq!(runs(&world).await, ["applied -", "unavailable forbidden", "unavailable rate_limited"]);
    }

    async fn a_token_is_fetched_once_for_many_calls_and_again_when_it_is_refused(world: World) {
        // G8
        for number in 0..20 {
            world.org().add_member(&format!("grp_acme_{number}@example.com"), "ann@example.org");
        }
        expect(&google(&world, &[]).await, 0, "applied");
        assert!(world.org().count(System::Google) > 20);
        assert_eq!((world.org().tokens_issued(), world.org().count(System::Token)), (1, 1));
        world.org().fault(Target::system(System::Google).times(1), Fault::status(401));
        expect(&google(&world, &[]).await, 0, "unchanged");
        assert_eq!(world.org().tokens_issued(), 3, "one of the second run, and one after the refusal");
    }

    async fn a_failing_token_endpoint_is_a_failure_of_the_source(world: World) {
        // G8, S5
        world.org().add_member(A, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        for (fault, class) in [
            (Fault::status(500), "http_5xx"),
            (Fault::Reset, "connect"),
            (Fault::Html, "malformed"),
            (Fault::wrong_type(), "malformed"),
        ] {
            world.org().fault(Target::system(System::Token), fault.clone());
            let ended = google(&world, &[]).await;
            expect(&ended, 3, "unavailable");
            assert_eq!(ended.source("google_sync")["error"]["class"], class, "{fault:?}");
            world.org().clear_faults();
        }
        let last = google(&world, &[]).await;
        expect(&last, 0, "unchanged");
        assert_eq!(last.source("google_sync")["counts"], json!({"created": 0, "removed": 0, "kept": 0}));
    }
}
