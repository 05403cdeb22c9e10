//! The normalisers of `http-request normalize-uri` (manual 4.2).
//!
//! Each takes path and query as they stand and gives what they become. The results are those of
//! HAProxy 2.6 to the byte, odd ones included; `tests/normalize.rs` compares.

mod path;
mod percent;
mod query;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalizer {
    FragmentEncode,
    FragmentStrip,
    PathMergeSlashes,
    PathStripDot,
    /// `full`: also where nothing is left to go up from.
    PathStripDotDot {
        full: bool,
    },
    /// `strict`: a broken escape is an error.
    PercentDecodeUnreserved {
        strict: bool,
    },
    PercentToUppercase {
        strict: bool,
    },
    QuerySortByName,
}

/// A percent sign without two hexadecimal digits behind it: the answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenEscape;

impl Normalizer {
    /// As the rule names it, with its option.
    pub fn named(name: &str, option: Option<&str>) -> Option<Normalizer> {
        let (full, strict) = (option == Some("full"), option == Some("strict"));
        let (normalizer, fits) = match name {
            "fragment-encode" => (Normalizer::FragmentEncode, false),
            "fragment-strip" => (Normalizer::FragmentStrip, false),
            "path-merge-slashes" => (Normalizer::PathMergeSlashes, false),
            "path-strip-dot" => (Normalizer::PathStripDot, false),
            "path-strip-dotdot" => (Normalizer::PathStripDotDot { full }, full),
            "percent-decode-unreserved" => (Normalizer::PercentDecodeUnreserved { strict }, strict),
            "percent-to-uppercase" => (Normalizer::PercentToUppercase { strict }, strict),
            "query-sort-by-name" => (Normalizer::QuerySortByName, false),
            _ => return None,
        };
        (option.is_none() || fits).then_some(normalizer)
    }

    /// What path and query become.
    pub fn apply(self, pathq: &[u8]) -> Result<Vec<u8>, BrokenEscape> {
        Ok(match self {
            Normalizer::FragmentEncode => query::encode_fragment(pathq),
            Normalizer::FragmentStrip => query::strip_fragment(pathq),
            Normalizer::PathMergeSlashes => on_path(pathq, path::merge_slashes),
            Normalizer::PathStripDot => on_path(pathq, path::strip_dot),
            Normalizer::PathStripDotDot { full } => {
                on_path(pathq, |path| path::strip_dotdot(path, full))
            }
            Normalizer::PercentDecodeUnreserved { strict } => {
                percent::decode_unreserved(pathq, strict)?
            }
            Normalizer::PercentToUppercase { strict } => percent::to_uppercase(pathq, strict)?,
            Normalizer::QuerySortByName => query::sort_by_name(pathq),
        })
    }
}

/// Changes what stands before the question mark.
fn on_path(pathq: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let end = memchr::memchr(b'?', pathq).unwrap_or(pathq.len());
    let mut changed = change(&pathq[..end]);
    changed.extend_from_slice(&pathq[end..]);
    changed
}
