//! What rules want of the engine beyond the head, and how it is done.

use telamon_expr::Wanted;

use crate::conn::Marks;
use crate::io::Io;
use crate::seen::{limit, priority, with_end};
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// Does what rules want beyond the head.
    pub(crate) fn grant(&mut self, index: u32, wanted: Wanted) {
        let slot = self.slots.get(index);
        if wanted.changes_ends() {
            let before = slot.ends();
            slot.own_ends.get_or_insert_with(|| Box::new(before));
            // Rules of connections change them for all requests (manual 4.2, `set-src`).
            if slot.exchange().is_some() || slot.inspection.is_some() {
                slot.ends_before.get_or_insert_with(|| Box::new(before));
            }
        }
        if wanted.source.is_some() || wanted.source_port.is_some() {
            slot.client = with_end(slot.client, wanted.source, wanted.source_port);
        }
        if wanted.destination.is_some() || wanted.destination_port.is_some() {
            let (ip, port) = (wanted.destination, wanted.destination_port);
            slot.destination = with_end(slot.destination, ip, port);
        }
        let marks = Marks {
            tos: wanted.tos,
            mark: wanted.mark,
        };
        marks.put_on(slot.fds[0]);
        slot.server_marks = Marks {
            tos: wanted.server_tos.or(slot.server_marks.tos),
            mark: wanted.server_mark.or(slot.server_marks.mark),
        };
        slot.priority = priority(&wanted, slot.priority);
        if let Some(inspection) = slot.inspection.as_deref_mut() {
            inspection.log_level = wanted.log_level.or(inspection.log_level);
        }
        let Some(exchange) = slot.exchange() else {
            return;
        };
        limit(&wanted, &mut exchange.policy, &mut exchange.tarpit);
        if let Some(level) = wanted.log_level {
            exchange.log.level = Some(level);
        }
        exchange.no_retry |= wanted.no_retry;
        if !wanted.hints.is_empty() && exchange.version.is_1_1() {
            self.push(index, telamon_session::Side::Client, &wanted.hints);
            self.flush(index, telamon_session::Side::Client);
        }
    }
}
