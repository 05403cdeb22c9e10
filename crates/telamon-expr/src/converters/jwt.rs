//! JSON Web Tokens (RFC 7519) in their compact form: `header.payload.signature`, each in base64url.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::json::{query, Query};
use super::signatures::{PublicKey, Scheme};
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
const NO_TOKEN: i64 = -3;
const UNKNOWN_CERTIFICATE: i64 = -5;

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
    fn new(text: &str, compiler: &mut Compiler) -> Given {
        let scopes = ["proc.", "sess.", "txn.", "req.", "res.", "check."];
        if scopes.iter().any(|scope| text.starts_with(scope)) {
            Given::Variable(compiler.slot(text))
        } else {
            Given::Text(text.as_bytes().to_vec())
        }
    }

    fn value(&self, env: &Env<'_>) -> Option<Cow<'_, [u8]>> {
        Some(match self {
            Given::Text(text) => Cow::Borrowed(text),
            Given::Variable(slot) => Cow::Owned(env.vars.get(*slot)?.into_bytes().into_owned()),
        })
    }
}

/// Algorithms (RFC 7518 3.1).
#[derive(Clone, Copy)]
enum Algorithm {
    None,
    Hs256,
    Hs384,
    Hs512,
    /// By a public key.
    Asymmetric(Scheme),
}

impl Algorithm {
    fn named(name: &[u8]) -> Option<Algorithm> {
        Some(match name {
            b"none" => Algorithm::None,
            b"HS256" => Algorithm::Hs256,
            b"HS384" => Algorithm::Hs384,
            b"HS512" => Algorithm::Hs512,
            _ => Algorithm::Asymmetric(Scheme::named(name)?),
        })
    }
}

/// The public keys of all rules, by their files' paths: a variable may name any of them.
#[derive(Clone, Default)]
pub(crate) struct PublicKeys(Arc<Mutex<HashMap<Vec<u8>, Arc<PublicKey>>>>);

impl PublicKeys {
    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<PublicKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verify(args: Args<'_>, compiler: &mut Compiler) -> Made {
    let name = args.string(0).ok_or("an algorithm is missing")?;
    let key = args.string(1).ok_or("a key is missing")?;
    // The reader has put a file's text behind its path.
    let (key, pem) = key.split_once('\n').unwrap_or((&key, ""));
    let algorithm = Given::new(&name, compiler);
    let keys = compiler.public_keys.clone();
    let public = PublicKey::new(pem).map(Arc::new);
    if let Some(public) = &public {
        keys.lock().insert(key.as_bytes().to_vec(), public.clone());
    }
    let given = Given::new(key, compiler);
    if let Given::Text(text) = &algorithm {
        let named = Algorithm::named(text);
        let named = named.ok_or_else(|| {
            format!("'{name}' is no algorithm: write HS256, RS256, ES256, PS256, ...")
        })?;
        let asymmetric = matches!(named, Algorithm::Asymmetric(_));
        if asymmetric && public.is_none() && matches!(given, Given::Text(_)) {
            return Err(format!(
                "'{key}' is no file with a public key that {name} could use: write the path of one \
                 in PEM (BEGIN PUBLIC KEY)"
            ));
        }
    }
    boxed(move |env, sample| {
        let name = algorithm.value(env)?;
        let key = given.value(env)?;
        let token = sample.into_text();
        let asked;
        let public = match &given {
            Given::Variable(_) => {
                asked = keys.lock().get(&*key).cloned();
                &asked
            }
            Given::Text(_) => &public,
        };
        Some(Sample::Int(verdict(&token, &name, &key, public.as_deref())))
    })
}

fn verdict(token: &[u8], algorithm: &[u8], key: &[u8], public: Option<&PublicKey>) -> i64 {
    let Some(algorithm) = Algorithm::named(algorithm) else {
        return UNKNOWN_ALGORITHM;
    };
    let dots: Vec<usize> = memchr::memchr_iter(b'.', token).collect();
    let [_, last] = dots[..] else {
        return NO_TOKEN;
    };
    if public.is_some() && !matches!(algorithm, Algorithm::Asymmetric(_)) {
        // A file's path is no secret: who knows it must not be able to sign.
        return 0;
    }
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
    let right = match algorithm {
        Algorithm::Hs256 => right!(Sha256),
        Algorithm::Hs384 => right!(Sha384),
        Algorithm::Hs512 => right!(Sha512),
        Algorithm::Asymmetric(scheme) => match public {
            Some(public) => public.verifies(scheme, signed, &signature),
            None => return UNKNOWN_CERTIFICATE,
        },
        Algorithm::None => false,
    };
    i64::from(right)
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
        assert_eq!(verdict(token, b"HS256", &key, None), 1);
        assert_eq!(verdict(token, b"HS256", b"other", None), 0);
        assert_eq!(verdict(token, b"HS512", &key, None), 0);
        assert_eq!(verdict(token, b"none", &key, None), 0);
        assert_eq!(verdict(b"a.b.", b"none", b"", None), 1);
        assert_eq!(verdict(b"a.b.", b"HS256", b"", None), NO_TOKEN);
        assert_eq!(verdict(b"a.b", b"HS256", b"", None), NO_TOKEN);
        assert_eq!(verdict(token, b"RS256", b"", None), UNKNOWN_CERTIFICATE);
        assert_eq!(verdict(token, b"XS1", b"", None), UNKNOWN_ALGORITHM);
    }
}
