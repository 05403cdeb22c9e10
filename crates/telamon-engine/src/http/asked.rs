//! A request as a balancing algorithm may ask about it: read from the head that will go to the
//! server, and only when it asks.

use telamon_balance::Request;
use telamon_sys::Pool;

use crate::conn::Slot;
use telamon_session::Side;

pub(crate) struct Asked<'a> {
    /// In mode http: the head as it goes to the server.
    head: Option<&'a [u8]>,
    /// In mode http what came behind the head, in mode tcp what came first.
    bytes: &'a [u8],
    /// The value of `balance hash <expr>`.
    sample: Option<&'a [u8]>,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(slot: &'a Slot, pool: &'a Pool) -> Asked<'a> {
        let Some(http) = slot.http.as_deref() else {
            let first = slot.out[Side::Server as usize].iter().next();
            return Asked {
                head: None,
                bytes: first.map_or(&[], |chunk| pool.data(chunk)),
                sample: None,
            };
        };
        let exchange = http.exchange.as_deref();
        Asked {
            head: exchange.map(|exchange| &exchange.outgoing[..]),
            bytes: http.rest.as_ref().map_or(&[], |chunk| pool.data(chunk)),
            sample: exchange.and_then(|exchange| exchange.hash_key.as_deref()),
        }
    }

    /// The values of all fields of a name, as lists with commas between.
    pub(crate) fn values(&self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let of_name = move |line: &'a [u8]| {
            let (found, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            found.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        };
        let fields = self.lines().skip(1).filter_map(of_name);
        fields.flat_map(|value| value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
    }

    /// The lines of the head; the first is the request line.
    fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.head.unwrap_or_default().split(|byte| *byte == b'\n');
        lines
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .take_while(|line| !line.is_empty())
    }
}

impl Request for Asked<'_> {
    fn uri(&self) -> Option<&[u8]> {
        self.lines().next()?.split(|byte| *byte == b' ').nth(1)
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            found.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        })
    }

    fn posted(&self) -> Option<&[u8]> {
        if !self.head?.starts_with(b"POST ") {
            return None;
        }
        let chunked = self.header("transfer-encoding").is_some();
        if chunked {
            first_chunk(self.bytes)
        } else {
            Some(self.bytes)
        }
    }

    fn first_bytes(&self) -> Option<&[u8]> {
        self.head.is_none().then_some(self.bytes)
    }

    fn sample(&self, key: &mut dyn FnMut(&[u8])) {
        if let Some(sample) = self.sample {
            key(sample);
        }
    }
}

/// As much as has come of the first chunk of a body; the parser has the others, but the manual
/// promises no more.
fn first_chunk(body: &[u8]) -> Option<&[u8]> {
    let end = body.iter().position(|byte| *byte == b'\n')?;
    let size = body[..end]
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit());
    let size = size.fold(0usize, |size, digit| {
        let digit = char::from(*digit).to_digit(16).unwrap_or(0) as usize;
        size.saturating_mul(16).saturating_add(digit)
    });
    let data = &body[end + 1..];
    Some(&data[..data.len().min(size)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &[u8] = b"POST /a?b HTTP/1.1\r\nhost: x\r\nhostess: y\r\n\r\nhost: z\r\n";

    #[test]
    fn a_head_tells_what_is_asked() {
        let asked = Asked {
            head: Some(POST),
            bytes: b"p=1",
            sample: None,
        };
        assert_eq!(asked.uri(), Some(&b"/a?b"[..]));
        assert_eq!(asked.header("Host"), Some(&b" x"[..]));
        assert_eq!(asked.header("hos"), None);
        let listed = Asked {
            head: Some(b"GET / HTTP/1.1\r\nX: a, b\r\nY: c\r\nx:d\r\n\r\nx: e"),
            bytes: b"",
            sample: None,
        };
        assert_eq!(listed.values("X").collect::<Vec<_>>(), [b"a", b"b", b"d"]);
        assert_eq!(asked.posted(), Some(&b"p=1"[..]));
        assert_eq!(asked.first_bytes(), None);
    }

    #[test]
    fn of_chunks_the_first_counts() {
        assert_eq!(first_chunk(b"5;x\r\nab=cd\r\n3\r\n"), Some(&b"ab=cd"[..]));
        assert_eq!(first_chunk(b"5\r\nab"), Some(&b"ab"[..]));
        assert_eq!(first_chunk(b"5"), None);
    }
}
