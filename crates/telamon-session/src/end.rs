//! How a stream ended, in the two letters of HAProxy's logs (manual 8.5).

/// Who or what ended it (first letter).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// `-` a normal end on both sides.
    Normal,
    /// `C` the client aborted.
    Client,
    /// `c` the client's timeout struck.
    ClientTimeout,
    /// `S` the server aborted or refused.
    Server,
    /// `s` the server's timeout struck while waiting for it.
    ServerTimeout,
    /// `L` answered by the proxy itself.
    Local,
    /// `P` ended by the proxy: a rule, a bad request.
    Proxy,
    /// `R` a resource ran out.
    Resource,
    /// `I` an internal error.
    Internal,
    /// `D` the server was seen down (`on-marked-down shutdown-sessions`).
    Down,
    /// `U` a backup's stream, since an active server came up.
    Up,
    /// `K` killed by an operator.
    Killed,
}

/// In which part of its life (second letter).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// `-` after the end of the transfer.
    Finished,
    /// `R` waiting for the client's request.
    Request,
    /// `Q` in a queue.
    Queue,
    /// `C` connecting to the server.
    Connect,
    /// `H` waiting for the response's head.
    Header,
    /// `D` transferring data.
    Data,
    /// `L` sending the last data to the client.
    Last,
    /// `T` held by a tarpit.
    Tarpit,
}

/// Both letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    pub cause: Cause,
    pub stage: Stage,
}

impl End {
    pub const NORMAL: End = End {
        cause: Cause::Normal,
        stage: Stage::Finished,
    };

    /// The letters as they stand in a log line.
    pub fn letters(self) -> [u8; 2] {
        let cause = match self.cause {
            Cause::Normal => b'-',
            Cause::Client => b'C',
            Cause::ClientTimeout => b'c',
            Cause::Server => b'S',
            Cause::ServerTimeout => b's',
            Cause::Local => b'L',
            Cause::Proxy => b'P',
            Cause::Resource => b'R',
            Cause::Internal => b'I',
            Cause::Down => b'D',
            Cause::Up => b'U',
            Cause::Killed => b'K',
        };
        let stage = match self.stage {
            Stage::Finished => b'-',
            Stage::Request => b'R',
            Stage::Queue => b'Q',
            Stage::Connect => b'C',
            Stage::Header => b'H',
            Stage::Data => b'D',
            Stage::Last => b'L',
            Stage::Tarpit => b'T',
        };
        [cause, stage]
    }
}
