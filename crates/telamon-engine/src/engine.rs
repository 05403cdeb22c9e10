//! The control side: starts and stops the threads, changes what they share.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use telamon_expr::{Answer, CallEnd, Change, Sample, Vars};
use telamon_plan::{PlanError, ProxyPlan};
use telamon_sys::ring::Ring;
use telamon_sys::{socket, SockAddr};

use crate::compile::dress_listener;
use crate::io::epoll::EpollIo;
use crate::io::uring::UringIo;
use crate::mailbox::{Event, Message};
use crate::shared::{lock, ServerState, Shared};
use crate::snapshot::{self, Snapshot};
use crate::worker::Worker;

/// How to talk to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    Auto,
    Uring,
    Epoll,
}

/// Why an engine was not made or a change not carried out.
#[derive(Debug)]
pub enum EngineError {
    Plan(PlanError),
    Io(io::Error),
    /// No such proxy, server or frontend.
    Missing(String),
    Value(String),
}

impl From<io::Error> for EngineError {
    fn from(error: io::Error) -> Self {
        EngineError::Io(error)
    }
}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EngineError::Plan(error) => error.fmt(f),
            EngineError::Io(error) => error.fmt(f),
            EngineError::Missing(text) | EngineError::Value(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for EngineError {}

/// Can io_uring be had here? Tried with a real ring on a thread of its own.
pub fn probe_io() -> (bool, String) {
    let tried = std::thread::Builder::new()
        .name("telamon-probe".to_owned())
        .spawn(|| Ring::new().map(drop))
        .and_then(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the probe did not end well")))
        });
    match tried {
        Ok(()) => (
            true,
            "io_uring works here: a ring, its operations and buffers were tried".to_owned(),
        ),
        Err(error) => (false, format!("io_uring cannot be had: {error}")),
    }
}

fn choose(choice: Choice) -> io::Result<(bool, String)> {
    match choice {
        Choice::Epoll => Ok((false, "epoll: asked for by name".to_owned())),
        Choice::Auto => {
            let (works, reason) = probe_io();
            let engine = if works { "io_uring" } else { "epoll" };
            Ok((works, format!("{engine}: {reason}")))
        }
        Choice::Uring => match probe_io() {
            (true, reason) => Ok((true, format!("io_uring: asked for by name; {reason}"))),
            (false, reason) => Err(io::Error::new(io::ErrorKind::Unsupported, reason)),
        },
    }
}

/// What Python's function has given.
#[derive(Debug, Default)]
pub struct CallOutcome {
    pub failed: bool,
    pub value: Option<Sample<'static>>,
    /// Each an action and its arguments.
    pub changes: Vec<(String, Vec<Sample<'static>>)>,
    pub end: Option<CallEnd>,
}

pub struct Engine {
    shared: Arc<Shared>,
    uring: bool,
    reason: String,
    threads: Mutex<Vec<JoinHandle<()>>>,
    baseline: Mutex<snapshot::Baseline>,
}

impl Engine {
    /// Compiles a plan (JSON). `listeners` are (proxy id, listener id, descriptor); the engine
    /// keeps duplicates.
    pub fn new(
        plan: &str,
        listeners: &[(u32, u32, RawFd)],
        choice: Choice,
        threads: usize,
    ) -> Result<Engine, EngineError> {
        let plan = ProxyPlan::from_json(plan).map_err(EngineError::Plan)?;
        let (uring, reason) = choose(choice)?;
        let mut owned: Vec<(u32, u32, OwnedFd)> = Vec::with_capacity(listeners.len());
        for (proxy, listener, fd) in listeners {
            let copy = socket::duplicate(*fd)?;
            let found = plan.proxy(*proxy).and_then(|proxy| {
                let frontend = proxy.frontend.as_ref()?;
                let found = frontend.listeners.iter().find(|one| one.id == *listener)?;
                Some((proxy, found))
            });
            if let Some((proxy, listener)) = found {
                dress_listener(*fd, proxy, listener);
            }
            owned.push((*proxy, *listener, copy));
        }
        let shared = Arc::new(Shared::new(plan, owned, threads.clamp(1, 64))?);
        Ok(Engine {
            shared,
            uring,
            reason,
            threads: Mutex::new(Vec::new()),
            baseline: Mutex::new(snapshot::Baseline::default()),
        })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// "uring" or "epoll".
    pub fn io(&self) -> &'static str {
        if self.uring {
            "uring"
        } else {
            "epoll"
        }
    }

    pub fn io_reason(&self) -> &str {
        &self.reason
    }

