//! Samples compared with patterns (manual 7.1).

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::HashMap;
use std::sync::Arc;

use telamon_plan::rules::{self, Match};

use crate::compile::{Compiler, Expression};
use crate::env::Env;
use crate::networks::{Network, Networks};
use crate::patterns::{Derived, Set, Table, Use};
use crate::prefixes::Prefixes;
use crate::ranges::Ranges;
use crate::ranked::{Listed, Ranked};
use crate::regex::Regex;
use crate::sample::Sample;
use crate::vars::Vars;

/// One `acl` line: its own patterns, and files.
pub(crate) struct Test {
    expression: Expression,
    own: Arc<Derived<Matcher>>,
    files: Vec<Arc<Derived<Matcher>>>,
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
            Derived::new(set, move || Matcher::empty(way.method, way.ignore_case))
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
pub(crate) struct Matcher {
    patterns: Patterns,
    ignore_case: bool,
}

enum Patterns {
    Found,
    Bool,
    Numbers(Ranges<()>),
    Lengths(Ranges<()>),
    Networks(Networks<()>),
    Exact(HashMap<Vec<u8>, Ranked<()>>),
    Binary(HashMap<Vec<u8>, Ranked<()>>),
    Beginnings(Prefixes<()>),
    Texts(Where, Listed<Vec<u8>>),
    Regexes(Listed<Regex>),
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
    pub(crate) fn empty(method: Match, ignore_case: bool) -> Matcher {
        let texts = |place| Patterns::Texts(place, Listed::default());
        let patterns = match method {
            Match::Found => Patterns::Found,
            Match::Bool => Patterns::Bool,
            Match::Int => Patterns::Numbers(Ranges::default()),
            Match::Len => Patterns::Lengths(Ranges::default()),
            Match::Ip => Patterns::Networks(Networks::default()),
            Match::Str => Patterns::Exact(HashMap::new()),
            Match::Bin => Patterns::Binary(HashMap::new()),
            Match::Beg => Patterns::Beginnings(Prefixes::default()),
            Match::End => texts(Where::End),
            Match::Sub => texts(Where::Anywhere),
            Match::Dir => texts(Where::Between(b"/?")),
            Match::Dom => texts(Where::Between(b"/?.:")),
            Match::Reg => Patterns::Regexes(Listed::default()),
        };
        Matcher {
            patterns,
            ignore_case,
        }
    }

    /// Of one pattern.
    pub(crate) fn new(method: Match, key: &[u8], ignore_case: bool) -> Result<Matcher, String> {
        let mut matcher = Matcher::empty(method, ignore_case);
        matcher.put(0, key, None)?;
        Ok(matcher)
    }

    /// Text methods look at a binary value's bytes as they are. A regular expression that gives up
    /// tells `vars`.
    pub(crate) fn matches(&self, sample: &Sample<'_>, vars: &Vars) -> bool {
        let text = || folded(sample.as_text(), self.ignore_case);
        match &self.patterns {
            Patterns::Found => true,
            Patterns::Bool => sample.as_int().is_some_and(|value| value != 0),
            Patterns::Numbers(ranges) => {
                let value = sample.as_int();
                value.is_some_and(|value| ranges.get(value).is_some())
            }
            Patterns::Lengths(ranges) => ranges.get(sample.as_text().len() as i64).is_some(),
            Patterns::Networks(networks) => {
                sample.as_ip().is_some_and(|ip| networks.get(ip).is_some())
            }
            Patterns::Binary(values) => values.contains_key(sample.clone().into_bytes().as_ref()),
            Patterns::Exact(texts) => texts.contains_key(text().as_ref()),
            Patterns::Beginnings(texts) => texts.get(&text()).is_some(),
            Patterns::Texts(place, patterns) => {
                let text = text();
                patterns.values().any(|one| stands(*place, &text, one))
            }
            Patterns::Regexes(regexes) => {
                let text = sample.as_text();
                regexes.values().any(|regex| regex.is_match(&text, vars))
            }
        }
    }
}

impl Table for Matcher {
    fn put(&mut self, number: u64, key: &[u8], _value: Option<&[u8]>) -> Result<(), String> {
        let text = || folded(Cow::Borrowed(key), self.ignore_case).into_owned();
        match &mut self.patterns {
            Patterns::Found | Patterns::Bool => {}
            Patterns::Numbers(ranges) | Patterns::Lengths(ranges) => {
                ranges.put(number, key, ())?;
            }
            Patterns::Networks(networks) => networks.put(number, Network::new(key)?, ()),
            Patterns::Exact(texts) => put_exact(texts, number, text(), ()),
            Patterns::Binary(values) => {
                let bytes = unhex(key).ok_or("a pattern is no even number of hex digits")?;
                put_exact(values, number, bytes, ());
            }
            Patterns::Beginnings(texts) => texts.put(number, text(), ()),
            Patterns::Texts(_, texts) => texts.put(number, text()),
            Patterns::Regexes(regexes) => {
                regexes.put(number, Regex::new(key, self.ignore_case)?);
            }
        }
        Ok(())
    }

