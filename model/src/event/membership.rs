//! Memberships: begun, ended, about to end, kept against what a source asked.

use serde::{Deserialize, Serialize};

use super::{Event, Payload, Stream};
use crate::identity::{GroupId, SourceName, UserId};

/// Memberships of one group began and ended, all of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipChanged {
    pub group: GroupId,
    pub source: SourceName,
    pub added: Vec<UserId>,
    pub removed: Vec<UserId>,
    /// When those that were added end by themselves, as [`crate::instant::written`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl Payload for MembershipChanged {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

/// A removal that a source asked for is not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovalBlocked {
    pub group: GroupId,
    pub user: UserId,
    pub source: SourceName,
    pub reason: String,
}

/// Memberships are no longer listed, and go from `due_at` on unless they are listed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovalScheduled {
    pub group: GroupId,
    pub source: SourceName,
    pub users: Vec<UserId>,
    /// As [`crate::instant::written`].
    pub due_at: String,
}

impl Payload for RemovalScheduled {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

/// Memberships whose removal was scheduled are listed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovalCancelled {
    pub group: GroupId,
    pub source: SourceName,
    pub users: Vec<UserId>,
}

impl Payload for RemovalCancelled {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

impl Payload for RemovalBlocked {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

impl Event {
    #[must_use]
    pub fn memberships_changed(group: GroupId, source: &SourceName, added: Vec<UserId>, removed: Vec<UserId>) -> Self {
        Event::MembershipChanged(MembershipChanged { group, source: source.clone(), added, removed, expires_at: None })
    }
}
