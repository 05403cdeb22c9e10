//! Chunked bodies: any slicing finds the same end and the same data, and what is written anew is
//! written the same again.

use telamon_http::{Chunked, Reason};

use super::Target;
use crate::random::Random;

pub(crate) const CHUNKS: Target = Target {
    name: "chunks",
    seeds: &[
        b"5\r\nhello\r\n0\r\n\r\n",
        b"1;a=b\r\nx\r\n00a \r\n0123456789\r\n0\r\nT: v\r\nU:w\r\n\r\nGET",
        b"0\r\n\r\n",
    ],
    words: &[
        b"\r\n",
        b"\n",
        b"\r",
        b";",
        b" ",
        b"0",
        b"f",
        b"0\r\n",
        b"\r\n\r\n",
        b":",
        b"A: b\r\n",
        b"\0",
        b"ffffffff",
        b"\xff",
    ],
    run: chunks,
};

/// What a body comes to: bytes used, whether it ended, its data, its text without extensions.
type Found = Result<(usize, bool, u64, Vec<u8>, Vec<u8>), Reason>;

fn read(input: &[u8], ends: &[usize]) -> Found {
    let (mut scanned, mut written, mut bare) =
        (Chunked::default(), Chunked::default(), Chunked::default());
    let (mut text, mut data) = (Vec::new(), Vec::new());
    let (mut used, mut ended, mut from) = (0, false, 0);
    for end in ends {
        let piece = &input[from..*end];
        from = *end;
        let scan = scanned.scan(piece);
        let others = [
            written.rewrite(piece, false, &mut text),
            bare.rewrite(piece, true, &mut data),
        ];
        for other in others {
            let same =
                |scan: Result<telamon_http::Scan, Reason>| scan.map(|scan| (scan.used, scan.ended));
            assert_eq!(same(scan), same(other), "scanned and written");
        }
        let scan = scan?;
        used += scan.used;
        ended = scan.ended;
        if ended {
            break;
        }
        assert_eq!(scan.used, piece.len(), "all belongs to a body that goes on");
    }
    assert_eq!(data.len() as u64, scanned.payload());
    Ok((used, ended, scanned.logged(), text, data))
}

fn chunks(input: &[u8], random: &mut Random) -> bool {
    let whole = read(input, &[input.len()]);
    let pieces = read(input, &random.cuts(input.len()));
    match (&whole, &pieces) {
        (Ok(one), Ok(other)) => assert_eq!(one, other, "in pieces"),
        (Err(_), Err(_)) => return false,
        (one, other) => panic!("in pieces: {one:?} and {other:?}"),
    }
    let Ok((_, ended, logged, text, data)) = whole else {
        return false;
    };
    let again = read(&text, &[text.len()]);
    assert_eq!(
        again,
        Ok((text.len(), ended, logged, text, data)),
        "written"
    );
    true
}
