//! Samples compared with patterns (manual 7.1).

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use telamon_plan::rules::{self, Match};

use crate::compile::{Compiler, Expression};
use crate::env::Env;
use crate::patterns::{Derived, Set, Use};
use crate::sample::{leading_number, Sample};

/// One `acl` line: its own patterns, and files.
pub(crate) struct Test {
    expression: Expression,
    own: Derived<Matcher>,
    files: Vec<Derived<Matcher>>,
}

impl Test {
    pub(crate) fn new(plan: &rules::Test, compiler: &mut Compiler) -> Result<Test, String> {
        let expression = Expression::new(&plan.expression, compiler)?;
        let way = Use {
            method: plan.method,
            ignore_case: plan.ignore_case,
            output: None,
        };
        let derived = |set: Arc<Set>| {
            set.used(way);
            Derived::new(set, move |lines| {
                let keys: Vec<&[u8]> = lines.iter().map(|line| line.0.as_slice()).collect();
                Matcher::new(way.method, &keys, way.ignore_case)
            })
        };
        let own = derived(compiler.set_of_line(plan))?;
        let files = plan.sets.iter();
        let files = files.map(|id| derived(compiler.set(i64::from(*id))?));
        Ok(Test {
            expression,
            own,
            files: files.collect::<Result<_, String>>()?,
        })
    }

    pub(crate) fn passes(&self, env: &Env<'_>) -> bool {
        self.expression.any(env, &mut |sample| {
            let matches = |matcher: &Matcher| matcher.matches(&sample);
            self.own.with(matches) || self.files.iter().any(|file| file.with(matches))
        })
    }
}

/// Patterns of one method, in the form in which they are looked up.
pub(crate) enum Matcher {
    Found,
    Bool,
    Numbers(Vec<(i64, i64)>),
    Lengths(Vec<(i64, i64)>),
    Networks(Vec<Network>),
    Exact(HashSet<Vec<u8>>, bool),
    Binary(HashSet<Vec<u8>>),
    Texts(Where, Vec<Vec<u8>>, bool),
    Regexes(Vec<Regex>),
}

