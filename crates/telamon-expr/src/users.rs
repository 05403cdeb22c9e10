//! Lists of users: passwords compared, groups found (manual 3.4).
//!
//! A hashed password costs milliseconds, by design, and a thread that serves others must not pay
//! them at each request. So the first password that fits is kept for its user, as a keyed hash of
//! it (HMAC, RFC 2104) under a key that this process drew: the next time one such hash decides, in
//! a time that does not depend on where the two differ. A password in clear is kept in this form
//! from the start. What does not fit pays the whole price, each time.

use std::collections::HashMap;
use std::sync::OnceLock;

use hmac::{Hmac, Mac};
use pwhash::{bcrypt, bsdi_crypt, md5_crypt, sha1_crypt, sha256_crypt, sha512_crypt, unix_crypt};
use sha2::Sha256;
use telamon_plan::users::{User, UserList};

type Verify = fn(&[u8], &str) -> bool;

/// How the hashes of crypt(5) begin. The last row is DES, whose hashes are bare.
const SCHEMES: [(&str, Verify); 9] = [
    ("$1$", |password, hash| md5_crypt::verify(password, hash)),
    ("$2a$", |password, hash| bcrypt::verify(password, hash)),
    ("$2b$", |password, hash| bcrypt::verify(password, hash)),
    ("$2y$", |password, hash| bcrypt::verify(password, hash)),
    ("$5$", |password, hash| sha256_crypt::verify(password, hash)),
    ("$6$", |password, hash| sha512_crypt::verify(password, hash)),
    ("$sha1$", |password, hash| {
        sha1_crypt::verify(password, hash)
    }),
    ("_", |password, hash| bsdi_crypt::verify(password, hash)),
    ("", |password, hash| unix_crypt::verify(password, hash)),
];

fn scheme(hash: &str) -> Option<Verify> {
    let fits =
        |begin: &str| hash.starts_with(begin) && !(begin.is_empty() && hash.starts_with('$'));
    let row = SCHEMES.iter().find(|(begin, _)| fits(begin))?;
    Some(row.1)
}

/// One list.
pub(crate) struct Users {
    keyed: Hmac<Sha256>,
    members: HashMap<Vec<u8>, Member>,
}

struct Member {
    groups: Vec<Vec<u8>>,
    hash: Option<(Verify, String)>,
    /// The keyed hash of a password that fits.
    proven: OnceLock<[u8; 32]>,
}

impl Users {
    pub(crate) fn new(plan: &UserList) -> Result<Users, String> {
        let mut key = [0; 32];
        getrandom::getrandom(&mut key).map_err(|error| error.to_string())?;
        let keyed = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
        let members = plan.users.iter().map(|user| {
            let member = Member::new(user, &keyed)?;
            Ok((user.name.clone().into_bytes(), member))
        });
        let members = members.collect::<Result<_, String>>()?;
        Ok(Users { keyed, members })
    }

    /// The groups of the user whose password this is.
    pub(crate) fn member(&self, name: &[u8], password: &[u8]) -> Option<&[Vec<u8>]> {
        let member = self.members.get(name)?;
        let keyed = self.keyed.clone().chain_update(password);
        let proven = member.proven.get();
        if proven.is_none_or(|proven| keyed.clone().verify_slice(proven).is_err()) {
            let (verify, hash) = member.hash.as_ref()?;
            if !verify(password, hash) {
                return None;
            }
            // Another thread may have been quicker: what it kept does as well.
            let _ = member.proven.set(keyed.finalize().into_bytes().into());
        }
        Some(&member.groups)
    }
}

impl Member {
    fn new(plan: &User, keyed: &Hmac<Sha256>) -> Result<Member, String> {
        let groups = plan.groups.iter().map(|group| group.clone().into_bytes());
        let mut member = Member {
            groups: groups.collect(),
            hash: None,
            proven: OnceLock::new(),
        };
        match &plan.password {
            Some(hash) if plan.hashed => {
                let verify = scheme(hash)
                    .ok_or_else(|| format!("user '{}': a hash of an unknown scheme", plan.name))?;
                member.hash = Some((verify, hash.clone()));
            }
            Some(text) => {
                let tag = keyed.clone().chain_update(text.as_bytes()).finalize();
                member.proven = OnceLock::from(<[u8; 32]>::from(tag.into_bytes()));
            }
            None => {}
        }
        Ok(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by crypt(3), of "sesame".
    const HASHES: [&str; 10] = [
        "$1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/",
        "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW",
        "$2y$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW",
        "$5$saltstring$dpp83Gw80RwXMu3uTayJceXPuNPIaqrzxHgMiJWTXR0",
        "$5$rounds=2000$saltstring$XfeUEsPhlslO5SpYpULJGF9lV/lXdUa9cKLmMPUYe86",
        "$6$saltstring$\
         zw6YcBRuwlGueZoWIkK6CRJbQmJbhVf1zPxCfDBsJpbBlxfJ610F8Vp0i93QFh0AmoYe0z/GrJISxBfRQSsGe1",
        "$6$rounds=1500$saltsalt$\
         DNOcwDRuM9EZCNOkXMEiPED3dbEMulYysRVQg6l3s5kjRPt5eXhkI1CjLK0oOPPfkRUo3lVJfCdcC8aWK0Kck0",
        "$sha1$100$saltsalt$2LCIcxNCgfog/sRiCc2p0zS.EtFV",
        "_J9..rasmsnl8aIns1aA",
        "abnqrLigH.z/s",
    ];

    fn one(password: &str, hashed: bool) -> Users {
        let user = User {
            name: "alice".to_owned(),
            password: Some(password.to_owned()),
            hashed,
            groups: vec!["ops".to_owned()],
        };
        let plan = UserList {
            name: "l".to_owned(),
            users: vec![user],
        };
        Users::new(&plan).unwrap()
    }

    #[test]
    fn every_scheme_takes_its_password_and_no_other() {
        for hash in HASHES {
            let users = one(hash, true);
            for _ in 0..2 {
                assert!(users.member(b"alice", b"sesam").is_none(), "{hash}");
                assert_eq!(
                    users.member(b"alice", b"sesame").unwrap(),
                    [b"ops"],
                    "{hash}"
                );
            }
            assert!(users.member(b"bob", b"sesame").is_none());
        }
    }

    #[test]
    fn a_fitting_password_is_kept_and_an_unfitting_one_is_not() {
        let users = one(HASHES[0], true);
        users.member(b"alice", b"other");
        assert!(users.members[&b"alice"[..]].proven.get().is_none());
        users.member(b"alice", b"sesame");
        let kept = users.members[&b"alice"[..]].proven.get().unwrap();
        assert!(!kept.windows(6).any(|bytes| bytes == b"sesame"));
    }

    #[test]
    fn clear_text_is_compared_whole() {
        let users = one("sesame", false);
        assert!(users.member(b"alice", b"sesame").is_some());
        for wrong in [&b""[..], b"sesam", b"sesame ", b"sesame\0", b"Sesame"] {
            assert!(users.member(b"alice", wrong).is_none());
        }
        assert!(one("", false).member(b"alice", b"").is_some());
    }

    #[test]
    fn an_unknown_scheme_is_refused() {
        let user = User {
            name: "a".to_owned(),
            password: Some("$y$j9T$x$y".to_owned()),
            hashed: true,
            groups: Vec::new(),
        };
        let keyed = Hmac::<Sha256>::new_from_slice(b"k").unwrap();
        assert!(Member::new(&user, &keyed).is_err());
    }
}
