//! `[[sources.*.map]]`: entitlements that become memberships. Imports the reader.

use std::collections::BTreeSet;

use entitled_model::{Facet, MapRule};

use crate::config::pattern::{WORD_FORM, is_word};
use crate::config::reader::Section;
use crate::config::writer::Page;

/// The rules under `map`; no two have the same entitlement and permission.
pub(super) fn read(section: &mut Section<'_>) -> Vec<MapRule> {
    let rules: Vec<MapRule> = section.tables("map", rule).into_iter().flatten().collect();
    let mut seen = BTreeSet::new();
    for rule in &rules {
        let MapRule { entitlement, facet: Facet { permission, .. } } = rule;
        if !seen.insert((entitlement, permission)) {
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
    for MapRule { entitlement, facet: Facet { resource_type, permission } } in rules {
        page.element(&format!("{path}.map"));
        page.put("entitlement", entitlement.as_str());
        page.put("resource_type", resource_type.as_str());
        page.put("permission", permission.as_str());
    }
}

fn rule(section: &mut Section<'_>) -> Option<MapRule> {
    let entitlement = section.key("entitlement").required("the key of an entitlement").text();
    let mut word = |key| section.key(key).required(WORD_FORM).matching(WORD_FORM, is_word);
    let (resource_type, permission) = (word("resource_type"), word("permission"));
    let facet = Facet { resource_type: resource_type?, permission: permission? };
    Some(MapRule { entitlement: entitlement?, facet })
}
