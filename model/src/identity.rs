//! Names and ids: each is parsed once, and a value that exists is valid.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing is left after trimming.
    #[error("{what} is blank")]
    Blank { what: &'static str },
    /// Longer than the limit, in bytes.
    #[error("{what} is longer than {bytes_max} bytes")]
    TooLong { what: &'static str, bytes_max: usize },
    /// Not of the required form.
    #[error("{what} must be {expected}")]
    Form { what: &'static str, expected: &'static str },
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A user's id; the only name of a user in logs, metrics and events.
    UserId
);
id!(
    /// A group's id.
    GroupId
);
id!(
    /// A grant's id.
    GrantId
);
id!(
    /// One execution; shared by the sources that it asks.
    RunId
);
id!(
    /// A token's id: no secret, and its only name in logs and events.
    TokenId
);
id!(
    /// An event's id, by which consumers recognise a repeated delivery.
    EventId
);

impl GroupId {
    /// The seeded system group `Admin`.
    pub const ADMIN: GroupId = GroupId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
    /// The seeded system group `Everyone`.
    pub const EVERYONE: GroupId = GroupId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0002));
}

/// A place in the event log: gap-free, in commit order, from 1; 0 is before the first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub i64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The tag of a writer: a configured source's key, or a reserved one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceName(String);

impl SourceName {
    /// Tags that no configuration may use, because people and the deployment write under them.
    pub const RESERVED: [&'static str; 3] = ["admin", "system_seed", "break_glass"];

    /// Whether it is no source's, but a person's or the deployment's own.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        Self::RESERVED.contains(&self.as_str())
    }
    /// The longest allowed name, in bytes.
    pub const BYTES_MAX: usize = 63;

    /// Reads the name of a configured source.
    ///
    /// # Errors
    /// When it is not `[a-z][a-z0-9_]{0,62}`, or reserved.
    pub fn configured(name: &str) -> Result<Self, InvalidName> {
        let mut chars = name.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_lowercase());
        let rest = chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !first || !rest || name.len() > Self::BYTES_MAX {
            return Err(InvalidName::Form {
                what: "a source's name",
                expected: "1 to 63 of a-z, 0-9 and _, beginning with a letter",
            });
        }
        if Self::RESERVED.contains(&name) {
            return Err(InvalidName::Form {
                what: "a source's name",
                expected: "none of the reserved admin, system_seed, break_glass",
            });
        }
        Ok(Self(name.to_owned()))
    }

    /// A name read back from the store, which refuses unknown ones itself.
    #[must_use]
    pub fn stored(name: String) -> Self {
        Self(name)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An e-mail address as given (surrounding white space apart). Never `Display`ed, so that it cannot reach a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The longest allowed address, in bytes (RFC 5321).
    pub const BYTES_MAX: usize = 254;

    /// Reads an address: one `@` with something on both sides, no white space or control characters within.
    ///
    /// # Errors
    /// When it is blank, too long or not an address.
    pub fn parse(given: &str) -> Result<Self, InvalidName> {
        const WHAT: &str = "an e-mail address";
        let trimmed = given.trim();
        if trimmed.is_empty() {
            return Err(InvalidName::Blank { what: WHAT });
        }
        if trimmed.len() > Self::BYTES_MAX {
            return Err(InvalidName::TooLong { what: WHAT, bytes_max: Self::BYTES_MAX });
        }
        let (local, domain) = trimmed.rsplit_once('@').unwrap_or_default();
        let odd = trimmed.chars().any(|c| c.is_whitespace() || c.is_control());
        if local.is_empty() || domain.is_empty() || local.contains('@') || odd {
            return Err(InvalidName::Form { what: WHAT, expected: "of the form name@domain" });
        }
        Ok(Self(trimmed.to_owned()))
    }

    /// The address as given.
    #[must_use]
    pub fn as_given(&self) -> &str {
        &self.0
    }

    /// The folded key by which people are recognised.
    #[must_use]
    pub fn key(&self) -> EmailKey {
        EmailKey::fold(&self.0)
    }

    /// The part behind the `@`, which may appear in logs.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress(…@{})", self.domain())
    }
}

/// A folded address: trimmed and Unicode lower case. Two addresses with one key are one user.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailKey(String);

impl EmailKey {
    #[must_use]
    pub fn fold(address: &str) -> Self {
        Self(address.trim().to_lowercase())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailKey(…)")
    }
}

