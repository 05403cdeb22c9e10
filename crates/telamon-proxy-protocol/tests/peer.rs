//! The real HAProxy as judge: which headers it takes and what it reads in them, and what it
//! writes, to the byte.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use telamon_peer::{parts, Directory, Haproxy};
use telamon_proxy_protocol::{kind, parse, write, Ends, Fields, Parsed};

const DEFAULTS: &str = "defaults\n  mode http\n  timeout client 5s\n  timeout connect 5s\n  \
                        timeout server 5s\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V4: &[u8] = b"\x01\x02\x03\x04\x05\x06\x07\x08\0\x01\0\x02";

fn binary(command: u8, family: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, &body].concat()
}

fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

/// What the log line of the reading HAProxy says, from our own reading.
fn told(header: &[u8]) -> Option<String> {
    let Parsed::Done(header) = parse(header) else {
        return None;
    };
    let text = |kind| {
        String::from_utf8_lossy(header.extensions.get(kind).unwrap_or_default()).into_owned()
    };
    let ends = header.ends.inet().map_or("|||".to_owned(), |(from, to)| {
        format!("{}|{}|{}|{}", from.ip(), from.port(), to.ip(), to.port())
    });
    Some(format!(
        "{ends}|{}|{}",
        text(kind::AUTHORITY),
        text(kind::UNIQUE_ID)
    ))
}

#[test]
fn reads_what_haproxy_reads() {
    let directory = Directory::make();
    let file = format!(
        "{DEFAULTS}frontend f\n  bind {} accept-proxy\n  http-request return status 200 \
         content-type text/plain lf-string \"%[src]|%[src_port]|%[dst]|%[dst_port]|\
         %[fc_pp_authority]|%[fc_pp_unique_id]\"\n",
        directory.socket("in")
    );
    let Some(peer) = Haproxy::start(directory, &file, &["in"]) else {
        return;
    };
    let lines = [
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n",
        "PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1a 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 0001 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8\r\n",
        "PROXY TCP4 0x1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP6 ::1 ::2 1 2\r\n",
        "PROXY TCP6 1.2.3.4 ::2 1 2\r\n",
        "PROXY TCP6 ::ffff:1.2.3.4 ::2 1 65535\r\n",
        "PROXY TCP6 1::2::3 ::2 1 2\r\n",
        "PROXY TCP6 ::1%lo ::2 1 2\r\n",
        "PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "",
    ];
    let v6 = [0x20; 36];
    let binaries = [
        binary(0x20, 0, &[]),
        binary(0x20, 0x11, &[V4]),
        binary(0x20, 0x11, &[b"abc"]),
        binary(0x20, 0, &[&field(kind::CRC32C, b"abcd")]),
        binary(0x21, 0x11, &[V4]),
        binary(0x21, 0x11, &[&V4[..11]]),
        binary(0x21, 0x21, &[&v6]),
        binary(0x21, 0x21, &[V4]),
        binary(0x22, 0x11, &[V4]),
        binary(0x11, 0x11, &[V4]),
        binary(0x31, 0x11, &[V4]),
        binary(0x21, 0x11, &[V4, &field(kind::AUTHORITY, b"name")]),
        binary(0x21, 0x21, &[&v6, &field(kind::AUTHORITY, b"name")]),
        binary(0x21, 0x11, &[V4, &field(kind::AUTHORITY, b"")]),
        binary(0x21, 0x11, &[V4, &field(kind::AUTHORITY, &[b'a'; 255])]),
        binary(0x21, 0x11, &[V4, &field(kind::AUTHORITY, &[b'a'; 256])]),
        binary(
            0x21,
            0x11,
            &[
                V4,
                &field(kind::AUTHORITY, b"one"),
                &field(kind::AUTHORITY, b"two"),
            ],
        ),
        binary(0x21, 0x11, &[V4, &field(kind::UNIQUE_ID, &[b'a'; 128])]),
        binary(0x21, 0x11, &[V4, &field(kind::UNIQUE_ID, &[b'a'; 129])]),
        binary(0x21, 0x11, &[V4, &field(kind::CRC32C, b"abcd")]),
        binary(0x21, 0x11, &[V4, &field(kind::CRC32C, b"abc")]),
        binary(0x21, 0x11, &[V4, b"\x02"]),
        binary(0x21, 0x11, &[V4, b"\x02\0"]),
        binary(0x21, 0x11, &[V4, b"\x02\0\x05ab"]),
        binary(0x21, 0x11, &[V4, &field(kind::NOOP, b"\0\0")]),
        binary(0x21, 0x11, &[V4, &field(kind::NETNS, b"none")]),
        binary(0x21, 0x11, &[V4, &field(kind::SSL, b"\x01\0")]),
        binary(0x21, 0x11, &[V4, &field(0xe0, &[b'a'; 16_000])]),
    ];
    for header in lines
        .iter()
        .map(|line| line.as_bytes().to_vec())
        .chain(binaries)
    {
        let request = [&header[..], b"GET / HTTP/1.0\r\n\r\n"].concat();
        let answer = peer.ask("in", &request);
        let theirs = parts(&answer).map(|(_, body)| String::from_utf8_lossy(body).into_owned());
        assert_eq!(told(&request), theirs, "{}", header.escape_ascii());
    }
}

