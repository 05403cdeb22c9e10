//! CRC32c (RFC 4960, appendix B), as version 2 may carry it.

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            // Castagnoli's polynomial, its bits reflected.
            value = if value & 1 == 1 {
                value >> 1 ^ 0x82f6_3b78
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
};

/// Over the parts as if they were one.
pub(crate) fn crc32c(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(u32::MAX, |sum, byte| {
        TABLE[usize::from(sum as u8 ^ byte)] ^ sum >> 8
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_polynomial() {
        assert_eq!(super::crc32c(&[b"12345", b"6789"]), 0xe306_9283);
    }
}
