//! What comes back from a server: heads, bodies, and the end of its words.

use std::io;

use telamon_http::{forward, Length, ResponseParser};
use telamon_session::{Cause, End, Stage};
use telamon_session::{Millis, Side};
use telamon_sys::Chunk;

use super::exchange::TOGETHER;
use super::rules::Passed;
use super::{Body, Exchange, Step};
use crate::conn::NONE;
use crate::io::{Io, Key};
use crate::observe::ServerError;
use crate::worker::Worker;

/// What became of the bytes of a response's head.
enum Head {
    More,
    Bad,
    /// It has so many bytes, and its text for the client stands in `scratch`.
    Interim(usize),
    Final(usize),
    /// The connection is a tunnel from here on.
    Tunnel(usize),
}

impl<I: Io> Worker<I> {
    pub(crate) fn upstream_received(&mut self, key: Key, result: io::Result<Option<Chunk>>) {
        let up = key.slot;
        let index = self.slots.get(up).peer;
        if index == NONE {
            return self.idle_received(up, result);
        }
        match result {
            Ok(Some(chunk)) => self.response_data(index, up, chunk),
            Ok(None) => {
                self.slots.get(up).eof = true;
                self.response_eof(index, up, false);
            }
            Err(_) => {
                self.slots.get(up).eof = true;
                self.response_eof(index, up, true);
            }
        }
    }

    /// It idled: whatever it says now, it cannot be used any more.
    fn idle_received(&mut self, up: u32, result: io::Result<Option<Chunk>>) {
        match result {
            Err(error) if self.has_left(up, &error) => return self.lent(up),
            Ok(Some(chunk)) => self.io.put(chunk),
            _ => {}
        }
        self.close_upstream(up);
    }

    fn response_data(&mut self, index: u32, up: u32, chunk: Chunk) {
        let now = self.now;
        let slot = self.slots.get(up);
        slot.weigh(Side::Server, &chunk);
        self.count_bytes(index, Side::Server, chunk.len() as u64);
        let Some(http) = self.http(index) else {
            return self.io.put(chunk);
        };
        let step = http.step;
        let mut is_held = false;
        if let Some(exchange) = http.exchange.as_deref_mut() {
            exchange.server_active = now;
            is_held = exchange.held.is_some();
        }
        match step {
            Step::Waiting if is_held => self.held_data(index, chunk),
            Step::Waiting => self.response_head(index, up, chunk),
            Step::Streaming => self.download(index, up, chunk, false),
            Step::Tunnel => self.tunnel(index, Side::Server, chunk),
            _ => self.io.put(chunk),
        }
    }

    fn response_head(&mut self, index: u32, up: u32, mut chunk: Chunk) {
        let now = self.now;
        let stopping = self.soft_stopping;
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let route = shared.route(slot.proxy, slot.backend);
        let (retry, lax) = (&route.retry, route.unsafe_responses);
        let ended = slot.http.as_deref().is_some_and(|http| http.ended);
        let Some(exchange) = slot.exchange() else {
            return self.io.put(chunk);
        };
        exchange.keep &= !stopping && !ended;
        exchange.keep_asked = exchange.keep;
        self.responses.reset();
        self.responses.set_lax(lax);
        self.scratch.clear();
        let head = if exchange.incoming.is_empty() {
            let data = self.io.pool().data(&chunk);
            let head = read(&mut self.responses, data, exchange, &mut self.scratch, now);
            if matches!(head, Head::More) {
                exchange.incoming.extend_from_slice(data);
            }
            head
        } else {
            let mut gathered = std::mem::take(&mut exchange.incoming);
            let before = gathered.len();
            gathered.extend_from_slice(self.io.pool().data(&chunk));
            let head = read(
                &mut self.responses,
                &gathered,
                exchange,
                &mut self.scratch,
                now,
            );
            match head {
                Head::Interim(end) | Head::Final(end) | Head::Tunnel(end) if end < before => {
                    // Two heads in what was gathered: the rest is looked at as one piece.
                    return self.gathered_head(index, up, chunk, gathered, end, head);
                }
                Head::Interim(end) | Head::Final(end) | Head::Tunnel(end) => {
                    return self.head_read(index, up, chunk, end - before, head);
                }
                Head::More => exchange.incoming = gathered,
                Head::Bad => {}
            }
            head
        };
        match head {
            Head::More => {
                self.io.put(chunk);
                self.upstream_receive(up);
            }
            Head::Bad => {
                self.io.put(chunk);
                if retry.junk_response && self.http_retry(index) {
                    return;
                }
                self.observe_error(index, ServerError::Headers);
                self.bad_response(index);
            }
            Head::Interim(end) | Head::Final(end) | Head::Tunnel(end) => {
                let status = exchange.log.status.unwrap_or(0);
                if matches!(head, Head::Final(_)) && retry.statuses.contains(&status) {
                    exchange.answered = false;
                    if self.http_retry(index) {
                        return self.io.put(chunk);
                    }
                    if let Some(exchange) = self.exchange(index) {
                        exchange.answered = true;
                    }
                }
                chunk.advance(0);
                self.head_read(index, up, chunk, end, head);
            }
        }
    }

