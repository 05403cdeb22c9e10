//! The numbers and texts that fetches ask for (manual 7.3.2 and 7.3.3).

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;

use telamon_expr::{Kernel, Limit, Number, Side, Text, Timer, Whose};
use telamon_session::Millis;
use telamon_sys::socket;

use super::Seen;
use crate::conn::{NONE, NO_FD};
use crate::log::wall;
use crate::shared::ServerState;

impl Seen {
    fn proxy_index(&self, id: Option<u32>, own: u32) -> Option<usize> {
        match id {
            None => (own != NONE).then_some(own as usize),
            Some(id) => self.shared.proxies.iter().position(|one| one.plan.id == id),
        }
    }

    fn server_of(
        &self,
        proxy: Option<u32>,
        server: Option<u32>,
    ) -> Option<(&crate::shared::Backend, usize)> {
        let at = self.proxy_index(proxy, self.backend)?;
        let backend = self.shared.proxies[at].backend.as_ref()?;
        let place = match server {
            None => self.server as usize,
            Some(id) => backend.servers.iter().position(|one| one.id == id)?,
        };
        (place < backend.servers.len()).then_some((backend, place))
    }

    /// A server as the file has it.
    fn planned_server(&self, proxy: Option<u32>, id: u32) -> Option<&telamon_plan::Server> {
        let at = self.proxy_index(proxy, self.backend)?;
        let backend = self.shared.proxies[at].plan.backend.as_ref()?;
        backend.servers.iter().find(|server| server.id == id)
    }

    fn backend_number(&self, what: Number, proxy: Option<u32>) -> Option<i64> {
        // Where a fetch names no backend, the frontend's own is meant.
        let own = if self.backend == NONE {
            self.proxy
        } else {
            self.backend
        };
        let at = self.proxy_index(proxy, own)?;
        let backend = self.shared.proxies[at].backend.as_ref()?;
        let usable = || backend.servers.iter().filter(|server| server.is_usable());
        let current = |server: &crate::shared::Server| server.gauges.current.load(Relaxed);
        let queued = i64::from(backend.gauges.queued.load(Relaxed));
        Some(match what {
            Number::BackendConnections => i64::from(backend.gauges.current.load(Relaxed)),
            Number::BackendSessionRate => i64::from(backend.gauges.sessions.read(self.now)),
            Number::UsableServers => usable().count() as i64,
            Number::Queue => queued,
            Number::AverageQueue => match usable().count() as i64 {
                0 => queued * 9999,
                count => (queued + count - 1) / count,
            },
            Number::BackendFreeConnections => {
                let mut free = 0;
                for server in usable() {
                    let limit = server.maxconn.load(Relaxed);
                    if limit == 0 {
                        return Some(-1);
                    }
                    free += i64::from(limit.saturating_sub(current(server)));
                }
                free
            }
            Number::ConnectionSlots => {
                let mut slots = 0;
                for server in usable() {
                    let limit = server.maxconn.load(Relaxed);
                    if limit == 0 || server.maxqueue == 0 {
                        return Some(-1);
                    }
                    let held = current(server) + server.gauges.queued.load(Relaxed);
                    slots += i64::from(limit + server.maxqueue) - i64::from(held);
                }
                slots
            }
            _ => return None,
        })
    }

    fn server_number(&self, what: Number, proxy: Option<u32>, server: Option<u32>) -> Option<i64> {
        let (backend, place) = self.server_of(proxy, server)?;
        let server = &backend.servers[place];
        let current = server.gauges.current.load(Relaxed);
        Some(match what {
            Number::ServerConnections => i64::from(current),
            Number::ServerQueue => i64::from(server.gauges.queued.load(Relaxed)),
            Number::ServerSessionRate => i64::from(server.gauges.sessions.read(self.now)),
            Number::ServerInitialWeight => {
                let planned = self.planned_server(proxy, server.id)?;
                i64::from(planned.weight.get())
            }
            Number::ServerUserWeight | Number::ServerWeight => {
                i64::from(server.weight.load(Relaxed))
            }
            Number::ServerIsUp => {
                let up = matches!(server.state(), ServerState::Up | ServerState::Drain);
                i64::from(up)
            }
            Number::ServerFreeConnections => match server.maxconn.load(Relaxed) {
                0 => -1,
                limit => i64::from(limit.saturating_sub(current)),
            },
            _ => return None,
        })
    }

