//! The numbers that hashing algorithms reduce a key to.

use std::net::IpAddr;

/// The client address as `balance source` sees it: its 32-bit words in network order, all
/// combined by exclusive or. An IPv4 address is its own number.
pub fn source_hash(source: IpAddr) -> u32 {
    match source {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(address) => address
            .octets()
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
            .fold(0, |hash, word| hash ^ word),
    }
}
