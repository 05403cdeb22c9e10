//! Text by its parts: items of lists, lines, labels of domains.

use super::{boxed, by, on_text, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    by("add_item", add_item),
    by("cut_crlf", |_, _| {
        on_text(|text| {
            let end = memchr::memchr2(b'\r', b'\n', text).unwrap_or(text.len());
            Some(text[..end].to_vec())
        })
    }),
    by("has_ctl", |_, _| {
        boxed(|_, sample| {
            let text = sample.into_text();
            Some(Sample::Bool(text.iter().any(u8::is_ascii_control)))
        })
    }),
    by("reverse_dom", |_, _| {
        on_text(|text| {
            let labels: Vec<&[u8]> = text.split(|byte| *byte == b'.').rev().collect();
            Some(labels.join(&b"."[..]))
        })
    }),
];

/// `add_item(delimiter,[variable],[suffix])`: the delimiter stands only between two items.
fn add_item(args: Args<'_>, compiler: &mut Compiler) -> Made {
    let delimiter = args.text(0).unwrap_or_default();
    let variable = args.string(1).filter(|name| !name.is_empty());
    let slot = variable.map(|name| compiler.slot(&name));
    let suffix = args.text(2).unwrap_or_default();
    if slot.is_none() && suffix.is_empty() {
        return Err("a variable or a suffix is needed".to_owned());
    }
    boxed(move |env, sample| {
        let value = slot.and_then(|slot| env.vars.get(slot));
        let mut item = value.map_or(Vec::new(), |value| value.into_text().into_owned());
        item.extend_from_slice(&suffix);
        let mut list = sample.into_text().into_owned();
        if !list.is_empty() && !item.is_empty() {
            list.extend_from_slice(&delimiter);
        }
        list.extend_from_slice(&item);
        Some(Sample::owned(list))
    })
}
