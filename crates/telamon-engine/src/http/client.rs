//! What comes from a client: heads, bodies, and the end of its words.

use std::io;
use std::net::SocketAddr;

use telamon_balance::Priority;
use telamon_http::{forward, Field, HeadParser, Length, Normal, Request};
use telamon_plan::{http::ConnectionMode, LogStep};
use telamon_session::{Millis, Side};
use telamon_sys::Chunk;

use super::{after, Body, Exchange, Http, Route, Step, NEVER};
use crate::conn::{NONE, NO_FD, RECV};
use crate::counters::{ProcessTotal, Total};
use crate::io::Io;
use crate::shared::Proxy;
use crate::worker::{count, Worker, MAX_BUFFERS};

/// What became of the bytes of a head.
enum Head {
    More,
    /// The status to answer with.
    Bad(u16),
    /// It has so many bytes.
    Whole(usize),
}

/// What the connection adds to a head.
struct From<'a> {
    proxy: &'a Proxy,
    /// Rules will look at the head.
    ruled: bool,
    log_line: usize,
    client: Option<SocketAddr>,
    destination: Option<SocketAddr>,
}

impl<I: Io> Worker<I> {
    #[inline]
    pub(crate) fn http(&mut self, index: u32) -> Option<&mut Http> {
        self.slots.get(index).http.as_deref_mut()
    }

    /// The exchange under way.
    #[inline]
    pub(crate) fn exchange(&mut self, index: u32) -> Option<&mut Exchange> {
        self.http(index)?.exchange.as_deref_mut()
    }

    pub(crate) fn http_received(&mut self, index: u32, result: io::Result<Option<Chunk>>) {
        match result {
            Ok(Some(chunk)) => self.http_data(index, chunk),
            Ok(None) => self.http_eof(index),
            Err(_) => self.http_broke(index),
        }
    }

    fn http_data(&mut self, index: u32, mut chunk: Chunk) {
        if self.slots.get(index).preface.is_some() {
            let key = self.slots.get(index).key(index, Side::Client);
            match self.after_preface(key, chunk) {
                Some(rest) => chunk = rest,
                None => return,
            }
        }
        self.slots.get(index).weigh(Side::Client, &chunk);
        // The backend is told what was its own: the head when it has a server, the body as it goes.
        self.count_before(index, Side::Client, chunk.len() as u64);
        let now = self.now;
        let uploads = self.uploads(index);
        let Some(http) = self.http(index) else {
            return self.io.put(chunk);
        };
        match http.step {
            Step::Idle | Step::Head => self.http_head(index, chunk),
            Step::Body => self.page_body(index, chunk),
            Step::Gathering => {
                http.rest = Some(chunk);
                self.gather_more(index);
            }
            Step::Waiting | Step::Streaming if uploads => {
                if let Some(exchange) = self.exchange(index) {
                    exchange.client_active = now;
                }
                self.upload(index, chunk);
            }
            Step::Tunnel => self.tunnel(index, Side::Client, chunk),
            Step::Draining => {
                self.io.put(chunk);
                self.http_receive(index);
            }
            // Ahead of its time: it waits, and nothing more is read until it is taken.
            _ => http.rest = Some(chunk),
        }
    }

    fn uploads(&mut self, index: u32) -> bool {
        self.exchange(index)
            .is_some_and(|exchange| !exchange.upload.is_done())
    }

    /// The exchange that a request fills: made when its first byte comes.
    pub(crate) fn begin_exchange(&mut self, index: u32) {
        let now = self.now;
        let fresh = self.exchanges.pop();
        let Some(http) = self.http(index) else { return };
        if http.exchange.is_some() {
            return self.exchanges.extend(fresh);
        }
        let mut exchange = fresh.unwrap_or_else(|| Box::new(Exchange::new()));
        exchange.log.accepted = http.since;
        exchange.log.started = now;
        exchange.log.idle = now - http.since;
        exchange.log.wall = std::time::SystemTime::now();
        http.exchange = Some(exchange);
        // What rules said of the request before is no more.
        let slot = self.slots.get(index);
        slot.priority = Priority::default();
        slot.wanted = NONE;
        slot.forced = false;
    }

