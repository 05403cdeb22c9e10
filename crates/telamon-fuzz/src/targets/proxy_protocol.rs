//! PROXY headers: a prefix of a header asks for more, nothing else does once all is there, and what
//! was read is written to be read alike.

use telamon_proxy_protocol::{parse, write, Ends, Fields, Parsed};

use super::Target;
use crate::random::Random;

pub(crate) const HEADERS: Target = Target {
    name: "proxy-protocol",
    seeds: &[
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\nGET",
        b"PROXY TCP6 ::1 2001:db8::1 1 65535\r\n",
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x03\xe8\0\x50",
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xc0\0\x02\x01\xc0\0\x02\x02\x03\xe8\0\x50\x02\0\x04abcd",
    ],
    words: &[
        b"\r\n", b" ", b"PROXY ", b"TCP4", b"TCP6", b"\r\n\r\n\0\r\nQUIT\n", b"\x21\x11", b"\x21\x31",
        b"\x03\0\x04", b"\x20\0\x05", b"\0\0", b"::", b"65536",
    ],
    run: headers,
};

fn headers(input: &[u8], random: &mut Random) -> bool {
    let whole = parse(input);
    let cut = random.below(input.len() + 1);
    match (&whole, parse(&input[..cut])) {
        (_, Parsed::More) => {}
        (Parsed::Done(one), Parsed::Done(other)) => assert_eq!(*one, other, "cut at {cut}"),
        (Parsed::Bad(_), Parsed::Bad(_)) => {}
        (one, other) => panic!("cut at {cut}: {one:?} and {other:?}"),
    }
    let Parsed::Done(header) = whole else {
        return matches!(whole, Parsed::More);
    };
    assert!(header.length <= input.len());
    if let Ends::Inet(..) = header.ends {
        let mut out = Vec::new();
        if write(2, &header.ends, &Fields::default(), &mut out).is_ok() {
            match parse(&out) {
                Parsed::Done(again) => assert_eq!(again.ends, header.ends),
                other => panic!("written: {other:?}"),
            }
        }
    }
    true
}
