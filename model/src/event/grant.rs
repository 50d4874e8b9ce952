//! Grants: given to a group, and taken back.

use serde::{Deserialize, Serialize};

use super::{Event, Payload, Stream};
use crate::identity::{GrantId, GroupId};

/// What a grant gives to its group: a permission on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    pub grant: GrantId,
    pub permission: String,
    pub resource_type: String,
    pub resource_id: String,
}

/// A group was given a permission on a resource. There was nothing before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantCreated {
    pub group: GroupId,
    pub after: Granted,
}

impl Payload for GrantCreated {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

/// Grants of one group were taken back: one by itself, or all that it had, before it is deleted. Nothing is left of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDeleted {
    pub group: GroupId,
    pub before: Vec<Granted>,
}

impl Payload for GrantDeleted {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

impl Event {
    #[must_use]
    pub fn grants_deleted(group: GroupId, before: Vec<Granted>) -> Self {
        Event::GrantDeleted(GrantDeleted { group, before })
    }
}
