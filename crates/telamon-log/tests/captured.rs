//! Lines that HAProxy 2.6 sent for known connections, against what we write for the same facts.

use std::net::SocketAddr;

use proptest::prelude::*;
use telamon_log::{
    effective_level, write_connect, write_http, write_message, write_tcp, Counts, Http, Identity,
    Peer, ServerName, Tcp, WallTime,
};
use telamon_plan::{Facility, Level, LogHeader, LogTarget, Mode, SocketAddress};

const UTC: WallTime = at(1_795_488_302_528_560, 0);

const fn at(unix_micros: i64, utc_offset: i32) -> WallTime {
    WallTime {
        unix_micros,
        utc_offset,
    }
}

fn inet(text: &str) -> Peer {
    Peer::Inet(text.parse::<SocketAddr>().unwrap())
}

fn target(header: LogHeader, length: usize) -> LogTarget {
    LogTarget {
        address: Some(SocketAddress::Fd { fd: 1 }),
        facility: Facility::Local3,
        max_level: Level::Debug,
        min_level: Level::Emerg,
        length,
        header,
        sample: None,
        ring: None,
        profile: None,
    }
}

fn message(
    target: &LogTarget,
    hostname: Option<&str>,
    tag: &str,
    when: WallTime,
    text: &[u8],
) -> String {
    let identity = Identity {
        hostname,
        tag,
        pid: 28406,
        structured: b"",
    };
    let mut out = b"what was in the buffer before".to_vec();
    write_message(&mut out, target, Level::Info, &identity, when, text);
    String::from_utf8(out).unwrap()
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn tcp() -> Tcp<'static> {
    Tcp {
        client: inet("127.0.0.1:53400"),
        accepted: at(1_795_488_306_134_999, 0),
        frontend: "tcpl",
        backend: "tcpl",
        server: ServerName::Named("s1"),
        queued: Some(1),
        connect: Some(0),
        total: 0,
        bytes: 5,
        state: *b"--",
        counts: Counts {
            process: 1,
            frontend: 1,
            ..Counts::default()
        },
        early: false,
    }
}

fn http() -> Http<'static> {
    Http {
        client: inet("127.0.0.1:35810"),
        began: at(1_795_488_307_336_000, 0),
        frontend: "httpl",
        backend: "httpl",
        server: ServerName::Named("s1"),
        request: Some(0),
        queued: Some(0),
        connect: Some(0),
        response: Some(0),
        active: 0,
        status: Some(200),
        bytes: 51,
        state: *b"--",
        counts: Counts {
            process: 1,
            frontend: 1,
            ..Counts::default()
        },
        request_line: Some(b"GET /x?\"y HTTP/1.1"),
        early: false,
        captures: [&[], &[]],
        cookies: *b"--",
        captured_cookies: [None, None],
    }
}

#[test]
fn every_header() {
    let text = b"Connect from 127.0.0.1:47978 to 127.0.0.1:18811 (plain/TCP)";
    let line = std::str::from_utf8(text).unwrap();
    for (header, head) in [
        (
            LogHeader::Rfc3164,
            "<158>Nov 24 02:45:02 myhost haproxy[28406]: ",
        ),
        (
            LogHeader::Rfc5424,
            "<158>1 2026-11-24T02:45:02.528560+00:00 myhost haproxy 28406 - - ",
        ),
        (LogHeader::Raw, ""),
        (LogHeader::Short, "<6>"),
        (LogHeader::Timed, "<6>2026-11-24T02:45:02.528560+00:00 "),
        (LogHeader::Iso, "2026-11-24T02:45:02.528560+00:00 "),
        (LogHeader::Local, "<158>Nov 24 02:45:02 haproxy[28406]: "),
        (LogHeader::Priority, "<158>"),
    ] {
        let target = target(header, 1024);
        let ours = message(&target, Some("myhost"), "haproxy", UTC, text);
        assert_eq!(ours, format!("{head}{line}\n"));
    }
}

#[test]
fn without_a_hostname_and_with_a_tag() {
    let rfc3164 = message(&target(LogHeader::Rfc3164, 1024), None, "tag-x", UTC, b"m");
    let rfc5424 = message(&target(LogHeader::Rfc5424, 1024), None, "tag-x", UTC, b"m");
    let local = message(&target(LogHeader::Local, 1024), None, "tag-x", UTC, b"m");
    assert_eq!(rfc3164, "<158>Nov 24 02:45:02 localhost tag-x[28406]: m\n");
    assert_eq!(local, "<158>Nov 24 02:45:02 tag-x[28406]: m\n");
    assert_eq!(
        rfc5424,
        "<158>1 2026-11-24T02:45:02.528560+00:00 - tag-x 28406 - - m\n"
    );
}

#[test]
fn zones() {
    let india = at(1_795_489_522_046_634, 19_800);
    let newfoundland = at(1_795_489_531_255_772, -12_600);
    for (header, when, head) in [
        (LogHeader::Iso, india, "2026-11-24T08:35:22.046634+05:30 "),
        (
            LogHeader::Local,
            india,
            "<158>Nov 24 08:35:22 haproxy[28406]: ",
        ),
        (
            LogHeader::Iso,
            newfoundland,
            "2026-11-23T23:35:31.255772-03:30 ",
        ),
        (
            LogHeader::Local,
            newfoundland,
            "<158>Nov 23 23:35:31 haproxy[28406]: ",
        ),
    ] {
        assert_eq!(
            message(&target(header, 1024), None, "haproxy", when, b""),
            format!("{head}\n")
        );
    }
}