/// Where the specification and HAProxy 2.6 differ we follow the specification; where 2.6 takes
/// what can be read twice we refuse.
#[test]
fn differences_on_purpose() {
    for taken in [
        b"PROXY UNKNOWN ffff:f...f:ffff x\r\n".to_vec(),
        binary(0x21, 0, &[]),
        binary(0x21, 0x12, &[V4]),
        binary(0x21, 0x31, &[&[0; 216]]),
    ] {
        assert!(
            matches!(parse(&taken), Parsed::Done(_)),
            "{}",
            taken.escape_ascii()
        );
    }
    for refused in [
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n", // 2.6: port 34463
        "PROXY TCP4 1.2.3.400 5.6.7.8 1 2\r\n",   // 2.6: 1.2.4.144
        "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",       // 2.6: 1.2.3.0
        "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8  2\r\n",
    ] {
        assert!(
            matches!(parse(refused.as_bytes()), Parsed::Bad(_)),
            "{refused:?}"
        );
    }
}

/// A server that keeps what comes first on a connection, up to the request.
fn first_bytes(server: &UnixListener) -> Vec<u8> {
    let (mut stream, _) = server.accept().unwrap();
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    while !seen.windows(4).any(|four| four == b"\r\n\r\n") || !seen.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "closed after {}", seen.escape_ascii());
        seen.extend_from_slice(&part[..count]);
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let at = seen
        .windows(5)
        .position(|five| five == b"GET /")
        .expect("a request");
    seen.truncate(at);
    seen
}

#[test]
fn writes_what_haproxy_writes() {
    let servers = [
        ("one", "send-proxy", 1),
        ("two", "send-proxy-v2", 2),
        ("sum", "send-proxy-v2 proxy-v2-options crc32c", 2),
        (
            "all",
            "send-proxy-v2 proxy-v2-options unique-id,authority,crc32c",
            2,
        ),
    ];
    let directory = Directory::make();
    let mut file = DEFAULTS.to_owned();
    for (name, options, _) in servers {
        file += &format!(
            "listen {name}\n  bind {}\n  bind {} accept-proxy\n  unique-id-format some-id\n  \
             server s {} {options}\n",
            directory.socket(name),
            directory.socket(&format!("{name}.told")),
            directory.socket(&format!("{name}.server")),
        );
    }
    let listeners: Vec<UnixListener> = servers
        .iter()
        .map(|(name, ..)| directory.listen(&format!("{name}.server")))
        .collect();
    let Some(peer) = Haproxy::start(directory, &file, &["one", "two", "sum", "all"]) else {
        return;
    };
    let pairs = [
        Ends::Inet(
            "1.2.3.4:5".parse().unwrap(),
            "6.7.8.9:65535".parse().unwrap(),
        ),
        Ends::Inet(
            "[2001:db8::1]:5".parse().unwrap(),
            "[::2]:1".parse().unwrap(),
        ),
        Ends::Inet(
            "[::ffff:1.2.3.4]:5".parse().unwrap(),
            "[::ffff:1.2.3.5]:1".parse().unwrap(),
        ),
    ];
    for ((name, _, version), server) in servers.iter().zip(&listeners) {
        let mut fields = Fields {
            checksum: matches!(*name, "sum" | "all"),
            unique_id: (*name == "all").then_some(&b"some-id"[..]),
            ..Fields::default()
        };
        let mut bare = peer.connect(name);
        bare.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let theirs = first_bytes(server);
        assert_written(*version, &Ends::Unknown, &fields, &theirs);
        fields.authority = (*name == "all").then_some(&b"a.name"[..]);
        for ends in &pairs {
            let mut came = Vec::new();
            let said = Fields {
                authority: Some(b"a.name"),
                ..Fields::default()
            };
            write(2, ends, &said, &mut came).unwrap();
            let mut client = peer.connect(&format!("{name}.told"));
            client
                .write_all(&[&came[..], b"GET / HTTP/1.0\r\n\r\n"].concat())
                .unwrap();
            let theirs = first_bytes(server);
            assert_written(*version, ends, &fields, &theirs);
        }
    }
}

fn assert_written(version: u32, ends: &Ends, fields: &Fields<'_>, theirs: &[u8]) {
    let mut ours = Vec::new();
    write(version, ends, fields, &mut ours).unwrap();
    assert_eq!(
        ours.escape_ascii().to_string(),
        theirs.escape_ascii().to_string(),
        "{ends:?}"
    );
}
