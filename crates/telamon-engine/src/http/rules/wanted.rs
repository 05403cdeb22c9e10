//! What rules want of the engine beyond the head, and how it is done.

use telamon_expr::Wanted;

use crate::io::Io;
use crate::seen::with_end;
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
        if let Some(class) = wanted.priority_class {
            slot.priority.class = class.clamp(-2047, 2047) as i16;
        }
        if let Some(offset) = wanted.priority_offset {
            slot.priority.offset = offset.clamp(-524_287, 524_287) as i32;
        }
        let Some(exchange) = slot.exchange() else {
            return;
        };
        for (name, value) in wanted.timeouts {
            let place = match name {
                "client" => &mut exchange.policy.client,
                "connect" => &mut exchange.policy.connect,
                "queue" => &mut exchange.policy.queue,
                "server" => &mut exchange.policy.server,
                "tunnel" => &mut exchange.policy.tunnel,
                _ => &mut exchange.tarpit,
            };
            *place = Some(value);
        }
        if let Some(retries) = wanted.retries {
            exchange.policy.retries = retries;
        }
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
