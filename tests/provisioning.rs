//! Provisioning over HTTP, and what it does to entitlements, on both stores.

mod support;

use entitled::store::StoredEvent;
use entitled_model::Position;
use entitled_simulator::System;
use serde_json::{Value, json};
use support::{Daemon, SIRET, World};

const ANN: &str = "ann@commune-a.fr";

/// The body that DeployCenter's webhook template sends.
fn webhook(domains: &Value) -> Value {
    json!({"domains": domains, "custom_attributes": {"siret": SIRET}})
}

async fn serve(world: &mut World) -> Daemon {
    world.environment.push(("PROVISIONING_KEY".to_owned(), "provisioning-key".to_owned()));
    world.configure_also(
        r#"
[[http.keys]]
name = "deploycenter"
secret = { env = "PROVISIONING_KEY" }
scopes = ["provision:maildomain"]
"#,
    );
    world.serve().await
}

async fn post(daemon: &Daemon, path: &str, key: Option<&str>, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let mut request = reqwest::Client::new().post(format!("{}{path}", daemon.base)).body(body);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

async fn provision(daemon: &Daemon, body: &Value) -> Value {
    let path = "/api/v1/provisioning/maildomains";
    let (status, answer) = post(daemon, path, Some("provisioning-key"), body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn list(daemon: &Daemon, query: &str) -> Value {
    let url = format!("{}/api/v1/resources/maildomain{query}", daemon.base);
    let response = reqwest::Client::new().get(url).bearer_auth("provisioning-key").send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.json().await.expect("JSON")
}

async fn events_of(world: &World, event_type: &str) -> Vec<StoredEvent> {
    let events = world.store().await.events_after(Position(0)).await.expect("a log");
    events.into_iter().filter(|event| event.recorded.event.event_type() == event_type).collect()
}

fn domains_of_ann(answer: &Value) -> Vec<&str> {
    let groups = answer["groups"].as_array().expect("groups");
    groups.iter().map(|group| group["group"].as_str().expect("a name")).collect()
}

on_both_stores! {
    async fn a_list_and_a_comma_separated_string_are_accepted(world: World) {
        // P1
        let mut world = world;
        let daemon = serve(&mut world).await;
        let answer = provision(&daemon, &webhook(&json!(["commune-a.fr", "ville-a.fr"]))).await;
        assert_eq!(answer, json!({"created": ["commune-a.fr", "ville-a.fr"], "existing": [], "errors": []}));
        let answer = provision(&daemon, &webhook(&json!("commune-a.fr, commune-b.fr"))).await;
        assert_eq!(answer, json!({"created": ["commune-b.fr"], "existing": ["commune-a.fr"], "errors": []}));
        assert_eq!(daemon.terminate().await, 0);
    }

    async fn a_bad_name_stops_no_other(world: World) {
        // P1, P2
        let mut world = world;
        let daemon = serve(&mut world).await;
        let answer = provision(&daemon, &webhook(&json!([" Commune-A.FR ", "INVALID DOMAIN!", "ville-a.fr"]))).await;
        assert_eq!(answer["created"], json!(["commune-a.fr", "ville-a.fr"]));
        assert_eq!(answer["errors"][0]["domain"], "INVALID DOMAIN!");
        assert!(answer["errors"][0]["error"].as_str().expect("a text").contains("domain name"), "{answer}");
        let listed = list(&daemon, "").await;
        assert_eq!(listed["resources"][0]["id"], "commune-a.fr");
        assert_eq!(listed["resources"][0]["attributes"], json!({"siret": SIRET}));
    }

    async fn attributes_that_differ_are_overwritten_with_an_event_of_before_and_after(world: World) {
        // P3
        let mut world = world;
        let daemon = serve(&mut world).await;
        provision(&daemon, &webhook(&json!("commune-a.fr"))).await;
        provision(&daemon, &webhook(&json!("commune-a.fr"))).await;
        assert!(events_of(&world, "resource.attributes_changed").await.is_empty(), "equal attributes are no event");
        provision(&daemon, &json!({"domains": "commune-a.fr", "custom_attributes": {"siret": "21750002400018"}})).await;
        let changed = events_of(&world, "resource.attributes_changed").await;
        let payload: Value = serde_json::from_str(&changed[0].recorded.written.payload).expect("JSON");
        assert_eq!(payload["before"], json!(format!("{{\"siret\":\"{SIRET}\"}}")));
        assert_eq!(payload["after"], json!("{\"siret\":\"21750002400018\"}"));
        assert_eq!(list(&daemon, "").await["resources"][0]["attributes"]["siret"], "21750002400018");
    }

    async fn malformed_requests_and_callers_without_the_right_are_refused(world: World) {
        // P4
        let mut world = world;
        let daemon = serve(&mut world).await;
        let path = "/api/v1/provisioning/maildomains";
        let bad = [
            "", "{", "[]", "null", "{}", r#"{"domains": ""}"#, r#"{"domains": " , "}"#, r#"{"domains": []}"#,
            r#"{"domains": 42}"#, r#"{"domains": null}"#, r#"{"domains": {"a": 1}}"#, r#"{"domains": ["a.fr", 42]}"#,
            r#"{"domains": "a.fr", "custom_attributes": []}"#, r#"{"domains": "a.fr", "custom_attributes": "x"}"#,
            "{\"domains\": \"a.fr\", \"custom_attributes\": {\"x\": \"\\u0000\"}}",
        ];
        for body in bad {
            let (status, problem) = post(&daemon, path, Some("provisioning-key"), body).await;
            assert_eq!(status, 400, "{body}: {problem}");
            assert_eq!(problem["status"], 400, "{problem}");
        }
        let body = || webhook(&json!("a.fr")).to_string();
        assert_eq!(post(&daemon, path, None, body()).await.0, 401);
        assert_eq!(post(&daemon, path, Some("provisioning-kez"), body()).await.0, 401);
        assert_eq!(post(&daemon, path, Some("login-key"), body()).await.0, 403);
        assert_eq!(post(&daemon, "/api/v1/provisioning/unicorns", Some("provisioning-key"), body()).await.0, 404);
        assert_eq!(post(&daemon, path, Some("provisioning-key"), "x".repeat(100_000)).await.0, 413);
        assert_eq!(list(&daemon, "").await["resources"], json!([]), "nothing was provisioned by any of these");
    }

    async fn a_listed_domain_takes_effect_in_the_transaction_that_provisions_it(world: World) {
        // D6, D7
        let mut world = world;
        world.org().set_domains(ANN, SIRET, ["Commune-A.FR ", "ville-a.fr"]);
        let daemon = serve(&mut world).await;
        provision(&daemon, &webhook(&json!("ville-a.fr"))).await;
        let login = json!({"email": ANN, "claims": {"siret": SIRET}});
        let (_, answer) = daemon.login(&login).await;
        assert_eq!(domains_of_ann(&answer), ["maildomain:ville-a.fr:admin"], "{answer}");
        let calls = world.org().count(System::Deploycenter);

        provision(&daemon, &webhook(&json!("commune-a.fr"))).await;
        let user = world.user(ANN).await;
        let row = &user["memberships"][0];
        assert_eq!((&row["group"], &row["source"]), (&json!("maildomain:commune-a.fr:admin"), &json!("deploycenter")));
        let provisioned = &events_of(&world, "resource.provisioned").await[1].recorded;
        let joined = &events_of(&world, "membership.changed").await;
        let joined = &joined.last().expect("a membership").recorded;
        assert_eq!(joined.recorded_at, provisioned.recorded_at, "one transaction");
        assert_eq!(joined.position.0, provisioned.position.0 + 2, "with the group's creation between them");
        assert_eq!(joined.cause.actor, "key:deploycenter");
        assert_eq!(world.org().count(System::Deploycenter), calls, "the backend was not asked again");

        let synced = world.sync(&["--source", "deploycenter"]).await;
        assert_eq!(synced.json()["outcome"], "unchanged", "{synced:?}");
        provision(&daemon, &webhook(&json!("commune-a.fr"))).await;
        assert_eq!(events_of(&world, "membership.changed").await.len(), 2, "provisioning again changes nothing");
    }

    async fn a_domain_that_is_no_longer_listed_when_it_is_provisioned_gives_nothing(world: World) {
        // D6
        let mut world = world;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let daemon = serve(&mut world).await;
        daemon.login(&json!({"email": ANN, "claims": {"siret": SIRET}})).await;
        world.org().set_domains(ANN, SIRET, ["ville-a.fr"]);
        world.sync(&["--source", "deploycenter"]).await;
        provision(&daemon, &webhook(&json!("commune-a.fr"))).await;
        assert_eq!(world.user(ANN).await["memberships"], json!([]));
    }

    async fn resources_are_listed_page_by_page(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let names: Vec<String> = (0..7).map(|n| format!("d{n}.fr")).collect();
        provision(&daemon, &webhook(&json!(names))).await;
        let (mut found, mut query) = (Vec::new(), "?limit=3".to_owned());
        loop {
            let page = list(&daemon, &query).await;
            let ids = page["resources"].as_array().expect("a list").iter().map(|one| one["id"].as_str().expect("an id").to_owned());
            found.extend(ids);
            let Some(next) = page["next"].as_str() else { break };
            query = format!("?limit=3&after={next}");
        }
        assert_eq!(found, names);
        for bad in ["?limit=0", "?limit=1001", "?limit=x"] {
            let url = format!("{}/api/v1/resources/maildomain{bad}", daemon.base);
            let response = reqwest::Client::new().get(url).bearer_auth("provisioning-key").send().await.expect("an answer");
            assert_eq!(response.status(), 400, "{bad}");
        }
    }
}
