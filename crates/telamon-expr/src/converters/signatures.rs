//! Signatures of JSON Web Tokens by public keys (RFC 7518 3.3 to 3.5).
//!
//! The configuration's reader has put a file's text behind its path (`sample_arguments.py`), so that
//! nothing is read once the process has its chroot.

use p256::ecdsa::signature::Verifier;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use rsa::pkcs8::DecodePublicKey;
use rsa::{pkcs1v15, pss, RsaPublicKey};
use sha2::{Sha256, Sha384, Sha512};

/// A key of a file in PEM: `BEGIN PUBLIC KEY`.
pub(crate) enum PublicKey {
    Rsa(Box<RsaPublicKey>),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

/// What a signature is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
}

impl Scheme {
    pub(super) fn named(name: &[u8]) -> Option<Scheme> {
        Some(match name {
            b"RS256" => Scheme::Rs256,
            b"RS384" => Scheme::Rs384,
            b"RS512" => Scheme::Rs512,
            b"PS256" => Scheme::Ps256,
            b"PS384" => Scheme::Ps384,
            b"PS512" => Scheme::Ps512,
            b"ES256" => Scheme::Es256,
            b"ES384" => Scheme::Es384,
            b"ES512" => Scheme::Es512,
            _ => return None,
        })
    }
}

impl PublicKey {
    /// The key that a PEM text has.
    pub(super) fn new(pem: &str) -> Option<PublicKey> {
        if let Ok(key) = RsaPublicKey::from_public_key_pem(pem) {
            return Some(PublicKey::Rsa(Box::new(key)));
        }
        macro_rules! curve {
            ($curve:ident, $variant:ident) => {
                if let Ok(key) = $curve::PublicKey::from_public_key_pem(pem) {
                    let point = key.to_encoded_point(false);
                    let key = $curve::ecdsa::VerifyingKey::from_encoded_point(&point);
                    return key.ok().map(PublicKey::$variant);
                }
            };
        }
        curve!(p256, P256);
        curve!(p384, P384);
        curve!(p521, P521);
        None
    }

    /// Is it the signature of these bytes? A key of another kind has signed nothing.
    pub(super) fn verifies(&self, scheme: Scheme, signed: &[u8], signature: &[u8]) -> bool {
        macro_rules! rsa {
            ($module:ident, $hash:ty, $key:expr) => {
                $module::Signature::try_from(signature).is_ok_and(|signature| {
                    let key = $module::VerifyingKey::<$hash>::new(RsaPublicKey::clone($key));
                    key.verify(signed, &signature).is_ok()
                })
            };
        }
        macro_rules! curve {
            ($curve:ident, $key:expr) => {
                $curve::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| $key.verify(signed, &signature).is_ok())
            };
        }
        match (scheme, self) {
            (Scheme::Rs256, PublicKey::Rsa(key)) => rsa!(pkcs1v15, Sha256, key),
            (Scheme::Rs384, PublicKey::Rsa(key)) => rsa!(pkcs1v15, Sha384, key),
            (Scheme::Rs512, PublicKey::Rsa(key)) => rsa!(pkcs1v15, Sha512, key),
            (Scheme::Ps256, PublicKey::Rsa(key)) => rsa!(pss, Sha256, key),
            (Scheme::Ps384, PublicKey::Rsa(key)) => rsa!(pss, Sha384, key),
            (Scheme::Ps512, PublicKey::Rsa(key)) => rsa!(pss, Sha512, key),
            (Scheme::Es256, PublicKey::P256(key)) => curve!(p256, key),
            (Scheme::Es384, PublicKey::P384(key)) => curve!(p384, key),
            (Scheme::Es512, PublicKey::P521(key)) => curve!(p521, key),
            _ => false,
        }
    }
}
