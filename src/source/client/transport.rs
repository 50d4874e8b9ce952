//! One attempt: a request, and its reply read to the end within a time and a size.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use entitled_model::observation::Retry;
use entitled_model::{ErrorClass, Failure};
use reqwest::header::{ACCEPT, DATE, ETAG, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use url::Url;

use super::heard::Heard;
use super::reply::{self, Reply};
use crate::clock::Clock;
use crate::source::Urgency;

/// The longest a connection may take to be made.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// How long an idle connection is kept.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// A body is given this much room before its size is known.
const BODY_BYTES_EXPECTED: usize = 16 * 1024;

/// What is asked for unless a call says otherwise.
const JSON: &str = "application/json";

/// One question. No `Debug`: its address names a person.
pub struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub content: Content,
    /// The media types that are understood.
    pub accept: &'static str,
    pub urgency: Urgency,
}

pub enum Content {
    None,
    Json(serde_json::Value),
    Form(Vec<(&'static str, String)>),
}

impl Call {
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url, Content::None)
    }

    pub fn post(url: Url, content: Content) -> Self {
        Self::new(Method::POST, url, content)
    }

    fn new(method: Method, url: Url, content: Content) -> Self {
        Self { method, url, headers: Vec::new(), content, accept: JSON, urgency: Urgency::Background }
    }

    pub fn urgency(self, urgency: Urgency) -> Self {
        Self { urgency, ..self }
    }
}

/// The connections of one source.
pub struct Transport {
    http: reqwest::Client,
    timeout: Duration,
    body_bytes_max: usize,
    clock: Clock,
    heard: Arc<Heard>,
}

impl Transport {
    /// # Errors
    /// When the TLS provider can't be set up.
    pub fn new(timeout: Duration, body_bytes_max: usize, clock: Clock) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
            .pool_idle_timeout(IDLE_MAX)
            .user_agent(concat!("entitled/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, timeout, body_bytes_max, clock, heard: Arc::default() })
    }

    /// What its answers say beside their bodies.
    pub fn heard(&self) -> Arc<Heard> {
        Arc::clone(&self.heard)
    }

    /// One attempt within the source's own timeout.
    ///
    /// # Errors
    /// See [`Transport::fetch`].
    pub async fn fetch_once(&self, call: &Call) -> Result<Reply, Failure> {
        self.fetch(call, None, self.timeout).await
    }

    /// One attempt. Every status is a reply.
    ///
    /// # Errors
    /// `timeout`, `connect` (no head came back), `incomplete` (closed within the body), `malformed` (body above the limit).
    pub async fn fetch(
        &self,
        call: &Call,
        credential: Option<(&HeaderName, &HeaderValue)>,
        timeout: Duration,
    ) -> Result<Reply, Failure> {
        let request = self.request(call, credential).timeout(timeout);
        let sent_at = self.clock.now();
        let mut response = request.send().await.map_err(|error| no_head(&error))?;
        self.heard.note(response.headers(), sent_at, self.clock.now());
        let status = response.status();
        let retry_after = self.retry_after(&response);
        let etag = response.headers().get(ETAG).cloned();
        let body = match self.body(&mut response).await {
            Ok(body) => body,
            // The status says it all.
            Err(_) if !status.is_success() => Vec::new(),
            Err(failure) => return Err(failure),
        };
        Ok(Reply { status, retry_after, etag, body })
    }

    fn request(&self, call: &Call, credential: Option<(&HeaderName, &HeaderValue)>) -> reqwest::RequestBuilder {
        let Call { method, url, headers, content, accept, urgency: _ } = call;
        let mut request = self.http.request(method.clone(), url.clone()).header(ACCEPT, *accept);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some((name, value)) = credential {
            request = request.header(name, value);
        }
        match content {
            Content::None => request,
            Content::Json(json) => request.json(json),
            Content::Form(fields) => request.form(fields),
        }
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::with_capacity(BODY_BYTES_EXPECTED.min(self.body_bytes_max));
        while let Some(chunk) = response.chunk().await.map_err(|error| no_whole_body(&error))? {
            if body.len() + chunk.len() > self.body_bytes_max {
                let message = format!("the answer is larger than {} bytes (body_bytes_max)", self.body_bytes_max);
                return Err(Failure::new(ErrorClass::Malformed, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn retry_after(&self, response: &Response) -> Option<Duration> {
        let headers = response.headers();
        let said_at = headers.get(DATE).and_then(|date| reply::http_date(date.to_str().ok()?));
        reply::retry_after(headers.get(RETRY_AFTER)?, said_at.unwrap_or_else(|| self.clock.now()))
    }
}

fn no_head(error: &reqwest::Error) -> Failure {
    let (class, message) = match error {
        _ if error.is_timeout() => (ErrorClass::Timeout, "no answer in time"),
        _ if error.is_builder() => {
            return Failure::new(ErrorClass::Malformed, "the request could not be built");
        }
        _ if error.is_connect() => (ErrorClass::Connect, connect_cause(error)),
        _ => (ErrorClass::Connect, "the connection was closed before an answer"),
    };
    Failure::new(class, message).retry(Retry::Soon)
}

/// What an operator can act on, without the address that some causes quote.
fn connect_cause(error: &reqwest::Error) -> &'static str {
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => "the connection was refused",
        Some(io::ErrorKind::ConnectionReset) => "the connection was reset",
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "the host can't be reached",
        Some(io::ErrorKind::InvalidData) => "no secure connection could be made (TLS)",
        _ => "no connection could be made (name, address or TLS)",
    }
}

fn no_whole_body(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::new(ErrorClass::Timeout, "the answer was not whole in time").retry(Retry::Soon);
    }
    match io_kind(error) {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) if error.is_decode() => {
            Failure::new(ErrorClass::Malformed, "the answer is not compressed as it says")
        }
        _ => Failure::new(ErrorClass::Incomplete, "the connection was closed within the answer").retry(Retry::Soon),
    }
}

fn io_kind(error: &dyn Error) -> Option<io::ErrorKind> {
    let mut kind = None;
    let mut cause = error.source();
    while let Some(error) = cause {
        kind = error.downcast_ref::<io::Error>().map(io::Error::kind).or(kind);
        cause = error.source();
    }
    kind
}
