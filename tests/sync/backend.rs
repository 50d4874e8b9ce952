//! DeployCenter as it is asked and as its answers are read.

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, groups_of, know, know_member, runs, texts};
use crate::support::SIRET;
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const ANN: &str = "ann@commune-a.fr";

on_both_stores! {
    async fn a_request_carries_what_is_configured_and_nothing_else(world: World) {
        // D1
        let mut world = world;
        world.configure(
            "claims = [\"siret\"]",
            "claims = [\"siret\", \"idp_id\", \"town\"]\noptional_claims = [\"town\"]",
        );
        let claims = json!({"siret": SIRET, "idp_id": "a b&c=d", "phone": "0601", "groups": ["x"]});
        know(&world, "Ann+Test@Commune-A.FR", claims).await;
        expect(&deploycenter(&world, &["--user", "ann+test@commune-a.fr"]).await, 0, "applied");
        let requests = world.org().requests(System::Deploycenter);
        assert_eq!(requests.len(), 1);
        let sent: Vec<(&str, &str)> =
            requests[0].query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut expected = vec![
            ("service_id", "42"),
            ("account_type", "user"),
            ("account_email", "Ann+Test@Commune-A.FR"),
            ("siret", SIRET),
            ("idp_id", "a b&c=d"),
        ];
        let mut sorted = sent.clone();
        sorted.sort_unstable();
        expected.sort_unstable();
        assert_eq!(sorted, expected);
        assert_eq!(requests[0].method, "GET");
        let key = format!("Bearer {}", world.simulator.deploycenter_key());
        assert_eq!(requests[0].header("x-service-auth"), Some(key.as_str()));
        assert_eq!(requests[0].header("authorization"), None);
    }

    async fn a_user_without_the_required_claim_is_not_asked_about(world: World) {
        // D12
        know(&world, ANN, json!({"town": "A"})).await;
        know_member(&world, "bob@commune-a.fr").await;
        world.org().set_domains("bob@commune-a.fr", SIRET, ["commune-a.fr"]);
        let ended = deploycenter(&world, &["--user", ANN]).await;
        assert_eq!(ended.source("deploycenter")["error"]["class"], "missing_claim", "{ended:?}");
        let message = ended.source("deploycenter")["error"]["message"].as_str().expect("a message").to_owned();
        assert!(message.contains("siret"), "{message}");
        assert_eq!(runs(&world).await, ["unavailable missing_claim"]);
        assert_eq!(world.org().count(System::Deploycenter), 0);
        let both = deploycenter(&world, &["--user", ANN, "--user", "bob@commune-a.fr"]).await;
        assert_eq!(both.source("deploycenter")["error"]["class"], "missing_claim", "{both:?}");
        assert_eq!(groups_of(&world, "bob@commune-a.fr", "deploycenter").await, ["maildomain:commune-a.fr:admin"]);
        assert_eq!(world.org().count(System::Deploycenter), 1);
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
        assert_eq!(world.org().count(System::Deploycenter), 2, "a whole run asks only about whom it can");
    }

    async fn a_domain_is_the_same_however_it_is_written(world: World) {
        // D7
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["Commune-A.FR ", "commune-a.fr"]);
        let ended = deploycenter(&world, &["--user", ANN]).await;
        expect(&ended, 0, "applied");
        assert_eq!(ended.source("deploycenter")["counts"]["created"], 1);
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, ["maildomain:commune-a.fr:admin"]);
        let facet = "SELECT resource_type || ' ' || resource_id || ' ' || permission FROM user_group
            WHERE managed_by = 'deploycenter'";
        let group = texts(&world, facet).await;
        assert_eq!(group, ["maildomain commune-a.fr admin"]);
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
    }

    async fn unknown_entitlements_are_kept_verbatim_and_their_changes_are_events(world: World) {
        // D10
        know_member(&world, ANN).await;
        let nested = json!({"b": [1, 2.5, null, "é"], "a": {"z": true}});
        world.org().set_entitlement(ANN, "brand_new", nested.clone()).set_entitlement(
            ANN,
            "limit",
            json!(12345678901234567890_u64),
        );
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "applied");
        let stated = async |key: &str| {
            let shown = world.user(ANN).await;
            let all = shown["entitlements"].as_array().expect("entitlements").clone();
            all.into_iter().find(|stated| stated["key"] == key).map(|stated| stated["value"].clone())
        };
        assert_eq!(stated("brand_new").await, Some(nested));
        assert_eq!(stated("limit").await, Some(json!(12345678901234567890_u64)));
        assert_eq!(stated("can_access").await, Some(json!(true)));
        let changes = "SELECT count(*) FROM event WHERE event_type = 'entitlement.changed'";
        assert_eq!(world.count(changes).await, 1);
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "unchanged");
        assert_eq!(world.count(changes).await, 1);
        world.org().set_entitlement(ANN, "limit", json!(7)).reset_entitlement(ANN, "brand_new");
        let changed = deploycenter(&world, &["--user", ANN]).await;
        expect(&changed, 0, "applied");
        assert_eq!((stated("limit").await, stated("brand_new").await), (Some(json!(7)), None));
        assert_eq!(world.count(changes).await, 2);
        let newest = texts(
            &world,
            "SELECT payload FROM event WHERE event_type = 'entitlement.changed' ORDER BY position DESC LIMIT 1",
        )
        .await;
        assert!(newest[0].contains("brand_new") && newest[0].contains("12345678901234567890"), "{newest:?}");
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
    }

    async fn a_refused_key_is_reported_with_the_setting_and_asked_once(world: World) {
        // D8
        let mut world = world;
        world.configure("retry = { attempts = 1 }", "retry = { attempts = 5, base = \"10ms\", max = \"20ms\" }");
        know_member(&world, ANN).await;
        world.org().fault(Target::system(System::Deploycenter), Fault::status(401));
        let ended = deploycenter(&world, &["--user", ANN]).await;
        expect(&ended, 3, "unavailable");
        assert_eq!(ended.source("deploycenter")["error"]["class"], "unauthorized");
        let message = ended.source("deploycenter")["error"]["message"].as_str().expect("a message").to_owned();
        assert!(message.contains("sources.deploycenter.token"), "{message}");
        assert_eq!(world.org().count(System::Deploycenter), 1, "no retry storm");
    }

    async fn a_passing_failure_is_asked_again_within_its_budget(world: World) {
        // S5, S17
        let mut world = world;
        world.configure("retry = { attempts = 1 }", "retry = { attempts = 3, base = \"10ms\", max = \"20ms\" }");
        know_member(&world, ANN).await;
        world.org().fault(Target::system(System::Deploycenter).times(2), Fault::status(503));
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "applied");
        assert_eq!(world.org().count(System::Deploycenter), 3);
        world.org().clear_requests().fault(Target::system(System::Deploycenter), Fault::status(503));
        expect(&deploycenter(&world, &["--user", ANN]).await, 3, "unavailable");
        assert_eq!(world.org().count(System::Deploycenter), 3, "three attempts in all");
    }
}
