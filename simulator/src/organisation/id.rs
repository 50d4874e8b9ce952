//! Google's immutable id: a string of 21 digits, never reused, the same for ever whatever the address becomes.

use std::fmt;

/// The id of a user, a group or another entry of a member list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId(u64);

const DIGITS: usize = 21;

impl DirectoryId {
    /// The customer itself, as an entry of a member list.
    pub(crate) const CUSTOMER: DirectoryId = DirectoryId(0);

    /// The id after this one.
    pub(crate) fn next(self) -> DirectoryId {
        DirectoryId(self.0 + 1)
    }

    /// Reads an id as it is printed.
    pub(crate) fn parse(text: &str) -> Option<DirectoryId> {
        let digits = text.strip_prefix('1').filter(|_| text.len() == DIGITS)?;
        digits.parse().ok().map(DirectoryId)
    }
}

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1{:020}", self.0)
    }
}
