//! JSON Web Tokens (RFC 7519) in their compact form: `header.payload.signature`, each in base64url.

use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::json::{query, Query};
use super::{boxed, by, decode_base64url, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::env::Env;
use crate::sample::Sample;
use crate::vars::Slot;

pub(super) const ROWS: &[Row] = &[
    by("jwt_header_query", |args, _| part(args, 0)),
    by("jwt_payload_query", |args, _| part(args, 1)),
    by("jwt_verify", verify),
];

/// What `jwt_verify` says besides 1 (right) and 0 (wrong).
const UNKNOWN_ALGORITHM: i64 = -1;
const UNMANAGED_ALGORITHM: i64 = -2;
const NO_TOKEN: i64 = -3;

/// A part as it is, or a value within it.
fn part(args: Args<'_>, at: usize) -> Made {
    let wanted = args.text(0).map(|_| Query::new(args)).transpose()?;
    boxed(move |_, sample| {
        let token = sample.into_text();
        let text = decode_base64url(token.split(|byte| *byte == b'.').nth(at)?)?;
        match &wanted {
            None => Some(Sample::owned(text)),
            Some(wanted) => query(&text, wanted),
        }
    })
}

/// An argument: what it says, or the variable that has it.
enum Given {
    Text(Vec<u8>),
    Variable(Slot),
}

impl Given {
    fn new(text: String, compiler: &mut Compiler) -> Given {
        let scopes = ["proc.", "sess.", "txn.", "req.", "res.", "check."];
        if scopes.iter().any(|scope| text.starts_with(scope)) {
            Given::Variable(compiler.slot(&text))
        } else {
            Given::Text(text.into_bytes())
        }
    }

    fn value(&self, env: &Env<'_>) -> Option<Vec<u8>> {
        match self {
            Given::Text(text) => Some(text.clone()),
            Given::Variable(slot) => Some(env.vars.get(*slot)?.into_bytes().into_owned()),
        }
    }
}

/// Algorithms (RFC 7518 3.1) and how far they are carried out.
#[derive(Clone, Copy)]
enum Algorithm {
    None,
    Hs256,
    Hs384,
    Hs512,
    /// With a certificate: known, but there is no TLS library here.
    Asymmetric,
}

impl Algorithm {
    fn named(name: &[u8]) -> Option<Algorithm> {
        Some(match name {
            b"none" => Algorithm::None,
            b"HS256" => Algorithm::Hs256,
            b"HS384" => Algorithm::Hs384,
            b"HS512" => Algorithm::Hs512,
            b"RS256" | b"RS384" | b"RS512" | b"ES256" | b"ES384" | b"ES512" | b"PS256"
            | b"PS384" | b"PS512" => Algorithm::Asymmetric,
            _ => return None,
        })
    }
}

fn verify(args: Args<'_>, compiler: &mut Compiler) -> Made {
    let name = args.string(0).ok_or("an algorithm is missing")?;
    let key = args.string(1).ok_or("a key is missing")?;
    let algorithm = Given::new(name.clone(), compiler);
    let key = Given::new(key, compiler);
    if let Given::Text(text) = &algorithm {
        match Algorithm::named(text) {
            None => return Err(format!("'{name}' is no algorithm: write HS256, HS384, ...")),
            Some(Algorithm::Asymmetric) => {
                return Err(format!("{name} is known to HAProxy, not yet to Telamon"))
            }
            Some(_) => {}
        }
    }
    boxed(move |env, sample| {
        let algorithm = algorithm.value(env)?;
        let key = key.value(env)?;
        Some(Sample::Int(verdict(&sample.into_text(), &algorithm, &key)))
    })
}

fn verdict(token: &[u8], algorithm: &[u8], key: &[u8]) -> i64 {
    let Some(algorithm) = Algorithm::named(algorithm) else {
        return UNKNOWN_ALGORITHM;
    };
    let dots: Vec<usize> = memchr::memchr_iter(b'.', token).collect();
    let [_, last] = dots[..] else {
        return NO_TOKEN;
    };
    let (signed, signature) = (&token[..last], &token[last + 1..]);
    if matches!(algorithm, Algorithm::None) {
        return i64::from(signature.is_empty());
    }
    let Some(signature) = decode_base64url(signature).filter(|bytes| !bytes.is_empty()) else {
        return NO_TOKEN;
    };
    // Comparing takes as long for a wrong signature as for the right one.
    macro_rules! right {
        ($hash:ty) => {
            Hmac::<$hash>::new_from_slice(key).is_ok_and(|mut mac| {
                mac.update(signed);
                mac.verify_slice(&signature).is_ok()
            })
        };
    }
    match algorithm {
        Algorithm::Hs256 => i64::from(right!(Sha256)),
        Algorithm::Hs384 => i64::from(right!(Sha384)),
        Algorithm::Hs512 => i64::from(right!(Sha512)),
        Algorithm::None | Algorithm::Asymmetric => UNMANAGED_ALGORITHM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7515, A.1.
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl\
        fQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const KEY: &[u8] =
        b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

    #[test]
    fn a_signature_is_right_or_wrong() {
        let key = decode_base64url(KEY).unwrap();
        let token = TOKEN.as_bytes();
        assert_eq!(verdict(token, b"HS256", &key), 1);
        assert_eq!(verdict(token, b"HS256", b"other"), 0);
        assert_eq!(verdict(token, b"HS512", &key), 0);
        assert_eq!(verdict(token, b"none", &key), 0);
        assert_eq!(verdict(b"a.b.", b"none", b""), 1);
        assert_eq!(verdict(b"a.b.", b"HS256", b""), NO_TOKEN);
        assert_eq!(verdict(b"a.b", b"HS256", b""), NO_TOKEN);
        assert_eq!(verdict(token, b"RS256", b""), UNMANAGED_ALGORITHM);
        assert_eq!(verdict(token, b"XS1", b""), UNKNOWN_ALGORITHM);
    }
}
