//! What the worker tells the log, and when (manual 8.2).

mod unheard;

use std::sync::atomic::Ordering::Relaxed;

use telamon_expr::Format;
use telamon_log::{
    write_clf, write_connect, write_http, write_https, write_tcp, Counts, Peer, ServerName,
};
use telamon_plan::{Level, LogFormat, LogStep, Mode};
use telamon_session::{Cause, End, Side};
use telamon_sys::socket;

use crate::conn::{Role, NO_FD};
use crate::io::Io;
use crate::log::{wall, Said};
use crate::seen::Line;
use crate::worker::Worker;

pub(crate) use unheard::Unheard;

/// A line to be written: when, how urgent, and in which format; without one as the text is that
/// comes with it.
struct Moment<'a> {
    step: LogStep,
    level: Level,
    line: Line,
    format: Option<&'a Format>,
    /// Structured data belongs to it.
    traffic: bool,
}

impl Moment<'_> {
    fn said<'t>(&self, text: &'t [u8], structured: &'t [u8]) -> Said<'t> {
        Said {
            step: self.step,
            level: self.level,
            text,
            structured,
        }
    }
}

impl<I: Io> Worker<I> {
    fn peer(&mut self, index: u32) -> Peer {
        let slot = self.slots.get(index);
        match slot.client {
            Some(address) => Peer::Inet(address),
            None => Peer::Unix {
                listener: self.shared.listeners[slot.listener as usize].id,
            },
        }
    }

    /// The default line, `Connect from`, comes when the client does.
    pub(crate) fn log_accept(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let proxy = &shared.proxies[slot.proxy as usize];
        if !proxy.plan.log_steps.is_empty() {
            // A stream of HTTP begins with its request.
            if proxy.plan.mode == Mode::Tcp {
                self.log_step(index, LogStep::Accept);
            }
            return;
        }
        let own = shared.programs.of[slot.proxy as usize].log.is_some();
        if !proxy.logger.wanted() || own || proxy.plan.log_format != LogFormat::Default {
            return;
        }
        let fd = slot.fds[Side::Client as usize];
        let local = socket::local(fd).ok().and_then(|address| address.as_inet());
        let client = self.peer(index);
        let local = local.map_or(client, Peer::Inet);
        let mut text = Vec::with_capacity(128);
        write_connect(&mut text, client, local, &proxy.plan.name, proxy.plan.mode);
        let moment = Moment {
            step: LogStep::Accept,
            level: Level::Info,
            line: Line::default(),
            format: None,
            traffic: false,
        };
        self.say(index, &moment, text);
    }

    /// `log-steps`: a line at this moment too.
    #[inline]
    pub(crate) fn log_step(&mut self, index: u32, step: LogStep) {
        let slot = self.slots.get(index);
        let steps = &self.shared.proxies[slot.proxy as usize].plan.log_steps;
        if !steps.is_empty() && steps.contains(&step) {
            if slot.role == Role::Client {
                self.log_exchange(index, step, false);
            } else {
                self.log_stream(index, step, false);
            }
        }
    }

    /// `log-steps` without `close`: the end has no line.
    fn is_silent_at_end(&mut self, index: u32) -> bool {
        let proxy = self.slots.get(index).proxy as usize;
        let steps = &self.shared.proxies[proxy].plan.log_steps;
        !steps.is_empty() && !steps.contains(&LogStep::Close)
    }

    /// `option logasap`: the line comes as soon as the server has accepted.
    pub(crate) fn log_early(&mut self, index: u32) {
        self.log_step(index, LogStep::Connect);
        let slot = self.slots.get(index);
        let plan = &self.shared.proxies[slot.proxy as usize].plan;
        if plan.logasap && plan.log_steps.is_empty() && !slot.logged {
            self.log_stream(index, LogStep::Connect, true);
            self.slots.get(index).logged = true;
        }
    }

