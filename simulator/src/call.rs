//! A call as the simulator understood it: which system it asks, about whom, and which page. Faults are matched
//! against it and the recorder keeps it.

use axum::body::Bytes;
use axum::extract::{Query, RawPathParams};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::directory::PageToken;

/// A system the simulator plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// DeployCenter's entitlements endpoint.
    Deploycenter,
    /// The Google Workspace directory.
    Google,
    /// Everything that yields a token: the OAuth endpoint, the metadata server and `signJwt`.
    Token,
}

impl System {
    /// All systems, in the order in which they are printed.
    pub const ALL: [System; 3] = [System::Deploycenter, System::Google, System::Token];

    /// The system a path belongs to; the control endpoint belongs to none.
    pub(crate) fn of_path(path: &str) -> Option<System> {
        const ROOTS: [(&str, System); 5] = [
            ("/api/v1.0/", System::Deploycenter),
            ("/admin/directory/v1/", System::Google),
            ("/token", System::Token),
            ("/computeMetadata/", System::Token),
            ("/v1/projects/", System::Token),
        ];
        ROOTS.into_iter().find(|(root, _)| path.starts_with(root)).map(|(_, system)| system)
    }
}

/// One request, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub system: System,
    pub method: String,
    pub path: String,
    pub raw_query: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    path_keys: Vec<(String, String)>,
}

impl Call {
    /// Takes a request's head and whole body apart.
    pub(crate) fn new(system: System, parts: &Parts, path_params: Option<&RawPathParams>, body: Bytes) -> Call {
        let query =
            Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let path_keys =
            path_params.into_iter().flatten().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Call {
            system,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            raw_query: parts.uri.query().unwrap_or_default().to_owned(),
            query,
            headers,
            body,
            path_keys,
        }
    }

    /// The path with its query, as sent.
    pub(crate) fn target(&self) -> String {
        if self.raw_query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.raw_query) }
    }

    /// The keys by which the call names people: an e-mail, an id, a `userKey`.
    pub(crate) fn user_keys(&self) -> impl Iterator<Item = &str> {
        let in_query = self.query_values(&["userKey", "account_email", "account_id"]);
        in_query.chain(self.path_values(&["user_key", "member_key"]))
    }

    /// The keys by which the call names groups. A `userKey` may be a group.
    pub(crate) fn group_keys(&self) -> impl Iterator<Item = &str> {
        self.query_values(&["userKey"]).chain(self.path_values(&["group_key"]))
    }

    /// The page token sent, if any; an empty one asks for the first page.
    pub(crate) fn page_token(&self) -> Option<&str> {
        self.query_values(&["pageToken"]).last().filter(|token| !token.is_empty())
    }

    /// The page asked for, from 1; a call without a page token asks for page 1.
    pub(crate) fn page(&self) -> u64 {
        match self.system {
            System::Deploycenter => self.query_values(&["page"]).last().and_then(|page| page.parse().ok()).unwrap_or(1),
            System::Google | System::Token => {
                self.page_token().and_then(PageToken::decode).map_or(1, |token| token.page)
            }
        }
    }

    fn query_values<'a>(&'a self, names: &'static [&'static str]) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.as_str())
    }

    fn path_values<'a>(&'a self, names: &'static [&'static str]) -> impl Iterator<Item = &'a str> {
        self.path_keys.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.as_str())
    }
}
