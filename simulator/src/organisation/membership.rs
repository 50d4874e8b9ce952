//! What an entry of a member list is.

use serde::{Deserialize, Serialize};

/// The role of a member in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// May manage the group and its owners.
    Owner,
    /// May manage members.
    Manager,
    /// Is in the group.
    #[default]
    Member,
}

/// The type of an entry of a member list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum MemberKind {
    User,
    Group,
    Customer,
    External,
}
