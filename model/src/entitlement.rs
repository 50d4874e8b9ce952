//! Entitlements: facts a backend states about a user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of an entitlement (`can_access`, `max_storage`, ...); unknown ones are kept.
pub type EntitlementKey = String;

/// An entitlement's value: any JSON, kept as its compact text so that it compares and hashes exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntitlementValue(String);

impl EntitlementValue {
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(value.to_string())
    }

    /// A value read back from the store.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The compact JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The JSON value; a text that is not JSON (a damaged store) reads as that text.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_else(|_| Value::String(self.0.clone()))
    }
}

/// All that a backend states about one user.
pub type Entitlements = BTreeMap<EntitlementKey, EntitlementValue>;