    /// Nothing of it has gone to the client, and nothing of it will.
    fn bad_response(&mut self, index: u32) {
        self.count_response_error(index);
        self.drop_upstream(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.response_time = None;
        }
        let end = End {
            cause: Cause::Proxy,
            stage: Stage::Header,
        };
        self.fail(index, 502, end);
    }

    /// A head that ended within what was gathered before this chunk came.
    fn gathered_head(
        &mut self,
        index: u32,
        up: u32,
        chunk: Chunk,
        gathered: Vec<u8>,
        end: usize,
        head: Head,
    ) {
        self.io.put(chunk);
        let rest = &gathered[end..];
        let Some(mut twin) = self.io.pool_mut().take(1) else {
            return self.http_broke(index);
        };
        self.io.pool_mut().space(&twin)[..rest.len()].copy_from_slice(rest);
        twin.fill(rest.len());
        self.head_read(index, up, twin, 0, head);
    }

    /// A head was read up to `end` of the chunk, and stands in `scratch` for the client.
    fn head_read(&mut self, index: u32, up: u32, mut chunk: Chunk, end: usize, head: Head) {
        chunk.advance(end);
        if !matches!(head, Head::Interim(_)) {
            let exchange = self.exchange(index);
            let status = exchange.and_then(|exchange| exchange.log.status);
            self.observe_status(index, status.unwrap_or(0));
        }
        if let Head::Interim(_) = head {
            self.adjust_reply(index);
            let scratch = std::mem::take(&mut self.scratch);
            self.push(index, Side::Client, &scratch);
            self.scratch = scratch;
            self.flush(index, Side::Client);
            if chunk.is_empty() {
                self.io.put(chunk);
                return self.upstream_receive(up);
            }
            return self.response_head(index, up, chunk);
        }
        if self.exchange(index).is_some_and(|exchange| exchange.ruled) {
            return self.ruled_reply(index, up, chunk);
        }
        self.reply_ready(index, up, chunk);
    }

    /// A response's head goes through its rules, from where it has come to.
    fn ruled_reply(&mut self, index: u32, up: u32, chunk: Chunk) {
        if self.shared.programs.read_bodies {
            let data = self.io.pool().data(&chunk);
            if let Some(exchange) = self.slots.get(index).exchange() {
                exchange.download.show(data, &mut exchange.reply_body);
            }
        }
        match self.response_rules(index) {
            Passed::On => {
                self.write_reply(index);
                self.reply_ready(index, up, chunk);
            }
            Passed::Replaced => self.io.put(chunk),
            Passed::Waits(wait) => {
                let begun = self.io.pool().data(&chunk).to_vec();
                self.io.put(chunk);
                self.hold_reply(index, begun, wait);
            }
        }
    }

