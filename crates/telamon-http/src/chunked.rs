//! The chunked coding (RFC 9112 7.1), scanned where it lies.
//!
//! A body that is passed on needs no new framing: [`Chunked::scan`] only finds out where it ends,
//! and whether its bytes may go on as they are. Chunk extensions may not: what follows a size is
//! read differently by different agents, so they are left out by [`Chunked::rewrite`], which
//! writes trailers as heads are written and also gives the bare data where that is wanted. Both walk the same states, so that any
//! slicing of the input gives the same.

use crate::error::Reason;
use crate::fields::MAX_FIELDS;
use crate::token::is_token;

/// Digits of a size, leading zeros aside: 2^52 bytes, HAProxy's limit, are enough for anybody.
const MAX_DIGITS: u8 = 13;
/// Bytes of one chunk's extension, and of all trailers: more is an attack.
const MAX_EXTENSION: u32 = 4096;
const MAX_TRAILERS: u32 = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Digits of a size.
    Size,
    /// Blanks behind a size.
    Blank,
    /// What follows a semicolon, up to the line's end.
    Extension,
    /// The LF after a CR that ends a size line.
    SizeLf,
    Data,
    /// CR, then LF, behind a chunk's data.
    DataCr,
    DataLf,
    /// At the begin of a trailer line, in its name, before its value, in it, at its LF.
    TrailerStart,
    TrailerName,
    TrailerBlank,
    TrailerValue,
    TrailerLf,
    /// The LF of the empty line that ends all.
    LastLf,
    Done,
}

/// What a scan found: how many bytes belong to the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    pub used: usize,
    /// Its last byte was seen.
    pub ended: bool,
    /// The bytes may be passed on as they are.
    pub plain: bool,
}

/// Where in a chunked body we are.
#[derive(Clone, Debug)]
pub struct Chunked {
    state: State,
    left: u64,
    digits: u8,
    extension: u32,
    trailers: u32,
    trailer_lines: u32,
    payload: u64,
    /// Bytes of trailers' names and values.
    text: u64,
    /// Trailers are left out of what is written.
    bare_end: bool,
}

impl Default for Chunked {
    fn default() -> Self {
        Chunked {
            state: State::Size,
            left: 0,
            digits: 0,
            extension: 0,
            trailers: 0,
            trailer_lines: 0,
            payload: 0,
            text: 0,
            bare_end: false,
        }
    }
}

impl Chunked {
    /// Trailers are not passed on (`option http-drop-request-trailers`).
    pub fn drop_trailers(&mut self) {
        self.bare_end = true;
    }

    /// Bytes of data so far, framing and trailers left out.
    pub fn payload(&self) -> u64 {
        self.payload
    }

    /// What HAProxy's logs count of it: data, names and values of trailers, and a byte for the end.
    pub fn logged(&self) -> u64 {
        self.payload + self.text + u64::from(self.state == State::Done)
    }

