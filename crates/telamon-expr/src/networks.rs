//! Addresses in networks: of all that hold an address, the narrowest is found, however many there
//! are (manual 7.1.6).
//!
//! Networks are kept by the length of their masks, the longest first: a look-up asks one hash table
//! for each length that occurs. A mask with holes has no length: those few are tried one by one.

use std::collections::hash_map::Entry;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ranked::{Listed, Ranked};

/// An address with the bits that count.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    address: IpAddr,
    mask: u128,
}

impl Network {
    pub(crate) fn new(text: &[u8]) -> Result<Network, String> {
        let text = std::str::from_utf8(text).map_err(|_| "a network is no text")?;
        let bad = || format!("'{text}' is no address or network");
        let (host, bits) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = host.parse().map_err(|_| bad())?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let mask = match bits.parse::<u32>() {
            _ if bits.is_empty() => ones(width, width),
            Ok(bits) if bits <= width => ones(bits, width),
            _ => match bits.parse::<IpAddr>() {
                Ok(IpAddr::V4(mask)) if width == 32 => u128::from(u32::from(mask)),
                Ok(IpAddr::V6(mask)) if width == 128 => u128::from(mask),
                _ => return Err(bad()),
            },
        };
        Ok(Network { address, mask })
    }
}

/// Networks with what belongs to each; of two that are alike the one with the lower number counts.
pub(crate) struct Networks<T> {
    four: Family<T>,
    six: Family<T>,
}

struct Family<T> {
    /// By their masks, the longest first.
    by_mask: Vec<(u128, HashMap<u128, Ranked<T>>)>,
    with_holes: Listed<(u128, u128, T)>,
}

impl<T> Networks<T> {
    pub(crate) fn put(&mut self, number: u64, network: Network, value: T) {
        let mask = network.mask;
        match network.address {
            IpAddr::V4(four) => {
                let address = u128::from(u32::from(four));
                self.four.put(number, address, mask, 32, value);
            }
            IpAddr::V6(six) => self.six.put(number, u128::from(six), mask, 128, value),
        }
    }

    pub(crate) fn remove(&mut self, number: u64, network: Network) {
        let mask = network.mask;
        match network.address {
            IpAddr::V4(four) => self.four.remove(number, u128::from(u32::from(four)), mask),
            IpAddr::V6(six) => self.six.remove(number, u128::from(six), mask),
        }
    }

    pub(crate) fn get(&self, ip: IpAddr) -> Option<&T> {
        match ip {
            IpAddr::V4(four) => {
                let mapped = u128::from(four.to_ipv6_mapped());
                let own = self.four.get(u128::from(u32::from(four)));
                own.or_else(|| self.six.get(mapped))
            }
            IpAddr::V6(six) => {
                let embedded = || embedded(six).map(|four| u128::from(u32::from(four)));
                let own = self.six.get(u128::from(six));
                own.or_else(|| self.four.get(embedded()?))
            }
        }
    }
}

impl<T> Default for Networks<T> {
    fn default() -> Self {
        Networks {
            four: Family::default(),
            six: Family::default(),
        }
    }
}

impl<T> Default for Family<T> {
    fn default() -> Self {
        Family {
            by_mask: Vec::new(),
            with_holes: Listed::default(),
        }
    }
}

impl<T> Family<T> {
    fn put(&mut self, number: u64, address: u128, mask: u128, width: u32, value: T) {
        if mask != ones(mask.count_ones(), width) {
            return self.with_holes.put(number, (address & mask, mask, value));
        }
        let place = self.by_mask.partition_point(|one| one.0 > mask);
        if self.by_mask.get(place).is_none_or(|one| one.0 != mask) {
            self.by_mask.insert(place, (mask, HashMap::new()));
        }
        match self.by_mask[place].1.entry(address & mask) {
            Entry::Occupied(mut there) => there.get_mut().put(number, value),
            Entry::Vacant(free) => drop(free.insert(Ranked::new(number, value))),
        }
    }

