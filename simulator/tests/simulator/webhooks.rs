//! Webhooks: sent before the change they tell of, never twice, whatever the receiver answers.

use std::sync::Arc;

use entitled_simulator::{Webhook, WebhookBody};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::stage::{SIRET_A as A, Stage};

const BOB: &str = "bob@commune-a.fr";

/// Takes one request, and answers 500 to it after `meanwhile`.
async fn receive<T>(listener: TcpListener, meanwhile: impl Future<Output = T>) -> (String, T) {
    let (mut stream, _) = listener.accept().await.expect("a caller");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.expect("a byte"));
    }
    let head = String::from_utf8(request).expect("UTF-8");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).await.expect("a body");
    let seen = meanwhile.await;
    stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n").await.expect("written");
    (head + &String::from_utf8(body).expect("UTF-8"), seen)
}

async fn told(stage: &Stage, body: WebhookBody) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    stage.send_webhooks(Webhook { url, authorization: Some("Bearer prov-key".to_owned()), body });
    listener
}

async fn organization(stage: &Stage) -> String {
    let organizations =
        format!("{}operators/{}/organizations/", stage.simulator.management_url(), stage.simulator.operator_id());
    let answer = stage.client.get(&organizations).bearer_auth("op-ext-key").send().await.expect("an answer");
    let listed: Value = answer.json().await.expect("JSON");
    format!("{organizations}{}/", listed["results"][0]["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_receiver_that_asks_back_sees_the_old_state() {
    // captures 93, 94
    let stage = Arc::new(Stage::empty().await);
    stage.add_organisation(A, true).subscribe_domains(A, &["commune-a.fr", "ville-a.fr"]);
    stage.set_roles(BOB, A, &["admin"]);
    let listener = told(&stage, WebhookBody::Bare).await;
    let url = format!("{}services/42/subscription/", organization(&stage).await);
    let asking = Arc::clone(&stage);
    let receiver = tokio::spawn(receive(listener, async move { asking.domains_of(BOB).await }));
    let body = json!({"metadata": {"domains": ["commune-a.fr"]}});
    let answer = stage.client.patch(url).bearer_auth("op-ext-key").json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "the receiver's 500 is ignored");
    let (request, seen) = receiver.await.expect("told");
    assert!(request.starts_with("POST /hook HTTP/1.1") && request.contains("Bearer prov-key"), "{request}");
    assert!(request.contains(r#"{"event_type":"subscription.updated","timestamp":"#), "{request}");
    assert_eq!(seen, json!(["commune-a.fr", "ville-a.fr"]));
    assert_eq!(stage.domains_of(BOB).await, json!(["commune-a.fr"]));
}

#[tokio::test]
async fn provisioning_is_told_the_new_domains_in_one_text() {
    // capture 84
    let stage = Stage::empty().await;
    stage.add_organisation(A, true).subscribe_domains(A, &["commune-a.fr"]);
    let listener = told(&stage, WebhookBody::Provisioning).await;
    let url = format!("{}services/42/subscription/", organization(&stage).await);
    let body = json!({"metadata": {"domains": ["commune-a.fr", "new-a.fr"]}});
    let receiver = tokio::spawn(receive(listener, async {}));
    let answer = stage.client.patch(url).bearer_auth("svc-ext-key").json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let (request, ()) = receiver.await.expect("told");
    let sent = r#"{"custom_attributes":{"siret":"21750001600019"},"domains":"commune-a.fr,new-a.fr"}"#;
    assert!(request.ends_with(sent), "{request}");
}
