//! Sources of kind `google_workspace`. Imports the reader.

mod credentials;

pub use credentials::{GoogleCredentials, ServiceAccountKey};

use url::Url;

use crate::config::address::PlainHttp;
use crate::config::choice::Choice;
use crate::config::pattern::{folded, is_domain, is_email};
use crate::config::reader::Section;
use crate::config::writer::{Page, count};

const EMAIL_FORM: &str = "an e-mail address";
const API_BASE: &str = "https://admin.googleapis.com/";
const METADATA_BASE: &str = "http://metadata.google.internal/";
const IAM_BASE: &str = "https://iamcredentials.googleapis.com/";
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// A group source like Google Workspace, read per user or as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct GoogleWorkspaceConfig {
    /// The administrator impersonated by domain-wide delegation, as given.
    pub subject: String,
    /// Whose signature asks for tokens.
    pub credentials: GoogleCredentials,
    /// Which directory is listed.
    pub directory: Directory,
    /// How nested groups are read. Default: expand.
    pub nested: Nested,
    /// The root of the Directory API, ending in `/`. Default: `https://admin.googleapis.com/`.
    pub api_base: Url,
    /// Where tokens are fetched, before the key's own. See [`GoogleWorkspaceConfig::effective_token_uri`].
    pub token_uri: Option<Url>,
    /// The root of the metadata server, ending in `/`. Default: `http://metadata.google.internal/`.
    pub metadata_base: Url,
    /// The root of the IAM Credentials API, ending in `/`. Default: `https://iamcredentials.googleapis.com/`.
    pub iam_base: Url,
    /// Only groups whose folded address begins so count; in lower case. Default: every group.
    pub prefix: Option<String>,
    /// The group that becomes `Admin`; folded. Default: none.
    pub admin_group: Option<String>,
    /// The group that becomes `Everyone`; folded. Default: none.
    pub everyone_group: Option<String>,
    /// Whether the directory's super administrators are owners in entitled's own API. Default: false.
    pub administrators_are_owners: bool,
    /// Pages of one list, at most. Default: 10,000.
    pub page_cap: u32,
    /// Member lists read at once, at most. Default: 8.
    pub concurrency: usize,
}

/// Which directory is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// Every domain of a customer; `my_customer` is the subject's own.
    Customer(String),
    /// One domain, in lower case.
    Domain(String),
}

/// How nested groups are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nested {
    /// A member of an inner group is a member of the outer one.
    Expand,
    /// Direct members only.
    Direct,
}

impl Choice for Nested {
    const WORDS: &'static [(&'static str, Self)] = &[("expand", Self::Expand), ("direct", Self::Direct)];
}

impl GoogleWorkspaceConfig {
    /// Where tokens are fetched, and the `aud` of what asks for them: the setting's, else the key's, else Google's.
    #[must_use]
    pub fn effective_token_uri(&self) -> Url {
        let of_key = match &self.credentials {
            GoogleCredentials::Key(key) => key.token_uri.clone(),
            GoogleCredentials::Keyless { .. } => None,
        };
        self.token_uri.clone().or(of_key).unwrap_or_else(|| known(TOKEN_URI))
    }

    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let subject = section.key("subject").required(EMAIL_FORM).matching(EMAIL_FORM, |text| is_email(text.trim()));
        let credentials = GoogleCredentials::read(section);
        let directory = Directory::read(section);
        let groups = MappedGroups::read(section);
        let nested = section.key("nested").choice();
        let mut base = |key, plain, default| section.key(key).base(plain).unwrap_or_else(|| known(default));
        let api_base = base("api_base", PlainHttp::Warned, API_BASE);
        let metadata_base = base("metadata_base", PlainHttp::Usual, METADATA_BASE);
        let iam_base = base("iam_base", PlainHttp::Warned, IAM_BASE);
        let token_uri = section.key("token_uri").address(PlainHttp::Warned);
        let prefix = section.key("prefix").text();
        let administrators_are_owners = section.key("administrators_are_owners").boolean();
        let page_cap = section.key("page_cap").integer(1..=1_000_000);
        let concurrency = section.key("concurrency").integer(1..=64);
        Some(Self {
            subject: subject?.trim().to_owned(),
            credentials: credentials?,
            directory: directory?,
            nested: nested.unwrap_or(Nested::Expand),
            api_base,
            token_uri,
            metadata_base,
            iam_base,
            prefix: prefix.as_deref().map(folded),
            admin_group: groups.admin,
            everyone_group: groups.everyone,
            administrators_are_owners: administrators_are_owners.unwrap_or(false),
            page_cap: page_cap.unwrap_or(10_000),
            concurrency: concurrency.unwrap_or(8),
        })
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self {
            subject,
            credentials,
            directory,
            nested,
            api_base,
            token_uri,
            metadata_base,
            iam_base,
            prefix,
            admin_group,
            everyone_group,
            administrators_are_owners,
            page_cap,
            concurrency,
        } = self;
        page.put("subject", subject.as_str());
        page.put("credentials", credentials.shown());
        match directory {
            Directory::Customer(customer) => page.put("customer", customer.as_str()),
            Directory::Domain(domain) => page.put("domain", domain.as_str()),
        }
        page.put("nested", nested.as_str());
        page.put("api_base", api_base.as_str());
        page.put_some("token_uri", token_uri.as_ref().map(Url::as_str));
        page.put("metadata_base", metadata_base.as_str());
        page.put("iam_base", iam_base.as_str());
        page.put_some("prefix", prefix.as_deref());
        page.put_some("admin_group", admin_group.as_deref());
        page.put_some("everyone_group", everyone_group.as_deref());
        page.put("administrators_are_owners", *administrators_are_owners);
        page.put("page_cap", count(*page_cap));
        page.put("concurrency", count(*concurrency));
    }
}

impl Directory {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let given = (section.has("customer"), section.has("domain"));
        let customer = section.key("customer").text().map(Self::Customer);
        let domain = section
            .key("domain")
            .matching("a domain name", |text| is_domain(text.trim()))
            .map(|domain| Self::Domain(folded(&domain)));
        match given {
            (true, false) => customer,
            (false, true) => domain,
            _ => {
                let form = "expected exactly one of `customer` (such as \"my_customer\") and `domain`";
                section.problem("customer", form);
                None
            }
        }
    }
}

struct MappedGroups {
    admin: Option<String>,
    everyone: Option<String>,
}

impl MappedGroups {
    fn read(section: &mut Section<'_>) -> Self {
        let mut group = |key| {
            let address = section.key(key).matching(EMAIL_FORM, |text| is_email(text.trim()));
            address.as_deref().map(folded)
        };
        let (admin, everyone) = (group("admin_group"), group("everyone_group"));
        if admin.is_some() && admin == everyone {
            section.problem("everyone_group", "expected another group than `admin_group`");
        }
        Self { admin, everyone }
    }
}

fn known(address: &str) -> Url {
    Url::parse(address).expect("invariant: built-in addresses parse")
}