    /// Starts the data threads; returns when all of them serve.
    pub fn start(&self) -> Result<(), EngineError> {
        let mut threads = lock(&self.threads);
        if !threads.is_empty() {
            return Ok(());
        }
        let (report, reports) = std::sync::mpsc::channel();
        for index in 0..self.shared.threads.len() {
            let (shared, uring, report) = (self.shared.clone(), self.uring, report.clone());
            let builder = std::thread::Builder::new().name(format!("telamon-data-{index}"));
            threads.push(builder.spawn(move || data_thread(&shared, index, uring, &report))?);
        }
        drop(report);
        let outcome: io::Result<()> = reports.iter().take(threads.len()).collect();
        if let Err(error) = outcome {
            drop(threads);
            self.stop();
            return Err(error.into());
        }
        for ring in &self.shared.rings {
            ring.start()?;
        }
        Ok(())
    }

    pub fn event_fd(&self) -> RawFd {
        self.shared.events.signal.fd()
    }

    pub fn events(&self) -> Vec<Event> {
        self.shared.events.take()
    }

    pub fn respond(&self, token: u64, response: Vec<u8>, keep_alive: bool) {
        if let Some(thread) = self.shared.threads.get(crate::http::thread_of(token)) {
            thread.send(Message::Respond {
                token,
                response,
                keep_alive,
            });
        }
    }

    /// What came of a call. Changes are named as actions are; an error says which is none, and the
    /// call has failed then.
    pub fn answer(&self, token: u64, made: CallOutcome) -> Result<(), EngineError> {
        let names = &self.shared.programs.names;
        let changes: Result<Vec<_>, String> = made
            .changes
            .into_iter()
            .map(|(action, arguments)| Change::new(&action, arguments, names))
            .collect();
        let (answer, outcome) = match changes {
            Ok(changes) if !made.failed => {
                let answer = Answer {
                    failed: false,
                    value: made.value,
                    changes,
                    end: made.end,
                };
                (answer, Ok(()))
            }
            Ok(_) => (Answer::failure(), Ok(())),
            Err(text) => (Answer::failure(), Err(EngineError::Value(text))),
        };
        if let Some(thread) = self.shared.threads.get(crate::http::thread_of(token)) {
            thread.send(Message::Answer { token, answer });
        }
        outcome
    }

    /// The sets of patterns and maps; who holds them sees and changes what the rules look up.
    pub fn patterns(&self) -> &telamon_expr::PatternSets {
        &self.shared.programs.patterns
    }

    /// Name, description and dropped lines of each ring, in the plan's order.
    pub fn rings(&self) -> Vec<(String, String, u64)> {
        let rings = self.shared.rings.iter();
        rings
            .map(|ring| {
                let plan = &ring.plan;
                (plan.name.clone(), plan.description.clone(), ring.dropped())
            })
            .collect()
    }

    /// What is in the ring of this name, from a number on, the oldest first; and the number of the
    /// next line to come.
    pub fn ring_lines(&self, name: &str, from: u64) -> Option<(u64, Vec<Vec<u8>>)> {
        let ring = self
            .shared
            .rings
            .iter()
            .find(|ring| ring.plan.name == name)?;
        Some(ring.lines(from))
    }