    /// Takes the next bytes of the body; those behind its end are not used.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Reason> {
        let mut plain = true;
        let used = self.walk(bytes, &mut |piece, _| {
            plain &= matches!(piece, Piece::Data | Piece::Framing);
        })?;
        Ok(Scan {
            used,
            ended: self.state == State::Done,
            plain,
        })
    }

    /// The same, with the body written anew without extensions; `bare`: only its data.
    pub fn rewrite(&mut self, bytes: &[u8], bare: bool, out: &mut Vec<u8>) -> Result<Scan, Reason> {
        let none = bare || self.bare_end;
        let used = self.walk(bytes, &mut |piece, text| match piece {
            Piece::Data => out.extend_from_slice(text),
            Piece::Name | Piece::Colon | Piece::Trailer if none => {}
            Piece::Trailer => out.extend_from_slice(text),
            Piece::Name if !bare => out.extend(text.iter().map(u8::to_ascii_lowercase)),
            Piece::Colon if !bare => out.extend_from_slice(b": "),
            Piece::Framing if !bare => out.extend_from_slice(text),
            Piece::Framing | Piece::Extension | Piece::Name | Piece::Colon => {}
        })?;
        Ok(Scan {
            used,
            ended: self.state == State::Done,
            plain: false,
        })
    }

    fn walk(&mut self, bytes: &[u8], take: &mut dyn FnMut(Piece, &[u8])) -> Result<usize, Reason> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            if self.state == State::Data {
                let count =
                    (bytes.len() - at).min(usize::try_from(self.left).unwrap_or(usize::MAX));
                take(Piece::Data, &bytes[at..at + count]);
                self.left -= count as u64;
                self.payload += count as u64;
                at += count;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            let byte = bytes[at];
            let piece = self.step(byte)?;
            take(piece, &bytes[at..=at]);
            at += 1;
        }
        Ok(at)
    }

    /// One byte of framing.
    fn step(&mut self, byte: u8) -> Result<Piece, Reason> {
        let mut piece = Piece::Framing;
        self.state = match (self.state, byte) {
            (State::Size, _) if byte.is_ascii_hexdigit() => {
                // Leading zeros say nothing; endless ones are an attack.
                let zero = self.left == 0 && byte == b'0';
                if !zero && self.digits == MAX_DIGITS || self.extension == MAX_EXTENSION {
                    return Err(Reason::Chunk);
                }
                self.digits += u8::from(!zero);
                self.extension += u32::from(zero);
                self.left = self.left << 4 | u64::from(hex(byte));
                State::Size
            }
            (State::Size, _) if self.digits == 0 && self.extension == 0 => {
                return Err(Reason::Chunk)
            }
            (State::Size | State::Blank | State::Extension, b'\r') => {
                self.extension = 0;
                State::SizeLf
            }
            (State::Size | State::Blank, b' ' | b'\t') if self.extension < MAX_EXTENSION => {
                self.extension += 1;
                piece = Piece::Extension;
                State::Blank
            }
            (State::Size | State::Blank, b';') => {
                piece = Piece::Extension;
                State::Extension
            }
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) if self.extension < MAX_EXTENSION => {
                self.extension += 1;
                piece = Piece::Extension;
                State::Extension
            }
            (State::SizeLf, b'\n') => {
                let last = self.left == 0;
                self.digits = 0;
                if last {
                    State::TrailerStart
                } else {
                    State::Data
                }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size,
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::LastLf, b'\n') => State::Done,
            (State::TrailerStart, _) if is_token(byte) => {
                self.trailer_lines += 1;
                if self.trailer_lines as usize > MAX_FIELDS {
                    return Err(Reason::TooManyFields);
                }
                piece = Piece::Name;
                self.trailer(State::TrailerName)?
            }
            (State::TrailerName, b':') => {
                piece = Piece::Colon;
                self.trailer(State::TrailerBlank)?
            }
            (State::TrailerName, _) if is_token(byte) => {
                piece = Piece::Name;
                self.trailer(State::TrailerName)?
            }
            (State::TrailerBlank, b' ' | b'\t') => {
                piece = Piece::Extension;
                self.trailer(State::TrailerBlank)?
            }
            (State::TrailerBlank | State::TrailerValue, b'\r') => {
                piece = Piece::Trailer;
                State::TrailerLf
            }
            (State::TrailerBlank | State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => {
                piece = Piece::Trailer;
                self.trailer(State::TrailerValue)?
            }
            (State::TrailerLf, b'\n') => {
                piece = Piece::Trailer;
                State::TrailerStart
            }
            _ => return Err(Reason::Chunk),
        };
        Ok(piece)
    }

    fn trailer(&mut self, next: State) -> Result<State, Reason> {
        self.trailers += 1;
        self.text += u64::from(next != State::TrailerBlank);
        if self.trailers > MAX_TRAILERS {
            return Err(Reason::TooLong);
        }
        Ok(next)
    }
}

#[derive(Clone, Copy)]
enum Piece {
    Framing,
    /// Left out.
    Extension,
    /// Of a trailer's name; what parts it from its value.
    Name,
    Colon,
    /// Its value and the line's end.
    Trailer,
    Data,
}

fn hex(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"5;a=\"b\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-T:v\r\n\r\n";

    fn rewritten(cut: usize, bare: bool) -> Vec<u8> {
        let mut chunked = Chunked::default();
        let mut out = Vec::new();
        for part in [&BODY[..cut], &BODY[cut..]] {
            let scan = chunked.rewrite(part, bare, &mut out).unwrap();
            assert_eq!(scan.used, part.len());
        }
        assert_eq!(chunked.state, State::Done);
        out
    }

    #[test]
    fn any_slicing_gives_the_same() {
        for cut in 0..=BODY.len() {
            assert_eq!(
                rewritten(cut, false),
                b"5\r\nhello\r\n00A\r\n0123456789\r\n0\r\nx-t: v\r\n\r\n"
            );
            assert_eq!(rewritten(cut, true), b"hello0123456789");
        }
    }

    #[test]
    fn trailers_can_be_left_out() {
        let (mut chunked, mut out) = (Chunked::default(), Vec::new());
        chunked.drop_trailers();
        chunked.rewrite(BODY, false, &mut out).unwrap();
        assert_eq!(out, b"5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n");
    }

    #[test]
    fn what_follows_is_not_used() {
        let mut chunked = Chunked::default();
        let scan = chunked.scan(b"1\r\na\r\n0\r\n\r\nGET /").unwrap();
        assert_eq!((scan.used, scan.ended, scan.plain), (11, true, true));
        assert_eq!(chunked.payload(), 1);
    }

    #[test]
    fn what_may_hide_a_second_reading_is_refused() {
        let long = [b"1;".as_slice(), &[b'a'; 5000]].concat();
        let cases: [&[u8]; 11] = [
            b"\r\n",
            b"1\n",
            b"1\r\naX",
            b"1\r\na\n",
            b"-1\r\n",
            b"0x1\r\n",
            b"1000000000000000\r\n",
            b"1;a\nb",
            b"0\r\nA b: c\r\n",
            b"0\r\n a: c\r\n",
            &long,
        ];
        for case in cases {
            assert!(
                Chunked::default().scan(case).is_err(),
                "{}",
                case.escape_ascii()
            );
        }
    }
}
