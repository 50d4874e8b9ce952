//! `[features]`: what administrators may do by hand, for each type of resource. Imports the reader.

use std::collections::BTreeMap;

use entitled_model::resource::RESOURCE_TYPES;

use super::reader::Section;
use super::writer::Page;

/// `[features]`: each of the features that the types of resources name. Default: all are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeaturesConfig(BTreeMap<&'static str, bool>);

impl FeaturesConfig {
    /// Whether a feature is on.
    #[must_use]
    pub fn is_on(&self, feature: &str) -> bool {
        self.0.get(feature).copied().unwrap_or(true)
    }

    /// Every feature, and whether it is on.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<&'static str, bool> {
        &self.0
    }

    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let features = RESOURCE_TYPES.iter().flat_map(|kind| [kind.create_feature, kind.access_feature]);
        Self(features.map(|feature| (feature, section.key(feature).boolean().unwrap_or(true))).collect())
    }

    pub(super) fn show(&self, page: &mut Page) {
        page.section("features");
        for (feature, on) in &self.0 {
            page.put(feature, *on);
        }
    }
}