    /// Puts a line, without its end, into a ring by its number.
    pub fn write_ring(&self, ring: usize, line: &[u8]) {
        if let Some(ring) = self.shared.rings.get(ring) {
            ring.write(line);
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        snapshot::take(&self.shared, &lock(&self.baseline))
    }

    /// Resets maxima, and with `everything` all totals too.
    pub fn clear_counters(&self, everything: bool) {
        snapshot::reset_maxima(&self.shared);
        if everything {
            *lock(&self.baseline) = snapshot::baseline(&self.shared);
        }
    }

    fn server(&self, proxy_id: u32, server_id: u32) -> Result<(usize, usize), EngineError> {
        let missing = || EngineError::Missing(format!("no server {server_id} in proxy {proxy_id}"));
        let proxies = &self.shared.proxies;
        let at = proxies
            .iter()
            .position(|proxy| proxy.plan.id == proxy_id)
            .ok_or_else(missing)?;
        let backend = proxies[at].backend.as_ref().ok_or_else(missing)?;
        let found = backend
            .servers
            .iter()
            .position(|server| server.id == server_id);
        Ok((at, found.ok_or_else(missing)?))
    }

    pub fn set_server_state(
        &self,
        proxy_id: u32,
        server_id: u32,
        state: ServerState,
    ) -> Result<(), EngineError> {
        let (proxy, server) = self.server(proxy_id, server_id)?;
        let Some(backend) = &self.shared.proxies[proxy].backend else {
            return Ok(());
        };
        let found = &backend.servers[server];
        let before = found.state();
        found.set_state(state);
        let balancer = backend.balancer.inner();
        let was_down = matches!(before, ServerState::Down | ServerState::Maint);
        if state == ServerState::Up && was_down {
            balancer.come_up(server, self.shared.now());
        } else if state != before {
            balancer.set_usable(server, state == ServerState::Up);
        }
        if matches!(state, ServerState::Down | ServerState::Maint) {
            self.shared.scatter_queue(proxy, server);
            if found.end_streams_on_down && before != state {
                self.shared
                    .broadcast(|| Message::KillServer { proxy, server });
            }
        }
        if state == ServerState::Up && before != state && found.end_backups_on_up && !found.backup {
            for (server, _) in backend
                .servers
                .iter()
                .enumerate()
                .filter(|one| one.1.backup)
            {
                self.shared
                    .broadcast(|| Message::KillServer { proxy, server });
            }
        }
        self.shared.serve_queue(proxy, server);
        Ok(())
    }

    /// `weight` 0 to 256.
    pub fn set_server_weight(
        &self,
        proxy_id: u32,
        server_id: u32,
        weight: u32,
    ) -> Result<(), EngineError> {
        let (proxy, server) = self.server(proxy_id, server_id)?;
        if weight > 256 {
            return Err(EngineError::Value(format!(
                "weight {weight} is outside 0 to 256"
            )));
        }
        let Some(backend) = &self.shared.proxies[proxy].backend else {
            return Ok(());
        };
        backend.servers[server].weight.store(weight, Relaxed);
        backend.balancer.inner().set_weight(server, weight as u16);
        self.shared.serve_queue(proxy, server);
        Ok(())
    }

    pub fn set_server_maxconn(
        &self,
        proxy_id: u32,
        server_id: u32,
        maxconn: u32,
    ) -> Result<(), EngineError> {
        let (proxy, server) = self.server(proxy_id, server_id)?;
        let Some(backend) = &self.shared.proxies[proxy].backend else {
            return Ok(());
        };
        backend.servers[server].maxconn.store(maxconn, Relaxed);
        backend.balancer.inner().set_maxconn(server, maxconn);
        self.shared.serve_queue(proxy, server);
        Ok(())
    }

    /// For new connections. `host` is an IP address.
    pub fn set_server_address(
        &self,
        proxy_id: u32,
        server_id: u32,
        host: &str,
        port: u16,
    ) -> Result<(), EngineError> {
        let (proxy, server) = self.server(proxy_id, server_id)?;
        let ip: IpAddr = host
            .parse()
            .map_err(|_| EngineError::Value(format!("'{host}' is not an IP address")))?;
        if let Some(backend) = &self.shared.proxies[proxy].backend {
            backend.servers[server].set_address(SockAddr::inet(SocketAddr::new(ip, port)));
            self.shared
                .broadcast(|| Message::DropIdle { proxy, server });
        }
        Ok(())
    }

    fn frontend(&self, proxy_id: u32) -> Result<&crate::shared::Frontend, EngineError> {
        let found = self
            .shared
            .proxies
            .iter()
            .find(|proxy| proxy.plan.id == proxy_id);
        found
            .and_then(|proxy| proxy.frontend.as_ref())
            .ok_or_else(|| EngineError::Missing(format!("proxy {proxy_id} has no frontend")))
    }

    /// 0 means no limit.
    pub fn set_frontend_maxconn(&self, proxy_id: u32, maxconn: u32) -> Result<(), EngineError> {
        let limit = if maxconn == 0 { u32::MAX } else { maxconn };
        self.frontend(proxy_id)?.maxconn.store(limit, Relaxed);
        self.shared.broadcast(|| Message::Listeners);
        Ok(())
    }

    pub fn set_frontend_enabled(&self, proxy_id: u32, enabled: bool) -> Result<(), EngineError> {
        self.frontend(proxy_id)?.enabled.store(enabled, Relaxed);
        self.shared.broadcast(|| Message::Listeners);
        Ok(())
    }

    /// The frontend takes no more connections, for good; its streams go on. False if that was so.
    pub fn shutdown_frontend(&self, proxy_id: u32) -> Result<bool, EngineError> {
        if self.frontend(proxy_id)?.closed.swap(true, Relaxed) {
            return Ok(false);
        }
        let proxies = &self.shared.proxies;
        let Some(proxy) = proxies.iter().position(|proxy| proxy.plan.id == proxy_id) else {
            return Ok(false);
        };
        let mut sockets = lock(&self.shared.sockets);
        for (listener, socket) in self.shared.listeners.iter().zip(sockets.iter_mut()) {
            if listener.proxy == proxy {
                if let Some(fd) = socket.take() {
                    // Who keeps a duplicate, to start us anew, must not leave clients waiting.
                    let _ = socket::stop_listening(fd.as_raw_fd());
                }
            }
        }
        drop(sockets);
        self.shared.broadcast(|| Message::CloseFrontend { proxy });
        Ok(true)
    }

    /// The process's limit of connections.
    pub fn set_process_maxconn(&self, maxconn: u32) {
        self.shared.maxconn.store(maxconn.max(1), Relaxed);
        self.shared.broadcast(|| Message::Listeners);
    }

    pub fn process_maxconn(&self) -> u32 {
        self.shared.maxconn.load(Relaxed)
    }

    /// The most new connections of the process in a second; 0: no limit.
    pub fn set_connection_rate(&self, limit: u32) {
        self.shared.connection_rate.set_limit(limit);
        self.shared.broadcast(|| Message::Listeners);
    }

    /// The same of new sessions.
    pub fn set_session_rate(&self, limit: u32) {
        self.shared.session_rate.set_limit(limit);
        self.shared.broadcast(|| Message::Listeners);
    }

    /// A variable of the process (`proc.NAME`), if it is set.
    pub fn process_variable(&self, name: &str) -> Option<Sample<'static>> {
        let programs = &self.shared.programs;
        let values = Vars::new(&programs.process_vars);
        programs.names.value(name, &values)
    }

