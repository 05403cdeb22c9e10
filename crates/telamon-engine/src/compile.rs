//! From the plan of a section to what threads share of it, and a listener's socket made ready.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU8};
use std::sync::{Mutex, RwLock};

use telamon_balance::Queue;
use telamon_plan::http::NamePolicy;
use telamon_plan::ProxyPlan;
use telamon_sys::socket;

use crate::counters::{Gauges, Rate};
use crate::log::Logger;
use crate::shared::{
    default_maxconn, socket_address, Backend, Frontend, Listener, Proxy, Server, ServerState,
    Target,
};

/// Numbers the objects that have totals.
#[derive(Default)]
pub(crate) struct Objects(pub(crate) usize);

impl Objects {
    fn next(&mut self) -> usize {
        self.0 += 1;
        self.0 - 1
    }
}

/// The ways from frontends to the backends that their rules may name.
pub(crate) fn with_routes(
    mut proxies: Vec<Proxy>,
    programs: &crate::program::Programs,
    index: &HashMap<u32, usize>,
) -> Vec<Proxy> {
    use crate::program::Target;
    for at in 0..proxies.len() {
        let choices = &programs.of[at].backends;
        let named =
            |choice: &crate::program::BackendChoice| matches!(choice.target, Target::Named(_));
        let mut reached: Vec<usize> = if choices.iter().any(named) {
            let serves = |place: &usize| {
                let proxy = &proxies[*place];
                proxy.backend.is_some() && proxy.plan.mode == proxies[at].plan.mode
            };
            (0..proxies.len()).filter(serves).collect()
        } else {
            let fixed = choices.iter().filter_map(|choice| match choice.target {
                Target::Fixed(id) => index.get(&id).copied(),
                Target::Named(_) => None,
            });
            fixed.collect()
        };
        let default = proxies[at].frontend.as_ref().and_then(|one| one.backend);
        let seen = |place: usize| {
            let http = &proxies[place].plan.http;
            programs.of[place].sees_requests()
                || http.buffer_request
                || http.check_cache
                || !matches!(http.name_policy, None | Some(NamePolicy::Preserve))
        };
        let ruled = seen(at) || reached.iter().copied().chain(default).any(seen);
        let captures = {
            let http = &proxies[at].plan.http;
            let cookie = http.cookie_capture.is_some();
            cookie || !http.request_captures.is_empty() || !http.response_captures.is_empty()
        };
        let persists = |place: usize| proxies[place].plan.http.cookie.is_some();
        let persistent = reached.iter().copied().chain(default).any(persists);
        reached.sort_unstable();
        reached.dedup();
        let routes = reached
            .into_iter()
            .filter(|place| Some(*place) != default)
            .map(|place| {
                let route = crate::http::Route::new(&proxies[at].plan, &proxies[place].plan);
                (place as u32, route)
            });
        let routes = routes.collect();
        proxies[at].routes = routes;
        proxies[at].ruled = ruled || captures || persistent;
    }
    proxies
}

pub(crate) fn compile(
    plan: &ProxyPlan,
    proxy: &telamon_plan::Proxy,
    logger: Logger,
    index: &HashMap<u32, usize>,
    threads: usize,
    objects: &mut Objects,
) -> io::Result<Proxy> {
    let frontend = proxy.frontend.as_ref().map(|frontend| Frontend {
        object: objects.next(),
        gauges: Gauges {
            sessions: Rate::limited(proxy.http.session_rate_limit),
            ..Gauges::new()
        },
        maxconn: AtomicU32::new(frontend.maxconn.unwrap_or(u32::MAX)),
        enabled: AtomicBool::new(!proxy.disabled),
        closed: AtomicBool::new(false),
        backend: match frontend.default_backend {
            Some(id) => index.get(&id).copied(),
            None => proxy.backend.is_some().then(|| index[&proxy.id]),
        },
    });
    let maxconn = plan.process.maxconn.unwrap_or_else(default_maxconn);
    let backend = match &proxy.backend {
        None => None,
        Some(backend) => {
            let servers = backend
                .servers
                .iter()
                .map(|server| compile_server(server, proxy.http.cookie.as_ref(), threads, objects))
                .collect::<io::Result<Vec<_>>>()?;
            let brought = || brought_to(plan, proxy.id, maxconn);
            let fullconn = backend.fullconn.unwrap_or_else(brought).max(1);
            Some(Backend {
                object: objects.next(),
                gauges: Gauges::new(),
                fullconn,
                balancer: crate::pick::Balancer::new(backend, fullconn),
                needs_ends: servers.iter().any(Server::serves_one),
                servers,
                queue: Mutex::new(Queue::default()),
            })
        }
    };
    let route = crate::http::Route::default_of(plan, proxy);
    Ok(Proxy {
        plan: proxy.clone(),
        frontend,
        backend,
        route,
        routes: Vec::new(),
        ruled: false,
        errors: proxy.http.errors.iter().filter_map(error_page).collect(),
        logger,
    })
}

