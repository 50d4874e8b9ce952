//! Events: what happened, immutable and chained. Payloads hold ids and small scalars, never an address or a secret.

mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::entitlement::{EntitlementKey, EntitlementValue};
use crate::groups::Rename;
use crate::identity::{Facet, GroupId, SourceName, UserId};
use crate::observation::ObservedGroup;
use crate::resource::Attributes;

pub use recorded::{Cause, Digest, GENESIS, Recorded, Written};

/// The version under which today's payloads are written.
pub const SCHEMA_VERSION: i32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    UserCreated(UserCreated),
    UserProfileChanged(UserProfileChanged),
    UserSuspended(StandingChanged),
    UserReactivated(StandingChanged),
    GroupCreated(GroupCreated),
    GroupRenamed(GroupRenamed),
    GroupDescriptionChanged(GroupDescriptionChanged),
    GroupDeleted(GroupDeleted),
    MembershipChanged(MembershipChanged),
    MembershipRemovalBlocked(RemovalBlocked),
    EntitlementChanged(EntitlementChanged),
    PlanApproved(PlanApproved),
    PlanRejected(PlanRejected),
    PlanApplied(PlanApplied),
    PlanApprovalVoided(PlanApprovalVoided),
    ResourceProvisioned(ResourceProvisioned),
    ResourceAttributesChanged(ResourceAttributesChanged),
}

/// Users became known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserCreated {
    pub users: Vec<UserId>,
}

/// Parts of a user's profile changed. The values stand in the profile alone, so that they can be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserProfileChanged {
    pub user: UserId,
    pub fields: BTreeSet<ProfileField>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileField {
    Email,
    Sub,
    Claims,
}

/// A source says that a user's account is suspended, or that it no longer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingChanged {
    pub user: UserId,
    pub source: SourceName,
}

/// A group became known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupCreated {
    pub group: GroupId,
    pub name: String,
    /// The source that manages it; none for the system groups.
    pub managed_by: Option<SourceName>,
    /// The directory's own immutable id.
    pub external_id: Option<String>,
    pub facet: Option<Facet>,
    pub resource_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A group is called by another name, and stays the same group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRenamed {
    pub group: GroupId,
    pub before: String,
    pub after: String,
}

/// What a group is for was said in other words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDescriptionChanged {
    pub group: GroupId,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// A group is gone; its memberships ended before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDeleted {
    pub group: GroupId,
}

/// Memberships of one group began and ended, all of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipChanged {
    pub group: GroupId,
    pub source: SourceName,
    pub added: Vec<UserId>,
    pub removed: Vec<UserId>,
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

/// What a backend states about a user changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntitlementChanged {
    pub user: UserId,
    pub source: SourceName,
    pub changes: BTreeMap<EntitlementKey, EntitlementChange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntitlementChange {
    pub before: Option<EntitlementValue>,
    pub after: Option<EntitlementValue>,
}

/// A person lets a held plan be applied, once, as long as it is this very plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanApproved {
    pub source: SourceName,
    pub hash: String,
    pub reason: String,
    /// As [`instant::written`]; none for as long as the plan stays the same.
    pub expires_at: Option<String>,
}

/// A person does not want a held plan applied; it stays held, and an approval of it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRejected {
    pub source: SourceName,
    pub hash: String,
    pub reason: String,
}

/// An approved plan was applied; its approval is used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanApplied {
    pub source: SourceName,
    pub hash: String,
}

/// An approval ended unused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanApprovalVoided {
    pub source: SourceName,
    pub hash: String,
    pub why: VoidReason,
    /// What the source's plan was instead.
    pub plan: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// What is stored or upstream gave another plan.
    Changed,
    Expired,
}

/// A resource became known here, so that entitlements to it take effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceProvisioned {
    pub resource_type: String,
    pub resource_id: String,
    pub attributes: Attributes,
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

/// Why a stored event can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("unknown event type {event_type:?} in schema version {schema_version}")]
    Unknown { event_type: String, schema_version: i32 },
    #[error("the payload of a {event_type} does not fit its type")]
    Payload { event_type: String, source: serde_json::Error },
}