    /// A response's head stands in `scratch`: it goes to the client.
    pub(super) fn reply_ready(&mut self, index: u32, up: u32, chunk: Chunk) {
        self.adjust_reply(index);
        let tunnel = self.exchange(index).is_some_and(|one| one.opens_tunnel);
        let Some(http) = self.http(index) else {
            return self.io.put(chunk);
        };
        http.step = if tunnel {
            Step::Tunnel
        } else {
            Step::Streaming
        };
        let status = http
            .exchange
            .as_ref()
            .and_then(|exchange| exchange.log.status);
        if let Some(exchange) = http.exchange.as_deref_mut() {
            exchange.kept_body = None;
        }
        self.count_status(index, status.unwrap_or(0), true);
        self.log_http_early(index);
        if tunnel {
            let scratch = std::mem::take(&mut self.scratch);
            self.push(index, Side::Client, &scratch);
            self.scratch = scratch;
            if let Some(exchange) = self.exchange(index) {
                exchange.upload = Body::UntilClose;
                exchange.download = Body::UntilClose;
                exchange.keep = false;
            }
            self.tunnel(index, Side::Server, chunk);
            self.take_rest(index);
            // It may have ended its words with its request.
            let ended = self.http(index).is_some_and(|http| http.ended);
            if ended && self.slots.get(index).peer == up {
                self.tunnel_eof(index, up, Side::Client);
            }
            return;
        }
        self.download(index, up, chunk, true);
    }

    /// `option h1-case-adjust-bogus-client`, for the head in `scratch`; and whether the trailers
    /// that may follow its body are passed on.
    fn adjust_reply(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let route = shared.route(slot.proxy, slot.backend);
        if route.client_case {
            shared.cases.apply(&mut self.scratch);
        }
        if let Some(exchange) = slot.exchange().filter(|_| route.drop_response_trailers) {
            exchange.download.drop_trailers();
        }
    }

    /// A response's head as rules have left it.
    pub(super) fn write_reply(&mut self, index: u32) {
        let scratch = &mut self.scratch;
        scratch.clear();
        let Some(exchange) = self.slots.get(index).exchange() else {
            return;
        };
        let reply = &exchange.reply;
        exchange.log.status = Some(reply.status());
        let connection = match exchange.opens_tunnel {
            true => forward::Connection::Implied,
            false => {
                forward::Connection::of_response(reply.version(), exchange.version, exchange.keep)
            }
        };
        reply.write_response(scratch, exchange.reply_framing, connection);
        exchange.log.bytes += exchange.log.head;
    }

    /// Bytes of a response's body go to the client. With `headed`, its head stands in `scratch` and
    /// goes before them.
    fn download(&mut self, index: u32, up: u32, mut chunk: Chunk, headed: bool) {
        let (rewritten, data) = (&mut self.rewritten, self.io.pool().data(&chunk));
        rewritten.clear();
        let Some(exchange) = self.slots.get(index).exchange() else {
            return self.io.put(chunk);
        };
        let taken = match exchange.download.take(data, rewritten) {
            Ok(taken) => taken,
            Err(_) => {
                self.io.put(chunk);
                if !headed {
                    return self.response_cut(index, Cause::Server);
                }
                exchange.log.bytes -= exchange.log.head;
                exchange.keep = exchange.keep_asked;
                return self.bad_response(index);
            }
        };
        exchange.log.bytes += taken.counted;
        exchange.server_closes |= taken.used < data.len();
        let done = exchange.download.is_done();
        let head = self.scratch.len();
        if headed && taken.plain && head <= chunk.room_before() {
            // The server's head stood there: ours has room in its place.
            chunk.truncate(taken.used);
            self.io.pool_mut().prepend(&mut chunk, &self.scratch);
            self.slots.get(index).out[0].push(chunk);
        } else if headed && taken.used <= TOGETHER {
            let scratch = &mut self.scratch;
            scratch.extend_from_slice(if taken.plain {
                &data[..taken.used]
            } else {
                rewritten
            });
            self.io.put(chunk);
            let scratch = std::mem::take(&mut self.scratch);
            self.push(index, Side::Client, &scratch);
            self.scratch = scratch;
        } else {
            if headed {
                let scratch = std::mem::take(&mut self.scratch);
                self.push(index, Side::Client, &scratch);
                self.scratch = scratch;
            }
            if taken.plain {
                chunk.truncate(taken.used);
                self.slots.get(index).out[0].push(chunk);
            } else {
                self.io.put(chunk);
                let rewritten = std::mem::take(&mut self.rewritten);
                self.push(index, Side::Client, &rewritten);
                self.rewritten = rewritten;
            }
        }
        self.flush(index, Side::Client);
        if done {
            return self.download_ended(index);
        }
        if self.splices(index, up) {
            return self.pump(index);
        }
        self.upstream_receive(up);
        if headed {
            self.set_timer(index);
        }
    }

