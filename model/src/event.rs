//! Events: what happened, immutable and chained. Payloads hold ids and small scalars, never an address or a secret.

mod administrator;
mod entitlement;
mod grant;
mod group;
mod membership;
mod plan;
mod recorded;
mod resource;
mod role;
mod source;
mod token;
mod user;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use administrator::{BreakGlassGranted, DirectoryAdministratorChanged, SeedFailed, SeedFailure};
pub use entitlement::{EntitlementChange, EntitlementChanged};
pub use grant::{GrantCreated, GrantDeleted, Granted};
pub use group::{GroupCreated, GroupDeleted, GroupDescriptionChanged, GroupRenamed};
pub use membership::{MembershipChanged, RemovalBlocked, RemovalCancelled, RemovalScheduled};
pub use plan::{PlanApplied, PlanApprovalVoided, PlanApproved, PlanRejected, VoidReason};
pub use recorded::{Cause, Digest, GENESIS, Recorded, Written};
pub use resource::{ResourceAttributesChanged, ResourceProvisioned};
pub use role::{RoleChanged, RoleSubject};
pub use source::SourceForgotten;
pub use token::{TokenCreated, TokenRevoked};
pub use user::{
    ProfileField, StandingChanged, UserCreated, UserDeactivated, UserErased, UserProfileChanged, UserRestored,
};

/// The version under which today's payloads are written.
pub const SCHEMA_VERSION: i32 = 1;

/// What an event is about: a category and an id within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream(pub &'static str, pub String);

impl Stream {
    fn resource(resource_type: &str, resource_id: &str) -> Self {
        Stream("resource", format!("{resource_type}:{resource_id}"))
    }
}

/// What an event carries.
trait Payload: Serialize + DeserializeOwned {
    fn stream(&self) -> Stream;
}

/// The events, each with its payload and the type under which it stands in the log. A payload that changes gets a new schema
/// version, with an arm of its own in [`Event::decode`].
macro_rules! events {
    ($($variant:ident($payload:ident) = $event_type:literal,)+) => {
        /// One thing that happened.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($variant($payload),)+
        }

        impl Event {
            /// The type under which it stands in the log.
            #[must_use]
            pub fn event_type(&self) -> &'static str {
                match self {
                    $(Event::$variant(_) => $event_type,)+
                }
            }

            /// What it is about.
            #[must_use]
            pub fn stream(&self) -> Stream {
                match self {
                    $(Event::$variant(payload) => payload.stream(),)+
                }
            }

            /// The form in which it is written today.
            #[must_use]
            pub fn written(&self) -> Written {
                let payload = match self {
                    $(Event::$variant(payload) => serde_json::to_string(payload),)+
                };
                let payload = payload.expect("invariant: a payload has string keys and plain values");
                Written { schema_version: SCHEMA_VERSION, payload }
            }

            /// Reads a stored payload of any version that was ever written, and says how that version writes it.
            ///
            /// # Errors
            /// When the type or version is unknown, or the payload does not fit.
            pub fn decode(
                event_type: &str,
                schema_version: i32,
                payload: &str,
            ) -> Result<(Self, Written), DecodeError> {
                let read = match (event_type, schema_version) {
                    $(($event_type, 1) => serde_json::from_str(payload).map(Event::$variant),)+
                    _ => return Err(DecodeError::Unknown { event_type: event_type.to_owned(), schema_version }),
                };
                let event: Event =
                    read.map_err(|source| DecodeError::Payload { event_type: event_type.to_owned(), source })?;
                // Version 1 is today's. An older version's payload is written by its own type, before it becomes today's event.
                let written = event.written();
                Ok((event, written))
            }
        }
    };
}

events! {
    UserCreated(UserCreated) = "user.created",
    UserProfileChanged(UserProfileChanged) = "user.profile_changed",
    UserSuspended(StandingChanged) = "user.suspended",
    UserReactivated(StandingChanged) = "user.reactivated",
    UserDeactivated(UserDeactivated) = "user.deactivated",
    UserRestored(UserRestored) = "user.restored",
    UserErased(UserErased) = "user.erased",
    GroupCreated(GroupCreated) = "group.created",
    GroupRenamed(GroupRenamed) = "group.renamed",
    GroupDescriptionChanged(GroupDescriptionChanged) = "group.description_changed",
    GroupDeleted(GroupDeleted) = "group.deleted",
    GrantCreated(GrantCreated) = "grant.created",
    GrantDeleted(GrantDeleted) = "grant.deleted",
    MembershipChanged(MembershipChanged) = "membership.changed",
    MembershipRemovalBlocked(RemovalBlocked) = "membership.removal_blocked",
    MembershipRemovalScheduled(RemovalScheduled) = "membership.removal_scheduled",
    MembershipRemovalCancelled(RemovalCancelled) = "membership.removal_cancelled",
    EntitlementChanged(EntitlementChanged) = "entitlement.changed",
    PlanApproved(PlanApproved) = "plan.approved",
    PlanRejected(PlanRejected) = "plan.rejected",
    PlanApplied(PlanApplied) = "plan.applied",
    PlanApprovalVoided(PlanApprovalVoided) = "plan.approval_voided",
    SourceForgotten(SourceForgotten) = "source.forgotten",
    RoleChanged(RoleChanged) = "role.changed",
    ResourceProvisioned(ResourceProvisioned) = "resource.provisioned",
    ResourceAttributesChanged(ResourceAttributesChanged) = "resource.attributes_changed",
    TokenCreated(TokenCreated) = "token.created",
    TokenRevoked(TokenRevoked) = "token.revoked",
    SeedFailed(SeedFailed) = "administrator.seed_failed",
    BreakGlassGranted(BreakGlassGranted) = "administrator.break_glass_granted",
    DirectoryAdministratorChanged(DirectoryAdministratorChanged) = "administrator.directory_changed",
}

/// Why a stored event can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("unknown event type {event_type:?} in schema version {schema_version}")]
    Unknown { event_type: String, schema_version: i32 },
    #[error("the payload of a {event_type} does not fit its type")]
    Payload { event_type: String, source: serde_json::Error },
}

#[cfg(test)]
mod tests;
