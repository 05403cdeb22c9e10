//! The life of a stream, sans I/O: what happens goes in with a time, what to do comes out.
//!
//! [`Stream`] knows queueing, picking, connecting, retries, the relay with half-closes, every
//! timeout, and how HAProxy's logs name an end (manual 8.5). It never sees a socket or a byte;
//! [`Wheel`] keeps the timers of thousands of streams.
#![forbid(unsafe_code)]

mod end;
mod stream;
mod wheel;

pub use end::{Cause, End, Stage};
pub use stream::{Action, Failure, Policy, Servers, Side, Stream};
pub use wheel::{Timer, Wheel};

/// A moment on the engine's own monotonic clock, in milliseconds. 0 is its start.
pub type Millis = u64;
