//! AES: `aes_gcm_*` (NIST SP 800-38D) and `aes_cbc_*` with PKCS #7 padding (RFC 5652 6.3).
//!
//! What cannot be deciphered, or has another tag, has no value.

use std::borrow::Cow;

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::AesGcm;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};

use super::secrets::Secret;
use super::{boxed, by, encode_base64, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::env::Env;
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    by("aes_cbc_dec", |args, compiler| {
        cbc_mode(args, compiler, false)
    }),
    by("aes_cbc_enc", |args, compiler| {
        cbc_mode(args, compiler, true)
    }),
    by("aes_gcm_dec", decipher_gcm),
    by("aes_gcm_enc", encipher_gcm),
];

const TAG: usize = 16;

/// What all four begin with: the key's bits, a nonce and a key.
struct Parts {
    bits: i64,
    nonce: Secret,
    key: Secret,
}

impl Parts {
    fn new(args: Args<'_>, compiler: &mut Compiler, nonces: &[usize]) -> Result<Parts, String> {
        let bits = args.number(0)?.ok_or("the key's size is missing")?;
        let nonce = Secret::new(args, 1, "a nonce", compiler)?;
        let key = Secret::new(args, 2, "a key", compiler)?;
        if !matches!(bits, 128 | 192 | 256) {
            return Err(format!("{bits} is no key's size: write 128, 192 or 256"));
        }
        if key.length().is_some_and(|length| length as i64 * 8 != bits) {
            return Err(format!("the key has not {bits} bits"));
        }
        if nonce
            .length()
            .is_some_and(|length| !nonces.contains(&length))
        {
            return Err(format!("a nonce has {nonces:?} bytes"));
        }
        Ok(Parts { bits, nonce, key })
    }
}

/// An additional text that the tag covers.
fn additional(args: Args<'_>, compiler: &mut Compiler) -> Result<Option<Secret>, String> {
    let given = args.text(4).is_some_and(|text| !text.is_empty());
    given
        .then(|| Secret::new(args, 4, "an additional text", compiler))
        .transpose()
}

fn read<'s>(secret: &'s Option<Secret>, env: &Env<'_>) -> Option<Cow<'s, [u8]>> {
    match secret {
        Some(secret) => secret.value(env),
        None => Some(Cow::Borrowed(&[])),
    }
}

/// The tag goes to a variable, as base64.
fn encipher_gcm(args: Args<'_>, compiler: &mut Compiler) -> Made {
    let parts = Parts::new(args, compiler, &[12, 16])?;
    let tag = compiler.variable(&args.needed(3, "the tag's variable")?);
    let tag = tag.ok_or("the tag goes to a variable: write its name")?;
    let additional = additional(args, compiler)?;
    boxed(move |env, sample| {
        let mut text = sample.into_bytes().into_owned();
        let (key, nonce) = (parts.key.value(env)?, parts.nonce.value(env)?);
        let made = gcm(
            parts.bits,
            &key,
            &nonce,
            &read(&additional, env)?,
            &mut text,
            None,
        )?;
        env.vars.set(tag, Sample::owned(encode_base64(&made)));
        Some(Sample::Bin(Cow::Owned(text)))
    })
}

fn decipher_gcm(args: Args<'_>, compiler: &mut Compiler) -> Made {
    let parts = Parts::new(args, compiler, &[12, 16])?;
    let tag = Secret::new(args, 3, "a tag", compiler)?;
    if tag.length().is_some_and(|length| length != TAG) {
        return Err(format!("a tag has {TAG} bytes"));
    }
    let additional = additional(args, compiler)?;
    boxed(move |env, sample| {
        let mut text = sample.into_bytes().into_owned();
        let (key, nonce) = (parts.key.value(env)?, parts.nonce.value(env)?);
        let tag = tag.value(env)?;
        gcm(
            parts.bits,
            &key,
            &nonce,
            &read(&additional, env)?,
            &mut text,
            Some(&tag),
        )?;
        Some(Sample::Bin(Cow::Owned(text)))
    })
}

