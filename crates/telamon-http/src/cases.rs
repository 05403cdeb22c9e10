//! `h1-case-adjust`: field names as peers want them that heed the case, against RFC 9110 5.1.

use std::collections::HashMap;

/// By the name in lower case, which differs in nothing else.
#[derive(Debug, Default)]
pub struct Cases(HashMap<Vec<u8>, Vec<u8>>);

impl Cases {
    pub fn new(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Cases {
        let fits = |pair: &(Vec<u8>, Vec<u8>)| pair.0.len() == pair.1.len();
        Cases(pairs.into_iter().filter(fits).collect())
    }

    /// Rewrites the names of a head that is written already, in their places.
    pub fn apply(&self, head: &mut [u8]) {
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &head[start..]) {
            let line = &mut head[start..start + length];
            if start > 0 {
                if line == b"\r" || line.is_empty() {
                    return;
                }
                let end = memchr::memchr(b':', line).unwrap_or(0);
                if let Some(written) = self.0.get(&line[..end]) {
                    line[..end].copy_from_slice(written);
                }
            }
            start += length + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_and_nothing_else() {
        let pair = |from: &str, to: &str| (from.into(), to.into());
        let cases = Cases::new([pair("host", "Host"), pair("x-a", "X-A"), pair("a", "long")]);
        let mut head =
            b"GET /host:x HTTP/1.1\r\nhost: host\r\nx-a: 1\r\nx-b: 2\r\n\r\nhost: b".to_vec();
        cases.apply(&mut head);
        assert_eq!(
            head,
            b"GET /host:x HTTP/1.1\r\nHost: host\r\nX-A: 1\r\nx-b: 2\r\n\r\nhost: b"
        );
    }
}
