//! Pages: sizes, opaque tokens, and one page cut from an ordered walk. A token remembers the last entry served, so a
//! page costs what it holds however far down the list it is, and a change between two pages shifts nothing.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::extract::Query;
use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::GoogleError;

/// Seconds a page token lives: three days (discovery document, `users.list`).
pub(super) const PAGE_TOKEN_LIFETIME_SECONDS: i64 = 3 * 24 * 3600;

/// Where the next page begins. Opaque on the wire, and valid only for the list it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageToken {
    /// The list, as [`list_of`] names it.
    pub list: u64,
    pub start: Start,
    /// The number of the page this token asks for, from 1.
    pub page: u64,
    /// Unix seconds.
    pub issued_at: i64,
}

/// The place in a list at which a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Start {
    First,
    /// After the entry with this key.
    After(String),
    /// After the last entry, whatever is added.
    End,
}

/// Names a list: its path and the parameters that choose its rows.
pub(crate) fn list_of(path: &str, query: &[(String, String)]) -> u64 {
    const NOT_CHOOSING: [&str; 5] = ["pageToken", "maxResults", "fields", "alt", "prettyPrint"];
    let mut choosing: Vec<_> = query.iter().filter(|(name, _)| !NOT_CHOOSING.contains(&name.as_str())).collect();
    choosing.sort();
    let mut hasher = DefaultHasher::new();
    (path, choosing).hash(&mut hasher);
    hasher.finish()
}

impl PageToken {
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    pub(crate) fn decode(text: &str) -> Option<PageToken> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

/// How many rows a page of a list may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageSize {
    pub rows_default: usize,
    pub rows_max: usize,
}

/// One page asked for.
#[derive(Debug, Clone)]
pub(super) struct PageRequest {
    rows_max: usize,
    token: PageToken,
    now: i64,
}

/// One page served.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub rows: Vec<T>,
    pub next_page_token: Option<String>,
}

impl PageRequest {
    /// Reads `maxResults` (above the limit, the limit counts) and `pageToken` of a call.
    ///
    /// # Errors
    /// 400 for a size that is no positive number, and for a token that is foreign, malformed or too old.
    pub(super) fn of(uri: &Uri, size: PageSize, now: i64) -> Result<PageRequest, GoogleError> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| GoogleError::bad_request())?.0;
        let last = |name| query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let rows_asked = match last("maxResults") {
            None => size.rows_default,
            Some(text) => {
                text.parse().ok().filter(|rows| *rows > 0).ok_or_else(|| GoogleError::invalid("maxResults"))?
            }
        };
        let list = list_of(uri.path(), &query);
        let token = match last("pageToken").filter(|text| !text.is_empty()) {
            None => PageToken { list, start: Start::First, page: 1, issued_at: now },
            Some(text) => PageToken::decode(text)
                .filter(|token| token.list == list && now - token.issued_at < PAGE_TOKEN_LIFETIME_SECONDS)
                .ok_or_else(|| GoogleError::invalid("pageToken"))?,
        };
        Ok(PageRequest { rows_max: rows_asked.min(size.rows_max), token, now })
    }

    /// The key after which this page begins.
    pub(super) fn after(&self) -> Option<&str> {
        match &self.token.start {
            Start::After(key) => Some(key),
            Start::First | Start::End => None,
        }
    }

    /// Takes this page from a walk that begins after [`PageRequest::after`]; each row comes with its key.
    pub(super) fn take<K: AsRef<str>, T>(&self, rows: impl Iterator<Item = (K, T)>) -> Page<T> {
        if self.token.start == Start::End {
            return Page { rows: Vec::new(), next_page_token: None };
        }
        let mut rows: Vec<_> = rows.take(self.rows_max + 1).collect();
        let more = rows.len() > self.rows_max;
        rows.truncate(self.rows_max);
        let last = rows.last().filter(|_| more).map(|(key, _)| key.as_ref().to_owned());
        Page {
            next_page_token: last.map(|last| self.next_token(last).encode()),
            rows: rows.into_iter().map(|(_, row)| row).collect(),
        }
    }

    fn next_token(&self, last: String) -> PageToken {
        PageToken { list: self.token.list, start: Start::After(last), page: self.token.page + 1, issued_at: self.now }
    }
}
