//! The plan, compiled: what all threads and the control side share.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicU8, Ordering::*};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use telamon_balance::Queue;
use telamon_plan::{Presented, ProxyPlan, SocketAddress};
use telamon_session::Millis;
use telamon_sys::{process, SockAddr};

use crate::compile::{compile, listener, with_routes, Objects};
use crate::counters::{Gauges, Rate, ThreadCounters};
use crate::http::DynamicCookie;
use crate::log::{GlobalSamples, Logger};
use crate::mailbox::{Events, Mailbox, Message};
use crate::ring::Ring;
use crate::sizes::Sizes;

/// What the balancer may do with a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ServerState {
    Up = 0,
    Drain = 1,
    Down = 2,
    Maint = 3,
}

impl ServerState {
    fn from_u8(value: u8) -> Self {
        match value {
            0 => ServerState::Up,
            1 => ServerState::Drain,
            2 => ServerState::Down,
            _ => ServerState::Maint,
        }
    }
}

/// Descriptors kept free for logs, checks, the stats socket and accepts that are refused.
const SPARE_DESCRIPTORS: u64 = 64;
const DEFAULT_MAXCONN: u64 = 100_000;

/// One frontend's shared half.
pub(crate) struct Frontend {
    pub(crate) object: usize,
    pub(crate) gauges: Gauges,
    pub(crate) maxconn: AtomicU32,
    pub(crate) enabled: AtomicBool,
    /// It was shut down: for good, unlike one that is paused.
    pub(crate) closed: AtomicBool,
    /// Index of the proxy whose backend takes the streams.
    pub(crate) backend: Option<usize>,
}

impl Frontend {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }
}

/// One listening socket.
pub(crate) struct Listener {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) proxy: usize,
    pub(crate) object: usize,
    pub(crate) maxconn: u32,
    /// A header of the PROXY protocol comes first.
    pub(crate) accept_proxy: bool,
    /// Our segments are by so much smaller than the client allows.
    pub(crate) smaller_segments: i32,
    /// Threads, as bits, that take its connections.
    pub(crate) threads: Option<u64>,
    pub(crate) gauges: Gauges,
}

impl Listener {
    /// Does this thread take its connections? All do where none of the named ones runs.
    pub(crate) fn is_for(&self, thread: usize, threads: usize) -> bool {
        let all = u64::MAX >> (64 - threads.clamp(1, 64));
        let named = self.threads.map_or(all, |named| named & all);
        named == 0 || named >> thread.min(63) & 1 == 1
    }
}

/// Who waits for a place at a server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Waiter {
    pub(crate) thread: usize,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    /// Index of the backend's proxy.
    pub(crate) backend: u32,
}

pub(crate) struct Backend {
    pub(crate) object: usize,
    pub(crate) gauges: Gauges,
    pub(crate) fullconn: u32,
    pub(crate) servers: Vec<Server>,
    /// Some server asks who the client is and where it wanted to go.
    pub(crate) needs_ends: bool,
    pub(crate) balancer: crate::pick::Balancer,
    pub(crate) queue: Mutex<Queue<Waiter>>,
}

impl Backend {
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue<Waiter>> {
        lock(&self.queue)
    }

    /// Takes a place at a server if it has one.
    pub(crate) fn try_enter(&self, server: usize) -> bool {
        let gauges = &self.servers[server].gauges;
        let entered = match self.balancer.inner().limit(server) {
            None => {
                gauges.enter();
                true
            }
            Some(limit) => gauges.try_enter(limit),
        };
        if entered {
            self.balancer.inner().take(server);
        }
        entered
    }

    /// Whether a stream that belongs to this server (by a cookie, `use-server`) may go there: it
    /// may be draining, but not down unless the stream is `forced` (`option persist`,
    /// `force-persist`).
    pub(crate) fn may_use(&self, server: usize, forced: bool) -> bool {
        use ServerState::{Drain, Up};
        forced || matches!(self.servers[server].state(), Up | Drain)
    }

