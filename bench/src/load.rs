//! Requests at full speed or at a rate, over connections that stay open.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use crate::connection::Connection;
use crate::store::Store;

#[derive(Args)]
pub struct Options {
    /// Where they go: the host counts, paths are the requests'
    #[arg(long)]
    to: Url,
    /// One request a line: {"path", "headers": {..}, "body": .. or null, "email": .. for --store}
    #[arg(long)]
    requests: PathBuf,
    /// How many to send in all; the file is begun anew when it ends
    #[arg(long)]
    count: usize,
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// A second; as fast as answers come when not given
    #[arg(long)]
    rate: Option<f64>,
    /// An answer of 422 is an answer
    #[arg(long)]
    refusals: bool,
    /// A store's URL: after each answer, the user with the request's e-mail is selected there
    #[arg(long)]
    store: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    path: String,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    body: Option<Value>,
    email: Option<String>,
}

impl Line {
    fn request(&self) -> anyhow::Result<Request<Full<Bytes>>> {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let mut request = Request::builder().method(method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        Ok(request.body(Full::from(body))?)
    }
}

struct Load {
    lines: Vec<Line>,
    options: Options,
    store: Option<Store>,
    next: AtomicUsize,
    began: Instant,
}

pub async fn run(options: Options) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(&options.requests).with_context(|| options.requests.display().to_string())?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>()?;
    ensure!(!lines.is_empty(), "{} holds no request", options.requests.display());
    let store = match &options.store {
        None => None,
        Some(url) => Some(Store::connect(url, options.connections).await?),
    };
    let connections = options.connections;
    let load = Arc::new(Load { lines, options, store, next: AtomicUsize::new(0), began: Instant::now() });
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        workers.spawn(work(load.clone()));
    }
    let mut took = Vec::with_capacity(load.options.count);
    while let Some(worker) = workers.join_next().await {
        took.append(&mut worker??);
    }
    Ok(told(took, load.began.elapsed()))
}

/// One connection's requests, one after the other; how long each took. An answer that isn't 2xx ends all.
async fn work(load: Arc<Load>) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(&load.options.to).await?;
    let mut took = Vec::new();
    loop {
        let number = load.next.fetch_add(1, Ordering::Relaxed);
        if number >= load.options.count {
            return Ok(took);
        }
        let begun = load.turn(number).await;
        let line = &load.lines[number % load.lines.len()];
        let answer = connection.send(line.request()?).await?;
        let status = answer.status();
        let taken = status.is_success() || (load.options.refusals && status == StatusCode::UNPROCESSABLE_ENTITY);
        ensure!(taken, "{} answered {status}: {}", line.path, String::from_utf8_lossy(answer.body()));
        if let (Some(store), Some(email)) = (&load.store, &line.email) {
            ensure!(store.knows(email).await?, "the store has no user {email}");
        }
        took.push(begun.elapsed());
    }
}

impl Load {
    /// From when on a request counts as late: a request that had to wait for one before it was due all the same.
    async fn turn(&self, number: usize) -> Instant {
        let Some(rate) = self.options.rate else { return Instant::now() };
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let due = self.began + Duration::from_secs_f64(number as f64 / rate);
        if due <= Instant::now() {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        Instant::now()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
fn told(mut took: Vec<Duration>, seconds: Duration) -> Value {
    took.sort_unstable();
    let millis = |part: usize| took[(took.len() * part / 1000).min(took.len() - 1)].as_secs_f64() * 1000.0;
    json!({
        "requests": took.len(), "seconds": seconds.as_secs_f64(), "per_second": took.len() as f64 / seconds.as_secs_f64(),
        "median_ms": millis(500), "p99_ms": millis(990), "max_ms": millis(1000),
    })
}
