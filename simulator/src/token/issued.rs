//! The access tokens in circulation.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// Tokens remembered at once; the oldest goes first.
const TOKENS_KEPT_MAX: usize = 10_000;

/// Tokens issued and the lifetime of the next one.
#[derive(Debug)]
pub(crate) struct Tokens(Mutex<Circulation>);

#[derive(Debug)]
struct Circulation {
    live: VecDeque<Issued>,
    issued_count: u64,
    lifetime_seconds: i64,
    /// The scopes that an administrator delegated to the service account; `None` stands for all.
    delegated: Option<Vec<String>>,
}

/// A token that was handed out.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    token: String,
    pub scopes: Vec<String>,
    expires_at: i64,
}

/// A token answer, as RFC 6749 has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct TokenAnswer {
    pub access_token: String,
    pub expires_in: i64,
    pub token_type: &'static str,
}

impl Tokens {
    pub(crate) fn new(lifetime: Duration) -> Tokens {
        let circulation = Circulation { live: VecDeque::new(), issued_count: 0, lifetime_seconds: 0, delegated: None };
        let tokens = Tokens(Mutex::new(circulation));
        tokens.set_lifetime(lifetime);
        tokens
    }

    /// Issues a token for a list of scopes separated by spaces.
    pub(super) fn issue(&self, scope: &str, now: i64) -> TokenAnswer {
        let mut circulation = self.circulation();
        circulation.issued_count += 1;
        let expires_in = circulation.lifetime_seconds;
        let access_token = format!("ya29.simulated-{:08}", circulation.issued_count);
        let scopes = scope.split_whitespace().map(str::to_owned).collect();
        if circulation.live.len() == TOKENS_KEPT_MAX {
            circulation.live.pop_front();
        }
        circulation.live.push_back(Issued { token: access_token.clone(), scopes, expires_at: now + expires_in });
        TokenAnswer { access_token, expires_in, token_type: "Bearer" }
    }

    /// The token, if it lives.
    pub(crate) fn find(&self, token: &str, now: i64) -> Option<Issued> {
        let circulation = self.circulation();
        let known = circulation.live.iter().rev().find(|issued| issued.token == token);
        known.filter(|issued| now < issued.expires_at).cloned()
    }

    /// Makes every token unknown.
    pub(crate) fn revoke_all(&self) {
        self.circulation().live.clear();
    }

    /// Tokens issued since the start.
    pub(crate) fn issued_count(&self) -> u64 {
        self.circulation().issued_count
    }

    /// Sets the lifetime of tokens issued from now on.
    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        self.circulation().lifetime_seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    }

    /// Delegates these scopes, and no others.
    pub(crate) fn delegate(&self, scopes: Vec<String>) {
        self.circulation().delegated = Some(scopes);
    }

    /// Whether every scope of a list separated by spaces is delegated.
    pub(super) fn delegates(&self, scope: &str) -> bool {
        let circulation = self.circulation();
        let delegated = circulation.delegated.as_ref();
        delegated.is_none_or(|delegated| scope.split_whitespace().all(|scope| delegated.iter().any(|one| one == scope)))
    }

    fn circulation(&self) -> MutexGuard<'_, Circulation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
