//! `[[sources.*.map]]`: entitlements that become memberships. Imports the reader.

use std::collections::BTreeSet;

use crate::config::pattern::{WORD_FORM, is_word};
use crate::config::reader::Section;
use crate::config::writer::Page;

/// Each value of `entitlement` becomes a membership of the group `<resource_type>:<value>:<permission>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MapRule {
    /// The key of the entitlement, such as `can_admin_maildomains`.
    pub entitlement: String,
    /// `[a-z][a-z0-9_]*`, such as `maildomain`.
    pub resource_type: String,
    /// `[a-z][a-z0-9_]*`, such as `admin`.
    pub permission: String,
}

/// The rules under `map`; no two have the same entitlement and permission.
pub(super) fn read(section: &mut Section<'_>) -> Vec<MapRule> {
    let rules: Vec<MapRule> = section.tables("map", MapRule::read).into_iter().flatten().collect();
    let mut seen = BTreeSet::new();
    for rule in &rules {
        if !seen.insert((&rule.entitlement, &rule.permission)) {
            let MapRule { entitlement, permission, .. } = rule;
            section.problem(
                "map",
                format!("expected one rule for the entitlement \"{entitlement}\" and the permission \"{permission}\""),
            );
        }
    }
    rules
}

/// The rules under `<path>.map`.
pub(super) fn show(rules: &[MapRule], path: &str, page: &mut Page) {
    for MapRule { entitlement, resource_type, permission } in rules {
        page.element(&format!("{path}.map"));
        page.put("entitlement", entitlement.as_str());
        page.put("resource_type", resource_type.as_str());
        page.put("permission", permission.as_str());
    }
}

impl MapRule {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let entitlement = section.key("entitlement").required("the key of an entitlement").text();
        let mut word = |key| section.key(key).required(WORD_FORM).matching(WORD_FORM, is_word);
        let (resource_type, permission) = (word("resource_type"), word("permission"));
        Some(Self { entitlement: entitlement?, resource_type: resource_type?, permission: permission? })
    }
}