    pub(super) fn known_number(
        &self,
        what: Number,
        proxy: Option<u32>,
        server: Option<u32>,
    ) -> Option<i64> {
        let shared = &self.shared;
        let (live, line) = (&self.live, &self.line);
        let front = || {
            let at = self.proxy_index(proxy, self.proxy)?;
            shared.proxies[at].frontend.as_ref()
        };
        let micros = |time: Option<_>| Some(wall(time?).unix_micros);
        match what {
            Number::AcceptedMicros => micros(line.accepted),
            Number::ActiveConnections => Some(i64::from(shared.connections.current.load(Relaxed))),
            Number::BackendQueuePlace => Some(i64::from(live.places[1])),
            Number::BeganMicros => micros(line.began),
            Number::BytesFromClient => Some(line.received as i64),
            Number::BytesToClient => Some(line.sent as i64),
            // Those who wait for a PROXY header, or in vain for a server, ask no fetches.
            Number::Error(side) => self.has(side).then_some(0),
            Number::FirstRequest => Some(i64::from(self.first)),
            Number::FrontendConnections => Some(i64::from(front()?.gauges.current.load(Relaxed))),
            Number::FrontendRequestRate => Some(i64::from(front()?.gauges.requests.read(self.now))),
            Number::FrontendSessionRate => Some(i64::from(front()?.gauges.sessions.read(self.now))),
            Number::HttpMajor(side) | Number::Streams(side) => self.has(side).then_some(1),
            Number::Kernel(side, value) => self.kernel(side, value),
            Number::Limit(whose, limit) => self.limit(whose, limit),
            Number::ListenerConnections => {
                let listener = &shared.listeners[self.listener as usize];
                Some(i64::from(listener.gauges.current.load(Relaxed)))
            }
            Number::PriorityClass => Some(i64::from(live.priority.get().class)),
            Number::PriorityOffset => Some(i64::from(live.priority.get().offset)),
            Number::Process => Some(i64::from(std::process::id())),
            Number::ReceivedProxy => Some(i64::from(live.told.is_some())),
            Number::Redispatched => Some(i64::from(line.counts.redispatched)),
            Number::Retries => Some(i64::from(line.counts.retries)),
            Number::Reused => self.has(Side::Server).then_some(i64::from(live.reused)),
            Number::RuleLine => live.last_rule.as_ref().map(|rule| i64::from(rule.line)),
            Number::ServerQueuePlace => Some(i64::from(live.places[0])),
            Number::ServerStatus => live.server_status.map(i64::from),
            Number::Status => line.status.map(i64::from),
            Number::Stopping => Some(i64::from(live.stopping)),
            Number::Threads => Some(shared.threads.len() as i64),
            Number::Thread => Some(self.thread as i64),
            Number::Timer(timer) => self.timer(timer).map(|time| time as i64),
            Number::Transaction => {
                // The same for all of a transaction, and seldom that of another.
                let began = micros(line.began)? as u32;
                Some(i64::from(began.wrapping_add(self.requests)))
            }
            Number::AverageQueue
            | Number::BackendConnections
            | Number::BackendFreeConnections
            | Number::BackendSessionRate
            | Number::ConnectionSlots
            | Number::UsableServers
            | Number::Queue => self.backend_number(what, proxy),
            _ => self.server_number(what, proxy, server),
        }
    }