    fn http_head(&mut self, index: u32, mut chunk: Chunk) {
        self.begin_exchange(index);
        let shared = self.shared.clone();
        let now = self.now;
        let slot = self.slots.get(index);
        let proxy = &shared.proxies[slot.proxy as usize];
        let from = From {
            proxy,
            ruled: proxy.ruled,
            log_line: shared.sizes.log_line,
            client: slot.client,
            destination: slot.destination,
        };
        let Some(http) = slot.http.as_deref_mut() else {
            return self.io.put(chunk);
        };
        if http.step == Step::Idle {
            let timeouts = &proxy.plan.timeouts;
            http.step = Step::Head;
            http.deadline = after(now, timeouts.http_request.or(timeouts.client));
        }
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return self.io.put(chunk);
        };
        if http.input.is_empty() {
            self.parser.reset();
            self.parser.set_lax(proxy.plan.http.unsafe_requests);
            let data = self.io.pool().data(&chunk);
            match read(&mut self.parser, data, exchange, &from, now) {
                Head::Whole(end) => {
                    chunk.advance(end);
                    return self.http_head_read(index, chunk);
                }
                Head::Bad(status) => {
                    self.io.put(chunk);
                    return self.http_bad(index, status);
                }
                Head::More => {
                    http.input.extend_from_slice(data);
                    let fresh = HeadParser::within(shared.sizes.requests());
                    http.parser = Some(Box::new(std::mem::replace(&mut self.parser, fresh)));
                    self.io.put(chunk);
                }
            }
        } else {
            http.input.extend_from_slice(self.io.pool().data(&chunk));
            self.io.put(chunk);
            let Some(parser) = http.parser.as_deref_mut() else {
                return;
            };
            match read(parser, &http.input, exchange, &from, now) {
                Head::Whole(end) => {
                    let input = std::mem::take(&mut http.input);
                    http.parser = None;
                    let Some(mut rest) = self.io.pool_mut().take(1) else {
                        return self.http_broke(index);
                    };
                    let left = &input[end..];
                    self.io.pool_mut().space(&rest)[..left.len()].copy_from_slice(left);
                    rest.fill(left.len());
                    return self.http_head_read(index, rest);
                }
                Head::Bad(status) => return self.http_bad(index, status),
                Head::More => {}
            }
        }
        self.http_receive(index);
        self.set_timer(index);
    }

    /// A head is complete; `rest` is what came behind it.
    fn http_head_read(&mut self, index: u32, rest: Chunk) {
        let now = self.now;
        if let Some(http) = self.http(index) {
            http.requests += 1;
            if !rest.is_empty() {
                http.rest = Some(rest);
            } else {
                self.io.put(rest);
            }
        }
        let shared = self.shared.clone();
        let proxy = &shared.proxies[self.slots.get(index).proxy as usize];
        self.counters().add(ProcessTotal::CumReq, 1);
        if let Some(frontend) = &proxy.frontend {
            count!(self, frontend.object, Total::ReqTot, 1);
            frontend.gauges.requests.hit(now);
        }
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        exchange.log.request_time = Some(now - exchange.log.started);
        exchange.client_active = now;
        if exchange.monitor {
            return self.monitor(index);
        }
        if self.begins_badly(index) {
            if let Some(exchange) = self.exchange(index) {
                exchange.log.request_time = None;
            }
            return self.http_bad(index, 400);
        }
        self.log_step(index, LogStep::Accept);
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        if exchange.ruled {
            self.capture_headers(index, false);
            self.make_unique_id(index);
            return self.request_rules(index);
        }
        if exchange.raw_head > 0 {
            return self.page_begin(index);
        }
        self.log_step(index, LogStep::Request);
        self.http_enter_backend(index);
    }

    /// Chunks that came with the head and are none: no server need hear of such a request.
    fn begins_badly(&mut self, index: u32) -> bool {
        let Some(http) = self.slots.get(index).http.as_deref() else {
            return false;
        };
        let (Some(exchange), Some(rest)) = (http.exchange.as_deref(), &http.rest) else {
            return false;
        };
        match &exchange.upload {
            Body::Chunked(chunked) => {
                let mut ahead = chunked.clone();
                ahead.scan(self.io.pool().data(rest)).is_err()
            }
            _ => false,
        }
    }

    /// Bytes of a request's body go to the server, as far as they belong to it.
    pub(crate) fn upload(&mut self, index: u32, mut chunk: Chunk) {
        let up = self.slots.get(index).peer;
        let (rewritten, data) = (&mut self.rewritten, self.io.pool().data(&chunk));
        rewritten.clear();
        let most = self.shared.sizes.buffer;
        let Some(exchange) = self.slots.get(index).exchange() else {
            return self.io.put(chunk);
        };
        let taken = match exchange.upload.take(data, rewritten) {
            Ok(taken) => taken,
            Err(_) => {
                self.io.put(chunk);
                return self.bad_upload(index);
            }
        };
        if let Some(kept) = &mut exchange.kept_body {
            let sent = match taken.plain {
                true => &data[..taken.used],
                false => rewritten.as_slice(),
            };
            if kept.len() + sent.len() > most {
                exchange.kept_body = None;
            } else {
                kept.extend_from_slice(sent);
            }
        }
        let discard = exchange.discard || up == NONE;
        let count = taken.used as u64;
        let ended = exchange.upload.is_done();
        let rest = data.len() - taken.used;
        let behind = (rest > 0).then(|| self.copy(&chunk, taken.used)).flatten();
        if discard {
            self.io.put(chunk);
        } else if taken.plain {
            chunk.truncate(taken.used);
            self.slots.get(up).out[1].push(chunk);
        } else {
            self.io.put(chunk);
            let rewritten = std::mem::take(&mut self.rewritten);
            self.push(up, Side::Server, &rewritten);
            self.rewritten = rewritten;
        }
        if let Some(http) = self.http(index) {
            if let (Some(exchange), true) = (http.exchange.as_deref_mut(), rest > 0) {
                // Without a buffer for the next request its begin is lost: it must not be read.
                exchange.keep &= behind.is_some();
            }
            http.rest = behind;
        }
        if !discard {
            self.count_behind(index, Side::Client, count);
            self.flush(up, Side::Server);
        }
        if ended {
            return self.upload_ended(index);
        }
        self.upload_more(index);
    }

    /// Reads on; but a client that had ended its words before a server was found, within its
    /// body, will never say the rest.
    fn upload_more(&mut self, index: u32) {
        let Some(http) = self.slots.get(index).http.as_deref() else {
            return;
        };
        let misses = (http.exchange.as_deref()).is_some_and(|exchange| !exchange.upload.is_done());
        let waits = matches!(http.step, Step::Waiting | Step::Streaming);
        if http.ended && waits && misses {
            return self.http_broke(index);
        }
        self.http_receive(index);
    }

    /// A chunk with a copy of what follows `at` in another one.
    fn copy(&mut self, chunk: &Chunk, at: usize) -> Option<Chunk> {
        let mut twin = self.io.pool_mut().take(chunk.class())?;
        let data = self.io.pool().data(chunk)[at..].to_vec();
        self.io.pool_mut().space(&twin)[..data.len()].copy_from_slice(&data);
        twin.fill(data.len());
        Some(twin)
    }

    /// Reads on from the client, if there is room for what comes.
    pub(crate) fn http_receive(&mut self, index: u32) {
        let slot = self.slots.get(index);
        let up = slot.peer;
        let Some(http) = slot.http.as_deref() else {
            return;
        };
        if http.rest.is_some()
            || http.ended
            || slot.running[0] & RECV != 0
            || slot.fds[0] == NO_FD
            || slot.stopping
        {
            return;
        }
        if up != NONE && self.slots.get(up).out[1].len() >= MAX_BUFFERS {
            return;
        }
        let slot = self.slots.get(index);
        let key = slot.key(index, Side::Client);
        slot.running[0] |= RECV;
        let (class, more) = (usize::from(slot.class[0]), slot.more[0]);
        self.io.recv(key, slot.fds[0], class, more);
    }

    /// What waited behind the last head or body is looked at now.
    pub(crate) fn take_rest(&mut self, index: u32) {
        let uploads = self.uploads(index);
        let Some(http) = self.http(index) else { return };
        let Some(rest) = http.rest.take() else {
            return self.upload_more(index);
        };
        match http.step {
            Step::Waiting | Step::Streaming if uploads => self.upload(index, rest),
            Step::Tunnel => self.tunnel(index, Side::Client, rest),
            Step::Idle | Step::Head => self.http_head(index, rest),
            _ => http.rest = Some(rest),
        }
    }
}

