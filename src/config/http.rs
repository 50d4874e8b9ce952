//! `[http]`: the listener and its machine callers. Imports the reader.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::address::PlainHttp;
use super::pattern;
use super::reader::Section;
use super::secret::Secret;
use super::writer::{Page, count, time};

const SCOPES: &str = "hook:login, hook:deploycenter, provision:<resource_type>, check, read, admin";

/// The HTTP listener.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpConfig {
    /// Address and port. Default: `127.0.0.1:8420`.
    pub listen: SocketAddr,
    /// Where callers reach this interface: it identifies the decision point in AuthZEN's metadata. Default: not said, so
    /// that there is no such document.
    pub public_url: Option<Url>,
    /// Machine callers; names are unique, and so are secrets. Default: none, so every protected call is refused.
    pub keys: Vec<HttpKey>,
    /// The largest request body, in bytes. Default: 65,536.
    pub body_bytes_max: usize,
    /// The longest time a request may take. Default: 30 s.
    pub request_timeout: Duration,
}

/// A machine caller's bearer credential.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpKey {
    /// Who it is, in logs and events: letters, digits, `.`, `_`, `-`, at most 64.
    pub name: String,
    /// The bearer token; one line of printable ASCII.
    pub secret: Secret,
    /// What it may do; at least one.
    pub scopes: BTreeSet<Scope>,
}

/// What a credential may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `hook:login`: report a login.
    HookLogin,
    /// `hook:deploycenter`: hint at a change.
    HookDeployCenter,
    /// `provision:<resource_type>`: create resources of this type.
    Provision(String),
    /// `check`: ask whether a user may do something with a resource, and no more.
    Check,
    /// `read`: queries.
    Read,
    /// `admin`: administration and queries.
    Admin,
}

impl HttpConfig {
    /// The resource types that some key may provision. Their resources count from their provisioning on; those of other
    /// types, which nobody could provision, always do.
    #[must_use]
    pub fn provisioned_types(&self) -> BTreeSet<String> {
        let scopes = self.keys.iter().flat_map(|key| &key.scopes);
        let provisioned = scopes.filter_map(|scope| match scope {
            Scope::Provision(resource_type) => Some(resource_type.clone()),
            Scope::HookLogin | Scope::HookDeployCenter | Scope::Check | Scope::Read | Scope::Admin => None,
        });
        provisioned.collect()
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hook:login" => Ok(Self::HookLogin),
            "hook:deploycenter" => Ok(Self::HookDeployCenter),
            "check" => Ok(Self::Check),
            "read" => Ok(Self::Read),
            "admin" => Ok(Self::Admin),
            _ => text
                .strip_prefix("provision:")
                .filter(|resource_type| pattern::is_word(resource_type))
                .map(|resource_type| Self::Provision(resource_type.to_owned()))
                .ok_or(format!("expected one of the scopes {SCOPES}")),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HookLogin => formatter.write_str("hook:login"),
            Self::HookDeployCenter => formatter.write_str("hook:deploycenter"),
            Self::Provision(resource_type) => write!(formatter, "provision:{resource_type}"),
            Self::Check => formatter.write_str("check"),
            Self::Read => formatter.write_str("read"),
            Self::Admin => formatter.write_str("admin"),
        }
    }
}

impl HttpConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let listen = section.key("listen").parsed("an address and port such as \"127.0.0.1:8420\"", |text| {
            text.parse().map_err(|_| "expected an address and port such as \"127.0.0.1:8420\"".into())
        });
        let keys: Vec<HttpKey> = section.tables("keys", HttpKey::read).into_iter().flatten().collect();
        refuse_twins(section, &keys);
        let timeouts = Duration::from_millis(10)..=Duration::from_mins(10);
        Self {
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8420))),
            public_url: section.key("public_url").address(PlainHttp::Warned),
            keys,
            body_bytes_max: section.key("body_bytes_max").integer(1..=16 * 1024 * 1024).unwrap_or(65_536),
            request_timeout: section.key("request_timeout").duration(timeouts).unwrap_or(Duration::from_secs(30)),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { listen, public_url, keys, body_bytes_max, request_timeout } = self;
        page.section("http");
        page.put("listen", listen.to_string());
        page.put_some("public_url", public_url.as_ref().map(Url::as_str));
        page.put("body_bytes_max", count(*body_bytes_max));
        page.put("request_timeout", time(*request_timeout));
        for HttpKey { name, secret, scopes } in keys {
            page.element("http.keys");
            page.put("name", name.as_str());
            page.put("secret", secret.shown(|_| "<secret>".to_owned()));
            page.put("scopes", scopes.iter().map(Scope::to_string).collect::<Vec<_>>());
        }
    }
}

impl HttpKey {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let name = section.key("name").required("a name").matching("1 to 64 letters, digits, `.`, `_` or `-`", is_name);
        let secret = section.key("secret").required("{ env = \"NAME\" } or { file = \"PATH\" }").header_secret();
        let scopes = section
            .key("scopes")
            .required(&format!("a list of the scopes {SCOPES}"))
            .list("a scope", Scope::from_str)?;
        if scopes.is_empty() {
            section.problem("scopes", format!("expected at least one of the scopes {SCOPES}"));
        }
        Some(Self { name: name?, secret: secret?, scopes: scopes.into_iter().collect() })
    }
}

fn refuse_twins(section: &Section<'_>, keys: &[HttpKey]) {
    for (index, key) in keys.iter().enumerate() {
        let earlier = &keys[..index];
        let name = &key.name;
        if earlier.iter().any(|other| other.name == *name) {
            section.problem("keys", format!("two keys are named \"{name}\": expected different names"));
        }
        let secret = key.secret.expose();
        if let Some(other) = earlier.iter().find(|other| other.secret.expose() == secret) {
            let other = &other.name;
            section.problem(
                "keys",
                format!("the keys \"{other}\" and \"{name}\" have the same secret: expected different ones"),
            );
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}