    /// Whether a client may stay with the server of its last request (manual, `option
    /// prefer-last-server`, `max-keep-alive-queue`).
    pub(crate) fn may_prefer(&self, server: usize, longest_queue: u32) -> bool {
        let balancer = self.balancer.inner();
        let room = longest_queue == 0
            || !balancer.is_full(server)
            || balancer.queued(server) + 1 < longest_queue;
        room && self.servers[server].is_usable() && !self.balancer.hashes()
    }

    /// Gives it back; `Shared::serve_queue` then finds it a new owner.
    pub(crate) fn leave(&self, server: usize) {
        self.balancer.inner().release(server);
        self.servers[server].gauges.current.fetch_sub(1, SeqCst);
    }
}

pub(crate) struct Server {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) object: usize,
    pub(crate) gauges: Gauges,
    pub(crate) weight: AtomicU32,
    pub(crate) maxconn: AtomicU32,
    pub(crate) maxqueue: u32,
    pub(crate) backup: bool,
    pub(crate) port_offset: Option<i32>,
    pub(crate) send_proxy: u32,
    /// What its PROXY header has besides the addresses.
    pub(crate) proxy_checksum: bool,
    pub(crate) proxy_authority: bool,
    pub(crate) proxy_unique_id: bool,
    pub(crate) source: Option<SockAddr>,
    pub(crate) source_interface: Option<String>,
    pub(crate) usesrc: Option<telamon_plan::UseSource>,
    pub(crate) fast_open: bool,
    pub(crate) tcp_ut: Option<i32>,
    pub(crate) end_streams_on_down: bool,
    pub(crate) end_backups_on_up: bool,
    /// Connections that idle, and their limits.
    pub(crate) pool: telamon_plan::http::PoolLimits,
    pub(crate) idle: crate::http::IdleConnections,
    pub(crate) state: AtomicU8,
    /// `observe`
    pub(crate) observed: Option<crate::observe::Observed>,
    /// The secret of `cookie ... dynamic`, where it has no cookie of its own.
    pub(crate) cookie_key: Option<String>,
    pub(crate) address: RwLock<Target>,
}

/// Where a server is: `port_offset`-free address ready for connect.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SockAddr,
    /// What `cookie ... dynamic` makes of it.
    cookie: Option<DynamicCookie>,
}

impl Target {
    pub(crate) fn new(address: SockAddr, cookie_key: Option<&str>) -> Target {
        let cookie = cookie_key.and_then(|key| DynamicCookie::new(key, &address));
        Target { address, cookie }
    }
}

impl Server {
    pub(crate) fn state(&self) -> ServerState {
        ServerState::from_u8(self.state.load(Acquire))
    }

    pub(crate) fn set_state(&self, state: ServerState) {
        self.state.store(state as u8, Release);
    }

    /// As many connections idle or serve as have served at once (`show servers conn` calls it
    /// `need_est`): no other will be missed.
    pub(crate) fn idles_enough(&self) -> bool {
        let have = self.gauges.current.load(Relaxed) + self.idle.total();
        have >= self.gauges.max.load(Relaxed)
    }

    /// A connection to it is made for one client, and says so or goes where that one wants to.
    pub(crate) fn serves_one(&self) -> bool {
        let own = |usesrc: &telamon_plan::UseSource| usesrc.whose != Presented::Address;
        self.send_proxy > 0 || self.port_offset.is_some() || self.usesrc.as_ref().is_some_and(own)
    }

    pub(crate) fn is_usable(&self) -> bool {
        self.state() == ServerState::Up && self.weight.load(Relaxed) > 0
    }

    pub(crate) fn address(&self) -> SockAddr {
        self.address
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .address
    }

