//! Normalisers of URIs: the manual's examples, and the real HAProxy on random paths.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use telamon_http::normalize::{BrokenEscape, Normalizer};
use telamon_peer::{parts, Directory, Haproxy};

const ALL: [(&str, Option<&str>); 11] = [
    ("fragment-encode", None),
    ("fragment-strip", None),
    ("path-merge-slashes", None),
    ("path-strip-dot", None),
    ("path-strip-dotdot", None),
    ("path-strip-dotdot", Some("full")),
    ("percent-decode-unreserved", None),
    ("percent-decode-unreserved", Some("strict")),
    ("percent-to-uppercase", None),
    ("percent-to-uppercase", Some("strict")),
    ("query-sort-by-name", None),
];

fn normalized(words: (&str, Option<&str>), pathq: &str) -> Result<String, BrokenEscape> {
    let normalizer = Normalizer::named(words.0, words.1).unwrap();
    normalizer
        .apply(pathq.as_bytes())
        .map(|text| String::from_utf8(text).unwrap())
}

#[test]
fn examples_of_the_manual() {
    let cases = [
        (ALL[0], "/#foo", "/%23foo"),
        (ALL[1], "/#foo", "/"),
        (ALL[2], "//", "/"),
        (ALL[2], "/foo//bar", "/foo/bar"),
        (ALL[3], "/.", "/"),
        (ALL[3], "/./bar/", "/bar/"),
        (ALL[3], "/a/./a", "/a/a"),
        (ALL[3], "/.well-known/", "/.well-known/"),
        (ALL[4], "/foo/../", "/"),
        (ALL[4], "/foo/../bar/", "/bar/"),
        (ALL[4], "/foo/bar/../", "/foo/"),
        (ALL[4], "/../bar/", "/../bar/"),
        (ALL[4], "/bar/../../", "/../"),
        (ALL[4], "/foo//../", "/foo/"),
        (ALL[4], "/foo/%2E%2E/", "/foo/%2E%2E/"),
        (ALL[5], "/../bar/", "/bar/"),
        (ALL[5], "/bar/../../", "/"),
        (ALL[6], "/%61dmin", "/admin"),
        (ALL[6], "/foo%3Fbar=baz", "/foo%3Fbar=baz"),
        (ALL[6], "/%%36%36", "/%66"),
        (ALL[6], "/%ZZ", "/%ZZ"),
        (ALL[8], "/%6f", "/%6F"),
        (ALL[8], "/%zz", "/%zz"),
        (ALL[10], "/?c=3&a=1&b=2", "/?a=1&b=2&c=3"),
        (ALL[10], "/?aaa=3&a=1&aa=2", "/?a=1&aa=2&aaa=3"),
        (ALL[10], "/?a=3&b=4&a=1&b=5&a=2", "/?a=3&a=1&a=2&b=4&b=5"),
    ];
    for (words, pathq, expected) in cases {
        assert_eq!(normalized(words, pathq).unwrap(), expected, "{words:?}");
    }
    for (words, pathq) in [(ALL[7], "/%%36%36"), (ALL[7], "/%ZZ"), (ALL[9], "/%zz")] {
        assert_eq!(normalized(words, pathq), Err(BrokenEscape), "{words:?}");
    }
}

#[test]
fn options_belong_to_their_normalizers() {
    assert!(Normalizer::named("path-strip-dotdot", Some("strict")).is_none());
    assert!(Normalizer::named("path-strip-dot", Some("full")).is_none());
    assert!(Normalizer::named("path-strip", None).is_none());
}

/// One socket for each normaliser; the answer's body is the URI.
fn peer() -> Option<Haproxy> {
    let directory = Directory::make();
    let mut file = String::from(
        "global\n  expose-experimental-directives\n\
         defaults\n  mode http\n  timeout client 5s\n  option accept-invalid-http-request\n",
    );
    for (at, (name, option)) in ALL.iter().enumerate() {
        file += &format!(
            "frontend f{at}\n  bind {}\n  http-request normalize-uri {name} {}\n  \
             http-request return status 200 content-type text/plain lf-string %[url]\n",
            directory.socket(&at.to_string()),
            option.unwrap_or_default(),
        );
    }
    let sockets: Vec<String> = (0..ALL.len()).map(|at| at.to_string()).collect();
    let sockets: Vec<&str> = sockets.iter().map(String::as_str).collect();
    Haproxy::start(directory, &file, &sockets)
}

#[test]
fn random_uris_become_what_haproxy_makes_of_them() {
    let Some(peer) = peer() else { return };
    let pieces: Vec<&'static str> = vec![
        "/", "/", "/", ".", "..", "a", "b", "?", "&", "=", "#", "%41", "%2f", "%7e", "%", "%4",
        "aa",
    ];
    let pathq = prop::collection::vec(prop::sample::select(pieces), 0..14)
        .prop_map(|pieces| format!("/{}", pieces.concat()));
    let config = ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = if std::env::var_os("TELAMON_RANDOM").is_some() {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    runner
        .run(&(0..ALL.len(), pathq), |(at, pathq)| {
            let request = format!("GET {pathq} HTTP/1.1\r\nConnection: close\r\n\r\n");
            let answer = peer.ask(&at.to_string(), request.as_bytes());
            let (status, body) = parts(&answer).expect("an answer");
            let ours = normalized(ALL[at], &pathq).map_or((400, None), |text| (200, Some(text)));
            let theirs = (
                status,
                (status == 200).then(|| String::from_utf8_lossy(body).into_owned()),
            );
            prop_assert_eq!(ours, theirs, "{:?} {}", ALL[at], pathq);
            Ok(())
        })
        .unwrap();
}
