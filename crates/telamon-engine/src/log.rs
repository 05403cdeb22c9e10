//! Where log lines go: sockets opened before privileges are dropped, written to from the data
//! threads, never waited for. A receiver that is slow or gone costs a counter.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use telamon_expr::Format;
use telamon_log::{effective_level, is_sampled, write_message, Identity, WallTime};
use telamon_plan::{Level, LogHeader, LogStep, LogTarget, ProxyPlan, SocketAddress};
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
    profile: Option<Arc<Profile>>,
}

/// A `log-profile`, compiled.
pub(crate) struct Profile {
    pub(crate) tag: Option<String>,
    pub(crate) rules: Vec<ProfileRule>,
}

pub(crate) struct ProfileRule {
    pub(crate) step: LogStep,
    pub(crate) drop: bool,
    pub(crate) line: Option<Format>,
    pub(crate) structured: Option<Format>,
}

impl Profile {
    fn rule(&self, step: LogStep) -> Option<&ProfileRule> {
        let of = |step| self.rules.iter().find(move |rule| rule.step == step);
        of(step).or_else(|| of(LogStep::Any))
    }

    fn has_formats(&self) -> bool {
        let formats = |rule: &ProfileRule| rule.line.is_some() || rule.structured.is_some();
        self.rules.iter().any(formats)
    }
}

/// One line: when it was written, and what it says to targets whose profile says nothing else.
pub(crate) struct Said<'a> {
    pub(crate) step: LogStep,
    pub(crate) level: Level,
    pub(crate) text: &'a [u8],
    /// RFC 5424 6.3; empty for none.
    pub(crate) structured: &'a [u8],
}

/// Writes a profile's format for the stream at hand.
pub(crate) type Render<'a> = &'a dyn Fn(&Format, &mut Vec<u8>);

pub(crate) struct Logger {
    targets: Vec<Target>,
    /// Some target's profile has formats of its own.
    pub(crate) has_formats: bool,
    /// Some target shows structured data.
    pub(crate) is_structured: bool,
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
fn target(
    log: &LogTarget,
    rings: &[Arc<Ring>],
    samples: &GlobalSamples,
    profiles: &[Arc<Profile>],
) -> Target {
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
        profile: log.profile.and_then(|at| profiles.get(at)).cloned(),
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
        profiles: &[Arc<Profile>],
    ) -> Self {
        let logs = proxy.logs.iter();
        let targets = logs.map(|log| target(log, rings, samples, profiles));
        let targets: Vec<Target> = targets.collect();
        let mut used = targets.iter().filter_map(|one| one.profile.as_ref());
        Logger {
            has_formats: used.any(|profile| profile.has_formats()),
            is_structured: targets
                .iter()
                .any(|target| target.plan.header == LogHeader::Rfc5424),
            targets,
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

    /// Sends a line to all targets that want it. `render` writes what profiles make of it.
    pub(crate) fn send(
        &self,
        said: &Said<'_>,
        now: Millis,
        counters: &ThreadCounters,
        render: Option<Render<'_>>,
    ) {
        let when = wall(SystemTime::now());
        let (mut own_text, mut own_data) = (Vec::new(), Vec::new());
        MESSAGE.with_borrow_mut(|message| {
            for target in &self.targets {
                let Some(level) = effective_level(&target.plan, said.level) else {
                    continue;
                };
                let profile = target.profile.as_deref();
                let rule = profile.and_then(|profile| profile.rule(said.step));
                if rule.is_some_and(|rule| rule.drop) {
                    continue;
                }
                let line = rule.and_then(|rule| rule.line.as_ref());
                let data = rule.and_then(|rule| rule.structured.as_ref());
                let text = rendered(line, render, said.text, &mut own_text);
                let identity = Identity {
                    hostname: self.hostname.as_deref(),
                    tag: profile
                        .and_then(|profile| profile.tag.as_deref())
                        .unwrap_or(&self.tag),
                    pid: PID.with(|pid| *pid),
                    structured: rendered(data, render, said.structured, &mut own_data),
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

/// What a profile's format says, or where there is none, what everybody hears.
fn rendered<'a>(
    format: Option<&Format>,
    render: Option<Render<'_>>,
    common: &'a [u8],
    own: &'a mut Vec<u8>,
) -> &'a [u8] {
    match (format, render) {
        (Some(format), Some(render)) => {
            own.clear();
            render(format, own);
            own
        }
        _ => common,
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
