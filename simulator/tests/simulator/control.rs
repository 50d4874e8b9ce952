//! The control endpoint does what the handle does.

use entitled_simulator::System;
use serde_json::{Value, json};

use crate::stage::{SIRET_A, Stage};

async fn post(stage: &Stage, path: &str, body: Value) -> u16 {
    let url = format!("{}/{path}", stage.simulator.control_url());
    stage.client.post(url).json(&body).send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn the_organisation_is_changed_over_http() {
    let stage = Stage::empty().await;
    let organisation = json!({ "action": "set", "siret": SIRET_A, "active": true });
    let domains =
        json!({ "action": "set_domains", "email": "ann@commune-a.fr", "siret": SIRET_A, "domains": ["commune-a.fr"] });
    let membership = json!({ "action": "add", "group": "grp_acme_x@example.com", "member": "ann@commune-a.fr" });
    for (path, body) in [
        ("deploycenter/organisation", organisation),
        ("deploycenter/account", domains),
        ("users", json!({ "action": "add", "email": "ann@commune-a.fr" })),
        ("groups", json!({ "action": "add", "email": "grp_acme_x@example.com" })),
        ("memberships", membership),
        ("users", json!({ "action": "suspend", "email": "ann@commune-a.fr" })),
        ("deploycenter/post", json!({ "post": "accepted" })),
    ] {
        assert_eq!(post(&stage, path, body).await, 204, "{path}");
    }
    assert_eq!(stage.domains_of("ann@commune-a.fr").await, json!(["commune-a.fr"]));
    assert_eq!(stage.all("groups?userKey=ann@commune-a.fr", "groups").await.len(), 1);
    let url = format!("{}/state", stage.simulator.control_url());
    let state: Value = stage.client.get(url).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&state["users"], &state["groups"], &state["memberships"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(state["requests"]["deploycenter"]["count"], 1);
}

#[tokio::test]
async fn faults_are_installed_released_and_removed_over_http() {
    let stage = Stage::empty().await;
    let target = json!({ "system": "deploycenter", "times": 1 });
    assert_eq!(
        post(&stage, "faults", json!({ "target": target, "fault": { "kind": "status", "code": 500 } })).await,
        204
    );
    assert_eq!(stage.entitlements("ann@commune-a.fr", SIRET_A).send().await.expect("an answer").status(), 500);
    assert_eq!(
        post(&stage, "faults", json!({ "target": target, "fault": { "kind": "hold", "name": "gate" } })).await,
        204
    );
    let held = tokio::spawn(stage.entitlements("ann@commune-a.fr", SIRET_A).send());
    stage.wait_for_requests(System::Deploycenter, 2, std::time::Duration::from_secs(5)).await.expect("arrives");
    assert_eq!(post(&stage, "release/gate", json!({})).await, 204);
    assert_eq!(held.await.expect("ends").expect("an answer").status(), 200);
    assert_eq!(
        post(&stage, "faults", json!({ "target": { "system": "google" }, "fault": { "kind": "reset" } })).await,
        204
    );
    let faults = format!("{}/faults", stage.simulator.control_url());
    let listed: Value = stage.client.get(&faults).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(listed, json!([{ "target": { "system": "google" }, "fault": { "kind": "reset" } }]));
    assert_eq!(stage.client.delete(&faults).send().await.expect("an answer").status(), 204);
    assert!(stage.faults().is_empty());
    let url = format!("{}/requests?system=deploycenter", stage.simulator.control_url());
    let requests: Value = stage.client.get(url).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(requests.as_array().map(Vec::len), Some(2));
    assert!(requests[0]["at_ms"].is_number());
}

#[tokio::test]
async fn what_makes_no_sense_is_422_with_a_message() {
    let stage = Stage::empty().await;
    for (path, body) in [
        ("users", json!({ "action": "add" })),
        ("users", json!({ "action": "explode", "email": "a@b.c" })),
        ("users", json!({ "action": "add", "email": "no address" })),
        ("users", json!({ "action": "add", "email": "a@b.c", "colour": "red" })),
        ("users", json!({ "action": "suspend", "email": "nobody@b.c" })),
        ("memberships", json!([])),
        ("faults", json!({ "target": { "system": "moon" }, "fault": { "kind": "reset" } })),
        ("faults", json!({ "target": { "system": "google" }, "fault": { "kind": "delay" } })),
        ("release/nothing", json!({})),
    ] {
        let url = format!("{}/{path}", stage.simulator.control_url());
        let answer = stage.client.post(url).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 422, "{path} {body}");
        let refusal: Value = answer.json().await.expect("JSON");
        assert!(refusal["error"].as_str().is_some_and(|message| !message.is_empty()));
    }
}
