//! Log lines of one proxy: rendered by `telamon-log`, sent without ever waiting.

use std::net::SocketAddr;
use std::time::SystemTime;

use telamon_plan::ProxyPlan;

use crate::counters::ThreadCounters;

/// What a line is made of.
pub(crate) struct Record<'a> {
    pub(crate) client: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) accepted: SystemTime,
    pub(crate) frontend: &'a str,
}

pub(crate) struct Logger {}

impl Logger {
    pub(crate) fn new(_plan: &ProxyPlan, _proxy: &telamon_plan::Proxy) -> Self {
        Logger {}
    }

    pub(crate) fn wanted(&self) -> bool {
        false
    }

    pub(crate) fn end(&self, _record: &Record<'_>, _counters: &ThreadCounters) {}
}
