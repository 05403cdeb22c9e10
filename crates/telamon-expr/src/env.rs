//! What an expression can see.

use std::net::SocketAddr;

use telamon_http::Message;

use crate::calls::Calls;
use crate::vars::Vars;

/// Counters and states that fetches ask for (manual 7.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    ActiveConnections,
    AverageQueue,
    BackendConnections,
    BackendFreeConnections,
    BackendSessionRate,
    ConnectionSlots,
    FirstRequest,
    FrontendConnections,
    FrontendRequestRate,
    FrontendSessionRate,
    UsableServers,
    Queue,
    ServerConnections,
    ServerFreeConnections,
    ServerIsUp,
    ServerQueue,
    ServerSessionRate,
    ServerWeight,
    Stopping,
    Threads,
    Thread,
}

/// Names and numbers of the sections that an exchange has passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'n> {
    pub frontend: (&'n str, u32),
    pub backend: Option<(&'n str, u32)>,
    pub server: Option<(&'n str, u32)>,
    pub listener: (&'n str, u32),
}

/// What the engine knows. A fetch of what it does not know has no value.
pub trait Facts {
    fn source(&self) -> Option<SocketAddr>;
    fn destination(&self) -> Option<SocketAddr>;
    fn names(&self) -> Names<'_>;
    /// `proxy` and `server` are ids, where the fetch names them.
    fn number(&self, what: Number, proxy: Option<u32>, server: Option<u32>) -> Option<i64>;
    /// Microseconds since 1970.
    fn wall_micros(&self) -> i64;
    /// Unforeseeable bits.
    fn random(&self) -> u64;
    fn hostname(&self) -> &str;
    /// What a log alias says; false if it is not known here.
    fn alias(&self, name: &str, argument: &str, out: &mut Vec<u8>) -> bool;
    /// A capture slot's value: of the request, or of the response.
    fn capture(&self, response: bool, slot: usize) -> Option<&[u8]>;
    /// The request line as it came: method, URI, version.
    fn request_line(&self) -> Option<&[u8]>;

    /// While content rules wait for bytes: more may come, so that what a fetch says now may change.
    fn may_change(&self) -> bool {
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
    /// As much of the request's (in response rules: the response's) body as is buffered.
    pub body: &'e [u8],
    pub facts: &'e dyn Facts,
    pub vars: &'e Vars,
}
