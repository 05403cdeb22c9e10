//! Rules that choose: a backend, a server, the key of a hash.

use telamon_expr::{Condition, Env};

use crate::http::Undecided;
use crate::io::Io;
use crate::program::Target;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// The backend that a stream's rules name (`use_backend`), or the default one.
    pub(crate) fn backend_of(&mut self, index: u32) -> Result<Option<usize>, Undecided> {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index) as usize;
        let default = shared.proxies[proxy]
            .frontend
            .as_ref()
            .and_then(|frontend| frontend.backend);
        let choices = &shared.programs.of[proxy].backends;
        if choices.is_empty() {
            return Ok(default);
        }
        let named = |name: &[u8]| {
            let is = |one: &crate::shared::Proxy| {
                one.backend.is_some() && one.plan.name.as_bytes() == name
            };
            shared.proxies.iter().position(is)
        };
        let by_id = |id: u32| shared.proxies.iter().position(|one| one.plan.id == id);
        let chosen = self.decide(index, |env| {
            let mut applying = choices.iter().filter(|one| applies(&one.condition, env));
            applying.find_map(|choice| match &choice.target {
                Target::Fixed(id) => by_id(*id),
                Target::Named(format) => named(&format.bytes(env)),
            })
        })?;
        Ok(chosen.or(default))
    }

    /// `force-persist` and `ignore-persist`, of which the first that applies counts.
    pub(crate) fn persist_rules(&mut self, index: u32) -> Result<(), Undecided> {
        let shared = self.shared.clone();
        let backend = self.slots.get(index).backend as usize;
        let Some(program) = shared.programs.of.get(backend) else {
            return Ok(());
        };
        if program.persists.is_empty() {
            return Ok(());
        }
        let rules = program.persists.iter();
        let found = self.decide(index, |env| {
            let mut applying = rules.filter(|one| applies(&one.condition, env));
            applying.next().map(|one| one.force)
        })?;
        let slot = self.slots.get(index);
        match found {
            Some(true) => {
                slot.forced = true;
                if let Some(exchange) = slot.exchange() {
                    exchange.policy.redispatch = 0;
                }
            }
            Some(false) => {
                if let Some(exchange) = slot.exchange() {
                    exchange.cookies.ignore();
                }
            }
            None => {}
        }
        Ok(())
    }

    /// `use-server`: false if no rule of the backend names a server that may be used.
    pub(crate) fn take_named_server(&mut self, index: u32) -> Result<bool, Undecided> {
        let Some(server) = self.named_server(index)? else {
            return Ok(false);
        };
        let slot = self.slots.get(index);
        slot.wanted = server as u32;
        let behind = self.shared.proxies.get(slot.backend as usize);
        slot.forced |= behind.is_some_and(|behind| behind.plan.http.persist);
        Ok(true)
    }

    /// The server, by place.
    fn named_server(&mut self, index: u32) -> Result<Option<usize>, Undecided> {
        let shared = self.shared.clone();
        let backend = self.slots.get(index).backend as usize;
        let Some(program) = shared.programs.of.get(backend) else {
            return Ok(None);
        };
        let proxy = &shared.proxies[backend];
        let (rules, Some(found)) = (&program.servers, &proxy.backend) else {
            return Ok(None);
        };
        if rules.is_empty() {
            return Ok(None);
        }
        let forced = self.slots.get(index).forced || proxy.plan.http.persist;
        let servers = &found.servers;
        let named = |name: &[u8]| servers.iter().position(|one| one.name.as_bytes() == name);
        let by_id = |id: u32| servers.iter().position(|one| one.id == id);
        self.decide(index, |env| {
            let mut applying = rules.iter().filter(|one| applies(&one.condition, env));
            applying.find_map(|rule| {
                let place = match &rule.target {
                    Target::Fixed(id) => by_id(*id),
                    Target::Named(format) => named(&format.bytes(env)),
                };
                place.filter(|place| found.may_use(*place, forced))
            })
        })
    }

    /// The value of `balance hash <expr>`.
    pub(super) fn hash_key(&mut self, index: u32) -> Option<Vec<u8>> {
        let shared = self.shared.clone();
        let backend = self.slots.get(index).backend as usize;
        let expression = shared.programs.of.get(backend)?.hash_key.as_ref()?;
        self.evaluate(index, |env| {
            let value = expression.value(env)?;
            Some(value.into_bytes().into_owned())
        })
    }
}

fn applies(condition: &Option<Condition>, env: &Env<'_>) -> bool {
    condition.as_ref().is_none_or(|one| one.holds(env))
}
