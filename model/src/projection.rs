//! Projection: the row changes that follow from an event. The tables of current state are these, and nothing else.

use crate::entitlement::EntitlementValue;
use crate::event::{
    Event, GrantCreated, Granted, GroupCreated, PlanApplied, PlanApprovalVoided, PlanApproved, PlanRejected, Recorded,
    ResourceAttributesChanged, ResourceProvisioned,
};
use crate::identity::{GroupId, Position, SourceName, UserId};
use crate::instant::Instant;
use crate::resource::Attributes;

/// A change of rows, set-based: the store carries out many of one kind in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange<'e> {
    InsertUsers {
        users: &'e [UserId],
    },
    /// The source has suspended the user.
    PutSuspension {
        user: UserId,
        source: &'e SourceName,
    },
    DeleteSuspension {
        user: UserId,
        source: &'e SourceName,
    },
    InsertGroup(&'e GroupCreated),
    RenameGroup {
        group: GroupId,
        name: &'e str,
    },
    DescribeGroup {
        group: GroupId,
        description: Option<&'e str>,
    },
    /// The group stays for what its memberships were; its name is free.
    EndGroup {
        group: GroupId,
    },
    InsertGrant(&'e GrantCreated),
    DeleteGrants(&'e [Granted]),
    OpenMemberships {
        group: GroupId,
        source: &'e SourceName,
        users: &'e [UserId],
    },
    CloseMemberships {
        group: GroupId,
        source: &'e SourceName,
        users: &'e [UserId],
    },
    /// The open membership remembers that its removal was blocked.
    MarkBlocked {
        group: GroupId,
        source: &'e SourceName,
        user: UserId,
    },
    PutEntitlement {
        user: UserId,
        source: &'e SourceName,
        key: &'e str,
        value: &'e EntitlementValue,
    },
    DeleteEntitlement {
        user: UserId,
        source: &'e SourceName,
        key: &'e str,
    },
    /// The approval of a source's plan; it takes the place of an earlier one.
    PutApproval(&'e PlanApproved),
    DeleteApproval {
        source: &'e SourceName,
        hash: &'e str,
    },
    /// The resource is there, with these attributes.
    PutResource {
        resource_type: &'e str,
        resource_id: &'e str,
        attributes: &'e Attributes,
    },
}

/// When a row change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    pub position: Position,
    pub at: Instant,
}

/// The row changes of one recorded event.
#[must_use]
pub fn row_changes(recorded: &Recorded) -> (Since, Vec<RowChange<'_>>) {
    let since = Since { position: recorded.position, at: recorded.recorded_at };
    let changes = match &recorded.event {
        Event::UserCreated(event) => vec![RowChange::InsertUsers { users: &event.users }],
        Event::UserProfileChanged(_) => Vec::new(),
        Event::UserSuspended(event) => {
            vec![RowChange::PutSuspension { user: event.user, source: &event.source }]
        }
        Event::UserReactivated(event) => {
            vec![RowChange::DeleteSuspension { user: event.user, source: &event.source }]
        }
        Event::GroupCreated(event) => vec![RowChange::InsertGroup(event)],
        Event::GroupRenamed(event) => vec![RowChange::RenameGroup { group: event.group, name: &event.after }],
        Event::GroupDescriptionChanged(event) => {
            vec![RowChange::DescribeGroup { group: event.group, description: event.after.as_deref() }]
        }
        Event::GroupDeleted(event) => vec![RowChange::EndGroup { group: event.group }],
        Event::GrantCreated(event) => vec![RowChange::InsertGrant(event)],
        Event::GrantDeleted(event) => vec![RowChange::DeleteGrants(&event.before)],
        Event::MembershipChanged(event) => {
            let (group, source) = (event.group, &event.source);
            let close = RowChange::CloseMemberships { group, source, users: &event.removed };
            let open = RowChange::OpenMemberships { group, source, users: &event.added };
            vec![close, open]
        }
        Event::MembershipRemovalBlocked(event) => {
            vec![RowChange::MarkBlocked { group: event.group, source: &event.source, user: event.user }]
        }
        Event::EntitlementChanged(event) => {
            let (user, source) = (event.user, &event.source);
            let changes = event.changes.iter().map(|(key, change)| match &change.after {
                Some(value) => RowChange::PutEntitlement { user, source, key, value },
                None => RowChange::DeleteEntitlement { user, source, key },
            });
            changes.collect()
        }
        Event::PlanApproved(event) => vec![RowChange::PutApproval(event)],
        Event::PlanRejected(PlanRejected { source, hash, reason: _ })
        | Event::PlanApplied(PlanApplied { source, hash })
        | Event::PlanApprovalVoided(PlanApprovalVoided { source, hash, why: _, plan: _ }) => {
            vec![RowChange::DeleteApproval { source, hash }]
        }
        Event::ResourceProvisioned(ResourceProvisioned { resource_type, resource_id, attributes })
        | Event::ResourceAttributesChanged(ResourceAttributesChanged {
            resource_type,
            resource_id,
            after: attributes,
            before: _,
        }) => vec![RowChange::PutResource { resource_type, resource_id, attributes }],
    };
    (since, changes)
}
