//! The times of a log line while they run (manual 8.4; the fetches are of 2.9).

use super::{number, Row};
use crate::env::{Number, Timer};

pub(super) const ROWS: &[Row] = &[
    number("req.timer.hdr", Number::Timer(Timer::Request)),
    number("req.timer.idle", Number::Timer(Timer::Idle)),
    number("req.timer.queue", Number::Timer(Timer::Queue)),
    number("req.timer.tq", Number::Timer(Timer::WholeRequest)),
    number("res.timer.data", Number::Timer(Timer::Data)),
    number("res.timer.hdr", Number::Timer(Timer::Response)),
    number("txn.timer.total", Number::Timer(Timer::Active)),
    number("txn.timer.user", Number::Timer(Timer::User)),
];
