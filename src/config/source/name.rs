//! The name of a source. Imports pattern.

use std::fmt;
use std::str::FromStr;

/// Writers that are not configured sources.
const RESERVED: [&str; 3] = ["admin", "system_seed", "break_glass"];

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// A configured source's name, the tag of its rows: `[a-z][a-z0-9_]{0,62}`, and none of `admin`, `system_seed` and
/// `break_glass`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName(String);

/// Why a text is not a source's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceNameError {
    /// It has the wrong shape.
    #[error("expected a source name of lower-case letters, digits and `_`, beginning with a letter, at most 63 long")]
    Shape,
    /// It names another writer.
    #[error("a reserved name: expected another one than admin, system_seed and break_glass")]
    Reserved,
}

impl SourceName {
    /// The name, if it is one.
    ///
    /// # Errors
    /// When the shape is wrong or the name is reserved.
    pub fn new(name: &str) -> Result<Self, SourceNameError> {
        if RESERVED.contains(&name) {
            return Err(SourceNameError::Reserved);
        }
        match crate::config::pattern::is_word(name) && name.len() <= NAME_BYTES_MAX {
            true => Ok(Self(name.to_owned())),
            false => Err(SourceNameError::Shape),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = SourceNameError;

    fn from_str(name: &str) -> Result<Self, SourceNameError> {
        Self::new(name)
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
