//! G8: tokens are issued for what Google would issue them for, and open what they should.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{SCOPES, Stage};

async fn denied(stage: &Stage, claims: &Value) -> String {
    let answer = stage.exchange(&stage.signed(claims)).await;
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.expect("JSON");
    assert!(body["error_description"].is_string());
    body["error"].as_str().expect("an error").to_owned()
}

#[tokio::test]
async fn a_good_assertion_gets_a_bearer_token() {
    let stage = Stage::empty().await;
    let answer = stage.exchange(&stage.signed(&stage.claims())).await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(stage.tokens_issued(), 2);
}

#[tokio::test]
async fn a_bad_assertion_gets_none() {
    let stage = Stage::empty().await;
    for (claim, value, error) in [
        ("iss", json!("somebody@else.example"), "invalid_grant"),
        ("aud", json!("https://oauth2.googleapis.com/token"), "invalid_grant"),
        ("iat", json!(1_000_000_000), "invalid_grant"),
        ("exp", json!(1_000_000_000), "invalid_grant"),
        ("sub", json!(""), "invalid_grant"),
        ("sub", Value::Null, "invalid_grant"),
        ("scope", json!(" "), "invalid_scope"),
    ] {
        let mut claims = stage.claims();
        claims[claim] = value;
        assert_eq!(denied(&stage, &claims).await, error, "{claim}");
    }
    let signed = stage.signed(&stage.claims());
    let (head, signature) = signed.rsplit_once('.').expect("three parts");
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(stage.exchange(&forged).await.status(), 400);
    assert_eq!(stage.exchange("nonsense").await.status(), 400);
    let answer = stage
        .client
        .post(stage.simulator.token_uri())
        .form(&[("grant_type", "password")])
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 400);
    assert_eq!(stage.tokens_issued(), 1);
}

#[tokio::test]
async fn the_directory_refuses_without_a_living_token() {
    let mut stage = Stage::empty().await;
    let url = format!("{}/admin/directory/v1/users?customer=my_customer", stage.simulator.base_url());
    assert_eq!(stage.client.get(&url).send().await.expect("an answer").status(), 401);
    assert_eq!(stage.client.get(&url).bearer_auth("made-up").send().await.expect("an answer").status(), 401);
    stage.revoke_tokens();
    assert_eq!(stage.refusal("users?customer=my_customer").await, (401, "authError".to_owned()));
    stage.renew_token().await;
    stage.page("users?customer=my_customer").await;
    stage.advance_clock(Duration::from_secs(3600));
    assert_eq!(stage.refusal("users?customer=my_customer").await, (401, "authError".to_owned()));
}

#[tokio::test]
async fn a_scope_opens_only_its_resource() {
    let stage = Stage::empty().await;
    let mut claims = stage.claims();
    claims["scope"] = json!("https://www.googleapis.com/auth/admin.directory.group.member.readonly");
    let body: Value = stage.exchange(&stage.signed(&claims)).await.json().await.expect("JSON");
    let token = body["access_token"].as_str().expect("a token");
    stage.add_group("a@example.com");
    for (path, status) in
        [("groups/a@example.com/members", 200), ("groups/a@example.com", 403), ("users?customer=my_customer", 403)]
    {
        let url = format!("{}/admin/directory/v1/{path}", stage.simulator.base_url());
        assert_eq!(
            stage.client.get(url).bearer_auth(token).send().await.expect("an answer").status(),
            status,
            "{path}"
        );
    }
}

/// One scope too many, and there is no token at all.
#[tokio::test]
async fn a_scope_that_is_not_delegated_refuses_the_whole_token() {
    let stage = Stage::empty().await;
    let groups = SCOPES.split_whitespace().next().expect("a scope");
    stage.delegate_scopes(&[groups]);
    let answer = stage.exchange(&stage.signed(&stage.claims())).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["error"], "unauthorized_client");
    let mut claims = stage.claims();
    claims["scope"] = json!(groups);
    assert_eq!(stage.exchange(&stage.signed(&claims)).await.status(), 200);
}

#[tokio::test]
async fn keyless_delegation_ends_in_the_same_exchange() {
    let stage = Stage::empty().await;
    let base = stage.simulator.base_url();
    let metadata = format!("{base}/computeMetadata/v1/instance/service-accounts/default/token");
    assert_eq!(stage.client.get(&metadata).send().await.expect("an answer").status(), 403);
    let own: Value = stage
        .client
        .get(&metadata)
        .header("Metadata-Flavor", "Google")
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let own = own["access_token"].as_str().expect("a token");
    let sign = format!("{base}/v1/projects/-/serviceAccounts/{}:signJwt", stage.simulator.service_account());
    let request = json!({ "payload": stage.claims().to_string() });
    assert_eq!(stage.client.post(&sign).json(&request).send().await.expect("an answer").status(), 401);
    let signed: Value = stage
        .client
        .post(&sign)
        .bearer_auth(own)
        .json(&request)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let answer = stage.exchange(signed["signedJwt"].as_str().expect("a JWT")).await;
    assert_eq!(answer.status(), 200);
    let directory = format!("{base}/admin/directory/v1/groups?customer=my_customer");
    assert_eq!(stage.client.get(directory).bearer_auth(own).send().await.expect("an answer").status(), 403);
    assert!(SCOPES.contains("group.readonly"));
}
