//! Logins of people whose account in the directory says more than their address.

use serde_json::{Value, json};

use crate::answer::{groups, login, never_cached};
use crate::on_both_stores;
use entitled_simulator::{Fault, System, Target};

const A: &str = "grp_acme_a@example.com";
const ANN: &str = "ann@example.org";
const ALIAS: &str = "a.nn@example.org";

on_both_stores! {
    async fn a_suspended_user_has_no_effective_access_and_comes_back(world: World) {
        // G5
        let mut world = world;
        never_cached(&mut world);
        world.org().add_member(A, ANN);
        let daemon = world.serve().await;
        let first = login(&daemon, &json!({"email": ANN})).await;
        assert_eq!((groups(&first), &first["decision"]), (vec![A], &json!("allow")));
        world.org().suspend_user(ANN);
        let suspended = login(&daemon, &json!({"email": ANN})).await;
        assert_eq!(groups(&suspended), [""; 0]);
        assert_eq!((&suspended["decision"], &suspended["reason"]), (&json!("deny"), &json!("suspended")));
        assert_eq!(world.user(ANN).await["memberships"][0]["group"], A, "the rows stay");
        // A source that is down denies nobody, and gives nothing back either.
        world.org().fault(Target::system(System::Google), Fault::status(503));
        let stale = login(&daemon, &json!({"email": ANN})).await;
        assert_eq!((groups(&stale), &stale["decision"]), (vec![], &json!("allow")));
        world.org().clear_faults().reactivate_user(ANN);
        let back = login(&daemon, &json!({"email": ANN})).await;
        assert_eq!((groups(&back), &back["decision"]), (vec![A], &json!("allow")));
    }

    async fn a_login_by_an_alias_is_one_of_the_same_person(world: World) {
        // S19, G4
        let mut world = world;
        never_cached(&mut world);
        world.org().add_member(A, ANN).add_alias(ANN, ALIAS);
        let daemon = world.serve().await;
        let by_first = login(&daemon, &json!({"email": ANN, "sub": "sub-ann"})).await;
        let by_alias = login(&daemon, &json!({"email": ALIAS})).await;
        assert_eq!(by_alias["user"]["id"], by_first["user"]["id"]);
        assert_eq!((&by_alias["user"]["email"], groups(&by_alias)), (&json!(ALIAS), vec![A]));
        let again = login(&daemon, &json!({"email": ANN})).await;
        assert_eq!((&again["user"]["id"], groups(&again)), (&by_first["user"]["id"], vec![A]));
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
    }

    async fn an_address_that_turns_out_to_be_somebody_elses_answers_as_them(world: World) {
        // S19
        let mut world = world;
        never_cached(&mut world);
        world.org().add_member(A, ANN);
        let daemon = world.serve().await;
        let before = login(&daemon, &json!({"email": ANN})).await;
        // Nobody here has heard of the new address when it logs in for the first time.
        world.org().readdress_user(ANN, "ann.b@example.org");
        let after = login(&daemon, &json!({"email": "ann.b@example.org", "sub": "sub-ann"})).await;
        assert_eq!(after["user"]["id"], before["user"]["id"], "{after}");
        assert_eq!(after["user"]["sub"], "sub-ann");
        assert_eq!((groups(&after), freshness(&after)), (vec![A], json!("fresh")));
        let again = login(&daemon, &json!({"sub": "sub-ann"})).await;
        assert_eq!(again["user"]["id"], before["user"]["id"]);
    }

    async fn what_a_newcomer_s_login_says_is_not_the_colleague_s_who_left(world: World) {
        // S19
        let mut world = world;
        never_cached(&mut world);
        world.org().add_member(A, ANN);
        let daemon = world.serve().await;
        let left = login(&daemon, &json!({"email": ANN, "sub": "sub-ann"})).await;
        world.org().purge_user(ANN).add_member("grp_acme_b@example.com", ANN);
        let newcomer = login(&daemon, &json!({"email": ANN, "sub": "sub-new"})).await;
        assert_ne!(newcomer["user"]["id"], left["user"]["id"], "{newcomer}");
        let by_sub = login(&daemon, &json!({"sub": "sub-new"})).await;
        assert_eq!(by_sub["user"]["id"], newcomer["user"]["id"], "left {left} newcomer {newcomer} by_sub {by_sub}");
    }

    async fn an_address_that_only_logins_bring_stays(world: World) {
        // S3, D1
        let mut world = world;
        never_cached(&mut world);
        world.org().add_member(A, ANN);
        let daemon = world.serve().await;
        login(&daemon, &json!({"email": ANN, "sub": "sub-ann"})).await;
        login(&daemon, &json!({"email": "ann@idp.example.net", "sub": "sub-ann"})).await;
        let before = world.user("sub-ann").await["email"].clone();
        let ended = world.sync(&["--source", "google_sync"]).await;
        assert_eq!((world.user("sub-ann").await["email"].clone(), ended.json()["outcome"].clone()), (before, json!("unchanged")), "{ended:?}");
    }

    async fn whoever_is_reactivated_may_log_in_though_they_are_in_no_group(world: World) {
        // G5
        let mut world = world;
        never_cached(&mut world);
        world.org().add_member(A, ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        world.org().suspend_user(ANN).remove_member(A, ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        world.org().reactivate_user(ANN);
        let daemon = world.serve().await;
        let back = login(&daemon, &json!({"email": ANN})).await;
        assert_eq!(back["decision"], json!("allow"), "{back}");
    }
}

fn freshness(answer: &Value) -> Value {
    let parts = answer["sources"].as_array().expect("sources");
    parts.iter().find(|part| part["source"] == "google_sync").expect("the directory")["freshness"].clone()
}
