//! Machine callers: keys from the configuration, each with its scopes.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Problem;
use crate::config::{HttpKey, Scope};

/// The keys that are accepted. Only hashes are held.
#[derive(Default)]
pub struct Keys(Vec<Key>);

/// A caller whose key is one of ours.
pub struct Key {
    name: String,
    hash: [u8; 32],
    scopes: BTreeSet<Scope>,
}

impl Keys {
    #[must_use]
    pub fn new(configured: &[HttpKey]) -> Self {
        let key = |HttpKey { name, secret, scopes }: &HttpKey| Key {
            name: name.clone(),
            hash: hash(secret.expose()),
            scopes: scopes.clone(),
        };
        Self(configured.iter().map(key).collect())
    }

    /// Who is calling.
    ///
    /// # Errors
    /// 401 without a valid credential.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<&Key, Problem> {
        let unauthorized =
            |detail: &str, challenge| Problem::new(StatusCode::UNAUTHORIZED, detail).challenge(challenge);
        let Some(given) = bearer(headers) else {
            return Err(unauthorized(
                "this needs a credential: Authorization: Bearer <key>",
                r#"Bearer realm="entitled""#,
            ));
        };
        let given = hash(given);
        // Every key is compared, and each in constant time, so that time tells nothing about which is nearly right.
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.hash.ct_eq(&given)) {
                found = Some(key);
            }
        }
        found.ok_or_else(|| {
            unauthorized("the credential is not valid", r#"Bearer realm="entitled", error="invalid_token""#)
        })
    }
}

impl Key {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Requires one of `scopes`.
    ///
    /// # Errors
    /// 403 when it has none of them.
    pub fn require(&self, scopes: &[Scope]) -> Result<(), Problem> {
        if scopes.iter().any(|scope| self.scopes.contains(scope)) {
            return Ok(());
        }
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        let detail = format!("the credential lacks the scope {}", scopes.join(" or "));
        Err(Problem::new(StatusCode::FORBIDDEN, detail)
            .challenge(r#"Bearer realm="entitled", error="insufficient_scope""#))
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The credential of an `Authorization: Bearer` header; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}