    fn remove(&mut self, number: u64, key: &[u8]) {
        let text = folded(Cow::Borrowed(key), self.ignore_case);
        match &mut self.patterns {
            Patterns::Found | Patterns::Bool => {}
            Patterns::Numbers(ranges) | Patterns::Lengths(ranges) => ranges.remove(number, key),
            Patterns::Networks(networks) => {
                if let Ok(network) = Network::new(key) {
                    networks.remove(number, network);
                }
            }
            Patterns::Exact(texts) => remove_exact(texts, number, &text),
            Patterns::Binary(values) => {
                remove_exact(values, number, &unhex(key).unwrap_or_default());
            }
            Patterns::Beginnings(texts) => texts.remove(number, &text),
            Patterns::Texts(_, texts) => texts.remove(number),
            Patterns::Regexes(regexes) => regexes.remove(number),
        }
    }
}

/// Texts that are looked up as they are.
pub(crate) fn put_exact<T>(
    texts: &mut HashMap<Vec<u8>, Ranked<T>>,
    number: u64,
    key: Vec<u8>,
    value: T,
) {
    match texts.entry(key) {
        Entry::Occupied(mut there) => there.get_mut().put(number, value),
        Entry::Vacant(free) => drop(free.insert(Ranked::new(number, value))),
    }
}

pub(crate) fn remove_exact<T>(texts: &mut HashMap<Vec<u8>, Ranked<T>>, number: u64, key: &[u8]) {
    let found = texts.get_mut(key);
    if found.is_some_and(|there| there.remove(number)) {
        texts.remove(key);
    }
}

fn folded(text: Cow<'_, [u8]>, ignore_case: bool) -> Cow<'_, [u8]> {
    match ignore_case {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => text,
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

    fn matches(method: Match, pattern: &str, sample: &str) -> bool {
        let matcher = Matcher::new(method, pattern.as_bytes(), false).unwrap();
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
                matches(method, pattern, sample),
                result,
                "{method:?} {pattern}"
            );
        }
    }

    #[test]
    fn what_is_taken_out_matches_no_more() {
        let cases = [
            (Match::Str, "Ab", "aB", "c"),
            (Match::Beg, "/A", "/ab", "/c"),
            (Match::End, ".JS", "x.js", ".c"),
            (Match::Reg, "^A", "ab", "c"),
            (Match::Len, "3", "abc", "4"),
            (Match::Int, "3:4", "3", "7"),
            (Match::Bin, "6161", "aa", "62"),
            (Match::Ip, "10.0.0.0/8", "10.1.2.3", "11.0.0.0/8"),
        ];
        for (method, pattern, text, other) in cases {
            let vars = Vars::default();
            let mut matcher = Matcher::empty(method, true);
            for (number, key) in [pattern, other, pattern].into_iter().enumerate() {
                matcher.put(number as u64, key.as_bytes(), None).unwrap();
            }
            let sample = Sample::text(text.as_bytes());
            matcher.remove(1, other.as_bytes());
            matcher.remove(0, pattern.as_bytes());
            assert!(matcher.matches(&sample, &vars), "{method:?}");
            matcher.remove(2, pattern.as_bytes());
            assert!(!matcher.matches(&sample, &vars), "{method:?}");
        }
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
            let matcher = Matcher::new(method, pattern.as_bytes(), false).unwrap();
            assert_eq!(
                matcher.matches(&sample, &Vars::default()),
                result,
                "{method:?} {pattern}"
            );
        }
    }
}
