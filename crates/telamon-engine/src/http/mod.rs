//! `mode http`: one client connection, many exchanges.
//!
//! A client's slot has an [`Http`]; while a request is under way that has an [`Exchange`]. The
//! connection to a server is a slot of its own (`Role::Upstream`), so that its receive stays armed
//! while it idles in the pool: taking one costs no system call, and one that the server closes
//! says so by itself.
//!
//! ```text
//!        first byte       head complete        picked, connected        response's head
//!  Idle ───────────► Head ──────────────► Choosing ──────────────► Waiting ─────────────► Streaming
//!   ▲                 │ │                  │                        │                      │     │
//!   │     stats page  │ │ bad, late        │ none to be had         │ dies, late           │ 101 │ all sent
//!   │                 ▼ │                  │                        │                      ▼     │
//!   │    Body ─► Page ─┐│                  │                        │                   Tunnel   │
//!   │                  ▼▼                  ▼                        ▼                            │
//!   │                 Sending (an answer of the proxy's own)                                     │
//!   │                     │ kept alive                                                           │
//!   └─────────────────────┴──────────────────────────────────────────────────────────────────────┘
//!                         └► Draining, then closed
//! ```
//!
//! Files: `client.rs` what comes from clients, `exchange.rs` the way to a server, `upstream.rs` what comes
//! back, `held.rs` responses whose rules wait, `tunnel.rs` what follows an upgrade, `release.rs`, `pool.rs`,
//! `lend.rs` and `idle.rs` connections that idle, `body.rs` bodies,
//! `splice.rs` long ones, `cookie.rs` persistence, `rules/` what is done with heads, `calls.rs` rules that wait
//! for Python, `answer.rs` the proxy's own answers, `timers.rs` deadlines, `end.rs` how things end.

mod answer;
mod asked;
mod body;
mod calls;
mod client;
mod cookie;
mod dynamic_cookie;
mod end;
mod exchange;
mod forwarded;
mod held;
mod idle;
mod lend;
mod pool;
mod redirect;
mod release;
mod route;
mod rules;
mod splice;
mod timers;
mod tunnel;
mod upstream;

use telamon_expr::Calls;
use telamon_http::forward::{Connection, Framing};
use telamon_http::{HeadParser, Message, Version};
use telamon_plan::Timeouts;
use telamon_session::{End, Millis, Policy};
use telamon_sys::{pipe::Pipe, Chunk};

use crate::conn::NONE;
use crate::io::Key;

pub(crate) use asked::Asked;
use body::Body;
pub(crate) use dynamic_cookie::DynamicCookie;
pub(crate) use forwarded::Forwarded;
pub(crate) use idle::IdleConnections;
pub(crate) use lend::LEND_EVERY;
pub(crate) use pool::Pools;
pub(crate) use route::Route;
pub(crate) use rules::{RulePlace, Undecided};

/// The largest body of a page request, and what memory is kept for the next exchange.
pub(crate) const BUFFER: usize = 16 << 10;

pub(crate) const NEVER: Millis = Millis::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Waiting for the first byte of the next request.
    Idle,
    Head,
    /// A page's request: its body is collected.
    Body,
    /// Python makes the page.
    Page,
    /// Rules wait for the request's body.
    Gathering,
    /// A rule holds the request, or (`Exchange::held`) the response, back for a while.
    Held,
    /// It will be denied, later.
    Tarpit,
    /// Rules wait for a Python function, on the request or (`Exchange::held`) on the response.
    Calling,
    /// The stream's machine picks, queues, connects.
    Choosing,
    /// The request is on its way; the response's head is awaited, or for its rules
    /// (`Exchange::held`) its body.
    Waiting,
    /// The response flows.
    Streaming,
    /// Both sides say what they like.
    Tunnel,
    /// An answer of the proxy's own is sent.
    Sending,
    /// The answer is sent and our side is shut; what the client still sends is thrown away.
    Draining,
}

/// What a client's slot has in `mode http`.
pub(crate) struct Http {
    pub(crate) step: Step,
    /// The begin of a head that came in pieces, and its parser.
    pub(crate) input: Vec<u8>,
    pub(crate) parser: Option<Box<HeadParser>>,
    /// Came behind the head: its body's begin, or the next request.
    pub(crate) rest: Option<Chunk>,
    pub(crate) deadline: Millis,
    /// When the connection began to wait for this request.
    pub(crate) since: Millis,
    pub(crate) requests: u32,
    /// Of what Python was asked last.
    pub(crate) serial: u32,
    /// The client has sent its last byte.
    pub(crate) ended: bool,
    /// The connection to a server that serves this client alone, while no exchange has it.
    pub(crate) private: Option<Key>,
    /// The backend and the server of the request before.
    pub(crate) last: (u32, u32),
    pub(crate) exchange: Option<Box<Exchange>>,
}

