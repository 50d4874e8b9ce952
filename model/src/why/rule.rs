//! The rules by which sources hold memberships, and the way from a source's word to a group.

use std::fmt;

use super::{AskedGroup, SourceRules};
use crate::identity::{Facet, SourceName};
use crate::path::Way;

/// The rule by which a source holds a membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// An entitlement that lists the resource; no key when the configuration maps none any more.
    MappedEntitlement { entitlement: Option<String>, facet: Facet, resource_id: String },
    /// The directory lists the user in this group, or in one within it.
    DirectoryGroup { group: String, nested: bool },
    /// A person decided.
    ByHand { actor: String },
    /// The deployment's first members.
    SystemSeed,
    /// The emergency command.
    BreakGlass,
    /// The source is not configured any more.
    Orphaned,
}

impl Rule {
    /// The word for it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Rule::MappedEntitlement { .. } => "mapped_entitlement",
            Rule::DirectoryGroup { .. } => "directory_group",
            Rule::ByHand { .. } => "by_hand",
            Rule::SystemSeed => "system_seed",
            Rule::BreakGlass => "break_glass",
            Rule::Orphaned => "orphaned",
        }
    }

    /// The path from the group to the source's word about the user, the group first; none where nobody knows it any more, or
    /// yet. `way` is the user's, within a directory's group.
    #[must_use]
    pub fn path(&self, group: &AskedGroup, way: &Way) -> Option<Vec<String>> {
        let mut path = vec![group.name.clone()];
        if let Rule::DirectoryGroup { group: upstream, nested: _ } = self {
            path.extend((*upstream != group.name).then(|| upstream.clone()));
        }
        match (self, way) {
            (Rule::Orphaned, _) | (Rule::DirectoryGroup { nested: true, .. }, Way::Unrecorded) => return None,
            (Rule::DirectoryGroup { .. }, Way::Through(inner)) => path.extend(inner.iter().cloned()),
            _ => {}
        }
        Some(path)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::MappedEntitlement { entitlement: Some(entitlement), resource_id, .. } => {
                write!(f, "{entitlement} lists {resource_id}")
            }
            Rule::MappedEntitlement { entitlement: None, facet, resource_id } => {
                write!(f, "an entitlement to {} {resource_id} that is no longer mapped", facet.resource_type)
            }
            Rule::DirectoryGroup { group, nested: true } => {
                write!(f, "in {group}, directly or through a group within it")
            }
            Rule::DirectoryGroup { group, nested: false } => write!(f, "in {group}"),
            Rule::ByHand { actor } => write!(f, "put in by hand by {actor}"),
            Rule::SystemSeed => f.write_str("one of the deployment's first members"),
            Rule::BreakGlass => f.write_str("put in by the emergency command"),
            Rule::Orphaned => f.write_str("the source is not configured any more"),
        }
    }
}

/// The rule by which `source` holds a membership in `group` that `actor` wrote.
#[must_use]
pub fn rule(group: &AskedGroup, source: &SourceName, rules: Option<&SourceRules>, actor: &str) -> Rule {
    match source.as_str() {
        "admin" => return Rule::ByHand { actor: actor.to_owned() },
        "system_seed" => return Rule::SystemSeed,
        "break_glass" => return Rule::BreakGlass,
        _ => {}
    }
    let Some(rules) = rules else { return Rule::Orphaned };
    match &group.resource {
        Some((facet, resource_id)) => {
            let mapped = rules.map.iter().find(|rule| rule.facet == *facet);
            let entitlement = mapped.map(|rule| rule.entitlement.clone());
            Rule::MappedEntitlement { entitlement, facet: facet.clone(), resource_id: resource_id.clone() }
        }
        None => Rule::DirectoryGroup { group: rules.upstream_name(group), nested: rules.nested },
    }
}
