//! Which of a directory's groups count, and as what. Pure.

use entitled_model::observation::{ObservedGroup, SystemGroup};
use entitled_model::{Failure, GroupName};

use super::malformed;
use super::wire::Group;
use crate::config::ScimConfig;

/// The filter on folded display names. It is applied after nested groups were expanded.
pub struct Scope {
    prefix: Option<String>,
    admin_group: Option<String>,
    everyone_group: Option<String>,
}

impl Scope {
    pub fn new(settings: &ScimConfig) -> Self {
        let ScimConfig { prefix, admin_group, everyone_group, .. } = settings;
        Self { prefix: prefix.clone(), admin_group: admin_group.clone(), everyone_group: everyone_group.clone() }
    }

    pub fn has_prefix(&self) -> bool {
        self.prefix.is_some()
    }

    /// The group as the store is to know it; `None` when it doesn't count.
    ///
    /// # Errors
    /// `malformed` when a group can't be named.
    pub fn observed(&self, group: &Group) -> Result<Option<ObservedGroup>, Failure> {
        let name = fold(&group.display_name);
        if name.is_empty() {
            return Err(malformed("a group's displayName is blank"));
        }
        let mapped = [(&self.admin_group, SystemGroup::Admin), (&self.everyone_group, SystemGroup::Everyone)];
        let system = mapped.into_iter().find(|(of, _)| of.as_ref() == Some(&name));
        if let Some((_, system)) = system {
            return Ok(Some(ObservedGroup::System(system)));
        }
        if self.prefix.as_ref().is_some_and(|prefix| !name.starts_with(prefix)) {
            return Ok(None);
        }
        let name = GroupName::parse(&name)
            .map_err(|error| malformed(format!("a group's displayName is unusable: {error}")))?;
        Ok(Some(ObservedGroup::Directory { name, external_id: Some(group.id.as_str().to_owned()) }))
    }
}

pub fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}