/// Where in a text a pattern must stand.
#[derive(Clone, Copy)]
pub(crate) enum Where {
    Begin,
    End,
    Anywhere,
    /// Between these bytes or the text's ends.
    Between(&'static [u8]),
}

impl Matcher {
    pub(crate) fn new(
        method: Match,
        patterns: &[&[u8]],
        ignore_case: bool,
    ) -> Result<Matcher, String> {
        let folded = |patterns: &[&[u8]]| {
            let fold = |text: &&[u8]| {
                if ignore_case {
                    text.to_ascii_lowercase()
                } else {
                    text.to_vec()
                }
            };
            patterns.iter().map(fold).collect::<Vec<_>>()
        };
        let texts = |place| Matcher::Texts(place, folded(patterns), ignore_case);
        Ok(match method {
            Match::Found => Matcher::Found,
            Match::Bool => Matcher::Bool,
            Match::Int => Matcher::Numbers(ranges(patterns)?),
            Match::Len => Matcher::Lengths(ranges(patterns)?),
            Match::Ip => Matcher::Networks(
                patterns
                    .iter()
                    .map(|text| Network::new(text))
                    .collect::<Result<_, _>>()?,
            ),
            Match::Str => Matcher::Exact(folded(patterns).into_iter().collect(), ignore_case),
            Match::Bin => Matcher::Binary(
                patterns
                    .iter()
                    .map(|text| unhex(text))
                    .collect::<Option<_>>()
                    .ok_or("a pattern is no even number of hex digits")?,
            ),
            Match::Beg => texts(Where::Begin),
            Match::End => texts(Where::End),
            Match::Sub => texts(Where::Anywhere),
            Match::Dir => texts(Where::Between(b"/?")),
            Match::Dom => texts(Where::Between(b"/?.:")),
            Match::Reg => Matcher::Regexes(
                patterns
                    .iter()
                    .map(|text| Regex::new(text, ignore_case))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    pub(crate) fn matches(&self, sample: &Sample<'_>) -> bool {
        match self {
            Matcher::Found => true,
            Matcher::Bool => sample.as_bool().unwrap_or(false),
            Matcher::Numbers(ranges) => sample.as_int().is_some_and(|value| within(ranges, value)),
            Matcher::Lengths(ranges) => {
                let length = sample.clone().into_bytes().len() as i64;
                within(ranges, length)
            }
            Matcher::Networks(networks) => sample
                .as_ip()
                .is_some_and(|ip| networks.iter().any(|network| network.contains(ip))),
            Matcher::Exact(texts, ignore_case) => {
                let text = sample.clone().into_text();
                if *ignore_case {
                    texts.contains(&text.to_ascii_lowercase())
                } else {
                    texts.contains(text.as_ref())
                }
            }
            Matcher::Binary(values) => values.contains(sample.clone().into_bytes().as_ref()),
            Matcher::Texts(place, patterns, ignore_case) => {
                let text = sample.clone().into_text();
                let text = if *ignore_case {
                    text.to_ascii_lowercase().into()
                } else {
                    text
                };
                patterns
                    .iter()
                    .any(|pattern| stands(*place, &text, pattern))
            }
            Matcher::Regexes(regexes) => {
                let text = sample.clone().into_text();
                regexes.iter().any(|regex| regex.is_match(&text))
            }
        }
    }
}

/// Does the pattern stand where it must? An empty one stands everywhere.
fn stands(place: Where, text: &[u8], pattern: &[u8]) -> bool {
    match place {
        Where::Begin => text.starts_with(pattern),
        Where::End => text.ends_with(pattern),
        Where::Anywhere => memchr::memmem::find(text, pattern).is_some(),
        Where::Between(marks) => {
            let mut pattern = pattern;
            while let [first, rest @ ..] = pattern {
                if !marks.contains(first) {
                    break;
                }
                pattern = rest;
            }
            while let [rest @ .., last] = pattern {
                if !marks.contains(last) {
                    break;
                }
                pattern = rest;
            }
            !pattern.is_empty()
                && memchr::memmem::find_iter(text, pattern).any(|at| {
                    let end = at + pattern.len();
                    let before = at == 0 || marks.contains(&text[at - 1]);
                    before && (end == text.len() || marks.contains(&text[end]))
                })
        }
    }
}

fn within(ranges: &[(i64, i64)], value: i64) -> bool {
    ranges
        .iter()
        .any(|(low, high)| (*low..=*high).contains(&value))
}

/// `5`, `5:10`, `:10`, `5:`, and numbers behind one of the words `eq ge gt le lt`.
fn ranges(patterns: &[&[u8]]) -> Result<Vec<(i64, i64)>, String> {
    let mut operator: &[u8] = b"eq";
    let mut found = Vec::new();
    let bad = |text: &[u8]| format!("'{}' is no number or range", String::from_utf8_lossy(text));
    let whole = |text: &[u8]| -> Result<i64, String> {
        std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| bad(text))
    };
    for word in patterns.iter().flat_map(|text| {
        text.split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty())
    }) {
        if matches!(word, b"eq" | b"ge" | b"gt" | b"le" | b"lt") {
            operator = word;
            continue;
        }
        let range = match memchr::memchr(b':', word) {
            Some(at) => {
                let (low, high) = (&word[..at], &word[at + 1..]);
                let low = if low.is_empty() {
                    i64::MIN
                } else {
                    whole(low)?
                };
                let high = if high.is_empty() {
                    i64::MAX
                } else {
                    whole(high)?
                };
                (low, high)
            }
            None => {
                let value = whole(word)?;
                (value, value)
            }
        };
        found.push(match operator {
            b"ge" => (range.0, i64::MAX),
            b"gt" => (range.1.saturating_add(1), i64::MAX),
            b"le" => (i64::MIN, range.1),
            b"lt" => (i64::MIN, range.0.saturating_sub(1)),
            _ => range,
        });
    }
    Ok(found)
}

/// An address with the bits that count.
pub(crate) struct Network {
    address: IpAddr,
    mask: u128,
}

impl Network {
    pub(crate) fn new(text: &[u8]) -> Result<Network, String> {
        let text = std::str::from_utf8(text).map_err(|_| "a network is no text")?;
        let bad = || format!("'{text}' is no address or network");
        let (host, bits) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = host.parse().map_err(|_| bad())?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let mask = match bits.parse::<u32>() {
            _ if bits.is_empty() => ones(width, width),
            Ok(bits) if bits <= width => ones(bits, width),
            _ => match bits.parse::<IpAddr>() {
                Ok(IpAddr::V4(mask)) if width == 32 => u128::from(u32::from(mask)),
                _ => return Err(bad()),
            },
        };
        Ok(Network { address, mask })
    }

    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        let (own, other) = match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V6(other)) => match other.to_ipv4_mapped() {
                Some(other) => (u128::from(u32::from(own)), u128::from(u32::from(other))),
                None => return false,
            },
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(u32::from(own)), u128::from(u32::from(other)))
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (u128::from(own), u128::from(other)),
            (IpAddr::V6(own), IpAddr::V4(other)) => {
                (u128::from(own), u128::from(other.to_ipv6_mapped()))
            }
        };
        own & self.mask == other & self.mask
    }
}

