//! `[identity]`: how people are recognised who show no token of entitled's. Imports the reader.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use entitled_model::role::Role;
use url::Url;

use super::address::PlainHttp;
use super::reader::Section;
use super::tree::Value;
use super::writer::{Page, time};

const NETWORK_FORM: &str = "an address or a network, such as \"10.0.0.7\" or \"10.0.0.0/8\"";

/// `[identity]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdentityConfig {
    /// The role of a person to whom none was given: `viewer` or `use`. Default: none, they are refused.
    pub default_role: Option<Role>,
    /// `[identity.proxy]`.
    pub proxy: ProxyConfig,
    /// `[identity.oidc]`. Default: no such logins.
    pub oidc: Option<OidcConfig>,
}

/// `[identity.proxy]`: what is believed of a proxy in front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyConfig {
    /// Where it calls from. `X-Forwarded-For` and `header` are believed from there, and from nowhere else. Default: none.
    pub addresses: Vec<Network>,
    /// The header in which it says whose address it has recognised. Default: none, nobody is recognised so.
    pub header: Option<String>,
}

/// `[identity.oidc]`: bearer tokens of an OpenID Connect provider.
#[derive(Clone, Debug, PartialEq)]
pub struct OidcConfig {
    /// The provider, exactly as its tokens and its discovery document name it.
    pub issuer: String,
    /// The address that `.well-known/openid-configuration` is appended to: the issuer.
    pub base: Url,
    /// What its tokens must be meant for.
    pub audience: String,
    /// How far the provider's clock may be from ours. Default: 1 m.
    pub leeway: Duration,
    /// How long its keys are used without being fetched anew. Default: 1 h.
    pub keys_ttl: Duration,
    /// How long one of its answers may take. Default: 5 s.
    pub timeout: Duration,
}

/// An address, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected {NETWORK_FORM}");
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| expected()))?;
        if bits > most { Err(expected()) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl IdentityConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let form = "\"viewer\" or \"use\": higher roles are given to people, not to everybody";
        let modest = |text: &str| Role::from_str(text).ok().filter(|role| *role < Role::Manage);
        let default_role =
            section.key("default_role").parsed(form, |text| modest(text).ok_or_else(|| format!("expected {form}")));
        let proxy = section.table("proxy", ProxyConfig::read);
        let oidc = if section.has("oidc") {
            section.table("oidc", OidcConfig::read)
        } else {
            drop(section.key("oidc"));
            None
        };
        Self { default_role, proxy, oidc }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { default_role, proxy, oidc } = self;
        page.section("identity");
        page.put_some("default_role", default_role.map(Role::as_str));
        proxy.show(page);
        if let Some(oidc) = oidc {
            oidc.show(page);
        }
    }
}

impl ProxyConfig {
    fn read(section: &mut Section<'_>) -> Self {
        let addresses = section.key("addresses").list(NETWORK_FORM, Network::from_str).unwrap_or_default();
        let form = "a header's name: letters, digits and `-`";
        let name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let header = section.key("header").matching(form, name).map(|name| name.to_ascii_lowercase());
        if header.as_deref() == Some("authorization") {
            section.problem("header", "expected another header than Authorization, which carries credentials");
        }
        if header.is_some() && addresses.is_empty() {
            section.problem("header", "expected `addresses` too: from anywhere else the header is not believed");
        }
        Self { addresses, header }
    }

    fn show(&self, page: &mut Page) {
        let Self { addresses, header } = self;
        page.section("identity.proxy");
        page.put("addresses", addresses.iter().map(Network::to_string).collect::<Vec<_>>());
        page.put_some("header", header.as_deref());
    }
}

impl OidcConfig {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let issuer = section.key("issuer").required("the provider's address, as its tokens name it");
        // Kept as it is written: tokens are compared with it, and not with what an address is normalised to.
        let text = issuer.node.as_ref().and_then(|node| match &node.value {
            Value::Text(text) | Value::Raw(text) => Some(text.trim().to_owned()),
            _ => None,
        });
        let base = issuer.base(PlainHttp::Warned);
        let audience = section.key("audience").required("what the tokens must be meant for").text();
        let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        let leeway = section.key("leeway").duration(Duration::ZERO..=Duration::from_mins(5));
        let keys_ttl = section.key("keys_ttl").duration(second..=24 * hour);
        let timeout = section.key("timeout").duration(Duration::from_millis(10)..=Duration::from_mins(1));
        Some(Self {
            issuer: text?,
            base: base?,
            audience: audience?,
            leeway: leeway.unwrap_or(Duration::from_mins(1)),
            keys_ttl: keys_ttl.unwrap_or(hour),
            timeout: timeout.unwrap_or(Duration::from_secs(5)),
        })
    }

    fn show(&self, page: &mut Page) {
        let Self { issuer, base: _, audience, leeway, keys_ttl, timeout } = self;
        page.section("identity.oidc");
        page.put("issuer", issuer.as_str());
        page.put("audience", audience.as_str());
        page.put("leeway", time(*leeway));
        page.put("keys_ttl", time(*keys_ttl));
        page.put("timeout", time(*timeout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.7", "10.0.0.7", "10.0.0.8"),
            ("0.0.0.0/0", "192.0.2.1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "127.0.0.1"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::1"),
        ] {
            let read: Network = network.parse().expect("a network");
            assert!(read.contains(inside.parse().expect("an address")), "{network} {inside}");
            assert!(!read.contains(outside.parse().expect("an address")), "{network} {outside}");
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for bad in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