    pub(crate) fn set_address(&self, address: SockAddr) {
        let target = Target::new(address, self.cookie_key.as_deref());
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Its value in the persistence cookie, if that is made of its address.
    pub(crate) fn dynamic_cookie(&self) -> Option<DynamicCookie> {
        self.cookie_key.as_ref()?;
        let target = self.address.read();
        target.unwrap_or_else(PoisonError::into_inner).cookie
    }
}

pub(crate) struct Proxy {
    pub(crate) plan: telamon_plan::Proxy,
    pub(crate) frontend: Option<Frontend>,
    pub(crate) backend: Option<Backend>,
    /// What holds on the way to its default backend.
    pub(crate) route: crate::http::Route,
    /// The routes to backends that rules name, by the backend's place.
    pub(crate) routes: Vec<(u32, crate::http::Route)>,
    /// Rules look at this frontend's requests, or at those of a backend that it may choose.
    pub(crate) ruled: bool,
    /// Error pages of the section's own, by status.
    pub(crate) errors: Vec<(u16, Vec<u8>)>,
    pub(crate) logger: Logger,
}

/// All of it.
pub(crate) struct Shared {
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) rings: Vec<Arc<Ring>>,
    pub(crate) programs: crate::program::Programs,
    pub(crate) hostname: String,
    pub(crate) sizes: Sizes,
    /// `h1-case-adjust`
    pub(crate) cases: telamon_http::Cases,
    /// How long rules wait for a function.
    pub(crate) call_timeout: Millis,
    pub(crate) listeners: Vec<Listener>,
    /// By listener; each thread holds its own until it has stopped accepting.
    pub(crate) sockets: Mutex<Vec<Option<Arc<OwnedFd>>>>,
    pub(crate) threads: Vec<Mailbox>,
    pub(crate) counters: Vec<ThreadCounters>,
    pub(crate) events: Events,
    pub(crate) connections: Gauges,
    pub(crate) connection_rate: Rate,
    pub(crate) session_rate: Rate,
    /// Of each thread.
    pub(crate) most_pipes: u32,
    pub(crate) maxconn: AtomicU32,
    /// Threads lend each other idle connections (`tune.idle-pool.shared`).
    pub(crate) idle_is_shared: bool,
    /// Threads (as bits) that wait for room to accept.
    pub(crate) waiting_threads: AtomicU64,
    /// How many objects have totals.
    pub(crate) objects: usize,
    pub(crate) started: Instant,
}

/// How many pipes a thread may use: each takes two descriptors.
const PIPES: u32 = 64;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked is contained; what the lock guards is changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.unwrap_or_default().trim().to_owned()
}

pub(crate) fn default_maxconn() -> u32 {
    let descriptors = process::descriptor_limit().unwrap_or(1024);
    // Two descriptors a stream.
    let room = descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2;
    room.clamp(1, DEFAULT_MAXCONN) as u32
}

pub(crate) fn socket_address(address: &SocketAddress) -> io::Result<SockAddr> {
    match address {
        SocketAddress::Inet { host, port } => Ok(SockAddr::inet((*host, *port).into())),
        SocketAddress::Unix { path, is_abstract } => SockAddr::unix(path.as_bytes(), *is_abstract),
        SocketAddress::Fd { .. } => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a server cannot be a descriptor",
        )),
    }
}

impl Shared {
    /// Compiles `plan`; `descriptors` are (proxy id, listener id, descriptor to own).
    pub(crate) fn new(
        plan: ProxyPlan,
        descriptors: Vec<(u32, u32, OwnedFd)>,
        threads: usize,
    ) -> io::Result<Shared> {
        let mut objects = Objects::default();
        let index: HashMap<u32, usize> = plan
            .proxies
            .iter()
            .enumerate()
            .map(|(at, proxy)| (proxy.id, at))
            .collect();
        let rings: Vec<_> = plan.process.rings.iter().map(Ring::new).collect();
        let samples = GlobalSamples::new(&plan);
        let programs = crate::program::Programs::new(&plan)?;
        let proxies = plan
            .proxies
            .iter()
            .map(|proxy| {
                let logger = Logger::new(&plan, proxy, &rings, &samples, &programs.profiles);
                compile(&plan, proxy, logger, &index, threads, &mut objects)
            })
            .collect::<io::Result<Vec<_>>>()?;
        let proxies = with_routes(proxies, &programs, &index);
        let (mut listeners, mut sockets) = (Vec::new(), Vec::new());
        for (proxy_id, listener_id, fd) in descriptors {
            listeners.push(listener(
                &plan,
                &index,
                proxy_id,
                listener_id,
                &mut objects,
            )?);
            sockets.push(Some(Arc::new(fd)));
        }
        Ok(Shared {
            maxconn: AtomicU32::new(plan.process.maxconn.unwrap_or_else(default_maxconn)),
            proxies,
            rings,
            programs,
            hostname: hostname(),
            sizes: Sizes::new(&plan.process),
            cases: telamon_http::Cases::new(plan.process.header_cases.iter().map(|case| {
                let bytes = |text: &str| text.as_bytes().to_vec();
                (bytes(&case.name), bytes(&case.written))
            })),
            call_timeout: plan.process.python_timeout,
            listeners,
            sockets: Mutex::new(sockets),
            threads: (0..threads)
                .map(|_| Mailbox::new())
                .collect::<io::Result<_>>()?,
            counters: (0..threads)
                .map(|_| ThreadCounters::new(objects.0))
                .collect(),
            events: Events::new()?,
            connections: Gauges::new(),
            connection_rate: Rate::limited(plan.process.connection_rate),
            session_rate: Rate::limited(plan.process.session_rate),
            most_pipes: plan
                .process
                .max_pipes
                .map_or(PIPES, |most| most.div_ceil(threads as u32)),
            idle_is_shared: plan.process.idle_pool_shared && threads > 1,
            waiting_threads: AtomicU64::new(0),
            objects: objects.0,
            started: Instant::now(),
        })
    }

