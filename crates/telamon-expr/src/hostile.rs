//! What peers send is anything at all: no fetch and no converter may panic on it.
//!
//! Messages that are right are changed, cut and repeated at random, and given to all rows. The seed
//! is printed; `TELAMON_SEED` plays one again.

use telamon_plan::rules::{Argument, Call, Expression as Planned};

use crate::compile::{Compiler, Expression};
use crate::env::{Env, Facts};
use crate::sample::Sample;
use crate::vars::{ProcessVars, Vars};

const ROUNDS: u64 = 300;

const FETCHES: &[(&str, &[&str])] = &[
    ("distcc_body", &["DOTI", "1"]),
    ("distcc_param", &["ARGC"]),
    ("req.len", &[]),
    ("req.payload", &["2", "9"]),
    ("req.payload", &["3", "0"]),
    ("req.payload_lv", &["0", "4", "-2"]),
    ("req.payload_lv", &["1", "9"]),
    ("req.proto_http", &[]),
    ("req.rdp_cookie", &[]),
    ("req.rdp_cookie", &["mstshash"]),
    ("req.ssl_alpn", &[]),
    ("req.ssl_cipherlist", &[]),
    ("req.ssl_hello_type", &[]),
    ("req.ssl_keyshare_groups", &[]),
    ("req.ssl_sni", &[]),
    ("req.ssl_supported_groups", &[]),
    ("req.ssl_ver", &[]),
];

const CONVERTERS: &[(&str, &[&str])] = &[
    ("be2dec", &[":", "3"]),
    ("be2hex", &[":", "2", "1"]),
    ("cut_crlf", &[]),
    ("fix_is_valid", &[]),
    ("fix_tag_value", &["49"]),
    ("has_ctl", &[]),
    ("htonl", &[]),
    ("http_date", &[]),
    ("json_query", &["$.a.b[1]"]),
    ("json_query", &["$.arr", "int"]),
    ("jwt_payload_query", &["$.a"]),
    ("jwt_verify", &["HS256", "key"]),
    ("language", &["de;en", "fr"]),
    ("le2dec", &[".", "8"]),
    ("mqtt_field_value", &["connect", "will_payload"]),
    ("mqtt_is_valid", &[]),
    ("protobuf", &["3.1", "int64"]),
    ("protobuf", &["2"]),
    ("reverse_dom", &[]),
    ("rfc7239_field", &["for"]),
    ("rfc7239_is_valid", &[]),
    ("rfc7239_n2nn", &[]),
    ("rfc7239_n2np", &[]),
    ("ungrpc", &["1", "uint64"]),
    ("us_ltime", &["%F %T.%N %G %U"]),
    ("utime", &["%c"]),
];

const SEEDS: &[&[u8]] = &[
    b"\x16\x03\x01\x00\x31\x01\x00\x00\x2d\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\x00\x02\x13\x01\
      \x01\x00\x00\x02\x00\x00",
    b"\x03\x00\x00\x2c\x27\xe0\x00\x00\x00\x00\x00Cookie: mstshash=al\r\n",
    b"DIST00000001ARGC00000002ARGV00000002ccDOTI00000003abc",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"8=FIX.4.2\x019=5\x0135=A\x0110=134\x01",
    b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03cid",
    b"\x08\xac\x02\x12\x03abc\x1a\x03\x08\x96\x01",
    b"\x00\x00\x00\x00\x03\x08\xac\x02",
    br#"{"a": {"b": [1, 2.5, "x\u00e9"]}, "arr": [1, [2]]}"#,
    b"for=\"[2001:db8::1]:4711\";proto=http",
    b"eyJhIjoxfQ.eyJhIjoxfQ.AAAA",
    b"de;q=0.5, en-GB;q=0.9",
    b"9223372036854775807",
];

struct Nothing;

impl Facts for Nothing {
    fn wall_micros(&self) -> i64 {
        0
    }
    fn random(&self) -> u64 {
        0
    }
    fn may_change(&self) -> bool {
        true
    }
}

fn call(name: &str, arguments: &[&str]) -> Call {
    let arguments = arguments.iter().map(|text| {
        Some(match text.parse() {
            Ok(number) => Argument::Number(number),
            Err(_) => Argument::Text((*text).to_owned()),
        })
    });
    Call {
        name: name.to_owned(),
        arguments: arguments.collect(),
    }
}

fn expressions() -> Vec<(String, Expression)> {
    let mut compiler = Compiler::default();
    let fetches = FETCHES.iter().map(|row| (call(row.0, row.1), Vec::new()));
    let converters = CONVERTERS
        .iter()
        .map(|row| (call("req.body", &[]), vec![call(row.0, row.1)]));
    let all = fetches.chain(converters).map(|(fetch, converters)| {
        let name = format!("{fetch:?} {converters:?}");
        let plan = Planned { fetch, converters };
        let expression = Expression::new(&plan, &mut compiler);
        (
            name.clone(),
            expression.unwrap_or_else(|error| panic!("{name}: {error}")),
        )
    });
    all.collect()
}

/// Xorshift: any number but 0.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    fn spoil(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, [0, 1, 127, 128, 255][self.below(5)]),
                2 => {
                    let part = bytes[at..].to_vec();
                    bytes.extend(part);
                }
                _ if at < bytes.len() => bytes[at] = self.below(256) as u8,
                _ => {}
            }
        }
        bytes
    }
}

#[test]
fn nothing_that_comes_is_too_much() {
    let seed = std::env::var("TELAMON_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    println!("TELAMON_SEED={seed}");
    let mut chance = Chance(seed);
    let expressions = expressions();
    let vars = Vars::new(&ProcessVars::default());
    for _ in 0..ROUNDS {
        for seed in SEEDS {
            let bytes = chance.spoil(seed);
            let env = Env {
                request: None,
                response: None,
                body: &bytes,
                facts: &Nothing,
                vars: &vars,
            };
            for (name, expression) in &expressions {
                let work = || {
                    expression
                        .value(&env)
                        .map(Sample::into_text)
                        .map(|text| text.len())
                };
                let work = std::panic::AssertUnwindSafe(work);
                let outcome = std::panic::catch_unwind(work);
                assert!(outcome.is_ok(), "{name} on {bytes:?}");
            }
        }
    }
}
