//! What threads tell each other, and what they tell the control process.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::sync::Mutex;

use telamon_expr::Answer;
use telamon_session::Millis;
use telamon_sys::socket::Signal;

use crate::calls::CallRequest;
use crate::observe::ServerError;
use crate::sessions::{Session, SessionId};
use crate::shared::{lock, Waiter};
use crate::threads::{Descriptor, ThreadState};

/// What one thread is told by another or by the control side.
#[derive(Debug)]
pub(crate) enum Message {
    /// A place at this server was taken for the waiter.
    Place {
        waiter: Waiter,
        server: usize,
    },
    /// Its server is gone: pick anew.
    Repick(Waiter),
    /// A frontend was paused, resumed, or has room again.
    Listeners,
    KillServer {
        proxy: usize,
        server: usize,
    },
    /// A server's idle connections are of no use any more.
    DropIdle {
        proxy: usize,
        server: usize,
    },
    Respond {
        token: u64,
        response: Vec<u8>,
        keep_alive: bool,
    },
    /// What came of a call.
    Answer {
        token: u64,
        answer: Answer,
    },
    /// What streams are there, from a slot on? Who drops `to` has said all.
    Sessions {
        first: u32,
        to: Sender<Vec<Session>>,
    },
    /// An operator ends a stream; was there one?
    KillSession {
        id: SessionId,
        to: Sender<bool>,
    },
    /// What does the thread, what does it hold?
    State {
        to: Sender<ThreadState>,
    },
    /// The descriptors of its slots, from one on; who drops `to` has said all.
    Descriptors {
        first: u32,
        to: Sender<Vec<Descriptor>>,
    },
    /// The frontend of a proxy takes no more connections, for good.
    CloseFrontend {
        proxy: usize,
    },
    SoftStop,
    Stop,
}

pub(crate) struct Mailbox {
    messages: Mutex<Vec<Message>>,
    pub(crate) signal: Signal,
}

impl Mailbox {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Mailbox {
            messages: Mutex::new(Vec::new()),
            signal: Signal::new()?,
        })
    }

    pub(crate) fn send(&self, message: Message) {
        lock(&self.messages).push(message);
        self.signal.signal();
    }

    pub(crate) fn take(&self) -> Vec<Message> {
        self.signal.drain();
        std::mem::take(&mut *lock(&self.messages))
    }
}

/// What Python must answer or know.
#[derive(Debug)]
pub enum Event {
    Page {
        token: u64,
        proxy_id: u32,
        client: String,
        head: Vec<u8>,
        body: Vec<u8>,
    },
    Message {
        level: &'static str,
        text: String,
    },
    /// An observed server has erred as often in a row as `error-limit` says.
    ServerErrors {
        proxy_id: u32,
        server_id: u32,
        last: ServerError,
    },
    /// A rule calls a Python function.
    Call(Box<CallRequest>),
    /// Its request waits no longer.
    CallOver {
        token: u64,
    },
}

/// Calls are not offered to a control process that has so many events before it.
const MOST_WAITING: usize = 4096;

pub(crate) struct Events {
    waiting: Mutex<Vec<Event>>,
    pub(crate) signal: Signal,
    last_notice: AtomicI64,
}

impl Events {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Events {
            waiting: Mutex::new(Vec::new()),
            signal: Signal::new()?,
            last_notice: AtomicI64::new(-1),
        })
    }

    pub(crate) fn push(&self, event: Event) {
        lock(&self.waiting).push(event);
        self.signal.signal();
    }

    /// The same with something that is worth little when the control process is far behind; false
    /// if it is.
    pub(crate) fn offer(&self, event: Event) -> bool {
        let mut waiting = lock(&self.waiting);
        let room = waiting.len() < MOST_WAITING;
        if room {
            waiting.push(event);
        }
        drop(waiting);
        self.signal.signal();
        room
    }

    pub(crate) fn take(&self) -> Vec<Event> {
        self.signal.drain();
        std::mem::take(&mut *lock(&self.waiting))
    }

    /// A message that may come in floods: at most one a second gets through.
    pub(crate) fn notice(&self, now: Millis, level: &'static str, text: impl FnOnce() -> String) {
        let last = self.last_notice.load(Relaxed);
        let due = last < 0 || now as i64 - last >= 1000;
        if due
            && self
                .last_notice
                .compare_exchange(last, now as i64, Relaxed, Relaxed)
                .is_ok()
        {
            self.push(Event::Message {
                level,
                text: text(),
            });
        }
    }
}
