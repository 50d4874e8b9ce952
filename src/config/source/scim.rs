//! Sources of kind `scim`. Imports the reader.

use url::Url;

use super::google_workspace::Nested;
use crate::config::address::PlainHttp;
use crate::config::choice::Choice;
use crate::config::pattern::folded;
use crate::config::reader::Section;
use crate::config::secret::Secret;
use crate::config::writer::{Page, count};

const BASE_URL_FORM: &str = "an http:// or https:// address, such as \"https://directory.example/scim/v2/\"";

/// A group source that speaks SCIM 2.0 (RFC 7643, RFC 7644), read per user or as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct ScimConfig {
    /// The root to which `Users`, `Groups` and `ServiceProviderConfig` are appended, ending in `/`.
    pub base_url: Url,
    /// Sent as `Authorization: Bearer <token>`.
    pub token: Secret,
    /// How members of type `Group` are read. Default: expand.
    pub nested: Nested,
    /// Only groups whose folded display name begins so count; in lower case. Default: every group.
    pub prefix: Option<String>,
    /// The display name of the group that becomes `Admin`; folded. Default: none.
    pub admin_group: Option<String>,
    /// The display name of the group that becomes `Everyone`; folded. Default: none.
    pub everyone_group: Option<String>,
    /// How lists are read. Default: auto.
    pub paging: Paging,
    /// Resources asked for in one page. Default: 100.
    pub page_size: u32,
    /// Pages of one list, at most. Default: 10,000.
    pub page_cap: u32,
    /// Groups or users read alone at once, at most. Default: 8.
    pub concurrency: usize,
}

/// How lists are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By cursor where the server's `ServiceProviderConfig` offers it, else by index.
    Auto,
    /// By `startIndex` (RFC 7644, 3.4.2.4).
    Index,
    /// By `cursor` (RFC 9865).
    Cursor,
}

impl Choice for Paging {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("index", Self::Index), ("cursor", Self::Cursor)];
}

impl ScimConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let base_url = section.key("base_url").required(BASE_URL_FORM).base(PlainHttp::Warned);
        let token = section.key("token").required("{ env = \"NAME\" } or { file = \"PATH\" }").header_secret();
        let nested = section.key("nested").choice();
        let mut name = |key| section.key(key).text().as_deref().map(folded);
        let (prefix, admin_group, everyone_group) = (name("prefix"), name("admin_group"), name("everyone_group"));
        if admin_group.is_some() && admin_group == everyone_group {
            section.problem("everyone_group", "expected another group than `admin_group`");
        }
        let paging = section.key("paging").choice();
        let page_size = section.key("page_size").integer(1..=10_000);
        let page_cap = section.key("page_cap").integer(1..=1_000_000);
        let concurrency = section.key("concurrency").integer(1..=64);
        Some(Self {
            base_url: base_url?,
            token: token?,
            nested: nested.unwrap_or(Nested::Expand),
            prefix,
            admin_group,
            everyone_group,
            paging: paging.unwrap_or(Paging::Auto),
            page_size: page_size.unwrap_or(100),
            page_cap: page_cap.unwrap_or(10_000),
            concurrency: concurrency.unwrap_or(8),
        })
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self {
            base_url,
            token,
            nested,
            prefix,
            admin_group,
            everyone_group,
            paging,
            page_size,
            page_cap,
            concurrency,
        } = self;
        page.put("base_url", base_url.as_str());
        page.put("token", token.shown(|_| "<secret>".to_owned()));
        page.put("nested", nested.as_str());
        page.put_some("prefix", prefix.as_deref());
        page.put_some("admin_group", admin_group.as_deref());
        page.put_some("everyone_group", everyone_group.as_deref());
        page.put("paging", paging.as_str());
        page.put("page_size", count(*page_size));
        page.put("page_cap", count(*page_cap));
        page.put("concurrency", count(*concurrency));
    }
}
