//! How many bytes HAProxy says a response had (`%B`, manual 8.2.4).
//!
//! It does not count the wire but its internal message: a start line is 20 bytes and the three
//! words without their blanks, a field its name and value without colon and line end, the end of
//! the head one byte. `connection` belongs to the wire only. Log readers that sum sizes compare
//! with what HAProxy wrote, so ours are counted alike (measured with 2.6).

use crate::token::trim;

const START_LINE: usize = 20;
const END_OF_HEAD: usize = 1;

/// The size to log for a whole response as it is sent. Its body may be missing (HEAD).
pub fn logged_size(response: &[u8]) -> u64 {
    let Some(end) = memchr::memmem::find(response, b"\r\n\r\n") else {
        return 0;
    };
    let body = response.len() - end - 4;
    let mut lines = response[..end].split(|byte| *byte == b'\n').map(trim_cr);
    let start = lines.next().unwrap_or_default();
    // Version and status are parted by blanks; blanks within the reason are its own.
    let words = start.splitn(3, |byte| *byte == b' ').map(<[u8]>::len);
    let fields = lines.map(field_size).sum::<usize>();
    (START_LINE + words.sum::<usize>() + fields + END_OF_HEAD + body) as u64
}

fn field_size(line: &[u8]) -> usize {
    let Some(colon) = memchr::memchr(b':', line) else {
        return 0;
    };
    let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
    if name.eq_ignore_ascii_case(b"connection") {
        0
    } else {
        name.len() + value.len()
    }
}

fn trim_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::logged_size;
    use crate::{Answer, Persistence};

    #[test]
    fn sizes_that_haproxy_logged() {
        let served = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(logged_size(served), 51);
        for persistence in [Persistence::Close, Persistence::Implied] {
            let mut out = Vec::new();
            Answer::of(503).unwrap().write(persistence, false, &mut out);
            assert_eq!(logged_size(&out), 217);
        }
    }
}