fn ones(bits: u32, width: u32) -> u128 {
    let all = if width == 128 {
        u128::MAX
    } else {
        (1 << width) - 1
    };
    let shift = width - bits;
    all.checked_shr(shift)
        .and_then(|high| high.checked_shl(shift))
        .unwrap_or(0)
        & all
}

pub(crate) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 2 != 0 {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    text.chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

/// A pattern as people wrote it for PCRE: the linear engine where it can, backtracking where
/// look-around or back-references are used.
pub(crate) enum Regex {
    Linear(regex::bytes::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

impl Regex {
    pub(crate) fn new(pattern: &[u8], ignore_case: bool) -> Result<Regex, String> {
        let text = std::str::from_utf8(pattern).map_err(|_| "a pattern is no UTF-8")?;
        let linear = regex::bytes::RegexBuilder::new(text)
            .case_insensitive(ignore_case)
            .unicode(false)
            .build();
        match linear {
            Ok(regex) => Ok(Regex::Linear(regex)),
            Err(first) => {
                let text = if ignore_case {
                    format!("(?i){text}")
                } else {
                    text.to_owned()
                };
                fancy_regex::RegexBuilder::new(&text)
                    .backtrack_limit(100_000)
                    .build()
                    .map(|regex| Regex::Backtracking(Box::new(regex)))
                    .map_err(|_| first.to_string())
            }
        }
    }

    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Regex::Linear(regex) => regex.is_match(text),
            Regex::Backtracking(regex) => {
                let text = String::from_utf8_lossy(text);
                regex.is_match(&text).unwrap_or(false)
            }
        }
    }

    /// `by` with its groups filled in from the first match, without what stands around it.
    pub(crate) fn groups(&self, text: &[u8], by: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match self {
            Regex::Linear(regex) => {
                let captures = regex.captures(text)?;
                let group = |at: usize| captures.get(at).map(|one| (one.start(), one.end()));
                expand(&mut out, by, text, &group);
            }
            Regex::Backtracking(regex) => {
                let captures = regex.captures(std::str::from_utf8(text).ok()?).ok()??;
                let group = |at: usize| captures.get(at).map(|one| (one.start(), one.end()));
                expand(&mut out, by, text, &group);
            }
        }
        Some(out)
    }

    /// Replaces the first match, or all; `\1` to `\9` in `by` name groups, `\0` the whole match.
    /// None without a match.
    pub(crate) fn replace(&self, text: &[u8], by: &[u8], all: bool) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut end = 0;
        let mut found = false;
        let mut take = |whole: (usize, usize), group: &dyn Fn(usize) -> Option<(usize, usize)>| {
            out.extend_from_slice(&text[end..whole.0]);
            expand(&mut out, by, text, group);
            end = whole.1;
            found = true;
        };
        match self {
            Regex::Linear(regex) => {
                for captures in regex
                    .captures_iter(text)
                    .take(if all { usize::MAX } else { 1 })
                {
                    let group = |at: usize| captures.get(at).map(|one| (one.start(), one.end()));
                    if let Some(whole) = group(0) {
                        take(whole, &group);
                    }
                }
            }
            Regex::Backtracking(regex) => {
                let valid = std::str::from_utf8(text).ok()?;
                let most = if all { usize::MAX } else { 1 };
                for captures in regex.captures_iter(valid).take(most).flatten() {
                    let group = |at: usize| captures.get(at).map(|one| (one.start(), one.end()));
                    if let Some(whole) = group(0) {
                        take(whole, &group);
                    }
                }
            }
        }
        if !found {
            return None;
        }
        out.extend_from_slice(&text[end..]);
        Some(out)
    }
}

