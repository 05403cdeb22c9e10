//! What other threads have told this one: places and queues, switches, answers, the end.

use telamon_session::Cause;

use crate::conn::{Role, NONE};
use crate::io::Io;
use crate::mailbox::Message;
use crate::shared::Waiter;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    pub(crate) fn read_mail(&mut self) {
        for message in self.shared.threads[self.index].take() {
            match message {
                Message::Place { waiter, server } => self.place(waiter, server),
                Message::Repick(waiter) => self.repick(waiter),
                Message::Listeners => self.open_gates(),
                Message::KillServer { proxy, server } => self.kill_server(proxy, server),
                Message::DropIdle { proxy, server } => self.drop_idle(proxy, server),
                Message::Respond {
                    token,
                    response,
                    keep_alive,
                } => {
                    self.respond(token, response, keep_alive);
                }
                Message::Answer { token, answer } => self.answered(token, answer),
                Message::Sessions { first, to } => self.tell_sessions(first, to),
                Message::KillSession { id, to } => {
                    // Who asked may have lost its patience.
                    let _ = to.send(self.kill_session(id));
                }
                Message::State { to } => {
                    // As above.
                    let _ = to.send(self.state());
                }
                Message::Descriptors { first, to } => self.tell_descriptors(first, to),
                Message::CloseFrontend { proxy } => self.close_gates_of(proxy),
                Message::SoftStop => {
                    self.soft_stopping = true;
                    self.close_gates();
                    self.close_idle();
                }
                Message::Stop => self.stop(),
            }
        }
    }

    fn kill_server(&mut self, proxy: usize, server: usize) {
        for index in self.slots.used() {
            let slot = self.slots.get(index);
            if slot.backend != proxy as u32 || slot.server != server as u32 || slot.stopping {
                continue;
            }
            match slot.role {
                Role::Tcp => {
                    slot.stream.kill(Cause::Killed);
                    self.settle(index);
                }
                Role::Client if slot.placed => self.http_kill(index, Cause::Killed),
                Role::Client | Role::Upstream => {}
            }
        }
        self.drop_idle(proxy, server);
    }

    /// Who waits for a client's next request waits no longer.
    fn close_idle(&mut self) {
        let shared = self.shared.clone();
        for index in self.slots.used() {
            let slot = self.slots.get(index);
            let idle = slot.http.as_deref().is_some_and(|http| http.is_idle());
            let plan = &shared.proxies[slot.proxy as usize].plan;
            if idle && !slot.stopping && !plan.http.idle_close_on_response {
                self.http_close(index);
            } else if slot.is_idle_upstream() {
                self.close_upstream(index);
            }
        }
        self.drop_lent();
    }

    fn stop(&mut self) {
        self.soft_stopping = true;
        self.close_gates();
        self.drop_parked();
        for index in self.slots.used() {
            if self.slots.get(index).role == Role::Tcp {
                self.slots.get(index).stream.kill(Cause::Killed);
            }
            self.end_now(index);
        }
        self.drop_lent();
        self.stopped = true;
    }

    fn repick(&mut self, waiter: Waiter) {
        let slot = self.slots.get(waiter.slot);
        let same = slot.used && slot.generation[0] == waiter.generation;
        if same && slot.stream.is_queued() {
            slot.queue = NONE;
            self.pick(waiter.slot, false);
            self.settle(waiter.slot);
        }
    }
}
