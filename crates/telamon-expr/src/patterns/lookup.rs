//! How a set is looked up: by a method, and for maps to what kind of value.

use std::net::IpAddr;

use telamon_plan::rules::Match;

use super::Entry;
use crate::matching::Matcher;
use crate::sample::{leading_number, Sample};
use crate::vars::Vars;

/// What a map's value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Text,
    Int,
    Ip,
    /// Text in which `\1` names what the key's groups matched.
    Groups,
    /// The key itself.
    Key,
}

impl Output {
    pub(crate) fn of(self, text: Vec<u8>) -> Option<Sample<'static>> {
        Some(match self {
            Output::Text | Output::Groups | Output::Key => Sample::owned(text),
            Output::Int => Sample::Int(std::str::from_utf8(&text).ok()?.parse().ok()?),
            Output::Ip => Sample::Ip(std::str::from_utf8(&text).ok()?.parse().ok()?),
        })
    }
}

/// One way of looking up. `output`: None for an ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) method: Match,
    pub(crate) ignore_case: bool,
    pub(crate) output: Option<Output>,
}

/// What one way of looking up found, as `get map` and `get acl` tell it.
#[derive(Clone, Debug)]
pub struct Hit {
    pub method: &'static str,
    pub ignore_case: bool,
    /// Is the entry's value, if there is one, found in a tree or by trying one after the other?
    pub tree: bool,
    pub key: Option<Vec<u8>>,
    /// In words, and its type.
    pub value: Option<(Vec<u8>, &'static str)>,
}

impl Use {
    /// Can both be taken by who looks it up? The error is HAProxy's.
    pub(super) fn check(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        if let Err(error) = Matcher::new(self.method, key, self.ignore_case) {
            return Err(self.refusal(key, &error));
        }
        value.map_or(Ok(()), |value| self.check_value(value))
    }

    pub(super) fn check_value(&self, value: &[u8]) -> Result<(), String> {
        let taken = self
            .output
            .is_none_or(|output| output.of(value.to_vec()).is_some());
        taken
            .then_some(())
            .ok_or_else(|| format!("unable to parse '{}'.", String::from_utf8_lossy(value)))
    }

    fn refusal(&self, key: &[u8], error: &str) -> String {
        let text = String::from_utf8_lossy(key);
        match self.method {
            Match::Int | Match::Len if text.contains(':') => {
                format!("'{text}' is not a valid number range.")
            }
            Match::Int | Match::Len => format!("'{text}' is not a number."),
            Match::Ip => format!("'{text}' is not a valid IPv4 or IPv6 address."),
            Match::Reg => format!("regex '{text}' is invalid (error={error})."),
            _ => format!("'{text}' is no pattern: {error}."),
        }
    }

    pub(super) fn look_up(&self, lines: &[&Entry], text: &[u8]) -> Hit {
        let sample = Sample::owned(text.to_vec());
        let order = tries(self.method, lines);
        let found = order.into_iter().find(|at| {
            Matcher::new(self.method, &lines[*at].key, self.ignore_case)
                .is_ok_and(|matcher| matcher.matches(&sample, &Vars::default()))
        });
        let line = found.map(|at| &lines[at]);
        Hit {
            method: self.name(),
            ignore_case: self.ignore_case,
            tree: !self.ignore_case && matches!(self.method, Match::Str | Match::Beg | Match::Ip),
            key: line.map(|line| line.key.clone()),
            value: line.and_then(|line| self.value(line.value.clone()?)),
        }
    }

    fn value(&self, text: Vec<u8>) -> Option<(Vec<u8>, &'static str)> {
        let sample = self.output?.of(text)?;
        let kind = match &sample {
            Sample::Int(_) => "sint",
            Sample::Ip(IpAddr::V4(_)) => "ipv4",
            Sample::Ip(IpAddr::V6(_)) => "ipv6",
            _ => "str",
        };
        Some((sample.into_text().into_owned(), kind))
    }

    fn name(&self) -> &'static str {
        match self.method {
            Match::Found => "found",
            Match::Bool => "bool",
            Match::Int => "int",
            Match::Ip => "ip",
            Match::Bin => "bin",
            Match::Len => "len",
            Match::Str => "str",
            Match::Beg => "beg",
            Match::Sub => "sub",
            Match::Dir => "dir",
            Match::Dom => "dom",
            Match::End => "end",
            Match::Reg if self.output == Some(Output::Groups) => "regm",
            Match::Reg => "reg",
        }
    }
}

/// The order in which lines are tried: the longest prefix and the narrowest network win, else the
/// file's order.
fn tries(method: Match, lines: &[&Entry]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    match method {
        Match::Beg => order.sort_by_key(|at| std::cmp::Reverse(lines[*at].key.len())),
        Match::Ip => order.sort_by_key(|at| std::cmp::Reverse(bits(&lines[*at].key))),
        _ => {}
    }
    order
}

/// How many bits of a network count.
fn bits(key: &[u8]) -> i64 {
    match memchr::memchr(b'/', key) {
        Some(at) => leading_number(&key[at + 1..]).unwrap_or(0),
        None => 128,
    }
}
