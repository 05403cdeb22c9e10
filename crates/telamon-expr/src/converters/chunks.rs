//! Bytes as groups of hex digits or as numbers, and back.

use super::{boxed, by, Made, Row};
use crate::args::Args;
use crate::sample::{hex, Sample};

pub(super) const ROWS: &[Row] = &[
    by("be2dec", |args, _| numbers(args, false)),
    by("be2hex", |args, _| {
        let separator = args.text(0).unwrap_or_default();
        let most = if separator.is_empty() { 0 } else { 1 };
        let size = size(args, most, usize::MAX)?.unwrap_or(0);
        grouped(args, separator, size, hex)
    }),
    by("htonl", |_, _| {
        boxed(|_, sample| {
            let bytes = (sample.as_int()? as u32).to_be_bytes();
            Some(Sample::Bin(bytes.to_vec().into()))
        })
    }),
    by("le2dec", |args, _| numbers(args, true)),
];

/// `(separator,size[,truncate])`: each `size` bytes, the last ones only if they are as many or if
/// nothing is truncated.
fn numbers(args: Args<'_>, little: bool) -> Made {
    let separator = args.text(0).unwrap_or_default();
    let size = size(args, 1, 8)?.ok_or("a size of 1 to 8 bytes is missing")?;
    grouped(args, separator, size, move |group| {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let value = match little {
            true => group.iter().rev().fold(0, add),
            false => group.iter().fold(0, add),
        };
        value.to_string().into_bytes()
    })
}

fn size(args: Args<'_>, least: usize, most: usize) -> Result<Option<usize>, String> {
    let size = args.number(1)?;
    if size.is_none() && least > 0 {
        return Err("the size of a group is missing".to_owned());
    }
    size.map(|size| {
        let size = usize::try_from(size).ok();
        let size = size.filter(|size| (least..=most).contains(size));
        size.ok_or_else(|| format!("a group has {least} bytes or more, and at most {most}"))
    })
    .transpose()
}

/// Size 0: all in one group.
fn grouped(
    args: Args<'_>,
    separator: Vec<u8>,
    size: usize,
    write: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
) -> Made {
    let truncates = args.number(2)?.unwrap_or(0) != 0;
    boxed(move |_, sample| {
        let bytes = sample.into_bytes();
        let size = if size == 0 { bytes.len().max(1) } else { size };
        let groups = bytes.chunks(size);
        let groups = groups.filter(|group| !truncates || group.len() == size);
        let groups: Vec<Vec<u8>> = groups.map(&write).collect();
        Some(Sample::owned(groups.join(&separator[..])))
    })
}
