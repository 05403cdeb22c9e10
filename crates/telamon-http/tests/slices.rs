//! However the bytes arrive, the parser says the same: whole, byte by byte, in two parts, and
//! with other bytes behind the head. And no input makes it panic.

use proptest::prelude::*;
use telamon_http::{BadRequest, Body, HeadParser, Version};

const LIMIT: usize = 15_360;

/// What a head says, without ties to the buffer.
#[derive(Debug, PartialEq)]
struct Said {
    method: Vec<u8>,
    uri: Vec<u8>,
    version: Version,
    body: Body,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    keeps_alive: bool,
    end: usize,
}

/// Feed the parser with growing prefixes of the input.
fn parse(input: &[u8], ends: impl IntoIterator<Item = usize>) -> Result<Option<Said>, BadRequest> {
    let mut parser = HeadParser::new(LIMIT);
    for end in ends {
        if let Some(request) = parser.parse(&input[..end])? {
            return Ok(Some(Said {
                method: request.method.to_vec(),
                uri: request.uri.to_vec(),
                version: request.version,
                body: request.body,
                fields: request
                    .fields()
                    .map(|field| (field.name.to_vec(), field.unfolded().into_owned()))
                    .collect(),
                keeps_alive: request.keeps_alive(),
                end: request.end,
            }));
        }
    }
    Ok(None)
}

fn whole(input: &[u8]) -> Result<Option<Said>, BadRequest> {
    parse(input, [input.len()])
}

#[test]
fn a_head_keeps_order_and_case() {
    let input = b"\r\nGET /a?b HTTP/1.1\r\nHost: x\r\nX-B:  2 \r\nx-a:1\r\n\r\ntrailing";
    let said = whole(input).unwrap().unwrap();
    let fields: Vec<(&[u8], &[u8])> = said.fields.iter().map(|(n, v)| (&n[..], &v[..])).collect();
    assert_eq!(said.method, b"GET");
    assert_eq!(said.uri, b"/a?b");
    assert_eq!(said.version, Version { major: 1, minor: 1 });
    assert_eq!(
        fields,
        [(&b"Host"[..], &b"x"[..]), (b"X-B", b"2"), (b"x-a", b"1")]
    );
    assert_eq!(said.end, input.len() - b"trailing".len());
    assert!(said.keeps_alive);
}

#[test]
fn folded_values_become_one_line() {
    let said = whole(b"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n \r\nB:\r\n d\r\n\r\n")
        .unwrap()
        .unwrap();
    assert_eq!(said.fields[0].1, b"b  \tc");
    assert_eq!(said.fields[1].1, b"d");
}

#[test]
fn persistence_follows_version_and_connection() {
    for (head, kept) in [
        ("GET / HTTP/1.1\r\n\r\n", true),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nConnection: te, CLOSE\r\n\r\n", false),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
            false,
        ),
    ] {
        assert_eq!(
            whole(head.as_bytes()).unwrap().unwrap().keeps_alive,
            kept,
            "{head:?}"
        );
    }
}

#[test]
fn a_head_of_the_limit_is_taken_and_one_more_byte_refused() {
    let empty = "GET / HTTP/1.1\r\nA: \r\n\r\n".len();
    for (length, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
        let input = format!(
            "GET / HTTP/1.1\r\nA: {}\r\n\r\n",
            "x".repeat(length - empty)
        );
        assert_eq!(whole(input.as_bytes()).is_ok(), fits, "{length}");
    }
    assert!(whole(&[b'x'; LIMIT]).is_err());
}

/// Pieces of which requests are made, right ones and wrong ones.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"GET ",
        b"POST ",
        b"/",
        b"/x?y=1 ",
        b"http://h/ ",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"Host: h\r\n",
        b"Host: i\r\n",
        b"A: b\r\n",
        b" folded",
        b"Content-Length: 5\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"\0",
        b"\x80",
        b"#",
        b"\r\n\r\n",
    ];
    prop_oneof![
        8 => prop::sample::select(pieces).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let any_pieces = prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat());
    let fields = prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![
        any_pieces,
        fields.prop_map(|fields| [b"GET / HTTP/1.1\r\n", &fields[..], b"\r\n\r\n"].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slicing_changes_nothing(input in input(), cut in any::<prop::sample::Index>()) {
        let expected = whole(&input);
        let bytewise = parse(&input, 0..=input.len());
        let cut = cut.index(input.len() + 1);
        let halves = parse(&input, [cut, input.len()]);
        // Which of several faults is told may depend on where the input was cut; that it is
        // refused, and with which status, may not.
        let verdict = |result: &Result<Option<Said>, BadRequest>| result.as_ref().err().map(|e| e.status());
        prop_assert_eq!(verdict(&bytewise), verdict(&expected));
        prop_assert_eq!(verdict(&halves), verdict(&expected));
        if expected.is_ok() {
            prop_assert_eq!(&bytewise, &expected);
            prop_assert_eq!(&halves, &expected);
        }
        if let Ok(Some(said)) = &expected {
            let trailing = [&input[..said.end], b"GET / HTTP/1.1\r\n"].concat();
            prop_assert_eq!(&whole(&trailing), &expected);
        }
    }
}
