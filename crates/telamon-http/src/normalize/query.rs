//! The query, and the fragment that no client should send (RFC 3986 3.5).

pub(super) fn encode_fragment(pathq: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(pathq.len() + 2);
    for (at, part) in pathq.split(|byte| *byte == b'#').enumerate() {
        if at > 0 {
            encoded.extend_from_slice(b"%23");
        }
        encoded.extend_from_slice(part);
    }
    encoded
}

pub(super) fn strip_fragment(pathq: &[u8]) -> Vec<u8> {
    let end = memchr::memchr(b'#', pathq).unwrap_or(pathq.len());
    pathq[..end].to_vec()
}

/// Parameters of one name keep their order; an empty one at the end is lost.
pub(super) fn sort_by_name(pathq: &[u8]) -> Vec<u8> {
    let Some(mark) = memchr::memchr(b'?', pathq) else {
        return pathq.to_vec();
    };
    let (path, query) = pathq.split_at(mark + 1);
    let query = query.strip_suffix(b"&").unwrap_or(query);
    let mut parameters: Vec<&[u8]> = query.split(|byte| *byte == b'&').collect();
    parameters.sort_by_key(|parameter| name(parameter));
    [path, &parameters.join(&b'&')].concat()
}

fn name(parameter: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'=', parameter).unwrap_or(parameter.len());
    &parameter[..end]
}
