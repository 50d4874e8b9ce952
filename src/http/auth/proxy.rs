//! What a proxy in front is believed: where a request came from, and whom the proxy has recognised. Only from its own addresses.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use entitled_model::EmailAddress;

use crate::config::{Network, ProxyConfig};

/// The proxies that are believed.
#[derive(Default)]
pub struct Proxy {
    addresses: Vec<Network>,
    header: Option<HeaderName>,
}

impl Proxy {
    #[must_use]
    pub fn new(settings: &ProxyConfig) -> Self {
        let ProxyConfig { addresses, header } = settings;
        Self { addresses: addresses.clone(), header: header.as_ref().and_then(|name| name.parse().ok()) }
    }

    /// Where a request came from: what the nearest believed proxy says, or else whoever is connected.
    pub(in crate::http) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer?.to_canonical();
        let hops = headers.get_all("x-forwarded-for");
        let hops = hops.iter().rev().filter_map(|value| value.to_str().ok()).flat_map(|value| value.rsplit(','));
        for hop in hops {
            if !self.believes(client) {
                break;
            }
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        Some(client)
    }

    /// Whom the proxy has recognised, if it is one of ours and says so. Anything but one address is nobody.
    pub(super) fn person(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<Result<EmailAddress, ()>> {
        let header = self.header.as_ref()?;
        if !self.believes(peer?) {
            return None;
        }
        let mut given = headers.get_all(header).iter();
        let first = given.next()?;
        if given.next().is_some() {
            return Some(Err(()));
        }
        let text = std::str::from_utf8(first.as_bytes()).map_err(drop);
        Some(text.and_then(|text| EmailAddress::parse(text).map_err(drop)))
    }

    fn believes(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|network| network.contains(address))
    }
}

/// Whether a browser says that another site made it send this: a proxy's session would lend itself to that.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    !matches!(site, None | Some(b"same-origin" | b"none"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn proxy(addresses: &[&str]) -> Proxy {
        let addresses = addresses.iter().map(|text| text.parse().expect("a network")).collect();
        Proxy::new(&ProxyConfig { addresses, header: Some("x-email".to_owned()) })
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_believed_hops_are_passed_over() {
        let proxy = proxy(&["10.0.0.0/8"]);
        for (peer, forwarded, client) in [
            ("192.0.2.1", "203.0.113.5", "192.0.2.1"),
            ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "198.51.100.9, 203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.5, nonsense", "10.0.0.1"),
            ("::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ] {
            let found = proxy.client(peer.parse().ok(), &headers(&[("x-forwarded-for", forwarded)]));
            assert_eq!(found, client.parse().ok(), "{peer} {forwarded}");
        }
        assert_eq!(proxy.client("10.0.0.1".parse().ok(), &HeaderMap::new()), "10.0.0.1".parse().ok());
    }

    #[test]
    fn a_person_is_believed_from_the_proxy_alone_and_in_one_word() {
        let proxy = proxy(&["10.0.0.1"]);
        let ann = headers(&[("x-email", "ann@example.org")]);
        assert_eq!(proxy.person("10.0.0.2".parse().ok(), &ann), None);
        assert_eq!(proxy.person(None, &ann), None);
        assert_eq!(proxy.person("10.0.0.1".parse().ok(), &HeaderMap::new()), None);
        let found = proxy.person("10.0.0.1".parse().ok(), &ann);
        assert_eq!(found, Some(Ok(EmailAddress::parse("ann@example.org").expect("an address"))));
        for bad in [vec![("x-email", "")], vec![("x-email", "ann")], vec![("x-email", "a@b.c"), ("x-email", "d@e.f")]] {
            assert_eq!(proxy.person("10.0.0.1".parse().ok(), &headers(&bad)), Some(Err(())), "{bad:?}");
        }
        let off = Proxy::new(&ProxyConfig { header: None, addresses: vec!["10.0.0.1".parse().expect("a network")] });
        assert_eq!(off.person("10.0.0.1".parse().ok(), &ann), None);
    }

    #[test]
    fn what_another_site_made_a_browser_send_is_known() {
        for (site, cross) in [("same-origin", false), ("none", false), ("cross-site", true), ("same-site", true)] {
            assert_eq!(is_cross_site(&headers(&[("sec-fetch-site", site)])), cross, "{site}");
        }
        assert!(!is_cross_site(&HeaderMap::new()));
    }
}