impl Http {
    pub(crate) fn new(now: Millis, timeouts: &Timeouts) -> Self {
        Http {
            step: Step::Head,
            input: Vec::new(),
            parser: None,
            rest: None,
            deadline: after(now, timeouts.http_request.or(timeouts.client)),
            since: now,
            requests: 0,
            serial: 0,
            ended: false,
            private: None,
            last: (NONE, NONE),
            exchange: None,
        }
    }

    /// Nothing of a next request has come.
    pub(crate) fn is_idle(&self) -> bool {
        self.step == Step::Idle && self.exchange.is_none()
    }

    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }
}

/// One request and its response. Reused: `begin` makes it as new.
pub(crate) struct Exchange {
    pub(crate) version: Version,
    pub(crate) is_head: bool,
    pub(crate) is_connect: bool,
    /// It asks for another protocol.
    pub(crate) upgrades: bool,
    /// Its answer makes a tunnel of the connection.
    pub(crate) opens_tunnel: bool,
    /// Bytes of its head as it came.
    pub(crate) head_size: u64,
    /// It asks whether the frontend serves (`monitor-uri`).
    pub(crate) monitor: bool,
    /// What the request's head says of the server's connection.
    pub(crate) connection: Connection,
    /// The client's connection may carry another request.
    pub(crate) keep: bool,
    /// The same before the response was looked at.
    pub(crate) keep_asked: bool,
    /// The server is asked to keep its connection.
    pub(crate) keep_server: bool,
    /// The request's body as far as it is still to come.
    pub(crate) upload: Body,
    /// No more of it goes to the server, which is gone or has said enough.
    pub(crate) discard: bool,
    pub(crate) download: Body,
    /// A long body goes this way (`splice.rs`).
    pub(crate) pipe: Option<Pipe>,
    /// The request's head for the server (until the response begins: a retry sends it again), and
    /// as much of its body as a retry would need.
    pub(crate) outgoing: Vec<u8>,
    pub(crate) kept_body: Option<Vec<u8>>,
    /// A page request as it came: head, then body.
    pub(crate) raw: Vec<u8>,
    pub(crate) raw_head: usize,
    pub(crate) raw_total: usize,
    /// The begin of a response's head that came in pieces.
    pub(crate) incoming: Vec<u8>,
    /// An answer of our own, and how much of it is on its way.
    pub(crate) output: Vec<u8>,
    pub(crate) sent: usize,
    /// Its connection had served others before.
    pub(crate) reused: bool,
    /// What the server said, before rules changed it.
    pub(crate) server_status: Option<u16>,
    /// The rule that ended a list last.
    pub(crate) last_rule: Option<std::sync::Arc<telamon_expr::Place>>,
    /// The server's connection cannot carry another request.
    pub(crate) server_closes: bool,
    /// The response has begun to go to the client.
    pub(crate) answered: bool,
    pub(crate) done: bool,
    pub(crate) client_active: Millis,
    pub(crate) server_active: Millis,
    pub(crate) connected_at: Millis,
    pub(crate) policy: Policy,
    /// Rules look at it: its heads are messages that they may change.
    pub(crate) ruled: bool,
    pub(crate) head: Message,
    pub(crate) reply: Message,
    pub(crate) reply_framing: Framing,
    pub(crate) place: RulePlace,
    /// The same in the response's lists.
    pub(crate) reply_place: RulePlace,
    /// Calls of functions outside in the rule at hand.
    pub(crate) calls: Option<Box<Calls>>,
    /// What came behind a response's head whose rules wait.
    pub(crate) held: Option<Vec<u8>>,
    /// When they have waited long enough for its body.
    pub(crate) held_until: Millis,
    /// That body, as far as they have waited for it.
    pub(crate) reply_body: Vec<u8>,
    /// The body as far as rules have waited for it, and how much of it they want.
    pub(crate) gathered: Vec<u8>,
    pub(crate) gather: usize,
    /// How long content rules may wait.
    pub(crate) inspect_until: Option<Millis>,
    pub(crate) tarpit: Option<Millis>,
    pub(crate) no_retry: bool,
    /// Of the request and of the response.
    pub(crate) captures: [Vec<Option<Vec<u8>>>; 2],
    pub(crate) cookies: cookie::Persistence,
    pub(crate) unique_id: Vec<u8>,
    /// What `balance hash` hashes.
    pub(crate) hash_key: Option<Vec<u8>>,
    pub(crate) log: HttpLog,
}