    /// The response is complete as far as the server is concerned.
    pub(super) fn download_ended(&mut self, index: u32) {
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        exchange.done = true;
        if exchange.upload.is_done() {
            self.release_upstream(index);
        } else if exchange.server_closes {
            exchange.discard = true;
            self.release_upstream(index);
            self.take_rest(index);
        }
        self.http_check_end(index);
    }

    /// The request is complete: the connection may be given back if the response is, too.
    pub(super) fn upload_ended(&mut self, index: u32) {
        let now = self.now;
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        exchange.server_active = now;
        if exchange.done {
            self.release_upstream(index);
            return self.http_check_end(index);
        }
        self.http_receive(index);
        self.set_timer(index);
    }

    /// The server has sent its last byte, in good order or by a reset.
    pub(super) fn response_eof(&mut self, index: u32, up: u32, broken: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let retry = &shared.route(slot.proxy, slot.backend).retry;
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        let (step, first) = (http.step, http.requests <= 1);
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        exchange.server_closes = true;
        match step {
            Step::Waiting if exchange.held.is_some() && !broken => self.gather_reply(index),
            Step::Waiting => {
                let empty = exchange.incoming.is_empty();
                let answered = exchange.answered;
                if empty && retry.empty_response && self.http_retry(index) {
                    return;
                }
                let error = match broken {
                    true => ServerError::Broken,
                    false => ServerError::Closed,
                };
                self.observe_error(index, error);
                self.count_response_error(index);
                self.count_abort(index, Side::Server);
                self.drop_upstream(index);
                let end = End {
                    cause: Cause::Server,
                    stage: Stage::Header,
                };
                if !first && !answered {
                    // The client may send a request again that met a connection's end, and is told
                    // so by the end of its own (RFC 9112 9.3.1).
                    return self.close_silently(index, end);
                }
                self.fail(index, 502, end);
            }
            Step::Streaming if matches!(exchange.download, Body::UntilClose) && !broken => {
                exchange.download = Body::Done;
                self.download_ended(index);
            }
            Step::Streaming if exchange.done => {
                // Its part was said; the rest of the request has no reader.
                exchange.discard = true;
                self.release_upstream(index);
                self.take_rest(index);
                self.http_check_end(index);
            }
            Step::Streaming => self.response_cut(index, Cause::Server),
            Step::Tunnel => self.tunnel_eof(index, up, Side::Server),
            _ => self.drop_upstream(index),
        }
    }

    /// The response broke off in its body: all that can be said is by the connection's end.
    fn response_cut(&mut self, index: u32, cause: Cause) {
        if cause == Cause::Server {
            self.count_abort(index, Side::Server);
        }
        self.count_response_error(index);
        self.drop_upstream(index);
        let end = End {
            cause,
            stage: Stage::Data,
        };
        if let Some(exchange) = self.exchange(index) {
            exchange.log.end = end;
            exchange.download = Body::Done;
            exchange.upload = Body::Done;
            exchange.keep = false;
            exchange.done = true;
        }
        self.http_check_end(index);
    }

    // ---- sending to the server -----------------------------------------------------------------

