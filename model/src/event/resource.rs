//! Resources: what access is granted on.

use serde::{Deserialize, Serialize};

use super::{Payload, Stream};
use crate::resource::Attributes;

/// A resource became known here, so that entitlements to it take effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceProvisioned {
    pub resource_type: String,
    pub resource_id: String,
    pub attributes: Attributes,
}

impl Payload for ResourceProvisioned {
    fn stream(&self) -> Stream {
        Stream::resource(&self.resource_type, &self.resource_id)
    }
}

/// A resource's custom attributes were overwritten; a resource that moved to another organisation shows here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceAttributesChanged {
    pub resource_type: String,
    pub resource_id: String,
    pub before: Attributes,
    pub after: Attributes,
}

impl Payload for ResourceAttributesChanged {
    fn stream(&self) -> Stream {
        Stream::resource(&self.resource_type, &self.resource_id)
    }
}
