//! The REST interface of an entitled that runs elsewhere, asked as the command line asks: one question after the other.
//!
//! May import: config, http (its answers), json, reqwest. Redirects are not followed; every wait, answer and list has a limit.
//! Invariant: no error repeats the token, or an address with a user in it.

#[cfg(any(test, feature = "fuzzing"))]
mod decoders;
mod error;
mod page;

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use decoders::DECODERS;
pub use error::RemoteError;
pub use page::Page;

use crate::config::{Secret, ServerConfig};
use crate::json::Object;

/// How long an answer may take; a wait for news is shorter.
const DEADLINE: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer: a page of 1,000 rows, or the 10,000 changes of a plan, is far smaller.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most pages of one list.
const PAGES_MAX: usize = 100_000;
/// The rows of a page.
const PAGE_ROWS: &str = "1000";

/// One server, asked with one token.
pub struct Remote {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
}

impl Remote {
    /// # Errors
    /// When the TLS provider can't be set up.
    pub fn new(server: ServerConfig) -> Result<Self, RemoteError> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(DEADLINE)
            .user_agent(concat!("entitled/", env!("CARGO_PKG_VERSION")))
            .build();
        let http = http.map_err(|source| RemoteError::Setup { source })?;
        Ok(Self { http, base: server.url, token: server.token })
    }

    /// Reads what is at a path below `/api/v1`.
    ///
    /// # Errors
    /// When the server refuses, does not answer, or answers something else.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, RemoteError> {
        self.answer(&self.ask(Method::GET, path, query, None).await?)
    }

    /// # Errors
    /// As of [`Remote::get`].
    pub async fn post<T: DeserializeOwned>(&self, path: &[&str], body: &Value) -> Result<T, RemoteError> {
        self.answer(&self.ask(Method::POST, path, &[], Some(body)).await?)
    }

    /// # Errors
    /// As of [`Remote::get`].
    pub async fn patch<T: DeserializeOwned>(&self, path: &[&str], body: &Value) -> Result<T, RemoteError> {
        self.answer(&self.ask(Method::PATCH, path, &[], Some(body)).await?)
    }

    /// # Errors
    /// As of [`Remote::get`].
    pub async fn delete(&self, path: &[&str]) -> Result<(), RemoteError> {
        self.ask(Method::DELETE, path, &[], None).await.map(drop)
    }

    /// All rows of a list, page by page.
    ///
    /// # Errors
    /// As of [`Remote::get`], and when the list does not end.
    pub async fn all<P: Page>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<P::Row>, RemoteError> {
        let mut rows = Vec::new();
        let mut behind: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut asked = [query, &[("limit", PAGE_ROWS)]].concat();
            asked.extend(behind.as_deref().map(|behind| (P::BEHIND, behind)));
            let page: P = self.get(path, &asked).await?;
            let (found, next) = page.parts();
            let is_empty = found.is_empty();
            rows.extend(found);
            match next {
                None => return Ok(rows),
                // It would be asked for ever.
                next if is_empty || next == behind => break,
                next => behind = next,
            }
        }
        Err(RemoteError::Endless)
    }

    /// Whether the server says that it is ready.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_ready(&self) -> Result<bool, RemoteError> {
        let url = self.base.join("readyz").map_err(|_| RemoteError::Address)?;
        let asked = self.http.get(url).send().await;
        asked.map(|response| response.status() == StatusCode::OK).map_err(|error| self.unreachable(error))
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, RemoteError> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| RemoteError::Address)?.pop_if_empty().extend(["api", "v1"]).extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Vec<u8>, RemoteError> {
        let mut request = self.http.request(method, self.url(path, query)?).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let (status, headers) = (response.status(), response.headers());
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (kind, location) = (text(CONTENT_TYPE), text(LOCATION));
        if status.is_redirection() {
            return Err(RemoteError::redirect(status, &location));
        }
        let body = self.body(response).await?;
        match status.is_success() {
            true => Ok(body),
            false => Err(RemoteError::refused(status, &kind, &body, self.token.is_some())),
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, RemoteError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(RemoteError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn answer<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, RemoteError> {
        answer(body).ok_or_else(|| RemoteError::NotOurs { host: self.host() })
    }

    fn unreachable(&self, error: reqwest::Error) -> RemoteError {
        RemoteError::Unreachable { host: self.host(), source: error.without_url() }
    }

    /// The host and the port, and nothing else of the address.
    fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// Reads an answer: an object, and nothing else.
fn answer<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok().map(|Object(answer)| answer)
}