impl Event {
    #[must_use]
    pub fn users_created(users: Vec<UserId>) -> Self {
        Event::UserCreated(UserCreated { users })
    }

    #[must_use]
    pub fn group_created(group: GroupId, observed: &ObservedGroup, source: &SourceName) -> Self {
        let (managed_by, external_id, facet, resource_id) = match observed {
            ObservedGroup::System(_) => (None, None, None, None),
            ObservedGroup::Directory { external_id, .. } => (Some(source.clone()), external_id.clone(), None, None),
            ObservedGroup::Resource { facet, resource_id, .. } => {
                (Some(source.clone()), None, Some(facet.clone()), Some(resource_id.clone()))
            }
        };
        let name = observed.name().to_owned();
        Event::GroupCreated(GroupCreated {
            group,
            name,
            managed_by,
            external_id,
            facet,
            resource_id,
            description: None,
        })
    }

    #[must_use]
    pub fn group_renamed(Rename { group, before, after }: Rename) -> Self {
        Event::GroupRenamed(GroupRenamed { group, before, after })
    }

    #[must_use]
    pub fn memberships_changed(group: GroupId, source: &SourceName, added: Vec<UserId>, removed: Vec<UserId>) -> Self {
        Event::MembershipChanged(MembershipChanged { group, source: source.clone(), added, removed })
    }

    #[must_use]
    pub fn entitlements_changed(
        user: UserId,
        source: &SourceName,
        changes: BTreeMap<EntitlementKey, EntitlementChange>,
    ) -> Self {
        Event::EntitlementChanged(EntitlementChanged { user, source: source.clone(), changes })
    }