    /// Something went to the server, or will not go at all.
    pub(crate) fn upstream_sent(&mut self, up: u32, failed: bool) {
        let now = self.now;
        let index = self.slots.get(up).peer;
        if index == NONE {
            if failed {
                self.close_upstream(up);
            }
            return;
        }
        if failed {
            // The server may have answered before it closed: its answer is still read.
            while let Some(chunk) = self.slots.get(up).out[1].pop() {
                self.io.put(chunk);
            }
            if let Some(exchange) = self.exchange(index) {
                exchange.discard = true;
                exchange.server_closes = true;
            }
            return self.take_rest(index);
        }
        if let Some(exchange) = self.exchange(index) {
            exchange.server_active = now;
        }
        if !self.slots.get(up).out[1].is_empty() {
            return self.send(up, Side::Server);
        }
        match self.http(index).map(|http| http.step) {
            Some(Step::Tunnel) => self.tunnel_sent(index, Side::Server),
            Some(Step::Waiting | Step::Streaming) => self.http_receive(index),
            _ => {}
        }
    }
}

/// Reads a response's head; what goes to the client is written to `out`.
fn read(
    parser: &mut ResponseParser,
    data: &[u8],
    exchange: &mut Exchange,
    out: &mut Vec<u8>,
    now: Millis,
) -> Head {
    let limit = parser.limit();
    let response = match parser.parse(data) {
        Ok(Some(response)) => response,
        Ok(None) if data.len() >= limit => return Head::Bad,
        Ok(None) => return Head::More,
        Err(_) => return Head::Bad,
    };
    let tunnel =
        response.status == 101 || (exchange.is_connect && (200..300).contains(&response.status));
    let unasked = response.status == 101 && !(exchange.upgrades && response.upgrades());
    let framing = response.forwarded_framing();
    let ruled = exchange.ruled && !response.is_interim();
    exchange.opens_tunnel = tunnel;
    if ruled {
        exchange.reply.take_response(&response);
        exchange.reply_framing = framing;
        // Logs count a head as it came, not as rules and cookies have made it.
        let fields = forward::write_fields(out, response.fields(), framing);
        exchange.log.head = logged_size(response.reason, fields);
    } else {
        forward::write_status_line(out, response.version, response.status, response.reason);
        let fields = forward::write_fields(out, response.fields(), framing);
        exchange.log.head = logged_size(response.reason, fields);
        exchange.log.bytes += exchange.log.head;
    }
    exchange.server_closes |= !response.keeps_alive() || response.doubtful;
    if unasked {
        if ruled {
            exchange.log.bytes += exchange.log.head;
        }
        exchange.log.bytes += (data.len() - response.end) as u64;
        return Head::Bad;
    }
    if response.is_interim() || (tunnel && !ruled) {
        forward::write_end(out, forward::Connection::Implied);
    }
    if response.is_interim() {
        return Head::Interim(response.end);
    }
    exchange.log.status = Some(response.status);
    exchange.server_status = Some(response.status);
    exchange.log.response_time = Some(now.saturating_sub(exchange.connected_at));
    exchange.answered = true;
    if tunnel {
        // No body for its rules to wait for.
        exchange.download = Body::Done;
        return Head::Tunnel(response.end);
    }
    let length = response.length(exchange.is_head);
    exchange.server_closes |= length == Length::UntilClose;
    let sure = !response.doubtful || framing == forward::Framing::Bodiless;
    exchange.keep &= sure || response.version.is_1_1();
    exchange.download = Body::from(length);
    let unread = !exchange.upload.is_done() && exchange.server_closes;
    exchange.keep &= length != Length::UntilClose && !unread;
    if !ruled {
        let connection =
            forward::Connection::of_response(response.version, exchange.version, exchange.keep);
        forward::write_end(out, connection);
    }
    Head::Final(response.end)
}

/// What HAProxy's logs count of a head with so many bytes in its fields (see
/// `telamon_http::logged_size`).
fn logged_size(reason: &[u8], fields: usize) -> u64 {
    (20 + "HTTP/1.1".len() + "200".len() + reason.len() + fields + 1) as u64
}
