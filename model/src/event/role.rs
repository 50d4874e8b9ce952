//! Roles: assigned, changed, taken away.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Payload, Stream};
use crate::identity::{GroupId, UserId};
use crate::role::Role;

/// Whose role it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleSubject {
    User(UserId),
    /// Of everybody in the group.
    Group(GroupId),
}

impl RoleSubject {
    /// `user` or `group`.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            RoleSubject::User(_) => "user",
            RoleSubject::Group(_) => "group",
        }
    }

    #[must_use]
    pub fn id(self) -> Uuid {
        match self {
            RoleSubject::User(UserId(id)) | RoleSubject::Group(GroupId(id)) => id,
        }
    }
}

/// A role was assigned, changed or taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleChanged {
    pub subject: RoleSubject,
    pub before: Option<Role>,
    pub after: Option<Role>,
}

impl Payload for RoleChanged {
    fn stream(&self) -> Stream {
        Stream(self.subject.kind(), self.subject.id().to_string())
    }
}