    /// The type under which it stands in the log.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        match self {
            Event::UserCreated(_) => "user.created",
            Event::UserProfileChanged(_) => "user.profile_changed",
            Event::UserSuspended(_) => "user.suspended",
            Event::UserReactivated(_) => "user.reactivated",
            Event::GroupCreated(_) => "group.created",
            Event::GroupRenamed(_) => "group.renamed",
            Event::GroupDescriptionChanged(_) => "group.description_changed",
            Event::GroupDeleted(_) => "group.deleted",
            Event::MembershipChanged(_) => "membership.changed",
            Event::MembershipRemovalBlocked(_) => "membership.removal_blocked",
            Event::EntitlementChanged(_) => "entitlement.changed",
            Event::PlanApproved(_) => "plan.approved",
            Event::PlanRejected(_) => "plan.rejected",
            Event::PlanApplied(_) => "plan.applied",
            Event::PlanApprovalVoided(_) => "plan.approval_voided",
            Event::ResourceProvisioned(_) => "resource.provisioned",
            Event::ResourceAttributesChanged(_) => "resource.attributes_changed",
        }
    }

    /// What it is about: a category and an id within it. Users that were created together have no stream of their own.
    #[must_use]
    pub fn stream(&self) -> (&'static str, String) {
        match self {
            Event::UserCreated(event) => match event.users.as_slice() {
                [user] => ("user", user.to_string()),
                _ => ("user", String::new()),
            },
            Event::UserProfileChanged(event) => ("user", event.user.to_string()),
            Event::UserSuspended(event) | Event::UserReactivated(event) => ("user", event.user.to_string()),
            Event::EntitlementChanged(event) => ("user", event.user.to_string()),
            Event::GroupCreated(event) => ("group", event.group.to_string()),
            Event::GroupRenamed(event) => ("group", event.group.to_string()),
            Event::GroupDescriptionChanged(event) => ("group", event.group.to_string()),
            Event::GroupDeleted(event) => ("group", event.group.to_string()),
            Event::MembershipChanged(event) => ("group", event.group.to_string()),
            Event::MembershipRemovalBlocked(event) => ("group", event.group.to_string()),
            Event::PlanApproved(PlanApproved { hash, .. })
            | Event::PlanRejected(PlanRejected { hash, .. })
            | Event::PlanApplied(PlanApplied { hash, .. })
            | Event::PlanApprovalVoided(PlanApprovalVoided { hash, .. }) => ("plan", hash.clone()),
            Event::ResourceProvisioned(ResourceProvisioned { resource_type, resource_id, .. })
            | Event::ResourceAttributesChanged(ResourceAttributesChanged { resource_type, resource_id, .. }) => {
                ("resource", format!("{resource_type}:{resource_id}"))
            }
        }
    }

    /// The form in which it is written today.
    #[must_use]
    pub fn written(&self) -> Written {
        Written { schema_version: SCHEMA_VERSION, payload: self.payload() }
    }

    fn payload(&self) -> String {
        let text = match self {
            Event::UserCreated(event) => serde_json::to_string(event),
            Event::UserProfileChanged(event) => serde_json::to_string(event),
            Event::UserSuspended(event) | Event::UserReactivated(event) => serde_json::to_string(event),
            Event::GroupCreated(event) => serde_json::to_string(event),
            Event::GroupRenamed(event) => serde_json::to_string(event),
            Event::GroupDescriptionChanged(event) => serde_json::to_string(event),
            Event::GroupDeleted(event) => serde_json::to_string(event),
            Event::MembershipChanged(event) => serde_json::to_string(event),
            Event::MembershipRemovalBlocked(event) => serde_json::to_string(event),
            Event::EntitlementChanged(event) => serde_json::to_string(event),
            Event::PlanApproved(event) => serde_json::to_string(event),
            Event::PlanRejected(event) => serde_json::to_string(event),
            Event::PlanApplied(event) => serde_json::to_string(event),
            Event::PlanApprovalVoided(event) => serde_json::to_string(event),
            Event::ResourceProvisioned(event) => serde_json::to_string(event),
            Event::ResourceAttributesChanged(event) => serde_json::to_string(event),
        };
        text.expect("invariant: a payload has string keys and plain values")
    }

    /// Reads a stored payload of any version that was ever written, and says how that version writes it.
    ///
    /// # Errors
    /// When the type or version is unknown, or the payload does not fit.
    pub fn decode(event_type: &str, schema_version: i32, payload: &str) -> Result<(Self, Written), DecodeError> {
        let read = match (event_type, schema_version) {
            ("user.created", 1) => serde_json::from_str(payload).map(Event::UserCreated),
            ("user.profile_changed", 1) => serde_json::from_str(payload).map(Event::UserProfileChanged),
            ("user.suspended", 1) => serde_json::from_str(payload).map(Event::UserSuspended),
            ("user.reactivated", 1) => serde_json::from_str(payload).map(Event::UserReactivated),
            ("group.created", 1) => serde_json::from_str(payload).map(Event::GroupCreated),
            ("group.renamed", 1) => serde_json::from_str(payload).map(Event::GroupRenamed),
            ("group.description_changed", 1) => serde_json::from_str(payload).map(Event::GroupDescriptionChanged),
            ("group.deleted", 1) => serde_json::from_str(payload).map(Event::GroupDeleted),
            ("membership.changed", 1) => serde_json::from_str(payload).map(Event::MembershipChanged),
            ("membership.removal_blocked", 1) => serde_json::from_str(payload).map(Event::MembershipRemovalBlocked),
            ("entitlement.changed", 1) => serde_json::from_str(payload).map(Event::EntitlementChanged),
            ("plan.approved", 1) => serde_json::from_str(payload).map(Event::PlanApproved),
            ("plan.rejected", 1) => serde_json::from_str(payload).map(Event::PlanRejected),
            ("plan.applied", 1) => serde_json::from_str(payload).map(Event::PlanApplied),
            ("plan.approval_voided", 1) => serde_json::from_str(payload).map(Event::PlanApprovalVoided),
            ("resource.provisioned", 1) => serde_json::from_str(payload).map(Event::ResourceProvisioned),
            ("resource.attributes_changed", 1) => serde_json::from_str(payload).map(Event::ResourceAttributesChanged),
            _ => return Err(DecodeError::Unknown { event_type: event_type.to_owned(), schema_version }),
        };
        let event: Event = read.map_err(|source| DecodeError::Payload { event_type: event_type.to_owned(), source })?;
        // Version 1 is today's. An older version's payload is written by its own type, before it becomes today's event.
        let written = event.written();
        Ok((event, written))
    }
}

#[cfg(test)]
mod tests;
