//! Roles: assigned, changed, taken away.

use serde::{Deserialize, Serialize};

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
        match self.subject {
            RoleSubject::User(user) => Stream("user", user.to_string()),
            RoleSubject::Group(group) => Stream("group", group.to_string()),
        }
    }
}
