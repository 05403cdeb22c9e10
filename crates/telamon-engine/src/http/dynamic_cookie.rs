//! `cookie ... dynamic`: a server's cookie is a hash of a secret and of its address, so that all load
//! balancers with the same secret make the same (manual 4.2, `dynamic-cookie-key`).

use std::net::IpAddr;

use telamon_sys::SockAddr;
use xxhash_rust::xxh64::xxh64;

/// Sixteen hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DynamicCookie([u8; 16]);

impl DynamicCookie {
    /// None for a server that has no internet address.
    pub(crate) fn new(key: &str, address: &SockAddr) -> Option<DynamicCookie> {
        let address = address.as_inet()?;
        let mut text = key.as_bytes().to_vec();
        match address.ip() {
            IpAddr::V4(ip) => text.extend(ip.octets()),
            IpAddr::V6(ip) => text.extend(ip.octets()),
        }
        text.extend(u32::from(address.port()).to_be_bytes());
        let digits = format!("{:016x}", xxh64(&text, 0));
        Some(DynamicCookie(digits.into_bytes().try_into().ok()?))
    }

    pub(crate) fn as_str(&self) -> &str {
        // Hex digits are text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haproxy_makes_the_same() {
        let address = SockAddr::inet("127.0.0.1:18932".parse().unwrap());
        let cookie = DynamicCookie::new("secret", &address).unwrap();
        assert_eq!(cookie.as_str(), "2a54b157bc58c09e");
    }
}
