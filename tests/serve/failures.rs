//! Everything that can come back instead of an answer: its class, and that nothing is taken away.

use entitled_simulator::{Fault, System, Target};
use serde_json::json;

use crate::answer::{DOMAIN_A, GROUP_A, ann, enrol_ann, freshness, groups, login, never_cached, source};
use crate::on_both_stores;

/// What goes wrong, and its class. The refused credential is last: nothing is asked for a minute after it.
fn faults() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::Reset, "connect"),
        (Fault::Close, "connect"),
        (Fault::Truncate, "incomplete"),
        (Fault::Html, "malformed"),
        (Fault::InvalidJson, "malformed"),
        (Fault::wrong_type(), "malformed"),
        (Fault::redirect(), "malformed"),
        (Fault::Oversize { bytes: 20_000 }, "malformed"),
        (Fault::status(400), "malformed"),
        (Fault::status(403), "forbidden"),
        (Fault::status(500), "http_5xx"),
        (Fault::status(503), "http_5xx"),
        (Fault::status(401), "unauthorized"),
    ]
}

on_both_stores! {
    async fn whatever_comes_back_instead_of_an_answer_takes_nothing_away(world: World) {
        // S5 S8
        let mut world = world;
        never_cached(&mut world);
        world.configure("fallback = \"local\"\n", "fallback = \"local\"\nbody_bytes_max = 10_000\n");
        enrol_ann(&world);
        let daemon = world.serve().await;
        let good = login(&daemon, &ann()).await;
        for (fault, class) in faults() {
            world.org().fault(Target::system(System::Deploycenter), fault.clone());
            let answer = login(&daemon, &ann()).await;
            let part = source(&answer, "deploycenter");
            assert_eq!((&part["freshness"], &part["error"]["class"]), (&json!("stale"), &json!(class)), "{fault:?}");
            assert_eq!(freshness(&answer, "google_sync"), "fresh", "the other source goes on");
            assert_eq!(groups(&answer), [GROUP_A, DOMAIN_A], "{fault:?}");
            assert_eq!(
                (&answer["entitlements"], &answer["position"]),
                (&good["entitlements"], &good["position"]),
                "{fault:?}"
            );
            world.org().clear_faults();
            if class != "unauthorized" {
                assert_eq!(freshness(&login(&daemon, &ann()).await, "deploycenter"), "fresh", "after {fault:?}");
            }
        }
        for (_, class) in faults() {
            let recorded =
                format!("SELECT count(*) FROM run WHERE outcome = 'unavailable' AND error_class = '{class}'");
            assert!(world.count(&recorded).await >= 1, "{class} is recorded");
        }
    }

    async fn a_key_that_is_absent_says_nothing_and_an_empty_list_removes(world: World) {
        // S6 S7
        let mut world = world;
        never_cached(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &ann()).await;
        for fault in [Fault::omit_key("can_admin_maildomains"), Fault::null_key("can_admin_maildomains")] {
            world.org().fault(Target::system(System::Deploycenter), fault);
            let answer = login(&daemon, &ann()).await;
            assert_eq!((freshness(&answer, "deploycenter"), groups(&answer)), ("fresh", vec![GROUP_A, DOMAIN_A]));
            world.org().clear_faults();
        }
        world.org().fault(Target::system(System::Deploycenter), Fault::replace_key("can_admin_maildomains", json!([])));
        assert_eq!(groups(&login(&daemon, &ann()).await), [GROUP_A]);
    }
}
