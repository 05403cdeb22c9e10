//! `server ... redir`: who asks for something is sent to the server instead (manual 5.2).

use telamon_http::Message;
use telamon_session::{Cause, End, Stage};

use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// Answers in place of the server that was picked, if that is one to which clients are sent.
    pub(super) fn redirected(&mut self, index: u32) -> bool {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let plan = shared.proxies[slot.backend as usize].plan.backend.as_ref();
        let server = plan.and_then(|plan| plan.servers.get(slot.server as usize));
        let Some(prefix) = server.and_then(|server| server.redirect.as_ref()) else {
            return false;
        };
        let Some(exchange) = slot.exchange() else {
            return false;
        };
        let Some(path) = asked(&exchange.outgoing) else {
            return false;
        };
        let location = [prefix.as_bytes(), path].concat();
        exchange.log.end = End {
            cause: Cause::Local,
            stage: Stage::Connect,
        };
        exchange.keep = false;
        // HAProxy says of the end in a field that its logs count.
        exchange.log.bytes += "connectionclose".len() as u64;
        let mut head = Message::default();
        head.begin_response(302, b"Found");
        head.add_field(b"cache-control", b"no-cache");
        head.add_field(b"content-length", b"0");
        head.add_field(b"location", &location);
        self.leave_server(index);
        self.own_answer(index, head, b"");
        true
    }
}

/// Path and query of a GET or HEAD request, of its head as it would go to the server.
fn asked(head: &[u8]) -> Option<&[u8]> {
    let mut words = head.split(|byte| *byte == b' ');
    let method = words.next()?;
    let uri = words.next()?;
    if !matches!(method, b"GET" | b"HEAD") {
        return None;
    }
    let begin = match uri.windows(3).position(|three| three == b"://") {
        Some(at) => {
            let rest = &uri[at + 3..];
            at + 3 + rest.iter().position(|byte| *byte == b'/')?
        }
        None => 0,
    };
    Some(&uri[begin..])
}

#[cfg(test)]
mod tests {
    use super::asked;

    #[test]
    fn only_who_asks_is_sent_away() {
        let path = |head: &'static str| asked(head.as_bytes());
        assert_eq!(path("GET /a?b HTTP/1.1\r\n"), Some(&b"/a?b"[..]));
        assert_eq!(path("HEAD http://h/a HTTP/1.1\r\n"), Some(&b"/a"[..]));
        assert_eq!(path("POST /a HTTP/1.1\r\n"), None);
    }
}
