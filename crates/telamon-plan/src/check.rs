//! What a plan must keep to beyond the types of its fields.

use std::collections::HashSet;

use crate::rules::Rule;
use crate::{PlanError, Proxy, ProxyPlan, Server};

/// Rules by themselves, which an operator adds to a process that runs.
pub fn rules_from_json(text: &str) -> Result<Vec<Rule>, PlanError> {
    Ok(serde_json::from_str(text)?)
}

impl ProxyPlan {
    /// Read and check a plan.
    pub fn from_json(text: &str) -> Result<ProxyPlan, PlanError> {
        let plan: ProxyPlan = serde_json::from_str(text)?;
        plan.validate()?;
        Ok(plan)
    }

    /// The plan as JSON, in the form that [`ProxyPlan::from_json`] reads.
    pub fn to_json(&self) -> Result<String, PlanError> {
        Ok(serde_json::to_string(self)?)
    }

    /// Check a plan that was built in Rust (tests, tools).
    pub fn validate(&self) -> Result<(), PlanError> {
        if let Some(id) = first_repeated(self.proxies.iter().map(|proxy| proxy.id)) {
            return Err(PlanError::ProxyTwice(id));
        }
        let with_backend: HashSet<u32> = self
            .proxies
            .iter()
            .filter(|proxy| proxy.backend.is_some())
            .map(|proxy| proxy.id)
            .collect();
        for proxy in &self.proxies {
            validate_frontend(proxy, &with_backend)?;
            validate_backend(proxy)?;
        }
        Ok(())
    }
}

fn validate_frontend(proxy: &Proxy, with_backend: &HashSet<u32>) -> Result<(), PlanError> {
    let Some(frontend) = &proxy.frontend else {
        return Ok(());
    };
    if let Some(id) = first_repeated(frontend.listeners.iter().map(|listener| listener.id)) {
        return Err(id_twice(proxy, "listener", id));
    }
    match frontend.default_backend {
        Some(id) if !with_backend.contains(&id) => Err(PlanError::NoSuchBackend {
            proxy: proxy.name.clone(),
            id,
        }),
        _ => Ok(()),
    }
}

fn validate_backend(proxy: &Proxy) -> Result<(), PlanError> {
    let Some(backend) = &proxy.backend else {
        return Ok(());
    };
    if let Some(id) = first_repeated(backend.servers.iter().map(|server| server.id)) {
        return Err(id_twice(proxy, "server", id));
    }
    if backend.random_draws == 0 {
        return Err(PlanError::NoDraws {
            proxy: proxy.name.clone(),
        });
    }
    match backend
        .servers
        .iter()
        .find_map(|server| zero_in_check(server).map(|what| (server, what)))
    {
        Some((server, what)) => Err(PlanError::ZeroCheck {
            proxy: proxy.name.clone(),
            server: server.name.clone(),
            what,
        }),
        None => Ok(()),
    }
}

fn zero_in_check(server: &Server) -> Option<&'static str> {
    let check = server.check.as_ref()?;
    let numbers = [
        ("the check interval", check.interval),
        ("the fast interval", check.fast_interval.unwrap_or(1)),
        ("the down interval", check.down_interval.unwrap_or(1)),
        ("rise", u64::from(check.rise)),
        ("fall", u64::from(check.fall)),
    ];
    numbers
        .into_iter()
        .find(|(_, value)| *value == 0)
        .map(|(what, _)| what)
}

fn id_twice(proxy: &Proxy, what: &'static str, id: u32) -> PlanError {
    PlanError::IdTwice {
        proxy: proxy.name.clone(),
        what,
        id,
    }
}

fn first_repeated(ids: impl Iterator<Item = u32>) -> Option<u32> {
    let mut seen = HashSet::new();
    ids.into_iter().find(|id| !seen.insert(*id))
}
