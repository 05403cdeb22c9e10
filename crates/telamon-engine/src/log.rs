//! Where log lines go: sockets opened before privileges are dropped, written to from the data
//! threads, never waited for. A receiver that is slow or gone costs a counter.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use telamon_log::{effective_level, is_sampled, write_message, Identity, WallTime};
use telamon_plan::{Level, LogTarget, ProxyPlan, SocketAddress};
use telamon_session::Millis;
use telamon_sys::{process, socket, SockAddr};

use crate::counters::{ProcessTotal, ThreadCounters};
use crate::ring::Ring;
use crate::shared::socket_address;

/// A receiver that went away is looked for this often.
const RECONNECT: i64 = 1000;

enum Sink {
    /// `address` is where a restarted receiver is found again.
    Datagram {
        fd: OwnedFd,
        address: SockAddr,
    },
    Stream(RawFd),
    Ring(Arc<Ring>),
    /// It could not be opened: each line is counted as dropped.
    Dead,
}

struct Target {
    plan: LogTarget,
    sink: Sink,
    last_connect: AtomicI64,
    /// Messages so far, if `sample` counts them.
    seen: Arc<AtomicU64>,
}

pub(crate) struct Logger {
    targets: Vec<Target>,
    tag: String,
    hostname: Option<String>,
}

thread_local! {
    static MESSAGE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Asked once: it is a system call.
    static PID: u32 = std::process::id();
}

pub(crate) fn wall(time: SystemTime) -> WallTime {
    let micros = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_micros() as i64,
        Err(before) => -(before.duration().as_micros() as i64),
    };
    WallTime {
        unix_micros: micros,
        utc_offset: process::utc_offset(micros.div_euclid(1_000_000)),
    }
}

/// The `log` lines of the global section: those who say `log global` count together, as they are
/// one line.
pub(crate) struct GlobalSamples(Vec<(LogTarget, Arc<AtomicU64>)>);

impl GlobalSamples {
    pub(crate) fn new(plan: &ProxyPlan) -> Self {
        let logs = plan.process.logs.iter();
        GlobalSamples(logs.map(|log| (log.clone(), Arc::default())).collect())
    }

    fn of(&self, log: &LogTarget) -> Arc<AtomicU64> {
        let found = self.0.iter().find(|(global, _)| global == log);
        found.map_or_else(Arc::default, |(_, seen)| seen.clone())
    }
}

/// The target with the ring's header and length, if it is one.
fn target(log: &LogTarget, rings: &[Arc<Ring>], samples: &GlobalSamples) -> Target {
    let mut plan = log.clone();
    let sink = match log.ring.and_then(|ring| rings.get(ring)) {
        Some(ring) => {
            plan.header = ring.plan.header;
            plan.length = ring.plan.max_length;
            Sink::Ring(ring.clone())
        }
        None => plan.address.as_ref().map_or(Sink::Dead, open),
    };
    Target {
        plan,
        sink,
        last_connect: AtomicI64::new(-RECONNECT),
        seen: samples.of(log),
    }
}

fn open(address: &SocketAddress) -> Sink {
    if let SocketAddress::Fd { fd } = address {
        return Sink::Stream(*fd);
    }
    let opened = socket_address(address).and_then(|address| {
        let fd = socket::datagram_for(&address)?;
        // A receiver that does not run yet is no error: it is tried again later.
        let _ = socket::connect_datagram(fd.as_raw_fd(), &address);
        Ok(Sink::Datagram { fd, address })
    });
    opened.unwrap_or(Sink::Dead)
}

impl Logger {
    pub(crate) fn new(
        plan: &ProxyPlan,
        proxy: &telamon_plan::Proxy,
        rings: &[Arc<Ring>],
        samples: &GlobalSamples,
    ) -> Self {
        let logs = proxy.logs.iter();
        Logger {
            targets: logs.map(|log| target(log, rings, samples)).collect(),
            tag: proxy
                .log_tag
                .clone()
                .unwrap_or_else(|| plan.process.log_tag.clone()),
            hostname: plan.process.log_send_hostname.clone(),
        }
    }

    pub(crate) fn wanted(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Sends a line to all targets that want it.
    pub(crate) fn send(&self, text: &[u8], level: Level, now: Millis, counters: &ThreadCounters) {
        let when = wall(SystemTime::now());
        let identity = Identity {
            hostname: self.hostname.as_deref(),
            tag: &self.tag,
            pid: PID.with(|pid| *pid),
        };
        MESSAGE.with_borrow_mut(|message| {
            for target in &self.targets {
                let Some(level) = effective_level(&target.plan, level) else {
                    continue;
                };
                if let Some(sample) = &target.plan.sample {
                    if !is_sampled(sample, target.seen.fetch_add(1, Relaxed)) {
                        continue;
                    }
                }
                write_message(message, &target.plan, level, &identity, when, text);
                let what = match target.send(message, now) {
                    Ok(()) => ProcessTotal::SentLogs,
                    Err(_) => ProcessTotal::DroppedLogs,
                };
                counters.add(what, 1);
            }
        });
    }
}

impl Target {
    fn send(&self, message: &[u8], now: Millis) -> io::Result<()> {
        match &self.sink {
            Sink::Dead => Err(io::ErrorKind::NotConnected.into()),
            Sink::Ring(ring) => {
                let line = message.strip_suffix(b"\n").unwrap_or(message);
                let kept = ring.write(line);
                kept.then_some(()).ok_or(io::ErrorKind::OutOfMemory.into())
            }
            Sink::Stream(fd) => {
                // A full pipe would block the thread and all its connections.
                if !socket::writable_now(*fd) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                socket::write(*fd, message).map(drop)
            }
            Sink::Datagram { fd, address } => {
                let first = socket::send_datagram(fd.as_raw_fd(), message);
                match first.as_ref().map_err(io::Error::raw_os_error) {
                    Ok(()) => Ok(()),
                    // UDP: tells of an earlier datagram that met nobody; this one may.
                    Err(Some(libc::ECONNREFUSED)) if address.as_inet().is_some() => {
                        socket::send_datagram(fd.as_raw_fd(), message)
                    }
                    Err(Some(libc::EAGAIN | libc::ENOBUFS)) => first,
                    Err(_) => self.reconnect(fd, address, message, now),
                }
            }
        }
    }

    /// The receiver was restarted: its socket file is a new one.
    fn reconnect(
        &self,
        fd: &OwnedFd,
        address: &SockAddr,
        message: &[u8],
        now: Millis,
    ) -> io::Result<()> {
        if now as i64 - self.last_connect.load(Relaxed) < RECONNECT {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.last_connect.store(now as i64, Relaxed);
        socket::connect_datagram(fd.as_raw_fd(), address)?;
        socket::send_datagram(fd.as_raw_fd(), message)
    }
}
