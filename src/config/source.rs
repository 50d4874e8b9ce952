//! `[sources.*]`: the systems that decide who belongs to what. Imports the reader, and one module a kind.

pub(super) mod common;
pub(super) mod deploycenter;
pub(super) mod google_workspace;
pub(super) mod local;
pub(super) mod map;
pub(super) mod removal;
pub(super) mod scim;

use std::collections::BTreeMap;

use common::CommonSource;
use deploycenter::DeployCenterConfig;
use entitled_model::SourceName;
use google_workspace::GoogleWorkspaceConfig;
use local::LocalConfig;
use scim::ScimConfig;

use super::choice::{Choice, alternatives};
use super::reader::Section;
use super::writer::Page;

/// One source, under the name its rows are tagged with.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceConfig {
    /// The key under `sources`.
    pub name: SourceName,
    /// What kind of system it is, and how it is asked.
    pub kind: SourceKind,
    /// What every kind has.
    pub common: CommonSource,
}

/// What kind of system a source is.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// `deploycenter`: an entitlements backend asked one user at a time.
    DeployCenter(Box<DeployCenterConfig>),
    /// `local`: an entitlements backend without a network.
    Local(LocalConfig),
    /// `google_workspace`: a group source read per user or as a whole.
    GoogleWorkspace(Box<GoogleWorkspaceConfig>),
    /// `scim`: a group source that speaks SCIM 2.0, read per user or as a whole.
    Scim(Box<ScimConfig>),
}

impl SourceKind {
    /// The word under `kind`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::DeployCenter(_) => KindWord::DeployCenter.as_str(),
            Self::Local(_) => KindWord::Local.as_str(),
            Self::GoogleWorkspace(_) => KindWord::GoogleWorkspace.as_str(),
            Self::Scim(_) => KindWord::Scim.as_str(),
        }
    }

    /// Whether the source is mapped to `Everyone`, and so decides who is in it.
    #[must_use]
    pub fn decides_everyone(&self) -> bool {
        match self {
            Self::DeployCenter(_) | Self::Local(_) => false,
            Self::GoogleWorkspace(settings) => settings.everyone_group.is_some(),
            Self::Scim(settings) => settings.everyone_group.is_some(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KindWord {
    DeployCenter,
    Local,
    GoogleWorkspace,
    Scim,
}

impl Choice for KindWord {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("deploycenter", Self::DeployCenter),
        ("local", Self::Local),
        ("google_workspace", Self::GoogleWorkspace),
        ("scim", Self::Scim),
    ];
}

/// Every source under `sources`.
pub(super) fn read_all(section: &mut Section<'_>) -> BTreeMap<SourceName, SourceConfig> {
    section.named_tables(SourceConfig::read).into_iter().flatten().map(|source| (source.name.clone(), source)).collect()
}

impl SourceConfig {
    fn read(name: &str, section: &mut Section<'_>) -> Option<Self> {
        let name = SourceName::configured(name);
        if let Err(cause) = &name {
            section.problem("", cause.to_string());
        }
        let common = CommonSource::read(section);
        let kind = SourceKind::read(section)?;
        Some(Self { name: name.ok()?, kind, common })
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { name, kind, common } = self;
        let path = format!("sources.{name}");
        page.section(&path);
        page.put("kind", kind.as_str());
        common.show(page);
        match kind {
            SourceKind::DeployCenter(kind) => kind.show(&path, page),
            SourceKind::Local(kind) => kind.show(&path, page),
            SourceKind::GoogleWorkspace(kind) => kind.show(page),
            SourceKind::Scim(kind) => kind.show(page),
        }
        common.removal.show_groups(&path, page);
    }
}

impl SourceKind {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let words = KindWord::WORDS.iter().map(|(word, _)| *word);
        let kind = section.key("kind").required(&alternatives(words)).choice::<KindWord>();
        let Some(kind) = kind else {
            section.ignore_rest();
            return None;
        };
        if kind != KindWord::DeployCenter {
            section.refuse("fallback", "only a source of kind \"deploycenter\" has a fallback");
        }
        match kind {
            KindWord::DeployCenter => DeployCenterConfig::read(section).map(|kind| Self::DeployCenter(Box::new(kind))),
            KindWord::Local => Some(Self::Local(LocalConfig::read(section))),
            KindWord::GoogleWorkspace => {
                GoogleWorkspaceConfig::read(section).map(|kind| Self::GoogleWorkspace(Box::new(kind)))
            }
            KindWord::Scim => ScimConfig::read(section).map(|kind| Self::Scim(Box::new(kind))),
        }
    }
}