/// An error file's content; replies that are made from parts come with the rules.
fn error_page(error: &telamon_plan::http::ErrorReply) -> Option<(u16, Vec<u8>)> {
    let message = error.reply.message.as_deref()?;
    let digits = message.as_bytes().chunks_exact(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Some((error.status, bytes.collect::<Option<Vec<u8>>>()?))
}

/// `fullconn` where the file does not say it: a tenth of what the frontends may bring that come here
/// (manual, fullconn). As in HAProxy, names that rules make up do not count.
fn brought_to(plan: &ProxyPlan, backend: u32, process_maxconn: u32) -> u32 {
    let comes = |proxy: &telamon_plan::Proxy| {
        let frontend = proxy.frontend.as_ref()?;
        let mut named = proxy.rules.backends.iter().filter_map(|rule| rule.backend);
        let reached = proxy.id == backend
            || frontend.default_backend == Some(backend)
            || named.any(|id| id == backend);
        reached.then(|| frontend.maxconn.unwrap_or(process_maxconn))
    };
    let all: u64 = plan.proxies.iter().filter_map(comes).map(u64::from).sum();
    u32::try_from(all.div_ceil(10)).unwrap_or(u32::MAX)
}

fn compile_server(
    server: &telamon_plan::Server,
    cookie: Option<&telamon_plan::http::Cookie>,
    threads: usize,
    objects: &mut Objects,
) -> io::Result<Server> {
    let dynamic = cookie.filter(|cookie| cookie.dynamic && server.cookie.is_none());
    let cookie_key = dynamic.and_then(|cookie| cookie.dynamic_key.clone());
    let address = socket_address(&server.address)?;
    let state = if server.disabled {
        ServerState::Maint
    } else {
        ServerState::Up
    };
    let has_option = |name| server.proxy_options.iter().any(|option| option == name);
    Ok(Server {
        id: server.id,
        name: server.name.clone(),
        object: objects.next(),
        gauges: Gauges::new(),
        weight: AtomicU32::new(u32::from(server.weight.get())),
        maxconn: AtomicU32::new(server.maxconn),
        maxqueue: server.maxqueue,
        backup: server.backup,
        port_offset: server.port_offset,
        send_proxy: server.send_proxy,
        proxy_checksum: has_option("crc32c"),
        proxy_authority: has_option("authority"),
        proxy_unique_id: has_option("unique-id"),
        source_interface: server.source_interface.clone(),
        usesrc: server.usesrc.clone(),
        fast_open: server.fast_open,
        source: server.source.as_ref().map(socket_address).transpose()?,
        tcp_ut: server.tcp_ut.map(millis),
        end_streams_on_down: server.end_streams_on_down,
        end_backups_on_up: server.end_backups_on_up,
        pool: server.pool.clone(),
        idle: crate::http::IdleConnections::new(threads),
        state: AtomicU8::new(state as u8),
        observed: (server.check.as_ref())
            .and_then(|check| check.observe.as_ref())
            .map(crate::observe::Observed::new),
        address: RwLock::new(Target::new(address, cookie_key.as_deref())),
        cookie_key,
    })
}

/// For socket options, which take an int.
fn millis(value: u64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Carries out what a proxy's client side wants of its listening socket; accepted sockets inherit
/// it. A socket that was kept over a reload may have the options of the plan before.
pub(crate) fn dress_listener(
    fd: std::os::fd::RawFd,
    proxy: &telamon_plan::Proxy,
    listener: &telamon_plan::Listener,
) {
    if !socket::is_listening(fd) {
        // `shutdown frontend` has ended it, in the process before; not all sockets can begin anew.
        let backlog = listener.backlog.map_or(BACKLOG, |backlog| backlog as i32);
        let _ = socket::listen(fd, backlog);
    }
    let keep = proxy.client_keepalive;
    // What follows is for TCP: a unix socket refuses it and needs none of it.
    let _ = socket::set_nodelay(fd);
    let _ = set_keepalive(fd, keep);
    let _ = socket::set_user_timeout(fd, listener.tcp_ut.map_or(0, millis));
    let _ = socket::set_defer_accept(fd, i32::from(listener.defer_accept) * DEFER);
    let _ = socket::set_reset_on_close(fd, proxy.nolinger);
}

const BACKLOG: i32 = 1024;

/// Seconds that a silent connection waits in the kernel under `defer-accept`.
const DEFER: i32 = 60;

pub(crate) fn set_keepalive(
    fd: std::os::fd::RawFd,
    keep: Option<telamon_plan::KeepAlive>,
) -> io::Result<()> {
    let seconds = |value: Option<u64>| value.map(|value| millis(value.div_ceil(1000)).max(1));
    let wish = keep.unwrap_or_default();
    let count = wish.count.map(|count| count as i32);
    let (idle, interval) = (seconds(wish.idle), seconds(wish.interval));
    telamon_sys::socket::set_keepalive(fd, keep.is_some(), idle, interval, count)
}

pub(crate) fn listener(
    plan: &ProxyPlan,
    index: &HashMap<u32, usize>,
    proxy_id: u32,
    listener_id: u32,
    objects: &mut Objects,
) -> io::Result<Listener> {
    let missing = || {
        let text = format!("the plan has no listener {listener_id} of proxy {proxy_id}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let frontend = plan
        .proxy(proxy_id)
        .and_then(|proxy| proxy.frontend.as_ref());
    let found = frontend
        .and_then(|frontend| {
            frontend
                .listeners
                .iter()
                .find(|listener| listener.id == listener_id)
        })
        .ok_or_else(missing)?;
    Ok(Listener {
        id: listener_id,
        name: found.name.clone(),
        proxy: index[&proxy_id],
        object: objects.next(),
        maxconn: found.maxconn.unwrap_or(u32::MAX),
        accept_proxy: found.accept_proxy,
        smaller_segments: found.mss.unwrap_or(0).min(0).abs(),
        threads: found.threads,
        gauges: Gauges::new(),
    })
}
