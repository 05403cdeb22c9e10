//! Regular expressions as people wrote them for PCRE (manual 7.1.5).
//!
//! The engine is a linear one where it can: no text makes it slow. Look-around and back-references
//! go to a backtracking one, which gives up after [`BACKTRACKS`] steps, as a client could make it
//! run for ever. What then? "No match" would let a request dodge a `deny`, "match" would let one
//! through an `allow`. So the regex tells [`Vars::give_up`]. A list of rules ends as a failed one (500
//! for a request, 502 for a response), a choice of backend or server is not made (503), and a text
//! (a log line, an id) goes without the value.
//!
//! Both engines look at bytes. The backtracking one knows texts only: there each byte from 0x80 on
//! stands as the character of that number, in the pattern as in the text.

use std::borrow::Cow;

use crate::vars::Vars;

/// Some tens of milliseconds. PCRE's own limit is ten times as high.
const BACKTRACKS: usize = 1_000_000;

pub(crate) enum Regex {
    Linear(regex::bytes::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

type Span = (usize, usize);
/// Where the groups of a match are, the whole one first.
type Groups = Vec<Option<Span>>;

impl Regex {
    pub(crate) fn new(pattern: &[u8], ignore_case: bool) -> Result<Regex, String> {
        let text = std::str::from_utf8(pattern).map_err(|_| "a pattern is no UTF-8")?;
        let text = translated(text);
        let linear = regex::bytes::RegexBuilder::new(&text)
            .case_insensitive(ignore_case)
            .unicode(false)
            .build();
        match linear {
            Ok(regex) => Ok(Regex::Linear(regex)),
            Err(first) => {
                let flags = if ignore_case { "(?i)" } else { "" };
                let text = format!("{flags}{}", characters(text.as_bytes()));
                fancy_regex::RegexBuilder::new(&text)
                    .backtrack_limit(BACKTRACKS)
                    .build()
                    .map(|regex| Regex::Backtracking(Box::new(regex)))
                    .map_err(|_| first.to_string())
            }
        }
    }

    pub(crate) fn is_match(&self, text: &[u8], vars: &Vars) -> bool {
        match self {
            Regex::Linear(regex) => regex.is_match(text),
            Regex::Backtracking(regex) => {
                let found = regex.is_match(&characters(text));
                found.unwrap_or_else(|_| {
                    vars.give_up();
                    false
                })
            }
        }
    }

    /// `by` with its groups filled in from the first match, without what stands around it.
    pub(crate) fn groups(&self, text: &[u8], by: &[u8], vars: &Vars) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.each(text, 1, vars, &mut |_, groups| {
            expand(&mut out, by, text, groups);
        })
        .then_some(out)
    }

    /// Replaces the first match, or all; `\1` to `\9` in `by` name groups, `\0` the whole match.
    /// None without a match.
    pub(crate) fn replace(
        &self,
        text: &[u8],
        by: &[u8],
        all: bool,
        vars: &Vars,
    ) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut end = 0;
        let most = if all { usize::MAX } else { 1 };
        let found = self.each(text, most, vars, &mut |whole, groups| {
            out.extend_from_slice(&text[end..whole.0]);
            expand(&mut out, by, text, groups);
            end = whole.1;
        });
        out.extend_from_slice(&text[end..]);
        found.then_some(out)
    }

    /// Shows `most` matches: where each is, and where its groups are. Was there one? As in PCRE, one
    /// of nothing may stand right behind another.
    fn each(
        &self,
        text: &[u8],
        most: usize,
        vars: &Vars,
        show: &mut dyn FnMut(Span, &Groups),
    ) -> bool {
        let searched = Searched::new(self, text);
        let (mut count, mut from) = (0, 0);
        while count < most && from <= text.len() {
            let Some(spans) = searched.next(from, vars) else {
                break;
            };
            let Some(whole) = spans.first().copied().flatten() else {
                break;
            };
            show(whole, &spans);
            count += 1;
            from = whole.1 + usize::from(whole.0 == whole.1);
        }
        count > 0
    }
}

/// A text in which an expression is looked for again and again.
enum Searched<'r, 't> {
    Linear(&'r regex::bytes::Regex, &'t [u8]),
    Backtracking(&'r fancy_regex::Regex, Cow<'t, str>),
}

impl<'r, 't> Searched<'r, 't> {
    fn new(regex: &'r Regex, text: &'t [u8]) -> Searched<'r, 't> {
        match regex {
            Regex::Linear(regex) => Searched::Linear(regex, text),
            Regex::Backtracking(regex) => Searched::Backtracking(regex, characters(text)),
        }
    }

    /// The groups of the first match from a byte on, the whole one first.
    fn next(&self, from: usize, vars: &Vars) -> Option<Groups> {
        match self {
            Searched::Linear(regex, text) => {
                let groups = regex.captures_at(text, from)?;
                let span = |one: regex::bytes::Match<'_>| (one.start(), one.end());
                Some(groups.iter().map(|group| group.map(span)).collect())
            }
            Searched::Backtracking(regex, text) => {
                let mut places = text.char_indices().map(|(place, _)| place);
                let start = places.nth(from).unwrap_or(text.len());
                let Ok(groups) = regex.captures_from_pos(text, start) else {
                    vars.give_up();
                    return None;
                };
                let byte = |place: usize| text[..place].chars().count();
                let span = |one: fancy_regex::Match<'_>| (byte(one.start()), byte(one.end()));
                Some(groups?.iter().map(|group| group.map(span)).collect())
            }
        }
    }
}

