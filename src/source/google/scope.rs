//! Which of a directory's groups count, and as what. Pure.

use entitled_model::observation::{ObservedGroup, SystemGroup};
use entitled_model::{ErrorClass, Failure, GroupName};

use super::wire::Group;
use crate::config::{Directory, GoogleWorkspaceConfig};

/// The filter on folded addresses. It is applied after nested groups were expanded.
pub struct Scope {
    prefix: Option<String>,
    admin_group: Option<String>,
    everyone_group: Option<String>,
    /// The only domain that is listed.
    domain: Option<String>,
}

impl Scope {
    pub fn new(settings: &GoogleWorkspaceConfig) -> Self {
        let domain = match &settings.directory {
            Directory::Customer(_) => None,
            Directory::Domain(domain) => Some(domain.clone()),
        };
        Self {
            prefix: settings.prefix.clone(),
            admin_group: settings.admin_group.clone(),
            everyone_group: settings.everyone_group.clone(),
            domain,
        }
    }

    pub fn has_prefix(&self) -> bool {
        self.prefix.is_some()
    }

    /// The group as the store is to know it; `None` when it doesn't count.
    ///
    /// # Errors
    /// `malformed` when a group that counts can't be named.
    pub fn observed(&self, group: &Group) -> Result<Option<ObservedGroup>, Failure> {
        let address = fold(&group.email);
        if !self.lists(&address) {
            return Ok(None);
        }
        let mapped = [(&self.admin_group, SystemGroup::Admin), (&self.everyone_group, SystemGroup::Everyone)];
        let system = mapped.into_iter().find(|(of, _)| of.as_ref() == Some(&address));
        if let Some((_, system)) = system {
            return Ok(Some(ObservedGroup::System(system)));
        }
        if self.prefix.as_ref().is_some_and(|prefix| !address.starts_with(prefix)) {
            return Ok(None);
        }
        let name = GroupName::of_address(&address)
            .map_err(|error| Failure::new(ErrorClass::Malformed, format!("a group's address is unusable: {error}")))?;
        if group.id.chars().any(char::is_control) {
            return Err(Failure::new(ErrorClass::Malformed, "a group's id holds control characters"));
        }
        Ok(Some(ObservedGroup::Directory { name, external_id: Some(group.id.clone()) }))
    }

    /// Whether the directory's list of groups holds this address. One user's groups may lie outside the listed domain.
    fn lists(&self, address: &str) -> bool {
        self.domain.as_ref().is_none_or(|domain| address.rsplit_once('@').is_some_and(|(_, of)| of == domain))
    }
}

pub fn fold(address: &str) -> String {
    address.trim().to_lowercase()
}