    /// The line of a finished stream.
    pub(crate) fn log_end(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if slot.preface.is_some() {
            let late = slot.stream.end().letters()[0] == b'c';
            let how = if late { Unheard::Late } else { Unheard::Closed };
            return self.log_preface(index, how);
        }
        if !std::mem::take(&mut slot.logged) && !self.is_silent_at_end(index) {
            self.log_stream(index, LogStep::Close, false);
        }
    }

    fn log_stream(&mut self, index: u32, step: LogStep, early: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let proxy = &shared.proxies[slot.proxy as usize];
        let plan = &proxy.plan;
        let program = &shared.programs.of[slot.proxy as usize];
        let bare = plan.log_format == LogFormat::Default && program.log.is_none();
        if !proxy.logger.wanted() || (bare && plan.log_steps.is_empty()) {
            return;
        }
        let normal = slot.stream.end() == End::NORMAL && slot.stream.retries() == 0;
        let said = slot.inspection.as_deref().and_then(|one| one.log_level);
        let level = match said {
            Some(None) => return,
            Some(Some(level)) => Level::ALL[usize::from(level).min(7)],
            None => level(plan, normal),
        };
        let null = slot.bytes[Side::Client as usize] == 0 && step == LogStep::Close;
        if (plan.dontlognull && null) || (plan.dontlog_normal && normal) {
            return;
        }
        let client = self.peer(index);
        let counts = self.counts(index);
        let now = self.now;
        let slot = self.slots.get(index);
        let line = Line {
            accepted: Some(slot.accepted),
            began: Some(slot.accepted),
            queued: slot.stream.queue_time(),
            connect: slot.stream.connect_time(),
            active: now.saturating_sub(slot.stream.started()),
            total: now.saturating_sub(slot.stream.started()),
            sent: slot.bytes[Side::Server as usize],
            received: slot.bytes[Side::Client as usize],
            state: slot.stream.end().letters(),
            counts,
            ..Line::default()
        };
        let mut text = Vec::with_capacity(256);
        if program.log.is_none() {
            let behind = shared.proxies.get(slot.backend as usize);
            let ready = telamon_log::Tcp {
                client,
                accepted: wall(slot.accepted),
                frontend: &plan.name,
                backend: behind.map_or(&plan.name, |behind| &behind.plan.name),
                server: self.server_name(index, &shared),
                queued: line.queued,
                connect: line.connect,
                total: line.total,
                bytes: line.sent,
                state: line.state,
                counts,
                early,
            };
            write_tcp(&mut text, &ready);
        }
        let moment = Moment {
            step,
            level,
            line,
            format: program.log.as_ref(),
            traffic: true,
        };
        self.say(index, &moment, text);
    }

