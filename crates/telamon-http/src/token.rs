//! Classes of bytes (RFC 9110 5.6.2, RFC 3986).

/// May stand in a method or a field name.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// May stand in a request URI: printable ASCII without `#`, which no client may send.
pub(crate) fn is_uri(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'#'
}

/// The same where odd requests are let pass: fragments, and what is no ASCII (RFC 3986 has neither
/// in a request's target), but never a control character.
pub(crate) fn is_lax_uri(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f
}

/// May stand in a field's name where odd ones are let pass.
pub(crate) fn is_lax_name(byte: u8) -> bool {
    !matches!(byte, b':' | b'\r' | b'\n' | 0)
}

pub(crate) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Without blanks at both ends.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text {
        if !is_blank(*first) {
            break;
        }
        text = rest;
    }
    while let [rest @ .., last] = text {
        if !is_blank(*last) {
            break;
        }
        text = rest;
    }
    text
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let marks = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < marks.len() {
        table[marks[i] as usize] = true;
        i += 1;
    }
    let mut byte = 0;
    while byte < 128 {
        table[byte] = table[byte] || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
};