/// Changes the text in its place: with a tag it is deciphered, else the tag is given back.
fn gcm(
    bits: i64,
    key: &[u8],
    nonce: &[u8],
    additional: &[u8],
    text: &mut [u8],
    tag: Option<&[u8]>,
) -> Option<Vec<u8>> {
    fn run<C: KeyInit + AeadInPlace>(
        key: &[u8],
        nonce: &[u8],
        additional: &[u8],
        text: &mut [u8],
        tag: Option<&[u8]>,
    ) -> Option<Vec<u8>> {
        let cipher = C::new_from_slice(key).ok()?;
        let Some(tag) = tag else {
            let made = cipher.encrypt_in_place_detached(nonce.into(), additional, text);
            return Some(made.ok()?.to_vec());
        };
        if tag.len() != TAG {
            return None;
        }
        let read = cipher.decrypt_in_place_detached(nonce.into(), additional, text, tag.into());
        read.ok().map(|()| Vec::new())
    }
    let run = match (bits, nonce.len()) {
        (128, 12) => run::<AesGcm<Aes128, U12>>,
        (192, 12) => run::<AesGcm<Aes192, U12>>,
        (256, 12) => run::<AesGcm<Aes256, U12>>,
        (128, 16) => run::<AesGcm<Aes128, U16>>,
        (192, 16) => run::<AesGcm<Aes192, U16>>,
        (256, 16) => run::<AesGcm<Aes256, U16>>,
        _ => return None,
    };
    run(key, nonce, additional, text, tag)
}

fn cbc_mode(args: Args<'_>, compiler: &mut Compiler, encipher: bool) -> Made {
    let parts = Parts::new(args, compiler, &[16])?;
    if args.text(3).is_some_and(|text| !text.is_empty()) {
        return Err("CBC has no tag that could cover another text: leave it out".to_owned());
    }
    boxed(move |env, sample| {
        let (key, nonce) = (parts.key.value(env)?, parts.nonce.value(env)?);
        let text = sample.into_bytes();
        let done = cbc_text(parts.bits, encipher, &key, &nonce, &text)?;
        Some(Sample::Bin(Cow::Owned(done)))
    })
}

fn cbc_text(bits: i64, encipher: bool, key: &[u8], nonce: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    macro_rules! run {
        ($cipher:ty) => {
            if encipher {
                let cipher = cbc::Encryptor::<$cipher>::new_from_slices(key, nonce).ok()?;
                Some(cipher.encrypt_padded_vec_mut::<Pkcs7>(text))
            } else {
                let cipher = cbc::Decryptor::<$cipher>::new_from_slices(key, nonce).ok()?;
                cipher.decrypt_padded_vec_mut::<Pkcs7>(text).ok()
            }
        };
    }
    match bits {
        128 => run!(Aes128),
        192 => run!(Aes192),
        _ => run!(Aes256),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::matching::unhex;
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        unhex(text.as_bytes()).unwrap()
    }

    /// Test case 4 of "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B.
    #[test]
    fn gcm_as_its_inventors_show_it() {
        let key = hex("feffe9928665731c6d6a8f9467308308");
        let nonce = hex("cafebabefacedbaddecaf888");
        let additional = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95\
                         956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let mut text = plain.clone();
        let tag = gcm(128, &key, &nonce, &additional, &mut text, None).unwrap();
        assert_eq!(tag, hex("5bc94fbc3221a5db94fae95ae7121a47"));
        assert_eq!(text[..4], hex("42831ec2"));
        assert!(gcm(
            128,
            &key,
            &nonce,
            &additional,
            &mut text.clone(),
            Some(&[0; 16])
        )
        .is_none());
        assert!(gcm(256, &key, &nonce, &additional, &mut text.clone(), None).is_none());
        assert!(gcm(128, &key, &nonce[1..], &additional, &mut text.clone(), None).is_none());
        gcm(128, &key, &nonce, &additional, &mut text, Some(&tag)).unwrap();
        assert_eq!(text, plain);
    }

    /// NIST SP 800-38A, F.2.1; the padding is a block more.
    #[test]
    fn cbc_as_nist_shows_it() {
        let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
        let nonce = hex("000102030405060708090a0b0c0d0e0f");
        let plain = hex("6bc1bee22e409f96e93d7e117393172a");
        let text = cbc_text(128, true, &key, &nonce, &plain).unwrap();
        assert_eq!(text[..16], hex("7649abac8119b246cee98e9b12e9197d"));
        assert_eq!(cbc_text(128, false, &key, &nonce, &text), Some(plain));
        assert_eq!(cbc_text(128, false, &key, &nonce, &text[1..]), None);
        assert_eq!(cbc_text(256, true, &key, &nonce, &text), None);
    }
}