    fn server_name<'a>(&mut self, index: u32, shared: &'a crate::shared::Shared) -> ServerName<'a> {
        let slot = self.slots.get(index);
        let behind = shared.proxies.get(slot.backend as usize);
        let backend = behind.and_then(|behind| behind.backend.as_ref());
        match backend.and_then(|backend| backend.servers.get(slot.server as usize)) {
            Some(server) => ServerName::Named(&server.name),
            None => ServerName::Nobody,
        }
    }

    fn counts(&mut self, index: u32) -> Counts {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let frontend = shared.proxies[slot.proxy as usize].frontend.as_ref();
        let backend = shared
            .proxies
            .get(slot.backend as usize)
            .and_then(|at| at.backend.as_ref());
        let server = backend.and_then(|backend| backend.servers.get(slot.server as usize));
        let current = |gauges: &crate::counters::Gauges| gauges.current.load(Relaxed);
        Counts {
            process: current(&shared.connections),
            frontend: frontend.map_or(0, |frontend| current(&frontend.gauges)),
            backend: backend.map_or(0, |backend| current(&backend.gauges)),
            server: server.map_or(0, |server| current(&server.gauges)),
            retries: u32::from(slot.stream.retries()),
            redispatched: slot.stream.is_redispatched(),
            server_queue: slot.queue_ahead[0],
            backend_queue: slot.queue_ahead[1],
        }
    }

    /// The line of one request.
    pub(crate) fn log_http(&mut self, index: u32) {
        if !self.is_silent_at_end(index) {
            self.log_exchange(index, LogStep::Close, false);
        }
    }

    fn log_exchange(&mut self, index: u32, step: LogStep, early: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let proxy = &shared.proxies[slot.proxy as usize];
        let plan = &proxy.plan;
        let program = &shared.programs.of[slot.proxy as usize];
        let bare = plan.log_format == LogFormat::Default && program.log.is_none();
        if !proxy.logger.wanted() || (bare && plan.log_steps.is_empty()) {
            return;
        }
        let client = self.peer(index);
        let counts = self.counts(index);
        let now = self.now;
        let slot = self.slots.get(index);
        let behind = shared.proxies.get(slot.backend as usize);
        let backend = behind
            .map_or(&plan.name, |behind| &behind.plan.name)
            .as_str();
        let (queued, connect) = (slot.stream.queue_time(), slot.stream.connect_time());
        let retried = slot.stream.retries() > 0;
        let (accepted, received) = (slot.accepted, slot.bytes[0]);
        let index_of_server = slot.server as usize;
        let (wanted, chosen) = (slot.wanted, slot.server);
        let persistent = behind.unwrap_or(proxy).plan.http.cookie.as_ref();
        let in_choice = behind.is_some();
        let Some(http) = slot.http.as_deref() else {
            return;
        };
        let Some(exchange) = http.exchange.as_deref() else {
            return;
        };
        let log = &exchange.log;
        let cookies = exchange.cookies.letters(persistent, wanted, chosen);
        let quiet = plan.dontlognull && log.request_line.is_none() && !http.has_input();
        let uneventful = log.end == End::NORMAL && !retried && log.status.unwrap_or(500) < 500;
        let local = log.end.cause == Cause::Local;
        let level = level(plan, uneventful || local);
        if quiet || log.left_out || (plan.dontlog_normal && (uneventful || local)) {
            return;
        }
        let named = behind
            .and_then(|behind| behind.backend.as_ref())
            .and_then(|backend| backend.servers.get(index_of_server));
        let server = match named {
            _ if log.stats => ServerName::Stats,
            Some(server) if in_choice => ServerName::Named(&server.name),
            _ => ServerName::Nobody,
        };
        let (queued, connect) = if log.stats {
            (Some(0), Some(0))
        } else {
            (queued, connect)
        };
        let level = match log.level {
            Some(None) => return,
            Some(Some(level)) => Level::ALL[usize::from(level).min(7)],
            None => level,
        };
        let bad = log.request_line.is_none();
        let special = program.error_log.as_ref().filter(|_| bad);
        let format = special.or(program.log.as_ref());
        let line = Line {
            accepted: Some(accepted),
            began: Some(log.wall),
            idle: log.idle,
            request: log.request_time,
            queued,
            connect,
            response: log.response_time.or(log.stats.then_some(0)),
            active: now.saturating_sub(log.started),
            total: now.saturating_sub(log.accepted),
            status: log.status,
            sent: log.bytes,
            received,
            state: log.end.letters(),
            cookies: Some(cookies),
            counts,
            stats: log.stats,
            ..Line::default()
        };
        let mut text = Vec::with_capacity(256);
        if format.is_none() {
            let ready = telamon_log::Http {
                client,
                began: wall(log.wall),
                frontend: &plan.name,
                backend,
                server,
                request: line.request,
                queued,
                connect,
                response: line.response,
                active: line.active,
                status: line.status,
                bytes: line.sent,
                state: line.state,
                cookies,
                captured_cookies: exchange.cookies.captured.each_ref().map(Option::as_deref),
                counts,
                request_line: log.request_line.as_deref(),
                early,
                captures: [&exchange.captures[0], &exchange.captures[1]],
            };
            write_ready(&mut text, plan.log_format, &ready, accepted);
        }
        let step = if bad { LogStep::Error } else { step };
        let moment = Moment {
            step,
            level,
            line,
            format,
            traffic: true,
        };
        self.say(index, &moment, text);
    }

    /// Sends a line: as `text`, or in the formats that the section and the targets' profiles have.
    fn say(&mut self, index: u32, moment: &Moment<'_>, mut text: Vec<u8>) {
        let shared = self.shared.clone();
        let (now, counters) = (self.now, &shared.counters[self.index]);
        let proxy = self.slots.get(index).proxy as usize;
        let logger = &shared.proxies[proxy].logger;
        let wanted = moment.traffic && logger.is_structured;
        let structured = shared.programs.of[proxy].structured.as_ref();
        let structured = structured.filter(|_| wanted);
        if moment.format.is_none() && structured.is_none() && !logger.has_formats {
            return logger.send(&moment.said(&text, &[]), now, counters, None);
        }
        let mut seen = self.see(index);
        seen.line = Line {
            origin: origin(moment.step),
            ..moment.line
        };
        self.evaluate_as(index, seen, |env| {
            let render = |format: &Format, out: &mut Vec<u8>| format.write_log(env, out);
            if let Some(format) = moment.format {
                render(format, &mut text);
            }
            let mut data = Vec::new();
            if let Some(format) = structured {
                render(format, &mut data);
            }
            logger.send(&moment.said(&text, &data), now, counters, Some(&render));
        });
    }

    /// `option logasap`: the line comes with the response's head.
    pub(crate) fn log_http_early(&mut self, index: u32) {
        self.log_step(index, LogStep::Response);
        let proxy = self.slots.get(index).proxy as usize;
        let plan = &self.shared.proxies[proxy].plan;
        if !plan.logasap || !plan.log_steps.is_empty() {
            return;
        }
        self.log_exchange(index, LogStep::Response, true);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.left_out = true;
        }
    }

    /// A connection that ended without a request.
    pub(crate) fn log_http_null(&mut self, index: u32) {
        let slot = self.slots.get(index);
        let plan = &self.shared.proxies[slot.proxy as usize].plan;
        if plan.mode == Mode::Http && !plan.dontlognull && slot.fds[0] != NO_FD {
            self.log_http(index);
        }
    }
}

