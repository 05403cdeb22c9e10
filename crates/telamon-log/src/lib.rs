//! Log lines as HAProxy writes them (manual 8.2.1 to 8.2.3) and the syslog headers before them
//! (manual, `log`).
//!
//! Pure functions that append to a buffer the caller reuses: a record and a wall time go in,
//! bytes come out. The lines were compared with the real program's.
#![forbid(unsafe_code)]

mod clf;
mod line;
mod sample;
mod syslog;
mod time;

pub use clf::write_clf;
pub use line::{
    write_captured, write_captures, write_connect, write_cookie, write_error, write_escaped,
    write_http, write_https, write_tcp, Counts, Http, Peer, ServerName, Tcp,
};
pub use sample::is_sampled;
pub use syslog::{effective_level, write_message, Identity};
pub use time::WallTime;

/// Append a number in decimal.
fn write_number(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write;
    write!(out, "{value}").expect("a Vec takes all that is written");
}
