//! May a cache keep a response that sets a cookie? The next client would be given it.

use telamon_http::Message;

/// May a cache keep the response as it stands (RFC 9111 3)?
pub(super) fn is_cacheable(method: &[u8], reply: &Message) -> bool {
    let by_itself = matches!(method, b"GET" | b"HEAD")
        && matches!(
            reply.status(),
            200 | 203 | 204 | 206 | 300 | 301 | 404 | 405 | 410 | 414 | 501
        );
    let forbidden: [&[u8]; 5] = [
        b"private",
        b"no-cache",
        b"no-store",
        b"max-age=0",
        b"s-maxage=0",
    ];
    let is = |value: &[u8], word: &[u8]| value.eq_ignore_ascii_case(word);
    if reply.values(b"pragma").any(|value| is(value, b"no-cache")) {
        return false;
    }
    let (mut cacheable, mut dated) = (by_itself, false);
    for value in reply.values(b"cache-control") {
        if forbidden.iter().any(|word| is(value, word)) {
            return false;
        }
        cacheable |= is(value, b"public");
        let begins = |word: &[u8]| value.len() > word.len() && is(&value[..word.len()], word);
        dated |= begins(b"max-age=") || begins(b"s-maxage=");
    }
    // A cache keeps only what has a date or can be asked about again.
    let signs: [&[u8]; 3] = [b"expires", b"etag", b"last-modified"];
    let has = |name: &&[u8]| reply.lines(name).next().is_some();
    cacheable && (dated || signs.iter().any(has))
}