/// Reads a request's head into `exchange`.
fn read(
    parser: &mut HeadParser,
    data: &[u8],
    exchange: &mut Exchange,
    from: &From<'_>,
    now: Millis,
) -> Head {
    let limit = parser.limit();
    let request = match parser.parse(data) {
        Ok(Some(request)) => request,
        Ok(None) if data.len() >= limit => return Head::Bad(400),
        Ok(None) => return Head::More,
        Err(bad) => return Head::Bad(bad.status()),
    };
    let plan = &from.proxy.plan;
    let route = &from.proxy.route;
    exchange.version = request.version;
    exchange.is_head = request.method == b"HEAD";
    exchange.is_connect = request.method == b"CONNECT";
    exchange.upgrades = request.upgrades();
    exchange.head_size = (request.end - request.start) as u64;
    exchange.keep = request.keeps_alive() && route.mode != ConnectionMode::Close;
    exchange.keep_server = route.mode == ConnectionMode::KeepAlive && !request.is_doubtful();
    exchange.upload = Body::from(Length::from(request.body));
    exchange.policy = route.policy;
    exchange.connected_at = NEVER;
    exchange.client_active = now;
    let normal = match request.uri.first() {
        Some(b'/') => None,
        _ => Normal::of(&request),
    };
    if from.proxy.logger.wanted() || from.ruled {
        let line = exchange.log.request_line.get_or_insert_default();
        line.clear();
        // With one blank between its words, however many there were.
        let uri = normal.as_ref().map_or(request.uri, |normal| &normal.uri);
        let said = &data[request.start..request.line_end()];
        let version = match said.rsplit(|byte| matches!(byte, b' ' | b'\t')).next() {
            Some(version) if !request.is_alone() => version,
            _ => b"HTTP/1.0",
        };
        for part in [request.method, b" ", uri, b" ", version] {
            line.extend_from_slice(part);
        }
        line.truncate(from.log_line);
    }
    if let Some(uri) = &plan.http.monitor_uri {
        exchange.monitor = request.uri == uri.as_bytes();
    }
    exchange.ruled = from.ruled;
    if from.ruled {
        exchange.head.take_request(&request);
        if let Some(normal) = &normal {
            exchange.head.set_uri(&normal.uri);
            (exchange.head).change_lines(b"host", |_| Some(normal.host.clone()));
        }
    }
    if let Some(page) = &plan.stats {
        if request.uri.starts_with(page.uri.as_bytes()) {
            exchange.raw_head = request.end - request.start;
            exchange
                .raw
                .extend_from_slice(&data[request.start..request.end]);
            return Head::Whole(request.end);
        }
    }
    if from.ruled {
        return Head::Whole(request.end);
    }
    write(&request, normal.as_ref(), route, from, exchange);
    Head::Whole(request.end)
}

