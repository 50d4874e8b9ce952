//! Roles: how far somebody may go in entitled's own API.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A level in entitled's own API; each holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, and uses what applications use.
    Use,
    /// Manages users, and roles up to its own.
    Manage,
    /// Administers everything.
    Owner,
}

/// A word that is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of the roles viewer, use, manage, owner")]
pub struct InvalidRole;

impl Role {
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Use, Role::Manage, Role::Owner];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Use => "use",
            Role::Manage => "manage",
            Role::Owner => "owner",
        }
    }

    /// The level as a number; there is room between them.
    #[must_use]
    pub fn level(self) -> i64 {
        match self {
            Role::Viewer => 5,
            Role::Use => 10,
            Role::Manage => 20,
            Role::Owner => 30,
        }
    }

    /// The role of a level that is stored.
    #[must_use]
    pub fn of_level(level: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.level() == level)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(InvalidRole)
    }
}

/// The role that counts: the highest of what was assigned, to the user or to a group of theirs, and `owner` for whoever is in
/// `Admin` or an administrator of a directory.
#[must_use]
pub fn effective(assigned: Option<Role>, is_administrator: bool) -> Option<Role> {
    assigned.max(is_administrator.then_some(Role::Owner))
}

/// Whether somebody of the role `actor` may turn one role into another: nobody reaches above their own.
#[must_use]
pub fn may_change(actor: Option<Role>, before: Option<Role>, after: Option<Role>) -> bool {
    actor >= Some(Role::Manage) && before <= actor && after <= actor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> impl Iterator<Item = Option<Role>> {
        std::iter::once(None).chain(Role::ALL.map(Some))
    }

    #[test]
    fn the_highest_counts_and_admin_is_owner() {
        // R1
        for assigned in any() {
            assert_eq!(effective(assigned, false), assigned);
            assert_eq!(effective(assigned, true), Some(Role::Owner));
        }
        assert!(Role::ALL.is_sorted_by(|one, other| one.level() < other.level()));
        assert!(Role::ALL.into_iter().all(|role| Role::of_level(role.level()) == Some(role)));
        assert!(Role::ALL.into_iter().all(|role| role.as_str().parse() == Ok(role)));
    }

    #[test]
    fn nobody_changes_anything_above_their_own_level() {
        // R2
        for actor in any() {
            for before in any() {
                for after in any() {
                    let may = may_change(actor, before, after);
                    let reaches = before.max(after) <= actor;
                    assert_eq!(
                        may,
                        reaches && matches!(actor, Some(Role::Manage | Role::Owner)),
                        "{actor:?} {before:?} {after:?}"
                    );
                }
            }
        }
    }
}
