//! How many failed authentications an address may make: a burst, then one in a while. The table is bounded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The most failures at once.
const BURST: u32 = 30;
/// One more is allowed each.
const EVERY: Duration = Duration::from_secs(2);
/// The most addresses that are remembered; further ones share what is left for one.
const ADDRESSES_MAX: usize = 10_000;

/// Failures by address.
#[derive(Default)]
pub struct Failures(Mutex<HashMap<Option<IpAddr>, Duration>>);

impl Failures {
    /// Counts a failure at `now`, a monotonic time.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub fn count(&self, address: Option<IpAddr>, now: Duration) -> Result<(), Duration> {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut address = address.map(network);
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&address) {
            addresses.retain(|_, filled| *filled > now);
            if addresses.len() >= ADDRESSES_MAX {
                address = None;
            }
        }
        // What was used up is had again at this time.
        let filled = addresses.entry(address).or_default();
        let next = (*filled).max(now) + EVERY;
        let wait = next.saturating_sub(now + EVERY * BURST);
        if wait.is_zero() {
            *filled = next;
            return Ok(());
        }
        Err(wait)
    }
}

/// Whoever has one address of an IPv6 network has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(n.into()))
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_in_a_while() {
        let failures = Failures::default();
        let now = Duration::from_secs(100);
        for _ in 0..BURST {
            assert_eq!(failures.count(address(1), now), Ok(()));
        }
        let wait = failures.count(address(1), now).expect_err("too many");
        assert_eq!(wait, EVERY);
        assert_eq!(failures.count(address(2), now), Ok(()), "another address is not concerned");
        assert_eq!(failures.count(address(1), now + wait), Ok(()));
        assert!(failures.count(address(1), now + wait).is_err());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_has_been_good() {
        let failures = Failures::default();
        let now = Duration::from_secs(100);
        for n in 0..20_000 {
            let _ = failures.count(address(n), now);
        }
        assert!(failures.0.lock().expect("addresses").len() <= ADDRESSES_MAX + 1);
        assert!(failures.count(address(30_000), now).is_err(), "those that have no place share one");
        let later = now + EVERY;
        assert_eq!(failures.count(address(30_000), later), Ok(()));
        assert!(failures.0.lock().expect("addresses").len() <= 2);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let failures = Failures::default();
        for n in 0..BURST {
            let one: IpAddr = format!("2001:db8::{n:x}").parse().expect("an address");
            assert_eq!(failures.count(Some(one), Duration::ZERO), Ok(()));
        }
        assert!(failures.count("2001:db8::ffff".parse().ok(), Duration::ZERO).is_err());
        assert!(failures.count("2001:db8:0:1::1".parse().ok(), Duration::ZERO).is_ok());
    }
}
