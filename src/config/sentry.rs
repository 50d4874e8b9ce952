//! `[sentry]`: where errors are reported. Imports the reader.

use url::Url;

use super::address;
use super::reader::Section;
use super::secret::Secret;
use super::writer::Page;

/// The variable Sentry's own tools read; used when `[sentry] dsn` is not set.
const DSN_VARIABLE: &str = "SENTRY_DSN";
const DSN_FORM: &str = "expected a DSN such as https://KEY@HOST/PROJECT";

/// Error reports.
#[derive(Clone, Debug, PartialEq)]
pub struct SentryConfig {
    /// Where to; `None` switches Sentry off. Default: the variable `SENTRY_DSN`, if set and not empty.
    pub dsn: Option<Secret>,
    /// The environment reports are filed under. Default: `production`.
    pub environment: String,
    /// The release reports are filed under. Default: entitled's version.
    pub release: String,
}

impl SentryConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        section.default_from("dsn", DSN_VARIABLE);
        let dsn = section.key("dsn").inline_or_secret();
        Self {
            dsn: dsn.and_then(|dsn| checked(section, dsn)),
            environment: section.key("environment").text().unwrap_or_else(|| "production".to_owned()),
            release: section.key("release").text().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { dsn, environment, release } = self;
        page.section("sentry");
        page.put_some("dsn", dsn.as_ref().map(|dsn| dsn.shown(redact)));
        page.put("environment", environment.as_str());
        page.put("release", release.as_str());
    }
}

fn checked(section: &Section<'_>, dsn: Secret) -> Option<Secret> {
    let Some(url) = parse(dsn.expose()) else {
        section.problem("dsn", DSN_FORM);
        return None;
    };
    if address::travels_in_clear(&url) {
        let place = section.place();
        section.warn(format!("{place}: sentry.dsn: plain http outside loopback sends reports in clear"));
    }
    Some(dsn)
}

fn parse(dsn: &str) -> Option<Url> {
    let url = Url::parse(dsn.trim()).ok()?;
    let project = url.path_segments()?.next_back()?;
    let whole = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && !url.username().is_empty()
        && !project.is_empty();
    whole.then_some(url)
}

/// `***` for the key: `https://***@host/1`.
fn redact(dsn: &str) -> String {
    let masked = parse(dsn).and_then(|mut url| {
        url.set_password(None).ok()?;
        url.set_username("***").ok()?;
        Some(url.into())
    });
    masked.unwrap_or_else(|| "***".to_owned())
}
