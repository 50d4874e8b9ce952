//! The rules of the configuration by which sources come to memberships.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::SourceName;
use entitled_model::why::SourceRules;

use crate::config::{Config, Nested, SourceKind};

/// Each configured source's rules, and the types whose resources must be provisioned.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub(super) sources: BTreeMap<SourceName, SourceRules>,
    pub(super) gated: BTreeSet<String>,
}

impl Rules {
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let sources = config.sources.iter().map(|(name, source)| (name.clone(), rules(&source.kind)));
        Self { sources: sources.collect(), gated: config.http.provisioned_types() }
    }
}

fn rules(kind: &SourceKind) -> SourceRules {
    match kind {
        SourceKind::DeployCenter(settings) => SourceRules {
            map: settings.map.clone(),
            required_claims: settings.required_claims().map(str::to_owned).collect(),
            ..SourceRules::default()
        },
        SourceKind::Local(settings) => SourceRules { map: settings.map.clone(), ..SourceRules::default() },
        SourceKind::GoogleWorkspace(settings) => {
            directory(settings.nested, settings.admin_group.clone(), settings.everyone_group.clone())
        }
        SourceKind::Scim(settings) => {
            directory(settings.nested, settings.admin_group.clone(), settings.everyone_group.clone())
        }
    }
}

fn directory(nested: Nested, admin_group: Option<String>, everyone_group: Option<String>) -> SourceRules {
    let nested = nested == Nested::Expand;
    SourceRules { admin_group, everyone_group, directory: true, nested, ..SourceRules::default() }
}
