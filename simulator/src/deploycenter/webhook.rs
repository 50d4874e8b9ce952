//! The webhooks that DeployCenter sends: unsigned, never repeated, and whatever the receiver answers is ignored.

use std::sync::PoisonError;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::world::World;

/// How long a receiver may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Who is told of changes that are made through the management API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where to: `http://HOST:PORT/PATH`.
    pub url: String,
    /// The `Authorization` header, whole.
    pub authorization: Option<String>,
    /// What is told.
    pub body: WebhookBody,
}

/// What a webhook's body says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookBody {
    /// `{"event_type", "timestamp"}`.
    Bare,
    /// The template of provisioning, sent for subscriptions alone: the new domains in one text, and the siret.
    Provisioning,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    SubscriptionUpdated,
    AccountUpdated,
}

/// Tells every receiver, one after another; `domains` are the new ones of a subscription.
pub(super) async fn send(world: &World, event: Event, siret: &str, domains: Option<&Value>) {
    let webhooks = world.webhooks.read().unwrap_or_else(PoisonError::into_inner).clone();
    for webhook in webhooks {
        let body = match (webhook.body, event) {
            (WebhookBody::Bare, _) => bare(event),
            (WebhookBody::Provisioning, Event::SubscriptionUpdated) => provisioning(world, siret, domains),
            (WebhookBody::Provisioning, Event::AccountUpdated) => continue,
        };
        let sent = tokio::time::timeout(ANSWER_TIMEOUT, post(&webhook, &body)).await;
        match sent {
            Ok(Ok(status)) => tracing::debug!(status, "a webhook was sent"),
            Ok(Err(error)) => tracing::warn!(%error, "a webhook was not taken; it is not sent again"),
            Err(_) => tracing::warn!("a webhook's receiver did not answer in time"),
        }
    }
}

fn bare(event: Event) -> Value {
    let event_type = match event {
        Event::SubscriptionUpdated => "subscription.updated",
        Event::AccountUpdated => "account.updated",
    };
    json!({ "event_type": event_type, "timestamp": "2026-11-22T01:56:36.102991+00:00" })
}

/// Capture 84; a text that stands for the list is joined character by character (112).
fn provisioning(world: &World, siret: &str, domains: Option<&Value>) -> Value {
    let domains: Vec<String> = match domains {
        Some(Value::Array(listed)) => listed.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => text.chars().map(String::from).collect(),
        Some(_) => Vec::new(),
        None => world.organisation().subscriptions.domains(siret),
    };
    json!({ "domains": domains.join(","), "custom_attributes": { "siret": siret } })
}

async fn post(webhook: &Webhook, body: &Value) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let rest = webhook.url.strip_prefix("http://").ok_or("only http:// addresses are played")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("/{path}"))
        .header(header::HOST, authority)
        .header(header::USER_AGENT, "DeployCenter-Webhook/1.0")
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(authorization) = &webhook.authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let answered = sender.send_request(request.body(Body::from(body.to_string()))?).await;
    connection.abort();
    Ok(answered?.status().as_u16())
}
