//! What the worker tells the log, and when (manual 8.2).

use std::sync::atomic::Ordering::Relaxed;

use telamon_log::{write_connect, write_http, write_tcp, Counts, Peer, ServerName};
use telamon_plan::{Level, LogFormat, Mode};
use telamon_session::{Cause, End, Side};
use telamon_sys::socket;

use crate::conn::NO_FD;
use crate::io::Io;
use crate::log::wall;
use crate::worker::Worker;

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
        let own = shared.programs.of[slot.proxy as usize].log.is_some();
        if !proxy.logger.wanted() || own || proxy.plan.log_format != LogFormat::Default {
            return;
        }
        let fd = slot.fds[Side::Client as usize];
        let local = socket::local(fd).ok().and_then(|address| address.as_inet());
        let client = self.peer(index);
        let local = local.map_or(client, Peer::Inet);
        let mut line = Vec::with_capacity(128);
        write_connect(&mut line, client, local, &proxy.plan.name, proxy.plan.mode);
        proxy
            .logger
            .send(&line, Level::Info, self.now, self.counters());
    }

    /// `option logasap`: the line comes as soon as the server has accepted.
    pub(crate) fn log_early(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if self.shared.proxies[slot.proxy as usize].plan.logasap && !slot.logged {
            self.log_stream(index, true);
            self.slots.get(index).logged = true;
        }
    }

    /// The line of a finished stream.
    pub(crate) fn log_end(&mut self, index: u32) {
        if !std::mem::take(&mut self.slots.get(index).logged) {
            self.log_stream(index, false);
        }
    }

    fn log_stream(&mut self, index: u32, early: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let proxy = &shared.proxies[slot.proxy as usize];
        let plan = &proxy.plan;
        let own = shared.programs.of[slot.proxy as usize].log.is_some();
        let bare = plan.log_format == LogFormat::Default && !own;
        if !proxy.logger.wanted() || bare {
            return;
        }
        let normal = slot.stream.end() == End::NORMAL && slot.stream.retries() == 0;
        let level = level(plan, normal);
        let null = slot.bytes[Side::Client as usize] == 0;
        if (plan.dontlognull && null && !early) || (plan.dontlog_normal && normal) {
            return;
        }
        let client = self.peer(index);
        let counts = self.counts(index);
        let now = self.now;
        let slot = self.slots.get(index);
        let program = &shared.programs.of[slot.proxy as usize];
        if let Some(format) = &program.log {
            let total = now.saturating_sub(slot.stream.started());
            let line = crate::seen::Line {
                accepted: Some(slot.accepted),
                began: Some(slot.accepted),
                queued: slot.stream.queue_time(),
                connect: slot.stream.connect_time(),
                active: total,
                total,
                sent: slot.bytes[Side::Server as usize],
                received: slot.bytes[Side::Client as usize],
                state: slot.stream.end().letters(),
                counts,
                origin: origin(early),
                ..crate::seen::Line::default()
            };
            return self.log_formatted(index, format, line, Level::Info);
        }
        let behind = shared.proxies.get(slot.backend as usize);
        let line = telamon_log::Tcp {
            client,
            accepted: wall(slot.accepted),
            frontend: &plan.name,
            backend: behind.map_or(&plan.name, |behind| &behind.plan.name),
            server: self.server_name(index, &shared),
            queued: self.slots.get(index).stream.queue_time(),
            connect: self.slots.get(index).stream.connect_time(),
            total: now.saturating_sub(self.slots.get(index).stream.started()),
            bytes: self.slots.get(index).bytes[Side::Server as usize],
            state: self.slots.get(index).stream.end().letters(),
            counts,
            early,
        };
        let mut text = Vec::with_capacity(256);
        write_tcp(&mut text, &line);
        proxy.logger.send(&text, level, now, self.counters());
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
        self.log_exchange(index, false);
    }

    fn log_exchange(&mut self, index: u32, early: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let proxy = &shared.proxies[slot.proxy as usize];
        let plan = &proxy.plan;
        let own = shared.programs.of[slot.proxy as usize].log.is_some();
        let bare = plan.log_format == LogFormat::Default && !own;
        if !proxy.logger.wanted() || bare {
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
        let (accepted, received, slot_proxy) = (slot.accepted, slot.bytes[0], slot.proxy as usize);
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
        let program = &shared.programs.of[slot_proxy];
        let failed = !uneventful && !local;
        let special = program.error_log.as_ref().filter(|_| failed);
        if let Some(format) = special.or(program.log.as_ref()) {
            let line = crate::seen::Line {
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
                origin: origin(early),
            };
            return self.log_formatted(index, format, line, level);
        }
        let mut text = Vec::with_capacity(256);
        match plan.log_format {
            LogFormat::Http => {
                let line = telamon_log::Http {
                    client,
                    began: wall(log.wall),
                    frontend: &plan.name,
                    backend,
                    server,
                    request: log.request_time,
                    queued,
                    connect,
                    response: log.response_time.or(log.stats.then_some(0)),
                    active: now.saturating_sub(log.started),
                    status: log.status,
                    bytes: log.bytes,
                    state: log.end.letters(),
                    cookies,
                    captured_cookies: exchange.cookies.captured.each_ref().map(Option::as_deref),
                    counts,
                    request_line: log.request_line.as_deref(),
                    early,
                    captures: [&exchange.captures[0], &exchange.captures[1]],
                };
                write_http(&mut text, &line);
            }
            _ => {
                let line = telamon_log::Tcp {
                    client,
                    accepted: wall(slot.accepted),
                    frontend: &plan.name,
                    backend,
                    server,
                    queued,
                    connect,
                    total: now.saturating_sub(log.started),
                    bytes: log.bytes,
                    state: log.end.letters(),
                    counts,
                    early,
                };
                write_tcp(&mut text, &line);
            }
        }
        proxy.logger.send(&text, level, now, self.counters());
    }

    /// A line of the section's own `log-format`.
    fn log_formatted(
        &mut self,
        index: u32,
        format: &telamon_expr::Format,
        line: crate::seen::Line,
        level: Level,
    ) {
        let shared = self.shared.clone();
        let now = self.now;
        let mut seen = self.see(index);
        seen.line = line;
        let proxy = &shared.proxies[seen.proxy as usize];
        let mut text = Vec::with_capacity(256);
        self.evaluate_as(index, seen, |env| format.write_log(env, &mut text));
        proxy.logger.send(&text, level, now, self.counters());
    }

    /// `option logasap`: the line comes with the response's head.
    pub(crate) fn log_http_early(&mut self, index: u32) {
        let proxy = self.slots.get(index).proxy as usize;
        if !self.shared.proxies[proxy].plan.logasap {
            return;
        }
        self.log_exchange(index, true);
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

/// Why a line is written (`%OG`): the transaction is over, or under `logasap` under way.
fn origin(early: bool) -> &'static str {
    if early {
        "txn_response"
    } else {
        "txn_close"
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
