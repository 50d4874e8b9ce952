//! Users: known, changed, suspended and active again, deactivated and restored.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Event, Payload, Stream};
use crate::identity::{SourceName, UserId};

/// Users became known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserCreated {
    pub users: Vec<UserId>,
}

impl Payload for UserCreated {
    /// Users that were created together have no stream of their own.
    fn stream(&self) -> Stream {
        match self.users.as_slice() {
            [user] => Stream("user", user.to_string()),
            _ => Stream("user", String::new()),
        }
    }
}

/// Parts of a user's profile changed. The values stand in the profile alone, so that they can be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserProfileChanged {
    pub user: UserId,
    pub fields: BTreeSet<ProfileField>,
}

impl Payload for UserProfileChanged {
    fn stream(&self) -> Stream {
        Stream("user", self.user.to_string())
    }
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

impl Payload for StandingChanged {
    fn stream(&self) -> Stream {
        Stream("user", self.user.to_string())
    }
}

/// An administrator shut a user out, whatever sources say of their account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDeactivated {
    pub user: UserId,
}

impl Payload for UserDeactivated {
    fn stream(&self) -> Stream {
        Stream("user", self.user.to_string())
    }
}

/// An administrator let a deactivated user in again; a source's suspension counts as before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRestored {
    pub user: UserId,
}

impl Payload for UserRestored {
    fn stream(&self) -> Stream {
        Stream("user", self.user.to_string())
    }
}

/// What is personal about a user was erased, at a person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserErased {
    pub user: UserId,
    pub reason: String,
}

impl Payload for UserErased {
    fn stream(&self) -> Stream {
        Stream("user", self.user.to_string())
    }
}

impl Event {
    #[must_use]
    pub fn users_created(users: Vec<UserId>) -> Self {
        Event::UserCreated(UserCreated { users })
    }
}
