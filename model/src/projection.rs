//! Projection: the row changes that follow from an event. The tables of current state are these, and nothing else.

use crate::administrators::Administration;
use crate::entitlement::EntitlementValue;
use crate::event::{
    DirectoryAdministratorChanged, Event, GrantCreated, Granted, GroupCreated, PlanApplied, PlanApprovalVoided,
    PlanApproved, PlanRejected, Recorded, RemovalCancelled, RemovalScheduled, ResourceAttributesChanged,
    ResourceProvisioned, RoleChanged, RoleSubject, TokenCreated,
};
use crate::identity::{GroupId, Position, SourceName, TokenId, UserId};
use crate::instant::Instant;
use crate::resource::Attributes;
use crate::role::Role;

/// A change of rows, set-based: the store carries out many of one kind in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange<'e> {
    InsertUsers {
        users: &'e [UserId],
    },
    /// The user can't use anything any more, whatever a source says, until they are restored.
    Deactivate {
        user: UserId,
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
    Restore {
        user: UserId,
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
    /// The open memberships go from then on; none: they stay.
    MarkDue {
        group: GroupId,
        source: &'e SourceName,
        users: &'e [UserId],
        /// As [`crate::instant::written`].
        due_at: Option<&'e str>,
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
    /// The subject has this role.
    PutRole {
        subject: RoleSubject,
        role: Role,
    },
    DeleteRole {
        subject: RoleSubject,
    },
    /// The user is an administrator of the source's directory.
    PutAdministrator {
        user: UserId,
        source: &'e SourceName,
        state: Administration,
    },
    DeleteAdministrator {
        user: UserId,
        source: &'e SourceName,
    },
    /// The resource is there, with these attributes.
    PutResource {
        resource_type: &'e str,
        resource_id: &'e str,
        attributes: &'e Attributes,
    },
    InsertToken(&'e TokenCreated),
    RevokeToken {
        token: TokenId,
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
        Event::UserProfileChanged(_) | Event::SourceForgotten(_) => Vec::new(),
        Event::UserSuspended(event) => {
            vec![RowChange::PutSuspension { user: event.user, source: &event.source }]
        }
        Event::UserReactivated(event) => {
            vec![RowChange::DeleteSuspension { user: event.user, source: &event.source }]
        }
        Event::UserDeactivated(event) => vec![RowChange::Deactivate { user: event.user }],
        Event::UserRestored(event) => vec![RowChange::Restore { user: event.user }],
        Event::UserErased(event) => vec![RowChange::Deactivate { user: event.user }],
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
            let mut changes = vec![close, open];
            let until = |due_at| RowChange::MarkDue { group, source, users: &event.added, due_at: Some(due_at) };
            changes.extend(event.expires_at.as_deref().map(until));
            changes
        }
        Event::MembershipRemovalBlocked(event) => {
            vec![RowChange::MarkBlocked { group: event.group, source: &event.source, user: event.user }]
        }
        Event::MembershipRemovalScheduled(RemovalScheduled { group, source, users, due_at }) => {
            vec![RowChange::MarkDue { group: *group, source, users, due_at: Some(due_at) }]
        }
        Event::MembershipRemovalCancelled(RemovalCancelled { group, source, users }) => {
            vec![RowChange::MarkDue { group: *group, source, users, due_at: None }]
        }
        Event::EntitlementChanged(event) => {
            let (user, source) = (event.user, &event.source);
            let changes = event.changes.iter().map(|(key, change)| match &change.after {
                Some(value) => RowChange::PutEntitlement { user, source, key, value },
                None => RowChange::DeleteEntitlement { user, source, key },
            });
            changes.collect()
        }
        Event::RoleChanged(RoleChanged { subject, before: _, after }) => vec![match after {
            Some(role) => RowChange::PutRole { subject: *subject, role: *role },
            None => RowChange::DeleteRole { subject: *subject },
        }],
        Event::DirectoryAdministratorChanged(DirectoryAdministratorChanged { user, source, before: _, after }) => {
            vec![match after {
                Some(state) => RowChange::PutAdministrator { user: *user, source, state: *state },
                None => RowChange::DeleteAdministrator { user: *user, source },
            }]
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
        Event::TokenCreated(event) => vec![RowChange::InsertToken(event)],
        Event::TokenRevoked(event) => vec![RowChange::RevokeToken { token: event.token }],
        // The membership that was given is told by an event of its own.
        Event::SeedFailed(_) | Event::BreakGlassGranted(_) => Vec::new(),
    };
    (since, changes)
}
