//! Addresses: what entitled calls. Imports the reader and url.

use url::{Host, Url};

use super::field::Field;

const FORM: &str = "an http:// or https:// address without user, query and fragment";

/// What a plain `http://` address means for a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainHttp {
    /// Accepted, with a warning outside loopback.
    Warned,
    /// The usual form (the metadata server of an instance).
    Usual,
}

impl Field<'_> {
    /// A whole `http` or `https` address.
    pub fn address(self, plain: PlainHttp) -> Option<Url> {
        let spot = self.spot.clone();
        let url = self.parsed(FORM, |text| {
            Url::parse(text.trim()).ok().filter(is_plain_address).ok_or(format!("expected {FORM}"))
        })?;
        if plain == PlainHttp::Warned && travels_in_clear(&url) {
            let (place, path) = (&spot.place, &spot.path);
            spot.context
                .warn(format!("{place}: {path}: plain http outside loopback sends secrets and personal data in clear"));
        }
        Some(url)
    }

    /// A root to which paths are joined: its path ends in `/`, added where it is missing.
    pub fn base(self, plain: PlainHttp) -> Option<Url> {
        let mut url = self.address(plain)?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Some(url)
    }
}

/// Whether requests to `url` could be read on a network.
pub(super) fn travels_in_clear(url: &Url) -> bool {
    url.scheme() == "http" && !is_loopback(url)
}

pub(super) fn is_plain_address(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
