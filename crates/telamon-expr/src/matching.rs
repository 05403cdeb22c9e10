//! Samples compared with patterns (manual 7.1).

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use telamon_plan::rules::{self, Match};

use crate::compile::{Compiler, Expression};
use crate::env::Env;
use crate::networks::{Network, Networks};
use crate::patterns::{Derived, Set, Use};
use crate::prefixes::Prefixes;
use crate::regex::Regex;
use crate::sample::Sample;
use crate::vars::Vars;

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
            let matches = |matcher: &Matcher| matcher.matches(&sample, env.vars);
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
    Networks(Networks<()>),
    Exact(HashSet<Vec<u8>>, bool),
    Binary(HashSet<Vec<u8>>),
    Beginnings(Prefixes<()>, bool),
    Texts(Where, Vec<Vec<u8>>, bool),
    Regexes(Vec<Regex>),
}

/// Where in a text a pattern must stand.
#[derive(Clone, Copy)]
pub(crate) enum Where {
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
            Match::Ip => {
                let networks = patterns.iter().map(|text| Ok((Network::new(text)?, ())));
                Matcher::Networks(networks.collect::<Result<_, String>>()?)
            }
            Match::Str => Matcher::Exact(folded(patterns).into_iter().collect(), ignore_case),
            Match::Bin => Matcher::Binary(
                patterns
                    .iter()
                    .map(|text| unhex(text))
                    .collect::<Option<_>>()
                    .ok_or("a pattern is no even number of hex digits")?,
            ),
            Match::Beg => {
                let texts = folded(patterns).into_iter().map(|text| (text, ()));
                Matcher::Beginnings(texts.collect(), ignore_case)
            }
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

    /// Text methods look at a binary value's bytes as they are. A regular expression that gives up
    /// tells `vars`.
    pub(crate) fn matches(&self, sample: &Sample<'_>, vars: &Vars) -> bool {
        match self {
            Matcher::Found => true,
            Matcher::Bool => sample.as_int().is_some_and(|value| value != 0),
            Matcher::Numbers(ranges) => sample.as_int().is_some_and(|value| within(ranges, value)),
            Matcher::Lengths(ranges) => within(ranges, sample.as_text().len() as i64),
            Matcher::Networks(networks) => {
                sample.as_ip().is_some_and(|ip| networks.get(ip).is_some())
            }
            Matcher::Binary(values) => values.contains(sample.clone().into_bytes().as_ref()),
            Matcher::Exact(texts, ignore_case) => {
                texts.contains(folded_text(sample, *ignore_case).as_ref())
            }
            Matcher::Beginnings(texts, ignore_case) => {
                texts.get(&folded_text(sample, *ignore_case)).is_some()
            }
            Matcher::Texts(place, patterns, ignore_case) => {
                let text = folded_text(sample, *ignore_case);
                patterns
                    .iter()
                    .any(|pattern| stands(*place, &text, pattern))
            }
            Matcher::Regexes(regexes) => {
                let text = sample.as_text();
                regexes.iter().any(|regex| regex.is_match(&text, vars))
            }
        }
    }
}

fn folded_text<'s>(sample: &'s Sample<'_>, ignore_case: bool) -> Cow<'s, [u8]> {
    let text = sample.as_text();
    if ignore_case {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        text
    }
}

/// Does the pattern stand where it must? An empty one stands everywhere.
fn stands(place: Where, text: &[u8], pattern: &[u8]) -> bool {
    match place {
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

pub(crate) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 2 != 0 {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    text.chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(method: Match, patterns: &[&str], sample: &str) -> bool {
        let patterns: Vec<&[u8]> = patterns.iter().map(|text| text.as_bytes()).collect();
        let matcher = Matcher::new(method, &patterns, false).unwrap();
        matcher.matches(&Sample::text(sample.as_bytes()), &Vars::default())
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
    fn text_methods_look_at_a_binary_values_bytes() {
        let sample = Sample::Bin(Cow::Borrowed(b"p=1&evil=\x002"));
        let cases = [
            (Match::Sub, "evil", true),
            (Match::Sub, "\x002", true),
            (Match::Sub, "6576696C", false),
            (Match::Beg, "p=", true),
            (Match::End, "2", true),
            (Match::Reg, "evil=.2$", true),
            (Match::Len, "11", true),
            (Match::Str, "703D", false),
        ];
        for (method, pattern, result) in cases {
            let matcher = Matcher::new(method, &[pattern.as_bytes()], false).unwrap();
            assert_eq!(
                matcher.matches(&sample, &Vars::default()),
                result,
                "{method:?} {pattern}"
            );
        }
    }
}
