//! Entitlements: what a backend states about a user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Event, Payload, Stream};
use crate::entitlement::{EntitlementKey, EntitlementValue};
use crate::identity::{SourceName, UserId};

/// What a backend states about a user changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntitlementChanged {
    pub user: UserId,
    pub source: SourceName,
    pub changes: BTreeMap<EntitlementKey, EntitlementChange>,
}

impl Payload for EntitlementChanged {
    fn stream(&self) -> Stream {
        Stream("user", self.user.to_string())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntitlementChange {
    pub before: Option<EntitlementValue>,
    pub after: Option<EntitlementValue>,
}

impl Event {
    #[must_use]
    pub fn entitlements_changed(
        user: UserId,
        source: &SourceName,
        changes: BTreeMap<EntitlementKey, EntitlementChange>,
    ) -> Self {
        Event::EntitlementChanged(EntitlementChanged { user, source: source.clone(), changes })
    }
}
