//! A body on its way through: how much of what came belongs to it.

use telamon_http::{Chunked, Length, Reason};

/// What is still to come of a body.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Done,
    Left(u64),
    Chunked(Box<Chunked>),
    UntilClose,
}

/// How many bytes belong to the body, and what they may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) used: usize,
    /// What HAProxy's `%B` counts of them: data alone, and a byte for the end of chunks.
    pub(crate) counted: u64,
    /// They may go on as they are; otherwise `rewrite` has what goes on.
    pub(crate) plain: bool,
}

impl From<Length> for Body {
    fn from(length: Length) -> Body {
        match length {
            Length::Known(0) => Body::Done,
            Length::Known(left) => Body::Left(left),
            Length::Chunked => Body::Chunked(Box::default()),
            Length::UntilClose => Body::UntilClose,
        }
    }
}

impl Body {
    /// The next bytes without framing; how many belong to the body.
    pub(crate) fn take_bare(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Reason> {
        match self {
            Body::Chunked(chunked) => {
                let scan = chunked.rewrite(bytes, true, out)?;
                if scan.ended {
                    *self = Body::Done;
                }
                Ok(scan.used)
            }
            _ => {
                let taken = self.take(bytes, &mut Vec::new())?;
                out.extend_from_slice(&bytes[..taken.used]);
                Ok(taken.used)
            }
        }
    }

    /// What these bytes have of the body, which does not move on.
    pub(crate) fn show(&self, bytes: &[u8], out: &mut Vec<u8>) {
        out.clear();
        // A broken body is told by who sends it on.
        let _ = self.clone().take_bare(bytes, out);
    }

    /// Trailers end here.
    pub(crate) fn drop_trailers(&mut self) {
        if let Body::Chunked(chunked) = self {
            chunked.drop_trailers();
        }
    }

    /// Does it end with the next `count` bytes? Of chunks nobody knows before they are read.
    pub(crate) fn ends_within(&self, count: u64) -> bool {
        match self {
            Body::Done => true,
            Body::Left(left) => *left <= count,
            Body::Chunked(_) | Body::UntilClose => false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Body::Done)
    }

    /// Takes the next bytes. Chunks that may not go on as they are are written to `rewritten`.
    pub(crate) fn take(&mut self, bytes: &[u8], rewritten: &mut Vec<u8>) -> Result<Taken, Reason> {
        let (taken, ended) = match self {
            Body::Done => (plain(0), false),
            Body::UntilClose => (plain(bytes.len()), false),
            Body::Left(left) => {
                let used = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= used as u64;
                (plain(used), *left == 0)
            }
            Body::Chunked(chunked) => {
                let before = chunked.clone();
                let scan = chunked.scan(bytes)?;
                let counted = chunked.logged() - before.logged();
                if !scan.plain {
                    **chunked = *before;
                    chunked.rewrite(bytes, false, rewritten)?;
                }
                let taken = Taken {
                    used: scan.used,
                    counted,
                    plain: scan.plain,
                };
                (taken, scan.ended)
            }
        };
        if ended {
            *self = Body::Done;
        }
        Ok(taken)
    }
}

fn plain(used: usize) -> Taken {
    Taken {
        used,
        counted: used as u64,
        plain: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_length_ends_with_its_last_byte() {
        let mut body = Body::from(Length::Known(5));
        let mut none = Vec::new();
        assert_eq!(body.take(b"abc", &mut none).unwrap().used, 3);
        assert!(!body.is_done());
        assert_eq!(body.take(b"deGET", &mut none).unwrap().used, 2);
        assert!(body.is_done() && none.is_empty());
    }

    #[test]
    fn extensions_are_left_out() {
        let mut body = Body::from(Length::Chunked);
        let mut out = Vec::new();
        let taken = body.take(b"2;x\r\nab\r\n0\r\n\r\nrest", &mut out).unwrap();
        assert_eq!((taken.used, taken.counted, taken.plain), (14, 3, false));
        assert_eq!(out, b"2\r\nab\r\n0\r\n\r\n");
        assert!(body.is_done());
    }
}