/// The subject an identity provider knows a user by (OpenID Connect `sub`).
#[derive(Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// The longest allowed subject, in bytes (OpenID Connect Core, 2).
    pub const BYTES_MAX: usize = 255;

    /// Reads a subject; it is case-sensitive and kept as given.
    ///
    /// # Errors
    /// When it is blank, too long or holds control characters.
    pub fn parse(given: &str) -> Result<Self, InvalidName> {
        const WHAT: &str = "a sub";
        if given.trim().is_empty() {
            return Err(InvalidName::Blank { what: WHAT });
        }
        if given.len() > Self::BYTES_MAX {
            return Err(InvalidName::TooLong { what: WHAT, bytes_max: Self::BYTES_MAX });
        }
        if given.chars().any(char::is_control) {
            return Err(InvalidName::Form { what: WHAT, expected: "free of control characters" });
        }
        Ok(Self(given.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(…)")
    }
}

/// What a mapped entitlement speaks about: one permission on one type of resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Facet {
    pub resource_type: String,
    pub permission: String,
}

/// What may be done with a resource: a word that the applications and the rules of mapped entitlements share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permission(String);

impl Permission {
    /// The longest allowed permission, in bytes.
    pub const BYTES_MAX: usize = 63;

    /// Reads a permission; surrounding white space is dropped. ASCII alone, so that no two look the same.
    ///
    /// # Errors
    /// When it is blank, too long or not `[a-z][a-z0-9_]*`.
    pub fn parse(given: &str) -> Result<Self, InvalidName> {
        const WHAT: &str = "a permission";
        let trimmed = given.trim();
        if trimmed.is_empty() {
            return Err(InvalidName::Blank { what: WHAT });
        }
        if trimmed.len() > Self::BYTES_MAX {
            return Err(InvalidName::TooLong { what: WHAT, bytes_max: Self::BYTES_MAX });
        }
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !trimmed.starts_with(|c: char| c.is_ascii_lowercase()) || !trimmed.chars().all(word) {
            let expected = "lower-case letters, digits and `_`, beginning with a letter";
            return Err(InvalidName::Form { what: WHAT, expected });
        }
        Ok(Self(trimmed.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A group's name, unique in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupName(String);

impl GroupName {
    /// The longest allowed name, in bytes.
    pub const BYTES_MAX: usize = 512;

    /// A directory group's name: its address, trimmed and lower-cased.
    ///
    /// # Errors
    /// When it is blank or too long.
    pub fn of_address(address: &str) -> Result<Self, InvalidName> {
        Self::parse(&address.to_lowercase())
    }

    /// The group of those who hold `facet` on one resource: `<resource_type>:<resource_id>:<permission>`.
    ///
    /// # Errors
    /// When the resource's id is blank or too long.
    pub fn of_resource(facet: &Facet, resource_id: &str) -> Result<Self, InvalidName> {
        if resource_id.is_empty() {
            return Err(InvalidName::Blank { what: "a resource's id" });
        }
        Self::parse(&format!("{}:{resource_id}:{}", facet.resource_type, facet.permission))
    }

    /// Reads a name; surrounding white space is dropped.
    ///
    /// # Errors
    /// When it is blank, too long or holds control characters.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        const WHAT: &str = "a group's name";
        let trimmed = name.trim();
        if trimmed.is_empty() {
            return Err(InvalidName::Blank { what: WHAT });
        }
        if trimmed.len() > Self::BYTES_MAX {
            return Err(InvalidName::TooLong { what: WHAT, bytes_max: Self::BYTES_MAX });
        }
        if trimmed.chars().any(char::is_control) {
            return Err(InvalidName::Form { what: WHAT, expected: "free of control characters" });
        }
        Ok(Self(trimmed.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_folded_and_kept_as_given() {
        // S19
        let given = EmailAddress::parse(" Ann@Example.ORG ").expect("valid");
        assert_eq!(given.as_given(), "Ann@Example.ORG");
        assert_eq!(given.key(), EmailAddress::parse("ann@example.org").expect("valid").key());
        assert_eq!(EmailKey::fold("ÉLOÏSE@Exemple.FR").as_str(), "éloïse@exemple.fr");
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for bad in ["", "  ", "ann", "@x.fr", "ann@", "a@b@c", "a b@c.fr", "a@c.fr\0"] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_permission_is_a_plain_word() {
        // M5
        assert_eq!(Permission::parse(" admin ").as_ref().map(Permission::as_str), Ok("admin"));
        let long = "a".repeat(64);
        for bad in ["", "  ", "Admin", "can read", "1st", "_x", "аdmin", "a\0", "a:b", &long] {
            assert!(Permission::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_personal_shows_in_debug_output() {
        let address = EmailAddress::parse("ann@example.org").expect("valid");
        let shown = format!("{address:?} {:?} {:?}", address.key(), Subject::parse("sub-ann").expect("valid"));
        assert!(!shown.contains("ann"), "{shown}");
    }

    #[test]
    fn reserved_and_malformed_source_names_are_refused() {
        for bad in ["admin", "system_seed", "break_glass", "", "Google", "1x", "a-b"] {
            assert!(SourceName::configured(bad).is_err(), "{bad:?}");
        }
        assert!(SourceName::configured("google_sync").is_ok());
    }
}