fn expand(
    out: &mut Vec<u8>,
    by: &[u8],
    text: &[u8],
    group: &dyn Fn(usize) -> Option<(usize, usize)>,
) {
    let mut bytes = by.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek().copied()) {
            (b'\\', Some(digit @ b'0'..=b'9')) => {
                bytes.next();
                if let Some((start, end)) = group(usize::from(digit - b'0')) {
                    out.extend_from_slice(&text[start..end]);
                }
            }
            (b'\\', Some(other)) => {
                bytes.next();
                out.push(other);
            }
            _ => out.push(byte),
        }
    }
}

/// For keys of maps: a number as HAProxy reads one.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    leading_number(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(method: Match, patterns: &[&str], sample: &str) -> bool {
        let patterns: Vec<&[u8]> = patterns.iter().map(|text| text.as_bytes()).collect();
        let matcher = Matcher::new(method, &patterns, false).unwrap();
        matcher.matches(&Sample::text(sample.as_bytes()))
    }

    #[test]
    fn methods_match_as_the_manual_says() {
        let cases = [
            (Match::Str, "a", "a", true),
            (Match::Str, "a", "ab", false),
            (Match::Beg, "/a", "/ab", true),
            (Match::End, ".js", "x.js", true),
            (Match::Sub, "b", "abc", true),
            (Match::Dir, "b", "/a/b/c", true),
            (Match::Dir, "b", "/a/bb/c", false),
            (Match::Dom, "example", "www.example.org:80", true),
            (Match::Dom, "xample", "www.example.org", false),
            (Match::Reg, "^/v[12]/", "/v2/x", true),
            (Match::Reg, "^(?!/x)", "/x", false),
            (Match::Len, "3:4", "abc", true),
            (Match::Ip, "10.0.0.0/8", "10.1.2.3", true),
            (Match::Ip, "10.0.0.0/255.0.0.0", "11.1.2.3", false),
            (Match::Ip, "::/0", "1.2.3.4", true),
            (Match::Int, "gt 5", "6", true),
            (Match::Int, "gt 5", "5", false),
            (Match::Int, "1024:65535", "80", false),
        ];
        for (method, pattern, sample, result) in cases {
            assert_eq!(
                matches(method, &[pattern], sample),
                result,
                "{method:?} {pattern}"
            );
        }
        assert!(matches(Match::Int, &["le", "5"], "5"));
    }

    #[test]
    fn groups_come_back_in_replacements() {
        let regex = Regex::new(b"^/a(.)/(.*)$", false).unwrap();
        assert_eq!(regex.replace(b"/ab/c", br"/\2/\1", false).unwrap(), b"/c/b");
        assert_eq!(regex.replace(b"/x", b"", false), None);
        let back = Regex::new(br"(a)\1", false).unwrap();
        assert_eq!(back.replace(b"xaaaa", b"-", true).unwrap(), b"x--");
    }
}
