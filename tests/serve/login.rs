//! The login hook's contract: what it answers, and who it takes a person for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::answer::{ANN, DOMAIN_A, GROUP_A, ann, enrol_ann, login};
use crate::on_both_stores;
use crate::support::SIRET;

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

on_both_stores! {
    async fn a_login_answers_with_the_documented_shape(world: World) {
        // D10
        enrol_ann(&world);
        world.org().set_entitlement(ANN, "quota_of_tomorrow", json!({"any": [1, 2.5, null]}));
        let daemon = world.serve().await;
        let answer = login(&daemon, &ann()).await;
        assert_eq!(
            keys(&answer),
            ["user", "decision", "reason", "groups", "entitlements", "sources", "position"].into()
        );
        let stored = world.user(ANN).await;
        assert_eq!(answer["user"], json!({"id": stored["id"], "sub": "sub-ann", "email": ANN}));
        assert_eq!((&answer["decision"], &answer["reason"]), (&json!("allow"), &Value::Null));
        assert_eq!(
            answer["groups"],
            json!([
                {"group": GROUP_A, "sources": ["google_sync"]},
                {"group": DOMAIN_A, "sources": ["deploycenter"]},
            ])
        );
        let stated = |key: &str, value: Value| json!({"source": "deploycenter", "key": key, "value": value});
        let entitlements = answer["entitlements"].as_array().expect("a list");
        assert!(entitlements.contains(&stated("can_access", json!(true))), "{answer}");
        assert!(
            entitlements.contains(&stated("quota_of_tomorrow", json!({"any": [1, 2.5, null]}))),
            "verbatim: {answer}"
        );
        for (part, name) in answer["sources"].as_array().expect("a list").iter().zip(["deploycenter", "google_sync"]) {
            assert_eq!(keys(part), ["source", "freshness", "age_seconds", "error"].into());
            assert_eq!(
                (&part["source"], &part["freshness"], &part["error"]),
                (&json!(name), &json!("fresh"), &Value::Null)
            );
            let age = part["age_seconds"].as_f64().expect("an age");
            assert!((0.0..10.0).contains(&age), "{age}");
        }
        let head = world.count("SELECT position FROM event_head").await;
        assert_eq!(answer["position"], json!(head), "everything up to here is in the answer");
    }

    async fn an_unknown_person_with_an_address_is_created_by_a_login(world: World) {
        let daemon = world.serve().await;
        let first = login(&daemon, &json!({"email": "new@example.org"})).await;
        assert_eq!(first["user"]["email"], "new@example.org");
        assert_eq!(first["user"]["sub"], Value::Null);
        assert_eq!(login(&daemon, &json!({"email": "new@example.org"})).await["user"]["id"], first["user"]["id"]);
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
        assert_eq!(world.user("new@example.org").await["status"], "active");
    }

    async fn a_sub_alone_that_nobody_has_is_refused(world: World) {
        let daemon = world.serve().await;
        let (status, problem) = daemon.login(&json!({"sub": "sub-nobody", "claims": {"siret": SIRET}})).await;
        assert_eq!((status, &problem["status"]), (404, &json!(404)));
        assert!(!problem.to_string().contains("sub-nobody"), "{problem}");
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 0, "nobody is created");
    }

    async fn a_person_is_known_by_their_sub_after_a_login_with_both(world: World) {
        enrol_ann(&world);
        let daemon = world.serve().await;
        let first = login(&daemon, &ann()).await;
        let later = login(&daemon, &json!({"sub": "sub-ann"})).await;
        assert_eq!(later["user"], first["user"]);
        assert_eq!(later["groups"], first["groups"]);
    }

    async fn addresses_that_differ_in_case_and_blanks_are_one_user(world: World) {
        // S19
        let daemon = world.serve().await;
        let first = login(&daemon, &json!({"email": " Ann@Example.ORG "})).await;
        let second = login(&daemon, &json!({"email": "ann@example.org"})).await;
        assert_eq!(first["user"]["id"], second["user"]["id"]);
        assert_eq!(second["user"]["email"], "ann@example.org", "the address of the latest login, as given");
        assert_eq!(world.count("SELECT count(*) FROM user_profile").await, 1);
    }

    async fn somebody_whose_address_changed_is_the_same_user_by_their_sub(world: World) {
        let daemon = world.serve().await;
        let maiden = login(&daemon, &json!({"sub": "sub-1", "email": "ann.before@example.org"})).await;
        let married = login(&daemon, &json!({"sub": "sub-1", "email": "ann.after@example.org"})).await;
        assert_eq!(maiden["user"]["id"], married["user"]["id"]);
        assert_eq!(married["user"]["email"], "ann.after@example.org");
    }

    async fn two_people_never_become_one_by_a_sub_that_is_taken(world: World) {
        let daemon = world.serve().await;
        let ann = login(&daemon, &json!({"sub": "sub-1", "email": "ann@example.org"})).await;
        let bob = login(&daemon, &json!({"sub": "sub-2", "email": "bob@example.org"})).await;
        let mixed = login(&daemon, &json!({"sub": "sub-2", "email": "ann@example.org"})).await;
        assert_eq!(mixed["user"], ann["user"], "the address is the identity, and the sub is not theirs");
        let by_sub = login(&daemon, &json!({"sub": "sub-2"})).await;
        assert_eq!(by_sub["user"]["id"], bob["user"]["id"], "the sub stays with its user");
    }

    async fn claims_of_several_logins_are_remembered_and_merged(world: World) {
        let mut world = world;
        world
            .configure(r#"claims = ["siret"]"#, "claims = [\"siret\"]\noptional_claims = [\"department\", \"office\"]");
        let daemon = world.serve().await;
        login(&daemon, &json!({"email": ANN, "claims": {"siret": SIRET, "office": 7}})).await;
        login(&daemon, &json!({"email": ANN, "claims": {"department": "75"}})).await;
        login(&daemon, &json!({"email": ANN})).await;
        let claims = world.user(ANN).await["claims"].clone();
        assert_eq!(claims, json!({"siret": SIRET, "department": "75", "office": 7}));
        login(&daemon, &json!({"email": ANN, "claims": {"department": "77", "office": null}})).await;
        let claims = world.user(ANN).await["claims"].clone();
        assert_eq!(claims, json!({"siret": SIRET, "department": "77"}), "the latest word counts, null forgets");
    }

    async fn a_claim_that_no_source_asks_for_is_not_kept(world: World) {
        // D1
        enrol_ann(&world);
        let daemon = world.serve().await;
        let body = |session: &str| json!({"email": ANN, "claims": {"siret": SIRET, "auth_session": session}});
        login(&daemon, &body("first")).await;
        assert_eq!(world.user(ANN).await["claims"], json!({"siret": SIRET}));
        let asked = world.org().count(entitled_simulator::System::Deploycenter);
        let events = world.count("SELECT count(*) FROM event").await;
        let second = login(&daemon, &body("second")).await;
        assert_eq!(crate::answer::freshness(&second, "deploycenter"), "cached", "it changes no question");
        assert_eq!(world.org().count(entitled_simulator::System::Deploycenter), asked);
        assert_eq!(world.count("SELECT count(*) FROM event").await, events, "and says nothing new");
    }
}