    pub(super) fn known_text(&self, what: Text) -> Option<Cow<'_, str>> {
        match what {
            Text::DefaultBackend => {
                let proxies = &self.shared.proxies;
                let front = &proxies[self.proxy as usize].plan;
                let id = front.frontend.as_ref()?.default_backend?;
                let named = proxies.iter().find(|one| one.plan.id == id)?;
                Some(named.plan.name.as_str().into())
            }
            Text::ErrorText(side) => self.has(side).then_some("Success".into()),
            Text::RuleFile => Some(self.live.last_rule.as_ref()?.file.as_str().into()),
            Text::State => Some(String::from_utf8_lossy(&self.line.state)),
        }
    }

    /// There is, or was, a connection on this side.
    fn has(&self, side: Side) -> bool {
        self.live.fd(side) != NO_FD || (side == Side::Server && self.line.connect.is_some())
    }

    fn timer(&self, timer: Timer) -> Option<Millis> {
        let line = &self.line;
        match timer {
            // There is no TLS, and a PROXY header comes before a stream.
            Timer::Handshake => Some(0),
            Timer::Idle => Some(line.idle),
            Timer::Request => line.request,
            Timer::WholeRequest => line.request.map(|time| time + line.idle),
            Timer::Queue => line.queued,
            Timer::Connect => line.connect,
            Timer::Response => line.response,
            Timer::Data => {
                let before = [line.request, line.queued, line.connect, line.response];
                line.response?;
                Some(line.active.saturating_sub(before.iter().flatten().sum()))
            }
            Timer::Active => Some(line.active),
            Timer::User => Some(line.total.saturating_sub(line.idle)),
            Timer::Total => Some(line.total),
        }
    }

    /// 0: there is none.
    fn limit(&self, whose: Whose, limit: Limit) -> Option<i64> {
        let live = &self.live;
        let plan = match whose {
            Whose::Frontend => &self.shared.proxies[self.proxy as usize].plan,
            Whose::Backend => {
                // Before one is chosen, the section is its own.
                let own = [self.backend, self.proxy];
                let at = own.into_iter().find(|at| *at != NONE)?;
                &self.shared.proxies[at as usize].plan
            }
            Whose::Current => {
                let policy = live.policy.get();
                if self.backend == NONE && !matches!(limit, Limit::Client | Limit::Tarpit) {
                    return Some(0);
                }
                let time = match limit {
                    Limit::Client => policy.client,
                    Limit::Connect => policy.connect,
                    Limit::Queue => policy.queue,
                    Limit::Server => policy.server,
                    Limit::Tarpit => live.tarpit.get(),
                    Limit::Tunnel => policy.tunnel,
                    Limit::Retries => return Some(i64::from(policy.retries)),
                };
                return Some(time.unwrap_or(0) as i64);
            }
        };
        let timeouts = &plan.timeouts;
        let time = match limit {
            Limit::Client => timeouts.client,
            Limit::Connect => timeouts.connect,
            Limit::Queue => timeouts.queue,
            Limit::Server => timeouts.server,
            Limit::Tarpit => timeouts.tarpit,
            Limit::Tunnel => timeouts.tunnel,
            Limit::Retries => return Some(i64::from(plan.backend.as_ref()?.retries)),
        };
        Some(time.unwrap_or(0) as i64)
    }

    fn kernel(&self, side: Side, value: Kernel) -> Option<i64> {
        let fd = self.live.fd(side);
        let info = (fd != NO_FD).then(|| socket::tcp_info(fd).ok())??;
        Some(i64::from(match value {
            Kernel::Rtt => info.rtt,
            Kernel::RttVar => info.rttvar,
            Kernel::Unacked => info.unacked,
            Kernel::Sacked => info.sacked,
            Kernel::Lost => info.lost,
            Kernel::Retrans => info.retrans,
            Kernel::Fackets => info.fackets,
            Kernel::Reordering => info.reordering,
        }))
    }
}
