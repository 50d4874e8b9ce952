//! Resources: what access is granted on. Their types are this registry; a new type is one entry here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::identity::InvalidName;

/// A type of resource.
#[derive(Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// The word in groups' names, scopes and rules.
    pub key: &'static str,
    /// The word in paths.
    pub path: &'static str,
    /// The field of a provisioning request that lists the resources.
    pub field: &'static str,
    /// The word for one resource in an answer.
    pub noun: &'static str,
    /// What people call the type.
    pub name: &'static str,
    /// An id of the type's form.
    pub example: &'static str,
    /// Where its resources are found.
    pub listed: Listed,
    /// The feature under which administrators may create resources of the type.
    pub create_feature: &'static str,
    /// The feature under which they may give and take access to them.
    pub access_feature: &'static str,
    id: IdForm,
}

/// How the resources of a type are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Those that were provisioned, or made by hand.
    Provisioned,
}

impl Listed {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Listed::Provisioned => "provisioned",
        }
    }
}

/// What an id of the type looks like.
#[derive(Debug, PartialEq, Eq)]
enum IdForm {
    /// A domain name (RFC 1035, RFC 5890).
    Domain,
}

/// All types.
pub const RESOURCE_TYPES: &[ResourceType] = &[ResourceType {
    key: "maildomain",
    path: "maildomains",
    field: "domains",
    noun: "domain",
    name: "Mail domain",
    example: "commune-a.fr",
    listed: Listed::Provisioned,
    create_feature: "maildomain_create",
    access_feature: "maildomain_manage_access",
    id: IdForm::Domain,
}];

/// The longest domain name, in bytes (RFC 1035, 2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;

impl ResourceType {
    /// The type that a path names, by its key or its plural.
    #[must_use]
    pub fn of_path(path: &str) -> Option<&'static ResourceType> {
        RESOURCE_TYPES.iter().find(|kind| kind.path == path || kind.key == path)
    }

    /// The type of that key.
    #[must_use]
    pub fn of_key(key: &str) -> Option<&'static ResourceType> {
        RESOURCE_TYPES.iter().find(|kind| kind.key == key)
    }

    /// What an id of the type looks like, in words.
    #[must_use]
    pub fn id_format(&self) -> &'static str {
        match self.id {
            IdForm::Domain => "a domain name, trimmed and in lower case",
        }
    }

    /// Reads an id: trimmed, lower-cased and checked.
    ///
    /// # Errors
    /// When it is blank, too long or not of the type's form.
    pub fn id(&self, given: &str) -> Result<String, InvalidName> {
        let id = fold_id(given);
        match self.id {
            IdForm::Domain => domain(id),
        }
    }
}

/// The form in which ids are compared: upstream neither trims nor lower-cases them.
#[must_use]
pub fn fold_id(given: &str) -> String {
    given.trim().to_lowercase()
}

fn domain(name: String) -> Result<String, InvalidName> {
    const WHAT: &str = "a domain name";
    if name.is_empty() {
        return Err(InvalidName::Blank { what: WHAT });
    }
    if name.len() > DOMAIN_BYTES_MAX {
        return Err(InvalidName::TooLong { what: WHAT, bytes_max: DOMAIN_BYTES_MAX });
    }
    let ascii = idna::domain_to_ascii_strict(&name).unwrap_or_default();
    let label = |label: &str| !label.is_empty() && label.len() <= 63;
    if ascii.len() > DOMAIN_BYTES_MAX || !ascii.contains('.') || !ascii.split('.').all(label) {
        return Err(InvalidName::Form { what: WHAT, expected: "of the form name.tld, of letters, digits and hyphens" });
    }
    Ok(name)
}

/// A resource's custom attributes: a JSON object, kept as its compact text so that it compares and hashes exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes(String);

impl Attributes {
    #[must_use]
    pub fn of(attributes: &Map<String, Value>) -> Self {
        let sorted: BTreeMap<_, _> = attributes.iter().collect();
        Self(serde_json::to_string(&sorted).expect("invariant: JSON has a text"))
    }

    /// Attributes read back from the store.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The JSON object; a text that is none (a damaged store) reads as that text.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_else(|_| Value::String(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildomain(given: &str) -> Result<String, InvalidName> {
        ResourceType::of_path("maildomains").expect("registered").id(given)
    }

    #[test]
    fn domains_are_trimmed_lower_cased_and_checked() {
        // P2
        assert_eq!(maildomain(" Commune-A.FR ").as_deref(), Ok("commune-a.fr"));
        assert_eq!(maildomain("mairie-évry.fr").as_deref(), Ok("mairie-évry.fr"));
        let long = format!("{}.fr", "a".repeat(64));
        for bad in ["INVALID DOMAIN!", "", "  ", "localhost", "a..fr", "-a.fr", "a.fr-", &long, "a_b.fr", "a.fr\0"] {
            assert!(maildomain(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn types_are_found_by_key_and_by_plural() {
        // M11
        assert_eq!(ResourceType::of_path("maildomain"), ResourceType::of_path("maildomains"));
        assert_eq!(ResourceType::of_path("unicorns"), None);
        for kind in RESOURCE_TYPES {
            assert_eq!(ResourceType::of_key(kind.key), Some(kind));
            assert_eq!(kind.id(kind.example).as_deref(), Ok(kind.example), "an example is an id as it is stored");
            assert_eq!(
                RESOURCE_TYPES.iter().filter(|other| other.key == kind.key || other.path == kind.path).count(),
                1
            );
        }
    }
}