/// What the log line of the current request says.
#[derive(Clone, Debug)]
pub(crate) struct HttpLog {
    pub(crate) started: Millis,
    pub(crate) accepted: Millis,
    pub(crate) idle: Millis,
    pub(crate) request_time: Option<Millis>,
    /// The body counts as part of the request (`option http-buffer-request`).
    pub(crate) body_counts: bool,
    pub(crate) response_time: Option<Millis>,
    pub(crate) status: Option<u16>,
    pub(crate) bytes: u64,
    /// Of these, the final response's head.
    pub(crate) head: u64,
    pub(crate) request_line: Option<Vec<u8>>,
    pub(crate) end: End,
    pub(crate) stats: bool,
    /// `set-log-level`; within, None is `silent`.
    pub(crate) level: Option<Option<u8>>,
    /// No line is written.
    pub(crate) left_out: bool,
    pub(crate) wall: std::time::SystemTime,
}

impl HttpLog {
    fn new() -> Self {
        HttpLog {
            started: 0,
            accepted: 0,
            idle: 0,
            request_time: None,
            body_counts: false,
            response_time: None,
            status: None,
            bytes: 0,
            head: 0,
            request_line: None,
            end: End::NORMAL,
            stats: false,
            level: None,
            left_out: false,
            wall: std::time::SystemTime::UNIX_EPOCH,
        }
    }
}

impl Exchange {
    pub(crate) fn new() -> Self {
        Exchange {
            version: Version { major: 1, minor: 1 },
            is_head: false,
            is_connect: false,
            upgrades: false,
            opens_tunnel: false,
            head_size: 0,
            monitor: false,
            connection: Connection::Implied,
            keep: false,
            keep_asked: false,
            keep_server: false,
            upload: Body::Done,
            discard: false,
            download: Body::Done,
            pipe: None,
            outgoing: Vec::new(),
            kept_body: None,
            raw: Vec::new(),
            raw_head: 0,
            raw_total: 0,
            incoming: Vec::new(),
            output: Vec::new(),
            sent: 0,
            reused: false,
            server_status: None,
            last_rule: None,
            server_closes: false,
            answered: false,
            done: false,
            client_active: 0,
            server_active: 0,
            connected_at: NEVER,
            policy: Policy::default(),
            ruled: false,
            head: Message::default(),
            reply: Message::default(),
            reply_framing: Framing::Kept,
            place: RulePlace::default(),
            reply_place: RulePlace::default(),
            calls: None,
            held: None,
            held_until: NEVER,
            reply_body: Vec::new(),
            gathered: Vec::new(),
            gather: 0,
            inspect_until: None,
            tarpit: None,
            no_retry: false,
            captures: Default::default(),
            cookies: cookie::Persistence::default(),
            unique_id: Vec::new(),
            hash_key: None,
            log: HttpLog::new(),
        }
    }

    /// HAProxy's logs count what was there of a response that did not go.
    pub(crate) fn count_unsent(&mut self) {
        self.log.bytes += self.log.head + self.reply_body.len() as u64;
    }

    /// As new, with the memory of before.
    fn clear(&mut self) {
        let (mut outgoing, mut output) = (
            std::mem::take(&mut self.outgoing),
            std::mem::take(&mut self.output),
        );
        outgoing.clear();
        output.clear();
        if output.capacity() > BUFFER {
            output = Vec::new();
        }
        let (mut head, mut reply) = (
            std::mem::take(&mut self.head),
            std::mem::take(&mut self.reply),
        );
        head.clear();
        reply.clear();
        *self = Exchange::new();
        self.outgoing = outgoing;
        self.output = output;
        self.head = head;
        self.reply = reply;
    }
}

pub(crate) fn after(now: Millis, time: Option<Millis>) -> Millis {
    time.map_or(NEVER, |time| now.saturating_add(time))
}

/// A token names a slot, and by the thread's own serial number what it waits for.
pub(crate) fn token(index: u32, thread: usize, serial: u32) -> u64 {
    u64::from(index) | (thread as u64 & 0xff) << 32 | u64::from(serial & 0xff_ffff) << 40
}

/// The thread that a token belongs to.
pub(crate) fn thread_of(token: u64) -> usize {
    (token >> 32 & 0xff) as usize
}
