//! A head that rules may change.
//!
//! It owns its text: one buffer with the head as it came (names in lower case, as they go on) and
//! behind it what edits have brought. Lines are ranges of that buffer, so that an edit moves
//! nothing, and a head that nobody changes costs one copy. Reused: `clear` keeps the memory.

use std::ops::Range;

use crate::fields::Field;
use crate::forward::{self, Connection, Framing};
use crate::head::{Request, Version};
use crate::normalize::{BrokenEscape, Normalizer};
use crate::response::Response;
use crate::token::trim;

/// What becomes of a line that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Keep,
    Remove,
    Replace(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Line {
    name: Range<u32>,
    value: Range<u32>,
    gone: bool,
}

/// A request's or a response's head.
#[derive(Clone, Debug, Default)]
pub struct Message {
    text: Vec<u8>,
    /// Method and URI, or nothing and the reason.
    first: Range<u32>,
    second: Range<u32>,
    status: u16,
    version: Option<Version>,
    lines: Vec<Line>,
}

impl Message {
    pub fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        self.version = None;
        self.status = 0;
    }

    /// Takes over a request's head.
    pub fn take_request(&mut self, request: &Request<'_>) {
        self.clear();
        self.first = self.add(request.method);
        self.second = self.add(request.uri);
        self.version = Some(request.version);
        self.take_fields(request.forwarded());
    }

    /// Takes over a response's head.
    pub fn take_response(&mut self, response: &Response<'_>) {
        self.clear();
        self.status = response.status;
        self.second = self.add(response.reason);
        self.version = Some(response.version);
        self.take_fields(response.fields());
    }

    /// Begins a response of our own.
    pub fn begin_response(&mut self, status: u16, reason: &[u8]) {
        self.clear();
        self.status = status;
        self.second = self.add(reason);
        self.version = Some(Version { major: 1, minor: 1 });
    }

    fn take_fields<'b>(&mut self, fields: impl Iterator<Item = Field<'b>>) {
        for field in fields {
            self.add_field(field.name, &field.unfolded());
        }
    }

    /// `Connection` names `upgrade`.
    pub fn lists_upgrade(&self) -> bool {
        crate::head::lists_upgrade(self.fields())
    }

    /// Is there a head at all?
    pub fn is_empty(&self) -> bool {
        self.version.is_none()
    }

    pub fn version(&self) -> Version {
        self.version.unwrap_or(Version { major: 1, minor: 1 })
    }

    pub fn method(&self) -> &[u8] {
        self.slice(&self.first)
    }

    pub fn uri(&self) -> &[u8] {
        self.slice(&self.second)
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn reason(&self) -> &[u8] {
        self.slice(&self.second)
    }

    pub fn set_method(&mut self, method: &[u8]) {
        self.first = self.add(method);
    }

    pub fn set_uri(&mut self, uri: &[u8]) {
        self.second = self.add(uri);
    }

    pub fn set_status(&mut self, status: u16, reason: &[u8]) {
        self.status = status;
        self.second = self.add(reason);
    }

    /// Where path and query stand in the URI: behind scheme and authority, if it has them.
    fn path_and_query(&self) -> Range<usize> {
        let uri = self.uri();
        if uri.first() == Some(&b'/') || uri == b"*" {
            return 0..uri.len();
        }
        let Some(scheme) = memchr::memmem::find(uri, b"://") else {
            return uri.len()..uri.len();
        };
        let rest = scheme + 3;
        let slash = memchr::memchr2(b'/', b'?', &uri[rest..]).map(|at| rest + at);
        slash.unwrap_or(uri.len())..uri.len()
    }

    /// Path and query; empty where the URI has none.
    pub fn pathq(&self) -> &[u8] {
        &self.uri()[self.path_and_query()]
    }

    /// The path, without the query.
    pub fn path(&self) -> &[u8] {
        let pathq = self.pathq();
        let end = memchr::memchr(b'?', pathq).unwrap_or(pathq.len());
        &pathq[..end]
    }

    /// What follows the question mark.
    pub fn query(&self) -> &[u8] {
        let pathq = self.pathq();
        memchr::memchr(b'?', pathq).map_or(&[], |at| &pathq[at + 1..])
    }

    /// Puts `path` in place of the path; with `query`, of path and query.
    pub fn set_path(&mut self, path: &[u8], query: bool) {
        let range = self.path_and_query();
        let mut uri = self.uri()[..range.start].to_vec();
        uri.extend_from_slice(path);
        if !query {
            if let Some(at) = memchr::memchr(b'?', self.pathq()) {
                uri.extend_from_slice(&self.pathq()[at..]);
            }
        }
        self.set_uri(&uri);
    }

    /// Puts `query` in place of the query; an empty one takes the question mark away.
    pub fn set_query(&mut self, query: &[u8]) {
        let mut pathq = self.path().to_vec();
        if !query.is_empty() {
            pathq.push(b'?');
            pathq.extend_from_slice(query);
        }
        self.set_path(&pathq, true);
    }

    /// `http-request normalize-uri`; a URI without a path stays as it is.
    pub fn normalize(&mut self, normalizer: Normalizer) -> Result<(), BrokenEscape> {
        let pathq = self.pathq();
        if pathq.is_empty() || pathq == b"*" {
            return Ok(());
        }
        let normalized = normalizer.apply(pathq)?;
        if normalized != pathq {
            self.set_path(&normalized, true);
        }
        Ok(())
    }

    /// The fields in their order.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = Field<'_>> {
        let live = self.lines.iter().filter(|line| !line.gone);
        live.map(|line| Field {
            name: self.slice(&line.name),
            value: self.slice(&line.value),
        })
    }

    /// The values of a name's fields, each line whole.
    pub fn lines<'m>(&'m self, name: &'m [u8]) -> impl DoubleEndedIterator<Item = &'m [u8]> {
        self.fields()
            .filter(move |field| same(field.name, name))
            .map(|field| field.value)
    }

    /// The values of a name's fields, parted at commas outside of quotes (RFC 9110 5.6.1).
    pub fn values<'m>(&'m self, name: &'m [u8]) -> impl Iterator<Item = &'m [u8]> {
        self.lines(name).flat_map(Values::new)
    }

    /// Adds a field behind the others.
    pub fn add_field(&mut self, name: &[u8], value: &[u8]) {
        let start = self.text.len();
        self.text.extend(name.iter().map(u8::to_ascii_lowercase));
        let name = start as u32..self.text.len() as u32;
        let value = self.add(trim(value));
        self.lines.push(Line {
            name,
            value,
            gone: false,
        });
    }

    /// Puts one field in place of all of that name.
    pub fn set_field(&mut self, name: &[u8], value: &[u8]) {
        self.remove_fields(|field| same(field.name, name));
        self.add_field(name, value);
    }

    /// Takes fields away.
    pub fn remove_fields(&mut self, condition: impl Fn(Field<'_>) -> bool) {
        for at in 0..self.lines.len() {
            let line = &self.lines[at];
            let field = Field {
                name: self.slice(&line.name),
                value: self.slice(&line.value),
            };
            if !line.gone && condition(field) {
                self.lines[at].gone = true;
            }
        }
    }

    /// Changes values of a name in their places: None leaves one as it is.
    pub fn change_lines(&mut self, name: &[u8], change: impl Fn(&[u8]) -> Option<Vec<u8>>) {
        self.edit_lines(name, |value| {
            change(value).map_or(Edit::Keep, Edit::Replace)
        });
    }

    /// Looks at each line of a name, which stays, goes, or gets another value.
    pub fn edit_lines(&mut self, name: &[u8], mut edit: impl FnMut(&[u8]) -> Edit) {
        for at in 0..self.lines.len() {
            let line = &self.lines[at];
            if line.gone || !same(self.slice(&line.name), name) {
                continue;
            }
            match edit(self.slice(&line.value)) {
                Edit::Keep => {}
                Edit::Remove => self.lines[at].gone = true,
                Edit::Replace(value) => self.lines[at].value = self.add(&value),
            }
        }
    }

    /// The head as it goes to a server.
    pub fn write_request(&self, out: &mut Vec<u8>) {
        forward::write_request_line(out, self.method(), self.uri(), self.version());
        forward::write_fields(out, self.fields(), Framing::Kept);
    }

    /// The head as it goes to a client. Says how many bytes its fields' names and values have.
    pub fn write_response(
        &self,
        out: &mut Vec<u8>,
        framing: Framing,
        connection: Connection,
    ) -> usize {
        forward::write_status_line(out, self.version(), self.status, self.reason());
        let fields = forward::write_fields(out, self.fields(), framing);
        forward::write_end(out, connection);
        fields
    }

    fn add(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(bytes);
        start..self.text.len() as u32
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        &self.text[range.start as usize..range.end as usize]
    }
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.eq_ignore_ascii_case(other)
}