#[test]
fn the_length_does_not_count_the_line_end() {
    let cut = message(
        &target(LogHeader::Rfc3164, 80),
        None,
        "tag-x",
        UTC,
        &[b'x'; 2000],
    );
    assert_eq!(cut.len(), 81);
    assert!(cut.ends_with("x\n"));
}

#[test]
fn levels() {
    let mut picky = target(LogHeader::Raw, 1024);
    picky.max_level = Level::Notice;
    picky.min_level = Level::Err;
    assert_eq!(effective_level(&picky, Level::Info), None);
    assert_eq!(effective_level(&picky, Level::Notice), Some(Level::Notice));
    assert_eq!(effective_level(&picky, Level::Emerg), Some(Level::Err));
}

#[test]
fn connect_lines() {
    for (client, local, mode, line) in [
        (
            inet("127.0.0.1:47978"),
            inet("127.0.0.1:18811"),
            Mode::Tcp,
            "Connect from 127.0.0.1:47978 to 127.0.0.1:18811 (p/TCP)",
        ),
        (
            inet("[::1]:47892"),
            inet("[::1]:18817"),
            Mode::Http,
            "Connect from ::1:47892 to ::1:18817 (p/HTTP)",
        ),
        (
            Peer::Unix { listener: 1 },
            Peer::Unix { listener: 1 },
            Mode::Tcp,
            "Connect to unix:1 (p/TCP)",
        ),
    ] {
        assert_eq!(
            written(|out| write_connect(out, client, local, "p", mode)),
            line
        );
    }
}

#[test]
fn tcp_lines() {
    let served = "127.0.0.1:53400 [24/Nov/2026:02:45:06.134] tcpl tcpl/s1 1/0/0 5 -- 1/1/0/0/0 0/0";
    let nobody =
        "127.0.0.1:53400 [24/Nov/2026:02:45:06.134] tcpl tcpl/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0";
    let early = "unix:1 [24/Nov/2026:02:45:06.134] tcpl tcpl/s1 1/0/+0 +0 -- 1/1/1/1/+3 2/4";
    assert_eq!(written(|out| write_tcp(out, &tcp())), served);
    let unserved = Tcp {
        server: ServerName::Nobody,
        queued: None,
        connect: None,
        bytes: 0,
        state: *b"SC",
        ..tcp()
    };
    assert_eq!(written(|out| write_tcp(out, &unserved)), nobody);
    let begun = Tcp {
        client: Peer::Unix { listener: 1 },
        bytes: 0,
        early: true,
        counts: Counts {
            process: 1,
            frontend: 1,
            backend: 1,
            server: 1,
            retries: 3,
            redispatched: true,
            server_queue: 2,
            backend_queue: 4,
        },
        ..tcp()
    };
    assert_eq!(written(|out| write_tcp(out, &begun)), early);
}

#[test]
fn http_lines() {
    let served = "127.0.0.1:35810 [24/Nov/2026:02:45:07.336] httpl httpl/s1 0/0/0/0/0 200 51 - - \
                  ---- 1/1/0/0/0 0/0 \"GET /x?#22y HTTP/1.1\"";
    let late =
        "127.0.0.1:35810 [24/Nov/2026:02:45:07.336] httpl httpl/<NOSRV> -1/-1/-1/-1/500 408 0 \
                - - cR-- 1/1/0/0/0 0/0 \"<BADREQ>\"";
    let page =
        "127.0.0.1:35810 [24/Nov/2026:02:45:07.336] httpl httpl/<STATS> 0/0/0/0/0 200 59482 \
                - - LR-- 1/1/0/0/0 0/0 \"GET /st HTTP/1.0\"";
    assert_eq!(written(|out| write_http(out, &http())), served);
    let timed_out = Http {
        server: ServerName::Nobody,
        request: None,
        queued: None,
        connect: None,
        response: None,
        active: 500,
        status: Some(408),
        bytes: 0,
        state: *b"cR",
        request_line: None,
        ..http()
    };
    assert_eq!(written(|out| write_http(out, &timed_out)), late);
    let statistics = Http {
        server: ServerName::Stats,
        bytes: 59482,
        state: *b"LR",
        request_line: Some(b"GET /st HTTP/1.0"),
        ..http()
    };
    assert_eq!(written(|out| write_http(out, &statistics)), page);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// A line stays one line of printable text whatever a client sends.
    #[test]
    fn no_request_breaks_out_of_its_line(request in prop::collection::vec(any::<u8>(), 0..200)) {
        let line = Http { request_line: Some(&request), ..http() };
        let text = written(|out| write_http(out, &line));
        prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        prop_assert_eq!(text.matches('"').count(), 2);
    }

    #[test]
    fn a_message_is_never_longer_than_its_limit(length in 80usize..2000, size in 0usize..4000) {
        let text = message(&target(LogHeader::Rfc5424, length), Some("h"), "t", UTC, &vec![b'x'; size]);
        prop_assert!(text.len() <= length + 1);
        prop_assert!(text.ends_with('\n'));
    }
}
