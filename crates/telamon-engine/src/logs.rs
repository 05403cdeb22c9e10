//! What the worker tells the log, and when.

use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    pub(crate) fn log_accept(&mut self, _index: u32) {}
    pub(crate) fn log_end(&mut self, _index: u32) {}
    pub(crate) fn log_http(&mut self, _index: u32) {}
    pub(crate) fn log_http_null(&mut self, _index: u32) {}
}
