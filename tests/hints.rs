//! DeployCenter's webhooks as hints, on both stores.

mod support;

use entitled_simulator::System;
use serde_json::{Value, json};
use support::{Daemon, PATIENCE, SIRET, World};

async fn serve(world: &mut World, settle: &str) -> Daemon {
    world.environment.push(("WEBHOOK_KEY".to_owned(), "webhook-key".to_owned()));
    world.configure_also(&format!(
        r#"
[[http.keys]]
name = "deploycenter-webhook"
secret = {{ env = "WEBHOOK_KEY" }}
scopes = ["hook:deploycenter"]

[hooks.deploycenter]
settle = "{settle}"
"#
    ));
    world.serve().await
}

async fn hook(daemon: &Daemon, key: Option<&str>, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let mut request = reqwest::Client::new().post(format!("{}/hooks/deploycenter", daemon.base)).body(body);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

async fn know(world: &World, daemon: &Daemon, name: &str) {
    let email = format!("{name}@commune-a.fr");
    world.org().set_domains(&email, SIRET, ["commune-a.fr"]);
    let (status, answer) = daemon.login(&json!({"email": email, "claims": {"siret": SIRET}})).await;
    assert_eq!(status, 200, "{answer}");
}

fn webhook_runs(line: &Value) -> bool {
    line["message"] == "run ended" && line["trigger"] == "webhook" && line["source"] == "deploycenter"
}

on_both_stores! {
    async fn a_webhook_that_names_a_user_refreshes_that_user_alone(world: World) {
        let mut world = world;
        let daemon = serve(&mut world, "50ms").await;
        know(&world, &daemon, "ann").await;
        know(&world, &daemon, "bob").await;
        let calls = world.org().count(System::Deploycenter);
        world.org().set_domains("ann@commune-a.fr", SIRET, [] as [&str; 0]);
        let body = json!({"event_type": "account.updated", "account": {"email": "Ann@Commune-A.fr"}, "roles": ["owner"]});
        let (status, answer) = hook(&daemon, Some("webhook-key"), body.to_string()).await;
        assert_eq!((status, &answer["scheduled"]), (202, &json!("users")), "{answer}");
        let run = daemon.wait_for_log(webhook_runs).await;
        assert_eq!((&run["users"], &run["removed"]), (&json!(1), &json!(1)), "{run}");
        assert_eq!(world.org().count(System::Deploycenter), calls + 1);
    }

    async fn webhooks_that_name_nobody_are_one_run_of_everybody(world: World) {
        let mut world = world;
        let daemon = serve(&mut world, "1s").await;
        know(&world, &daemon, "ann").await;
        know(&world, &daemon, "bob").await;
        let calls = world.org().count(System::Deploycenter);
        let body = || json!({"event_type": "subscription.updated", "timestamp": "2026-11-22T01:57:02.377054+00:00"}).to_string();
        for _ in 0..20 {
            assert_eq!(hook(&daemon, Some("webhook-key"), body()).await.0, 202);
        }
        let run = daemon.wait_for_log(webhook_runs).await;
        assert_eq!(run["users"], 2, "{run}");
        assert_eq!(world.org().count(System::Deploycenter), calls + 2, "twenty hints are one run");
    }

    async fn what_a_webhook_says_is_never_taken_as_data(world: World) {
        let mut world = world;
        let daemon = serve(&mut world, "0s").await;
        know(&world, &daemon, "ann").await;
        let before = world.user("ann@commune-a.fr").await;
        let claim = json!({"email": "ann@commune-a.fr", "entitlements": {"can_admin_maildomains": []}, "can_access": false});
        hook(&daemon, Some("webhook-key"), claim.to_string()).await;
        let run = daemon.wait_for_log(webhook_runs).await;
        assert_eq!(run["outcome"], "unchanged", "{run}");
        assert_eq!(world.user("ann@commune-a.fr").await["memberships"], before["memberships"]);
        let (status, answer) = hook(&daemon, Some("webhook-key"), json!({"email": "eve@commune-a.fr"}).to_string()).await;
        assert_eq!((status, &answer["scheduled"]), (202, &json!("nobody")));
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1, "a webhook creates nobody");
    }

    async fn webhooks_without_the_right_or_without_an_object_are_refused(world: World) {
        let mut world = world;
        let daemon = serve(&mut world, "0s").await;
        assert_eq!(hook(&daemon, None, "{}").await.0, 401);
        assert_eq!(hook(&daemon, Some("login-key"), "{}").await.0, 403);
        for body in ["", "{", "[]", "null", "\"x\"", "42"] {
            assert_eq!(hook(&daemon, Some("webhook-key"), body).await.0, 400, "{body}");
        }
        let deep = format!("{}{}", "{\"a\":".repeat(5_000), "1");
        assert_eq!(hook(&daemon, Some("webhook-key"), deep).await.0, 400);
        let nul = "{\"email\": \"a\\u0000@x.fr\"}";
        assert_eq!(hook(&daemon, Some("webhook-key"), nul).await.0, 202);
    }

    async fn a_hint_about_a_source_that_is_being_read_is_not_lost(world: World) {
        let mut world = world;
        let daemon = serve(&mut world, "50ms").await;
        know(&world, &daemon, "ann").await;
        world.org().clear_requests();
        world.org().fault(entitled_simulator::Target::system(System::Deploycenter).times(1), entitled_simulator::Fault::hold("read"));
        let mut reading = world.command(&["sync", "--source", "deploycenter"]).spawn().expect("it starts");
        world.org().wait_for_requests(System::Deploycenter, 1, PATIENCE).await.expect("it asks");
        world.org().set_domains("ann@commune-a.fr", SIRET, ["ville-a.fr"]);
        hook(&daemon, Some("webhook-key"), "{}").await;
        world.org().release("read");
        assert!(reading.wait().await.expect("it ends").success());
        let run = daemon.wait_for_log(webhook_runs).await;
        assert_eq!(run["error"], Value::Null, "{run}");
        let memberships = &world.user("ann@commune-a.fr").await["memberships"];
        assert_eq!(memberships[0]["group"], "maildomain:ville-a.fr:admin", "{memberships}");
    }
}