/// Each byte as the character of its number.
fn characters(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(same) if text.is_ascii() => Cow::Borrowed(same),
        _ => Cow::Owned(text.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// What PCRE writes otherwise than our engines: `$` and `\Z` match before a last line feed too,
/// a brace that begins no count and a bracket within a class are themselves.
fn translated(pattern: &str) -> String {
    const END: &str = r"(?:\n?\z)";
    let many_lines =
        pattern.contains("(?m") || pattern.contains("(?im") || pattern.contains("(?sm");
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars();
    let mut in_class = false;
    while let Some(one) = rest.next() {
        let following = rest.as_str();
        match one {
            '\\' => match rest.next() {
                Some('Z') if !in_class => out.push_str(END),
                Some('h') if !in_class => out.push_str(r"[\t ]"),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            '[' if in_class && !following.starts_with(':') => out.push_str(r"\["),
            '[' if in_class => {
                // A named class, such as [:alpha:], to its end.
                let end = following.find(":]").map_or(0, |at| at + 2);
                out.push('[');
                out.push_str(&following[..end]);
                rest = following[end..].chars();
            }
            // A range that ends in a dash.
            '-' if in_class && following.starts_with('-') && !out.ends_with(['[', '^']) => {
                rest.next();
                out.push_str(r"-\-");
            }
            '&' | '~' | '-' if in_class && following.starts_with(one) => {
                out.extend(['\\', one]);
            }
            '[' => {
                in_class = true;
                out.push('[');
                for leading in ['^', ']'] {
                    if rest.as_str().starts_with(leading) {
                        rest.next();
                        if leading == ']' {
                            out.push('\\');
                        }
                        out.push(leading);
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '$' if !in_class && !many_lines => out.push_str(END),
            '{' if !in_class && !is_count(following) => out.push_str(r"\{"),
            other => out.push(other),
        }
    }
    out
}

/// `3}`, `3,}` or `3,5}`: what makes a brace a count.
fn is_count(text: &str) -> bool {
    let Some((inner, _)) = text.split_once('}') else {
        return false;
    };
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

fn expand(out: &mut Vec<u8>, by: &[u8], text: &[u8], groups: &Groups) {
    let mut bytes = by.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek().copied()) {
            (b'\\', Some(digit @ b'0'..=b'9')) => {
                bytes.next();
                let group = groups.get(usize::from(digit - b'0'));
                if let Some((start, end)) = group.copied().flatten() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &[u8]) -> bool {
        let vars = Vars::default();
        let found = Regex::new(pattern.as_bytes(), false).unwrap();
        let found = found.is_match(text, &vars);
        assert!(!vars.take_give_up());
        found
    }

    #[test]
    fn patterns_mean_what_they_mean_to_pcre() {
        let cases: [(&str, &[u8], bool); 16] = [
            (r"\.php$", b"x.php\n", true),
            (r"\.php$", b"x.php\nx", false),
            (r"\x61\Z", b"a", true),
            ("[]a]", b"]", true),
            ("[^]a]$", b"]", false),
            ("[a[b]", b"[", true),
            ("[[:alpha:][]", b"[", true),
            ("[a&&b]", b"&", true),
            ("[+--]", b",", true),
            ("a{b}", b"a{b}", true),
            ("^a{2}$", b"aa", true),
            ("^a{2,}$", b"a", false),
            ("^(?!/x)", b"/x", false),
            (r"(.)X\1", b"aXa", true),
            ("(?=\u{e9})", "\u{e9}".as_bytes(), true),
            ("^.(?=.)..$", b"\xff\xfe\x80", true),
        ];
        for (pattern, text, result) in cases {
            assert_eq!(matches(pattern, text), result, "{pattern} {text:?}");
        }
    }

    #[test]
    fn groups_come_back_in_replacements() {
        let vars = Vars::default();
        let regex = Regex::new(b"^/a(.)/(.*)$", false).unwrap();
        let new = regex.replace(b"/ab/c", br"/\2/\1", false, &vars);
        assert_eq!(new.unwrap(), b"/c/b");
        assert_eq!(regex.replace(b"/x", b"", false, &vars), None);
        let back = Regex::new(br"(a)\1", false).unwrap();
        assert_eq!(back.replace(b"xaaaa", b"-", true, &vars).unwrap(), b"x--");
        let all = Regex::new(b".*", false).unwrap();
        assert_eq!(all.replace(b"ab", b"-", true, &vars).unwrap(), b"--");
        let maybe = Regex::new(b"x*", false).unwrap();
        assert_eq!(maybe.replace(b"axb", b"-", true, &vars).unwrap(), b"-a--b-");
        let bytes = back.replace(b"\xffaa\xfe", b"-", true, &vars);
        assert_eq!(bytes.unwrap(), b"\xff-\xfe");
        assert_eq!(back.groups(b"\xffaa\xfe", br"\1", &vars).unwrap(), b"a");
    }

    #[test]
    fn giving_up_is_told() {
        let vars = Vars::default();
        let regex = Regex::new(br"^(a+)+\1$", false).unwrap();
        let text = [&[b'a'; 40][..], b"b"].concat();
        assert!(!regex.is_match(&text, &vars));
        assert!(vars.take_give_up());
        assert!(!vars.take_give_up());
        regex.replace(&text, b"", true, &vars);
        assert!(vars.take_give_up());
    }
}
