//! What an expression can see.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use telamon_http::Message;

use crate::actions::Wanted;
use crate::calls::Calls;
use crate::vars::Vars;

/// Counters and states that fetches ask for (manual 7.3.2 and 7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    AcceptedMicros,
    ActiveConnections,
    AverageQueue,
    BackendConnections,
    BackendFreeConnections,
    BackendQueuePlace,
    BackendSessionRate,
    BeganMicros,
    BytesFromClient,
    BytesToClient,
    ConnectionSlots,
    /// 0 without an error; no value without a connection.
    Error(Side),
    FirstRequest,
    FrontendConnections,
    FrontendRequestRate,
    FrontendSessionRate,
    HttpMajor(Side),
    /// What the kernel knows of a connection.
    Kernel(Side, Kernel),
    Limit(Whose, Limit),
    ListenerConnections,
    PriorityClass,
    PriorityOffset,
    Process,
    Queue,
    ReceivedProxy,
    Redispatched,
    Retries,
    Reused,
    RuleLine,
    ServerConnections,
    ServerFreeConnections,
    ServerInitialWeight,
    ServerIsUp,
    ServerQueue,
    ServerQueuePlace,
    ServerSessionRate,
    ServerStatus,
    ServerUserWeight,
    ServerWeight,
    Status,
    Stopping,
    Streams(Side),
    Thread,
    Threads,
    Timer(Timer),
    Transaction,
    UsableServers,
}

/// An end of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// Fields of `TCP_INFO` (tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Microseconds, as `RttVar`.
    Rtt,
    RttVar,
    Unacked,
    Sacked,
    Lost,
    Retrans,
    Fackets,
    Reordering,
}

/// Whose limit: as the file says it, or as rules have left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Frontend,
    Backend,
    Current,
}

/// Timeouts (milliseconds), and how often a connect is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Client,
    Connect,
    Queue,
    Server,
    Tarpit,
    Tunnel,
    Retries,
}

/// The times of a log line (manual 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// `%Th`
    Handshake,
    /// `%Ti`
    Idle,
    /// `%TR`
    Request,
    /// `%Tq`
    WholeRequest,
    /// `%Tw`
    Queue,
    /// `%Tc`
    Connect,
    /// `%Tr`
    Response,
    /// `%Td`
    Data,
    /// `%Ta`
    Active,
    /// `%Tu`
    User,
    /// `%Tt`
    Total,
}

/// Texts that fetches ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    DefaultBackend,
    ErrorText(Side),
    RuleFile,
    /// How the stream ended (manual 8.5).
    State,
}

/// Names and numbers of the sections that an exchange has passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'n> {
    pub frontend: (&'n str, u32),
    pub backend: Option<(&'n str, u32)>,
    pub server: Option<(&'n str, u32)>,
    pub listener: (&'n str, u32),
}

/// What the engine knows: at the least the time, and a random number. A fetch of what it does not know
/// has no value.
pub trait Facts {
    /// Microseconds since 1970.
    fn wall_micros(&self) -> i64;
    /// Unforeseeable bits.
    fn random(&self) -> u64;

    fn source(&self) -> Option<SocketAddr> {
        None
    }
    fn destination(&self) -> Option<SocketAddr> {
        None
    }
    /// The connection's own, whatever rules have said of it (`fc_src`).
    fn own_source(&self) -> Option<SocketAddr> {
        self.source()
    }
    fn own_destination(&self) -> Option<SocketAddr> {
        self.destination()
    }
    /// A rule changes the client's address (`source`), or where it wanted to go: what follows sees it.
    fn change_end(&self, _source: bool, _ip: Option<IpAddr>, _port: Option<u16>) {}
    /// What rules have wanted so far (limits, priorities): what follows sees it.
    fn foresee(&self, _wanted: &Wanted) {}
    fn names(&self) -> Names<'_> {
        Names::default()
    }
    /// `proxy` and `server` are ids, where the fetch names them.
    fn number(&self, _what: Number, _proxy: Option<u32>, _server: Option<u32>) -> Option<i64> {
        None
    }
    fn hostname(&self) -> &str {
        ""
    }
    /// What a log alias says; false if it is not known here.
    fn alias(&self, _name: &str, _argument: &str, _out: &mut Vec<u8>) -> bool {
        false
    }
    /// A capture slot's value: of the request, or of the response.
    fn capture(&self, _response: bool, _slot: usize) -> Option<Vec<u8>> {
        None
    }
    /// The request line as it came: method, URI, version.
    fn request_line(&self) -> Option<&[u8]> {
        None
    }

    fn text(&self, _what: Text) -> Option<Cow<'_, str>> {
        None
    }
    /// Our address towards the server, and the server's.
    fn server_ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        None
    }
    /// A field of the PROXY header that came.
    fn proxy_field(&self, _kind: u8) -> Option<&[u8]> {
        None
    }
    /// Local time at a moment: seconds ahead of UTC, and the zone's name.
    fn zone(&self, _unix_seconds: i64) -> (i32, String) {
        (0, "UTC".to_owned())
    }
    /// The ids of a backend (without a name: the one that the stream is in) and of its server.
    fn find(&self, _backend: Option<&[u8]>, _server: Option<&[u8]>) -> Option<(u32, Option<u32>)> {
        None
    }
    /// Puts a value into a capture slot.
    fn keep_capture(&self, _response: bool, _slot: usize, _value: &[u8]) {}

    /// While content rules wait for bytes: more may come, so that what a fetch says now may change.
    fn may_change(&self) -> bool {
        false
    }
    /// In mode tcp: what has come so far may be the begin of an HTTP request.
    fn head_may_come(&self) -> bool {
        true
    }
    /// A request to a proxy, whose credentials stand in a field of their own (manual, `option
    /// http-use-proxy-header`).
    fn is_proxied(&self) -> bool {
        false
    }
    /// A fetch would say something else of a longer input.
    fn note_undecided(&self) {}
    /// Whether one has said so since the last question.
    fn take_undecided(&self) -> bool {
        false
    }
    /// Where calls of functions outside can be made: the answers that are known.
    fn calls(&self) -> Option<&Calls> {
        None
    }
}

/// Everything that an expression can see.
#[derive(Clone, Copy)]
pub struct Env<'e> {
    pub request: Option<&'e Message>,
    pub response: Option<&'e Message>,
    /// As much of the body as is buffered: the request's, or where there is a response, its; in mode
    /// tcp all that has come of that side and is not forwarded yet.
    pub body: &'e [u8],
    pub facts: &'e dyn Facts,
    pub vars: &'e Vars,
}

impl<'e> Env<'e> {
    /// The request's head. While content rules wait for bytes that may still become one, what is
    /// asked of it is undecided.
    pub(crate) fn asked(&self) -> Option<&'e Message> {
        if self.request.is_none() && self.response.is_none() && self.facts.head_may_come() {
            self.undecided();
        }
        self.request
    }

    /// The value depends on bytes that are still to come, as far as any are.
    pub(crate) fn undecided(&self) {
        if self.facts.may_change() {
            self.facts.note_undecided();
        }
    }
}