/// The line that an option names.
fn write_ready(
    out: &mut Vec<u8>,
    format: LogFormat,
    line: &telamon_log::Http<'_>,
    accepted: std::time::SystemTime,
) {
    match format {
        LogFormat::Http => write_http(out, line),
        LogFormat::Clf => write_clf(out, line),
        LogFormat::Https => write_https(out, line),
        LogFormat::Tcp | LogFormat::Default => write_tcp(
            out,
            &telamon_log::Tcp {
                client: line.client,
                accepted: wall(accepted),
                frontend: line.frontend,
                backend: line.backend,
                server: line.server,
                queued: line.queued,
                connect: line.connect,
                total: line.active,
                bytes: line.bytes,
                state: line.state,
                counts: line.counts,
                early: line.early,
            },
        ),
    }
}

/// Why a line is written (`%OG`).
fn origin(step: LogStep) -> &'static str {
    match step {
        LogStep::Accept => "txn_accept",
        LogStep::Request => "txn_request",
        LogStep::Connect => "txn_connect",
        LogStep::Response => "txn_response",
        LogStep::Close | LogStep::Any => "txn_close",
        LogStep::Error => "sess_error",
    }
}

/// `option log-separate-errors` (manual 8.3.3).
fn level(plan: &telamon_plan::Proxy, normal: bool) -> Level {
    if plan.log_separate_errors && !normal {
        Level::Err
    } else {
        Level::Info
    }
}
