//! The numbers that hashing algorithms reduce a key to (manual, `hash-type`).
//!
//! All are public functions with names of their own: sdbm's and Bernstein's string hashes, HAProxy's
//! wt6, Ethernet's CRC, and Bob Jenkins's full avalanche of an integer. A key must go to the same
//! number as in HAProxy, so that both can stand side by side; the tests ask the real one.

use std::net::IpAddr;

/// How a key becomes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Sdbm,
    Djb2,
    Wt6,
    Crc32,
    /// The key is a decimal number, and is itself the hash.
    None,
}

impl Function {
    pub fn hash(self, key: &[u8]) -> u32 {
        match self {
            Function::Sdbm => sdbm(key),
            Function::Djb2 => djb2(key),
            Function::Wt6 => wt6(key),
            Function::Crc32 => crc32(key),
            Function::None => leading_number(key) as u32,
        }
    }
}

pub fn sdbm(key: &[u8]) -> u32 {
    key.iter().fold(0, |hash: u32, byte| {
        hash.wrapping_mul(65599).wrapping_add(u32::from(*byte))
    })
}

pub fn djb2(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, byte| {
        hash.wrapping_mul(33).wrapping_add(u32::from(*byte))
    })
}

/// Two words that swap places with each byte, turned by amounts that they themselves give.
pub fn wt6(key: &[u8]) -> u32 {
    let (mut left, mut right) = (0xa53c_965a_u32, 0x5ca6_953a_u32);
    let (mut by_left, mut by_right) = (6, 18);
    for byte in key {
        let byte = u32::from(*byte);
        let mixed = !(left ^ byte);
        let summed = !right.wrapping_add(byte);
        left = summed.rotate_left(by_left);
        right = mixed.rotate_left(by_right);
        let step = (left >> 16) ^ (right & 0xffff);
        (by_left, by_right) = (step & 31, step >> 11);
    }
    left ^ right
}

/// The CRC of Ethernet, gzip and PNG (ISO 3309).
pub fn crc32(key: &[u8]) -> u32 {
    !key.iter().fold(!0, |sum: u32, byte| {
        CRC_TABLE[((sum ^ u32::from(*byte)) & 0xff) as usize] ^ (sum >> 8)
    })
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = (rest >> 1) ^ (0xedb8_8320 * (rest & 1));
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
}

/// Jenkins's integer hash: each bit of the number changes about half of the result's. The last
/// factor, a prime near three quarters of 2^32, spreads small numbers over the whole ring.
pub fn avalanche(number: u32) -> u32 {
    let mut a = number;
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    a = (a ^ 0xb55a_4f09) ^ (a >> 16);
    a.wrapping_mul(3_221_225_473)
}

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

/// The decimal number that the text begins with, within 64 bits; 0 if it begins with none.
fn leading_number(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let number =
        digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0i64, |number, byte| {
                let number = number.saturating_mul(10);
                number.saturating_add(i64::from(byte - b'0'))
            });
    if negative {
        -number
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published values, so that a slip shows without a peer.
    #[test]
    fn known_values() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(djb2(b""), 5381);
        assert_eq!(djb2(b"a"), 5381 * 33 + 97);
        assert_eq!(sdbm(b"ab"), 97 * 65599 + 98);
        assert_eq!(Function::None.hash(b"-3x"), 3u32.wrapping_neg());
        assert_eq!(Function::None.hash(b"4294967297"), 1);
        assert_eq!(Function::None.hash(b"x"), 0);
    }

    #[test]
    fn an_address_of_six_words_folds() {
        let six: IpAddr = "::ffff:0:1".parse().unwrap();
        assert_eq!(source_hash(six), 0xffff_0000_u32.rotate_right(16) ^ 1);
    }
}
