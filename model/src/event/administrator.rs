//! Administrators who came by another way than an administrator's hand.

use serde::{Deserialize, Serialize};

use super::{Payload, Stream};
use crate::administrators::Administration;
use crate::identity::{GroupId, SourceName, UserId};

/// The configured first administrator could not be seeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedFailed {
    pub reason: SeedFailure,
}

impl Payload for SeedFailed {
    fn stream(&self) -> Stream {
        Stream("group", GroupId::ADMIN.to_string())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedFailure {
    /// What was given is no address.
    NoAddress,
    /// The address is that of a user whom somebody deactivated.
    Deactivated,
}

/// An operator made somebody an administrator in an emergency; the membership that follows has the source `break_glass`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassGranted {
    pub user: UserId,
}

impl Payload for BreakGlassGranted {
    fn stream(&self) -> Stream {
        Stream("user", self.user.to_string())
    }
}

/// What a directory says of one of its administrators changed; none: they are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryAdministratorChanged {
    pub user: UserId,
    pub source: SourceName,
    pub before: Option<Administration>,
    pub after: Option<Administration>,
}

impl Payload for DirectoryAdministratorChanged {
    fn stream(&self) -> Stream {
        Stream("user", self.user.to_string())
    }
}
