//! Messages of distcc: tokens of four letters with a number of eight hex digits; some say by it how
//! many bytes follow (distcc's doc/protocol-1.txt).

use super::{by, Fetch, Row};
use crate::args::Args;
use crate::env::Env;
use crate::sample::Sample;

/// Their number is the length of what follows.
const WITH_BODY: [&[u8]; 9] = [
    b"ARGV", b"DOTI", b"DOTO", b"SERR", b"SOUT", b"NFIL", b"NAME", b"FILE", b"LINK",
];
const HEAD: usize = 12;

pub(super) const ROWS: &[Row] = &[
    by("distcc_body", |args, _| {
        found(args, |body, _| Some(Sample::Bin(body?.into())))
    }),
    by("distcc_param", |args, _| {
        found(args, |_, number| Some(Sample::Int(number)))
    }),
];

type What = for<'e> fn(Option<&'e [u8]>, i64) -> Option<Sample<'e>>;

fn found(args: Args<'_>, what: What) -> Result<Fetch, String> {
    let token = args.needed(0, "a token")?;
    if token.len() != 4 {
        return Err("a token has four letters".to_owned());
    }
    let which = args.number(1)?.unwrap_or(0);
    Fetch::new(move |env| {
        let (body, number) = search(env, &token, which.max(1))?;
        what(body, number)
    })
}

fn search<'e>(env: &Env<'e>, token: &[u8], which: i64) -> Option<(Option<&'e [u8]>, i64)> {
    let (mut rest, mut left) = (env.body, which);
    loop {
        let Some((head, behind)) = rest.split_at_checked(HEAD) else {
            env.undecided();
            return None;
        };
        let digits = std::str::from_utf8(&head[4..]).ok()?;
        let number = i64::from(u32::from_str_radix(digits, 16).ok()?);
        let length = if WITH_BODY.contains(&&head[..4]) {
            number as usize
        } else {
            0
        };
        let body = behind.get(..length);
        if head[..4] == *token {
            left -= 1;
            if left == 0 {
                if body.is_none() {
                    env.undecided();
                }
                return Some((body, number));
            }
        }
        let Some(next) = behind.get(length..) else {
            env.undecided();
            return None;
        };
        rest = next;
    }
}