/// The head as it goes to the server.
fn write(
    request: &Request<'_>,
    normal: Option<&Normal>,
    route: &Route,
    from: &From<'_>,
    exchange: &mut Exchange,
) {
    let out = &mut exchange.outgoing;
    out.clear();
    let uri = normal.map_or(request.uri, |normal| &normal.uri);
    forward::write_request_line(out, request.method, uri, request.version);
    if let Some(normal) = normal {
        let fields = request.forwarded().map(|field| match field.is("host") {
            true => Field {
                value: &normal.host,
                ..field
            },
            false => field,
        });
        forward::write_fields(out, fields, forward::Framing::Kept);
    } else {
        forward::write_fields(out, request.forwarded(), forward::Framing::Kept);
    }
    let had = |name: &[u8]| {
        let mut fields = request.fields();
        fields.any(|one| one.name.eq_ignore_ascii_case(name))
    };
    write_addresses(out, route, from.client, from.destination, had);
    // The line that names the server is added when it is known.
    let keeps = exchange.keep_server || route.pretend_keepalive;
    exchange.connection = match request.lists_upgrade() {
        true => forward::Connection::Implied,
        false => forward::Connection::of_request(request.version, keeps),
    };
}

/// The fields that tell a server of the client's addresses; `had`: was a field of this name there?
pub(super) fn write_addresses(
    out: &mut Vec<u8>,
    route: &Route,
    client: Option<SocketAddr>,
    destination: Option<SocketAddr>,
    had: impl Fn(&[u8]) -> bool,
) {
    for (field, address) in [
        (&route.forward_for, client),
        (&route.original_to, destination),
    ] {
        let (Some(field), Some(address)) = (field, address) else {
            continue;
        };
        let ip = address.ip().to_canonical();
        if field.excepts(ip) || (field.if_none && had(&field.name)) {
            continue;
        }
        forward::write_field(out, &field.name, ip.to_string().as_bytes());
    }
}
