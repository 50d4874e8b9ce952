//! Configured keys: machine callers, each with its scopes.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{HttpKey, Scope};

/// The keys that are accepted. Only hashes are held.
#[derive(Default)]
pub struct Keys(Vec<Key>);

/// One of them.
pub(super) struct Key {
    pub name: String,
    hash: [u8; 32],
    pub scopes: BTreeSet<Scope>,
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

    /// The key that was given, if it is one of ours. Every key is compared, and each in constant time, so that time tells
    /// nothing about which is nearly right.
    pub(super) fn find(&self, given: &str) -> Option<&Key> {
        let given = hash(given);
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.hash.ct_eq(&given)) {
                found = Some(key);
            }
        }
        found
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