    /// Ends all streams of a server; how many there were.
    pub fn shutdown_sessions(&self, proxy_id: u32, server_id: u32) -> Result<u32, EngineError> {
        let (proxy, server) = self.server(proxy_id, server_id)?;
        let Some(backend) = &self.shared.proxies[proxy].backend else {
            return Ok(0);
        };
        let count = backend.servers[server].gauges.current.load(Relaxed);
        self.shared
            .broadcast(|| Message::KillServer { proxy, server });
        Ok(count)
    }

    /// Closes the listeners; what runs goes on.
    pub fn soft_stop(&self) {
        lock(&self.shared.sockets)
            .iter_mut()
            .for_each(|socket| *socket = None);
        self.shared.broadcast(|| Message::SoftStop);
    }

    /// How many client connections are open.
    pub fn active(&self) -> u32 {
        self.shared.connections.current.load(Relaxed)
    }

    /// How many data threads have ended although nobody stopped them.
    pub fn dead_threads(&self) -> usize {
        lock(&self.threads)
            .iter()
            .filter(|thread| thread.is_finished())
            .count()
    }

    /// Closes everything and joins the threads. May be called more than once.
    pub fn stop(&self) {
        lock(&self.shared.sockets)
            .iter_mut()
            .for_each(|socket| *socket = None);
        self.shared.broadcast(|| Message::Stop);
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            let _ = thread.join();
        }
        self.shared.rings.iter().for_each(|ring| ring.close());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

type Report = std::sync::mpsc::Sender<io::Result<()>>;

fn data_thread(shared: &Arc<Shared>, index: usize, uring: bool, report: &Report) {
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| run(shared, index, uring, report)));
    let text = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => {
            let text = error.to_string();
            if report.send(Err(error)).is_ok() && started.elapsed().as_secs() < 1 {
                // `start` tells it.
                return;
            }
            text
        }
        Err(_) => "an internal error".to_owned(),
    };
    let text = format!("data thread {index} has died: {text}");
    shared.events.push(Event::Message {
        level: "emerg",
        text,
    });
}

fn run(shared: &Arc<Shared>, index: usize, uring: bool, report: &Report) -> io::Result<()> {
    let wake = shared.threads[index].signal.fd();
    let mut sockets = lock(&shared.sockets).clone();
    for (socket, listener) in sockets.iter_mut().zip(&shared.listeners) {
        if !listener.is_for(index, shared.threads.len()) {
            *socket = None;
        }
    }
    if uring {
        let io = UringIo::new(wake)?;
        let _ = report.send(Ok(()));
        Worker::new(io, shared.clone(), index, sockets).run()
    } else {
        let io = EpollIo::new(wake)?;
        let _ = report.send(Ok(()));
        Worker::new(io, shared.clone(), index, sockets).run()
    }
}
