//! `[database]`: the store. Imports the reader.

use std::time::Duration;

use url::Url;

use super::reader::Section;
use super::secret::{Secret, SecretOrigin};
use super::writer::{Page, count, time};

const URL_DEFAULT: &str = "sqlite://entitled.db";
const URL_FORM: &str = "expected sqlite://PATH, sqlite::memory: or postgres://HOST/DATABASE (a string or a secret)";

/// The store and the pool of connections to it.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseConfig {
    /// `sqlite://relative`, `sqlite:///absolute`, `sqlite::memory:` or `postgres://...` (also `postgresql://...`).
    /// It may hold a password: print [`DatabaseConfig::redacted`] only. Default: `sqlite://entitled.db`.
    pub url: Secret,
    /// Whether `serve` migrates the schema first. Default: not said, so that the store decides.
    pub auto_migrate: Option<bool>,
    /// Connections in the pool, at most. Default: 10.
    pub max_connections: u32,
    /// The longest wait for a connection. Default: 5 s.
    pub connect_timeout: Duration,
}

impl DatabaseConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let url = section.key("url").inline_or_secret();
        if url.as_ref().is_some_and(|url| !is_database(url.expose())) {
            section.problem("url", URL_FORM);
        }
        let timeouts = Duration::from_millis(10)..=Duration::from_mins(10);
        Self {
            url: url.unwrap_or_else(|| Secret::new(URL_DEFAULT, SecretOrigin::Inline)),
            auto_migrate: section.key("auto_migrate").boolean(),
            max_connections: section.key("max_connections").integer(1..=1_000).unwrap_or(10),
            connect_timeout: section.key("connect_timeout").duration(timeouts).unwrap_or(Duration::from_secs(5)),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { url, auto_migrate, max_connections, connect_timeout } = self;
        page.section("database");
        let shown = self.redacted();
        match shown == url.expose() {
            true => page.put("url", shown),
            false => page.put("url", url.shown(redact)),
        }
        page.put_some("auto_migrate", *auto_migrate);
        page.put("max_connections", count(*max_connections));
        page.put("connect_timeout", time(*connect_timeout));
    }

    /// The address with `***` for a password: for logs and `doctor`.
    #[must_use]
    pub fn redacted(&self) -> String {
        redact(self.url.expose())
    }
}

fn is_database(text: &str) -> bool {
    if text == "sqlite::memory:" {
        return true;
    }
    match text.split_once("://") {
        Some(("sqlite", path)) => !path.is_empty() && !path.starts_with('?'),
        Some(("postgres" | "postgresql", _)) => Url::parse(text).is_ok(),
        _ => false,
    }
}

/// `***` for the password, in the authority and among the parameters.
fn redact(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        return "***".to_owned();
    };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "***".to_owned();
    }
    if url.query_pairs().any(|(name, _)| is_password(&name)) {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let shown = pairs.iter().map(|(name, value)| match is_password(name) {
            true => (name.as_str(), "***"),
            false => (name.as_str(), value.as_str()),
        });
        url.query_pairs_mut().clear().extend_pairs(shown);
    }
    url.into()
}

fn is_password(parameter: &str) -> bool {
    parameter.to_ascii_lowercase().contains("password")
}
