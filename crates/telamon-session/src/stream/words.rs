//! The words between a stream and its caller: settings in, actions out.

use crate::Millis;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Client = 0,
    Server = 1,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// The `timeout` words and retries that hold for a stream, in milliseconds. None: for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    pub client: Option<Millis>,
    pub server: Option<Millis>,
    pub connect: Option<Millis>,
    pub queue: Option<Millis>,
    pub tunnel: Option<Millis>,
    pub client_fin: Option<Millis>,
    pub server_fin: Option<Millis>,
    pub retries: u32,
    /// `option redispatch N`: 0 never; N: on every Nth retry; -N: on the Nth from the end.
    pub redispatch: i32,
}

/// What the machine must know of a backend to choose between waiting and redispatching.
#[derive(Clone, Copy, Debug)]
pub struct Servers {
    /// The server that was tried may still be used.
    pub same_usable: bool,
    /// How many active servers may be used.
    pub usable: usize,
    /// The algorithm picks in turn, so that another server is as good.
    pub in_turn: bool,
}

/// Why a connect failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Refused, unreachable, reset.
    Refused,
    /// `timeout connect` struck.
    Timeout,
    /// No descriptor, no port, no memory on this machine.
    Resource,
}

/// What the caller must do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Choose a server (not the last one if `avoid` and there is another), then say `picked`,
    /// `queued` or `unavailable`.
    Pick { avoid: bool },
    /// Give up the place in the queue.
    LeaveQueue,
    /// Begin a connect to the server that was picked.
    Connect,
    /// Give up the connect, or the failed socket of it.
    Abandon,
    /// Send the end of the stream to this side; its input goes on.
    ShutWrite(Side),
    /// Close this side's socket; data pending for it is thrown away.
    Close(Side),
    /// Nothing is left: log it and forget it.
    Finish,
}
