//! Allow or deny: only a recent answer that says so denies.

use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

use crate::answer::{ANN, ann, enrol_ann, entitlement, freshness, login, never_cached};
use crate::on_both_stores;

const ENFORCED: &str = "[hooks.login]\nenforce_can_access = true\n";

fn denied(reason: &str) -> (Value, Value) {
    (json!("deny"), json!(reason))
}

fn decision(answer: &Value) -> (Value, Value) {
    (answer["decision"].clone(), answer["reason"].clone())
}

fn allowed() -> (Value, Value) {
    (json!("allow"), Value::Null)
}

on_both_stores! {
    async fn a_fresh_or_cached_refusal_denies_when_it_is_enforced(world: World) {
        let mut world = world;
        world.configure_also(ENFORCED);
        enrol_ann(&world);
        world.org().deny_access(ANN, "not_activated");
        let daemon = world.serve().await;
        for expected in ["fresh", "cached"] {
            let answer = login(&daemon, &ann()).await;
            assert_eq!((freshness(&answer, "deploycenter"), decision(&answer)), (expected, denied("not_activated")));
        }
    }

    async fn a_refusal_that_is_not_enforced_is_told_and_allows(world: World) {
        enrol_ann(&world);
        world.org().deny_access(ANN, "not_activated");
        let daemon = world.serve().await;
        let answer = login(&daemon, &ann()).await;
        assert_eq!(decision(&answer), allowed());
        assert_eq!(entitlement(&answer, "deploycenter", "can_access"), &json!(false));
    }

    async fn a_stale_refusal_does_not_deny(world: World) {
        // D4
        let mut world = world;
        never_cached(&mut world);
        world.configure_also(ENFORCED);
        enrol_ann(&world);
        world.org().deny_access(ANN, "not_activated");
        let daemon = world.serve().await;
        assert_eq!(decision(&login(&daemon, &ann()).await), denied("not_activated"));
        world.org().fault(Target::system(System::Deploycenter), Fault::status(502));
        let answer = login(&daemon, &ann()).await;
        assert_eq!((freshness(&answer, "deploycenter"), decision(&answer)), ("stale", allowed()));
        world.org().clear_faults().reset_entitlement(ANN, "can_access");
        assert_eq!(decision(&login(&daemon, &ann()).await), allowed());
    }

    async fn somebody_with_groups_but_none_within_the_prefix_is_denied(world: World) {
        // G3
        let mut world = world;
        never_cached(&mut world);
        enrol_ann(&world);
        world.org().add_member("elsewhere@example.com", "bob@example.org").add_user("cem@example.org");
        let daemon = world.serve().await;
        let bob = json!({"email": "bob@example.org"});
        assert_eq!(decision(&login(&daemon, &bob).await), denied("not_in_allowed_group"));
        assert_eq!(decision(&login(&daemon, &ann()).await), allowed());
        let nobody = login(&daemon, &json!({"email": "cem@example.org"})).await;
        assert_eq!(decision(&nobody), allowed(), "an empty answer is no refusal");
        world.org().fault(Target::system(System::Google), Fault::Reset);
        let stale = login(&daemon, &bob).await;
        assert_eq!((freshness(&stale, "google_sync"), decision(&stale)), ("stale", allowed()));
    }

    async fn a_cached_answer_outside_the_prefix_denies_too(world: World) {
        // G3
        world.org().add_member("elsewhere@example.com", "bob@example.org");
        let daemon = world.serve().await;
        for expected in ["fresh", "cached"] {
            let answer = login(&daemon, &json!({"email": "bob@example.org"})).await;
            assert_eq!(
                (freshness(&answer, "google_sync"), decision(&answer)),
                (expected, denied("not_in_allowed_group"))
            );
        }
    }
}
