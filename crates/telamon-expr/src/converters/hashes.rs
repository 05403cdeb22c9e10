//! Hashes, in HAProxy's results.

use std::borrow::Cow;

use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
use xxhash_rust::{xxh3::xxh3_64_with_seed, xxh32::xxh32, xxh64::xxh64};

use super::secrets::Secret;
use super::{boxed, to_number, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "crc32",
        make: |args, _| hash32(args, |bytes| crc(bytes, 0xedb8_8320)),
    },
    Row {
        name: "crc32c",
        make: |args, _| hash32(args, |bytes| crc(bytes, 0x82f6_3b78)),
    },
    Row {
        name: "digest",
        make: |args, _| digest(args),
    },
    Row {
        name: "djb2",
        make: |args, _| hash32(args, djb2),
    },
    Row {
        name: "hmac",
        make: hmac,
    },
    Row {
        name: "sdbm",
        make: |args, _| hash32(args, sdbm),
    },
    Row {
        name: "sha1",
        make: |_, _| binary(|bytes| Sha1::digest(bytes).to_vec()),
    },
    Row {
        name: "sha2",
        make: |args, _| match args.number(0)?.unwrap_or(256) {
            224 => binary(|bytes| Sha224::digest(bytes).to_vec()),
            256 => binary(|bytes| Sha256::digest(bytes).to_vec()),
            384 => binary(|bytes| Sha384::digest(bytes).to_vec()),
            512 => binary(|bytes| Sha512::digest(bytes).to_vec()),
            bits => Err(format!(
                "there is no SHA-2 of {bits} bits: write 224, 256, 384 or 512"
            )),
        },
    },
    Row {
        name: "wt6",
        make: |args, _| hash32(args, |bytes| telamon_balance::Function::Wt6.hash(bytes)),
    },
    Row {
        name: "xxh3",
        make: |args, _| seeded(args, |bytes, seed| xxh3_64_with_seed(bytes, seed) as i64),
    },
    Row {
        name: "xxh32",
        make: |args, _| seeded(args, |bytes, seed| i64::from(xxh32(bytes, seed as u32))),
    },
    Row {
        name: "xxh64",
        make: |args, _| seeded(args, |bytes, seed| xxh64(bytes, seed) as i64),
    },
];

fn hash32(args: Args<'_>, hash: fn(&[u8]) -> u32) -> Made {
    let avalanched = args.number(0)?.unwrap_or(0) != 0;
    to_number(move |bytes| {
        let value = hash(bytes);
        i64::from(if avalanched {
            telamon_balance::avalanche(value)
        } else {
            value
        })
    })
}

fn seeded(args: Args<'_>, hash: fn(&[u8], u64) -> i64) -> Made {
    let seed = args.number(0)?.unwrap_or(0) as u64;
    to_number(move |bytes| hash(bytes, seed))
}

fn binary(hash: fn(&[u8]) -> Vec<u8>) -> Made {
    boxed(move |_, sample| Some(Sample::Bin(Cow::Owned(hash(&sample.into_bytes())))))
}

/// The hash functions by OpenSSL's names, which `digest` and `hmac` share.
macro_rules! by_name {
    ($name:expr, $with:ident) => {
        match $name.to_ascii_lowercase().as_str() {
            "md5" => $with!(Md5),
            "sha1" => $with!(Sha1),
            "sha224" => $with!(Sha224),
            "sha256" => $with!(Sha256),
            "sha384" => $with!(Sha384),
            "sha512" => $with!(Sha512),
            "sha512-224" => $with!(Sha512_224),
            "sha512-256" => $with!(Sha512_256),
            "sha3-224" => $with!(Sha3_224),
            "sha3-256" => $with!(Sha3_256),
            "sha3-384" => $with!(Sha3_384),
            "sha3-512" => $with!(Sha3_512),
            other => Err(format!("'{other}' is no digest: write sha1, sha256, ...")),
        }
    };
}

fn digest(args: Args<'_>) -> Made {
    macro_rules! with {
        ($hash:ty) => {
            binary(|bytes| <$hash>::digest(bytes).to_vec())
        };
    }
    by_name!(args.string(0).unwrap_or_default(), with)
}

/// `hmac(algorithm,key)`: the key in base64, or a variable that has it so.
fn hmac(args: Args<'_>, compiler: &mut Compiler) -> Made {
    let key = Secret::new(args, 1, "a key", compiler)?;
    macro_rules! with {
        ($hash:ty) => {
            boxed(move |env, sample| {
                let mut mac = Hmac::<$hash>::new_from_slice(&key.value(env)?).ok()?;
                mac.update(&sample.into_bytes());
                Some(Sample::Bin(Cow::Owned(
                    mac.finalize().into_bytes().to_vec(),
                )))
            })
        };
    }
    by_name!(args.string(0).unwrap_or_default(), with)
}

fn crc(bytes: &[u8], polynomial: u32) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ (polynomial & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}

fn djb2(bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| {
        (hash << 5)
            .wrapping_add(hash)
            .wrapping_add(u32::from(*byte))
    };
    bytes.iter().fold(5381, step)
}

fn sdbm(bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| {
        u32::from(*byte)
            .wrapping_add(hash << 6)
            .wrapping_add(hash << 16)
            .wrapping_sub(hash)
    };
    bytes.iter().fold(0, step)
}
