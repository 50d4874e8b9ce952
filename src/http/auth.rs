//! Machine callers: keys from the configuration, each with its scopes.

use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Problem;
use crate::config::{HttpKey, Scope};

/// The keys that are accepted. Only hashes are held.
#[derive(Default)]
pub struct Keys(Vec<Key>);

struct Key {
    hash: [u8; 32],
    scopes: std::collections::BTreeSet<Scope>,
}

impl Keys {
    #[must_use]
    pub fn new(configured: &[HttpKey]) -> Self {
        let key = |key: &HttpKey| Key { hash: hash(key.secret.expose()), scopes: key.scopes.clone() };
        Self(configured.iter().map(key).collect())
    }

    /// Requires a bearer credential with `scope`.
    ///
    /// # Errors
    /// 401 without a valid credential, 403 with one that lacks the scope.
    pub fn require(&self, headers: &HeaderMap, scope: &Scope) -> Result<(), Problem> {
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
        match found {
            None => {
                Err(unauthorized("the credential is not valid", r#"Bearer realm="entitled", error="invalid_token""#))
            }
            Some(key) if key.scopes.contains(scope) => Ok(()),
            Some(_) => Err(Problem::new(StatusCode::FORBIDDEN, format!("the credential lacks the scope {scope}"))
                .challenge(r#"Bearer realm="entitled", error="insufficient_scope""#)),
        }
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