/// The parts of one line's list; commas within quotes do not part.
struct Values<'v> {
    rest: Option<&'v [u8]>,
}

impl<'v> Values<'v> {
    fn new(line: &'v [u8]) -> Values<'v> {
        Values { rest: Some(line) }
    }
}

impl<'v> Iterator for Values<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        let rest = self.rest?;
        let (mut quoted, mut escaped) = (false, false);
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' if !quoted => {
                    self.rest = Some(&rest[at + 1..]);
                    return Some(trim(&rest[..at]));
                }
                _ => {}
            }
        }
        self.rest = None;
        Some(trim(rest))
    }
}

/// The cookies of a `Cookie` line, or the one that a `Set-Cookie` line sets (`response`): name and
/// value as they stand.
pub fn cookies(line: &[u8], response: bool) -> impl Iterator<Item = (&[u8], &[u8])> {
    let most = if response { 1 } else { usize::MAX };
    line.split(|byte| *byte == b';')
        .take(most)
        .filter_map(|part| {
            let part = trim(part);
            let at = memchr::memchr(b'=', part)?;
            Some((trim(&part[..at]), trim(&part[at + 1..])))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeadParser;

    fn message(text: &str) -> Message {
        let mut parser = HeadParser::new(8192);
        let mut message = Message::default();
        message.take_request(&parser.parse(text.as_bytes()).unwrap().unwrap());
        message
    }

    fn written(message: &Message) -> String {
        let mut out = Vec::new();
        message.write_request(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn edits_keep_the_others_order() {
        let mut head = message("GET /a?b HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nA: 3\r\n\r\n");
        head.set_field(b"A", b"new");
        head.add_field(b"C", b" c ");
        head.change_lines(b"b", |value| Some([value, b"!"].concat()));
        head.set_path(b"/z", false);
        assert_eq!(
            written(&head),
            "GET /z?b HTTP/1.1\r\nhost: x\r\nb: 2!\r\na: new\r\nc: c\r\n"
        );
        head.remove_fields(|field| field.is("host"));
        head.set_query(b"");
        assert_eq!(
            written(&head),
            "GET /z HTTP/1.1\r\nb: 2!\r\na: new\r\nc: c\r\n"
        );
    }

    #[test]
    fn the_parts_of_uris() {
        let cases = [
            ("/p/q?r?s", "/p/q", "r?s"),
            ("http://h/p?q", "/p", "q"),
            ("http://h", "", ""),
            ("http://h?q", "", "q"),
            ("*", "*", ""),
        ];
        for (uri, path, query) in cases {
            let head = message(&format!("GET {uri} HTTP/1.1\r\n\r\n"));
            assert_eq!(head.path(), path.as_bytes(), "{uri}");
            assert_eq!(head.query(), query.as_bytes(), "{uri}");
        }
        let mut head = message("GET http://h/p?q HTTP/1.1\r\n\r\n");
        head.set_path(b"/new", true);
        assert_eq!(head.uri(), b"http://h/new");
        head.set_path(b"/a/../b//", true);
        let up = Normalizer::PathStripDotDot { full: false };
        head.normalize(up).unwrap();
        head.normalize(Normalizer::PathMergeSlashes).unwrap();
        assert_eq!(head.uri(), b"http://h/b/");
        let mut head = message("GET * HTTP/1.1\r\n\r\n");
        head.normalize(Normalizer::PathMergeSlashes).unwrap();
        assert_eq!(head.uri(), b"*");
    }

    #[test]
    fn lists_part_at_commas_outside_quotes() {
        let head = message("GET / HTTP/1.1\r\nX: a, \"b,c\" ,d\r\nX: e\r\n\r\n");
        let values: Vec<&[u8]> = head.values(b"x").collect();
        assert_eq!(values, [&b"a"[..], b"\"b,c\"", b"d", b"e"]);
    }

    #[test]
    fn cookies_of_both_directions() {
        let all: Vec<_> = cookies(b"a=1; b = 2;c", false).collect();
        assert_eq!(all, [(&b"a"[..], &b"1"[..]), (b"b", b"2")]);
        let set: Vec<_> = cookies(b"s=x; Path=/", true).collect();
        assert_eq!(set, [(&b"s"[..], &b"x"[..])]);
    }
}