    /// What a frontend and a backend say together.
    #[inline]
    pub(crate) fn route(&self, proxy: u32, backend: u32) -> &crate::http::Route {
        let front = &self.proxies[proxy as usize];
        let named = front.routes.iter().find(|one| one.0 == backend);
        named.map_or(&front.route, |one| &one.1)
    }

    /// A server by its backend's proxy; None where there is none, as for `NONE`.
    pub(crate) fn server(&self, backend: u32, server: u32) -> Option<&Server> {
        let backend = self.proxies.get(backend as usize)?.backend.as_ref()?;
        backend.servers.get(server as usize)
    }

    /// The engine's clock.
    pub(crate) fn now(&self) -> Millis {
        self.started.elapsed().as_millis() as Millis
    }

    pub(crate) fn broadcast(&self, message: impl Fn() -> Message) {
        for thread in &self.threads {
            thread.send(message());
        }
    }

    /// Room was made: tells the threads that stopped accepting for want of it.
    pub(crate) fn room_made(&self) {
        if self.waiting_threads.load(Relaxed) == 0 {
            return;
        }
        let waiting = self.waiting_threads.swap(0, AcqRel);
        for (index, thread) in self.threads.iter().enumerate() {
            if waiting >> (index & 63) & 1 == 1 {
                thread.send(Message::Listeners);
            }
        }
    }

    /// Its server cannot serve them any more: those who wait for it alone choose again.
    pub(crate) fn scatter_queue(&self, proxy: usize, server: usize) {
        let Some(backend) = &self.proxies[proxy].backend else {
            return;
        };
        let waiters = backend.queue().scatter(server);
        for waiter in waiters {
            backend.gauges.dequeue();
            backend.servers[server].gauges.dequeue();
            backend.balancer.inner().dequeue(server);
            self.threads[waiter.thread].send(Message::Repick(waiter));
        }
    }

    /// Gives free places of a server to those who wait longest.
    pub(crate) fn serve_queue(&self, proxy: usize, server_index: usize) {
        let Some(backend) = &self.proxies[proxy].backend else {
            return;
        };
        let server = &backend.servers[server_index];
        while backend.gauges.queued.load(SeqCst) > 0 {
            let mut queue = backend.queue();
            if !backend.try_enter(server_index) {
                return;
            }
            // One that drains still serves those that belong to it.
            let next = if server.is_usable() {
                queue.pop(server_index)
            } else {
                queue.pop_own(server_index).map(|waiter| (true, waiter))
            };
            let Some((bound, waiter)) = next else {
                backend.leave(server_index);
                return;
            };
            backend.gauges.dequeue();
            if bound {
                server.gauges.dequeue();
                backend.balancer.inner().dequeue(server_index);
            }
            drop(queue);
            self.threads[waiter.thread].send(Message::Place {
                waiter,
                server: server_index,
            });
        }
    }
}
