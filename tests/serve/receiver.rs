//! What Sentry would receive: a server on loopback that keeps every envelope as it came.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{PATIENCE, World};

#[derive(Clone)]
struct Tape {
    bodies: Arc<Mutex<Vec<Bytes>>>,
    told: watch::Sender<usize>,
}

pub struct Receiver {
    address: std::net::SocketAddr,
    tape: Tape,
}

impl Receiver {
    /// Listens, and makes every process that the world starts report here.
    pub async fn start(world: &mut World) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let tape = Tape { bodies: Arc::default(), told: watch::Sender::new(0) };
        let router = Router::new().fallback(keep).with_state(tape.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let receiver = Self { address, tape };
        world.environment.push(("SENTRY_DSN".to_owned(), receiver.dsn()));
        receiver
    }

    pub fn dsn(&self) -> String {
        format!("http://examplepublickey@{}/1", self.address)
    }

    /// Waits until so many events have arrived.
    pub async fn wait_for(&self, events: usize) -> Vec<Value> {
        let mut told = self.tape.told.subscribe();
        let waiting = async {
            while self.events().len() < events {
                told.changed().await.expect("it listens");
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("only these: {:#?}", self.events()));
        self.events()
    }

    /// The events in all envelopes so far, in the order of their arrival.
    pub fn events(&self) -> Vec<Value> {
        let bodies = self.tape.bodies.lock().expect("bodies");
        bodies.iter().flat_map(|body| events_in(body)).collect()
    }

    /// Everything that arrived, as text.
    pub fn text(&self) -> String {
        let bodies = self.tape.bodies.lock().expect("bodies");
        bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
    }
}

async fn keep(State(tape): State<Tape>, body: Bytes) -> Json<Value> {
    tape.bodies.lock().expect("bodies").push(body);
    tape.told.send_modify(|count| *count += 1);
    Json(json!({}))
}

/// An envelope is a line of headers, then for each item a line of headers and its payload.
fn events_in(envelope: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(envelope);
    let mut lines = text.lines().skip(1);
    let mut events = Vec::new();
    while let (Some(head), Some(payload)) = (lines.next(), lines.next()) {
        let head: Value = serde_json::from_str(head).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(head["type"], "event", "nothing else is sent: {text}");
        events.push(serde_json::from_str(payload).unwrap_or_else(|error| panic!("{error}: {text}")));
    }
    events
}
