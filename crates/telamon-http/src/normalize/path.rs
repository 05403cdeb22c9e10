//! Segments of a path (RFC 3986 6.2.2.3). The text before the first slash is its first segment.

pub(super) fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut merged: Vec<u8> = Vec::with_capacity(path.len());
    for byte in path {
        if *byte != b'/' || merged.last() != Some(&b'/') {
            merged.push(*byte);
        }
    }
    merged
}

/// `/a/./b` becomes `/a/b`; a dot at the end leaves its slash.
pub(super) fn strip_dot(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let ends_in_dot = segments.last() == Some(&&b"."[..]);
    segments.retain(|segment| segment != b".");
    if ends_in_dot {
        segments.push(b"");
    }
    segments.join(&b'/')
}

/// From the end on, each `..` takes the next segment away that is none; an empty segment counts
/// as one. What is left to take at the beginning stays as `..`, or goes if `full`.
pub(super) fn strip_dotdot(path: &[u8], full: bool) -> Vec<u8> {
    let ends_in_dots = path.ends_with(b"/..");
    let mut up = 0usize;
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path
        .split(|byte| *byte == b'/')
        .skip(1)
        .collect::<Vec<_>>()
        .iter()
        .rev()
    {
        if *segment == b".." {
            up += 1;
        } else if up > 0 {
            up -= 1;
        } else {
            kept.push(segment);
        }
    }
    if !full {
        kept.extend(std::iter::repeat_n(&b".."[..], up));
    }
    kept.reverse();
    if ends_in_dots {
        kept.push(b"");
    }
    let mut stripped = Vec::with_capacity(path.len() + 1);
    for segment in kept {
        stripped.push(b'/');
        stripped.extend_from_slice(segment);
    }
    stripped
}
