//! What a backend is asked, seen from the other end.

use entitled_simulator::System;
use serde_json::json;

use crate::answer::{ANN, DOMAIN_A, deploycenter_alone, enrol_ann, groups, held, login, scheduled, source};
use crate::on_both_stores;
use crate::support::SIRET;

on_both_stores! {
    async fn a_backend_is_asked_with_the_address_as_given_and_the_configured_claims_alone(world: World) {
        // D1
        let mut world = world;
        world
            .configure(r#"claims = ["siret"]"#, "claims = [\"siret\"]\noptional_claims = [\"department\", \"absent\"]");
        let address = "Ann.O'Neil+x&y=z%@Commune-A.fr";
        world.org().set_domains(address, SIRET, ["commune-a.fr"]);
        let daemon = world.serve().await;
        let claims = json!({"siret": SIRET, "department": "7 5", "nickname": "secret-nickname", "service_id": "666"});
        let answer = login(&daemon, &json!({"sub": "sub-ann", "email": address, "claims": claims})).await;
        assert_eq!(groups(&answer), [DOMAIN_A], "the exact address was recognised");
        let requests = world.org().requests(System::Deploycenter);
        assert_eq!(requests.len(), 1);
        let mut query: Vec<(&str, &str)> = requests[0].query.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        query.sort_unstable();
        assert_eq!(
            query,
            [
                ("account_email", address),
                ("account_type", "user"),
                ("department", "7 5"),
                ("service_id", "42"),
                ("siret", SIRET)
            ]
        );
        assert_eq!(requests[0].method, "GET");
        assert_eq!(
            requests[0].header("x-service-auth"),
            Some(format!("Bearer {}", world.simulator.deploycenter_key()).as_str())
        );
        assert_eq!(requests[0].header("authorization"), None);
        let told = format!("{:?}", requests[0]);
        assert!(!told.contains("secret-nickname") && !told.contains("sub-ann"), "{told}");
    }

    async fn the_address_of_the_latest_login_is_sent_as_given(world: World) {
        // D1
        let mut world = world;
        crate::answer::never_cached(&mut world);
        let daemon = world.serve().await;
        for address in ["ann@commune-a.fr", "ANN@Commune-A.fr"] {
            login(&daemon, &json!({"email": address, "claims": {"siret": SIRET}})).await;
            let last = world.org().requests(System::Deploycenter).pop().expect("a request");
            assert_eq!(last.query("account_email"), Some(address));
        }
    }

    async fn a_scheduled_run_uses_the_claims_of_an_earlier_login(world: World) {
        // D2
        let mut world = world;
        deploycenter_alone(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        login(&daemon, &json!({"email": ANN, "claims": {"siret": SIRET}})).await;
        assert_eq!(daemon.terminate().await, 0);
        world.org().clear_requests().set_domains(ANN, SIRET, ["commune-b.fr"]);
        scheduled(&mut world, "deploycenter", crate::answer::ONCE);
        let daemon = world.serve().await;
        assert_eq!(daemon.wait_for_run("deploycenter", 0).await["outcome"], "applied");
        let requests = world.org().requests(System::Deploycenter);
        assert_eq!(requests.len(), 1);
        assert_eq!((requests[0].query("account_email"), requests[0].query("siret")), (Some(ANN), Some(SIRET)));
        assert_eq!(held(&world.user(ANN).await), "maildomain:commune-b.fr:admin");
    }

    async fn a_user_without_a_required_claim_is_not_asked_about(world: World) {
        // D12
        let mut world = world;
        deploycenter_alone(&mut world);
        enrol_ann(&world);
        scheduled(&mut world, "deploycenter", crate::answer::EVERY_SECOND);
        let daemon = world.serve().await;
        let answer = login(&daemon, &json!({"email": ANN})).await;
        assert_eq!(source(&answer, "deploycenter")["error"]["class"], "missing_claim");
        assert_eq!(answer["decision"], "allow");
        let before = daemon.wait_for_run("deploycenter", 0).await;
        assert_eq!(before["error"], serde_json::Value::Null, "{before}");
        daemon.wait_for_run("deploycenter", 1).await;
        assert_eq!(world.org().count(System::Deploycenter), 0, "no call was made");
        let answer = login(&daemon, &json!({"email": ANN, "claims": {"siret": SIRET}})).await;
        assert_eq!(groups(&answer), [DOMAIN_A], "as soon as the claim is there, it is asked");
    }
}