    fn remove(&mut self, number: u64, address: u128, mask: u128) {
        let place = self.by_mask.partition_point(|one| one.0 > mask);
        let Some((_, networks)) = self.by_mask.get_mut(place).filter(|one| one.0 == mask) else {
            return self.with_holes.remove(number);
        };
        let address = address & mask;
        if networks
            .get_mut(&address)
            .is_some_and(|there| there.remove(number))
        {
            networks.remove(&address);
            if networks.is_empty() {
                self.by_mask.remove(place);
            }
        }
    }

    fn get(&self, ip: u128) -> Option<&T> {
        let by_mask = self.by_mask.iter();
        let found = by_mask.filter_map(|(mask, networks)| networks.get(&(ip & mask)));
        let found = found.map(|there| there.first().1);
        let holes = self.with_holes.values();
        found
            .chain(
                holes.filter_map(|(address, mask, value)| (ip & mask == *address).then_some(value)),
            )
            .next()
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible (RFC 4291 2.5.5) or 6to4
/// (RFC 3056 2), as HAProxy takes them.
fn embedded(six: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = six.segments();
    let four = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, [b, c, d, e]) {
        (0x2002, _) => Some(four(b, c)),
        (0, [0, 0, 0, 0]) if f == 0 || f == 0xffff => Some(four(high, low)),
        _ => None,
    }
}

fn ones(bits: u32, width: u32) -> u128 {
    let all = u128::MAX >> (128 - width);
    all.checked_shl(width - bits).unwrap_or(0) & all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&'static str]) -> Networks<&'static str> {
        let mut all = Networks::default();
        for (number, text) in texts.iter().enumerate() {
            all.put(number as u64, Network::new(text.as_bytes()).unwrap(), *text);
        }
        all
    }

    #[test]
    fn the_narrowest_wins() {
        let all = networks(&["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "::/0"]);
        for (ip, network) in [
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.9.9", "10.1.0.0/16"),
            ("10.9.9.9", "10.0.0.0/8"),
            ("1.1.1.1", "0.0.0.0/0"),
            ("2001:db8::1", "::/0"),
        ] {
            assert_eq!(all.get(ip.parse().unwrap()), Some(&network), "{ip}");
        }
        assert_eq!(networks(&[]).get("::1".parse().unwrap()), None);
    }

    #[test]
    fn what_is_taken_out_is_not_found() {
        let mut all = networks(&[
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.0.0.3/255.0.0.255",
            "10.9.9.9/8",
        ]);
        let remove = |all: &mut Networks<_>, number, text: &str| {
            all.remove(number, Network::new(text.as_bytes()).unwrap());
        };
        let ip = "10.1.0.3".parse().unwrap();
        for (number, text, next) in [
            (1, "10.1.0.0/16", Some("10.0.0.0/8")),
            (0, "10.0.0.0/8", Some("10.9.9.9/8")),
            (3, "10.9.9.9/8", Some("10.0.0.3/255.0.0.255")),
            (2, "10.0.0.3/255.0.0.255", None),
            (2, "::1", None),
        ] {
            remove(&mut all, number, text);
            assert_eq!(all.get(ip).copied(), next, "{text}");
        }
        assert!(all.four.by_mask.is_empty());
    }

    #[test]
    fn families_meet_as_in_haproxy() {
        let cases = [
            ("::ffff:1.2.3.0/120", "1.2.3.4", true),
            ("::/0", "1.2.3.4", true),
            ("1.2.3.4", "::ffff:1.2.3.4", true),
            ("1.2.3.4", "2002:102:304::1", true),
            ("0.0.0.1", "::1", true),
            ("2002:102:304::/48", "1.2.3.4", false),
            ("1.2.3.4", "2001:102:304::1", false),
            ("10.0.0.3/255.0.0.255", "10.7.7.3", true),
            ("10.0.0.3/255.0.0.255", "10.7.7.4", false),
        ];
        for (network, ip, inside) in cases {
            let found = networks(&[network]).get(ip.parse().unwrap()).is_some();
            assert_eq!(found, inside, "{ip} in {network}");
        }
    }
}
