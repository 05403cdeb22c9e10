//! Denied and intercepted requests in the statistics.

use crate::counters::Total;
use crate::io::Io;
use crate::worker::{count, Worker};

impl<I: Io> Worker<I> {
    pub(super) fn count_denied(&mut self, index: u32, proxy: u32) {
        let shared = self.shared.clone();
        let front = self.slots_proxy(index);
        if let Some(frontend) = &shared.proxies[front as usize].frontend {
            count!(self, frontend.object, Total::Dreq, 1);
        }
        if proxy != front {
            if let Some(backend) = &shared.proxies[proxy as usize].backend {
                count!(self, backend.object, Total::Dreq, 1);
            }
        }
    }

    pub(super) fn count_denied_response(&mut self, index: u32) {
        let shared = self.shared.clone();
        let (front, back) = self.sections(index);
        if let Some(frontend) = &shared.proxies[front as usize].frontend {
            count!(self, frontend.object, Total::Dresp, 1);
        }
        if let Some(backend) = shared
            .proxies
            .get(back as usize)
            .and_then(|one| one.backend.as_ref())
        {
            count!(self, backend.object, Total::Dresp, 1);
        }
    }

    /// A denied response, at the backend and its server.
    pub(crate) fn count_denied_behind(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let behind = shared.proxies.get(slot.backend as usize);
        if let Some(backend) = behind.and_then(|one| one.backend.as_ref()) {
            count!(self, backend.object, Total::Dresp, 1);
            if let Some(server) = backend.servers.get(slot.server as usize) {
                count!(self, server.object, Total::Dresp, 1);
            }
        }
    }

    pub(super) fn count_intercepted(&mut self, index: u32) {
        let shared = self.shared.clone();
        let front = self.slots_proxy(index);
        if let Some(frontend) = &shared.proxies[front as usize].frontend {
            count!(self, frontend.object, Total::Intercepted, 1);
        }
    }
}
