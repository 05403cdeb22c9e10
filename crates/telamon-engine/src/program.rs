//! The rules of a plan, compiled: what is run for each proxy, and at which places.

use std::io;
use std::sync::Arc;

use telamon_expr::{
    Compiler, Condition, Expression, Format, PatternSets, ProcessVars, Reply, Rules, VariableNames,
};
use telamon_plan::rules::BackendRule;
use telamon_plan::{LogProfile, Proxy, ProxyPlan};

use crate::log::{Profile, ProfileRule};

use crate::http::Forwarded;
use crate::start::set_variables;

/// The rules of one proxy.
pub(crate) struct Program {
    pub(crate) connection: Rules,
    pub(crate) session: Rules,
    pub(crate) content: Rules,
    pub(crate) request: Rules,
    pub(crate) redirects: Rules,
    /// `tcp-response content`.
    pub(crate) response_content: Rules,
    pub(crate) response: Rules,
    pub(crate) after: Rules,
    pub(crate) backends: Vec<BackendChoice>,
    pub(crate) servers: Vec<ServerChoice>,
    pub(crate) persists: Vec<PersistChoice>,
    pub(crate) monitor_fail: Vec<Condition>,
    /// `option forwarded`
    pub(crate) forwarded: Option<Forwarded>,
    /// What `balance hash` hashes.
    pub(crate) hash_key: Option<Expression>,
    /// `http-error` replies that are made of parts; whole ones stand in `Proxy::errors`.
    pub(crate) errors: Vec<Reply>,
    pub(crate) log: Option<Format>,
    pub(crate) error_log: Option<Format>,
    pub(crate) structured: Option<Format>,
    /// A format of the section's own, or of a target's profile, looks at streams.
    pub(crate) log_looks: bool,
    pub(crate) unique_id: Option<Format>,
}

/// `use_backend`.
pub(crate) struct BackendChoice {
    pub(crate) target: Target,
    pub(crate) condition: Option<Condition>,
}

/// `use-server`.
pub(crate) struct ServerChoice {
    pub(crate) target: Target,
    pub(crate) condition: Option<Condition>,
}

/// `force-persist` and `ignore-persist`.
pub(crate) struct PersistChoice {
    pub(crate) force: bool,
    pub(crate) condition: Option<Condition>,
}

pub(crate) enum Target {
    /// By id.
    Fixed(u32),
    /// A name that is known only when the request is.
    Named(Format),
}

/// All programs, in the proxies' order, and what they share.
pub(crate) struct Programs {
    pub(crate) of: Vec<Program>,
    /// Some rule calls a Python function.
    pub(crate) make_calls: bool,
    /// Some look at bodies: at what has come of them, without a rule that waits.
    pub(crate) read_bodies: bool,
    pub(crate) names: VariableNames,
    pub(crate) process_vars: ProcessVars,
    /// No rule looks at connections.
    pub(crate) quiet: bool,
    pub(crate) profiles: Vec<Arc<Profile>>,
    /// What the stats socket shows and changes.
    pub(crate) patterns: PatternSets,
}

impl Programs {
    /// An error says where the rule stands.
    pub(crate) fn new(plan: &ProxyPlan) -> io::Result<Programs> {
        let mut compiler = Compiler::new(PatternSets::new(&plan.pattern_sets));
        compiler
            .take_users(&plan.userlists)
            .map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
        let process_vars = ProcessVars::default();
        set_variables(plan, &mut compiler, &process_vars)
            .map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
        let of = plan.proxies.iter().map(|proxy| {
            Program::new(proxy, &mut compiler)
                .map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))
        });
        let of = of.collect::<io::Result<Vec<_>>>()?;
        let looks = |program: &Program| {
            let lists = [&program.connection, &program.session, &program.content];
            lists.iter().any(|rules| !rules.is_empty())
        };
        let profiles = plan.process.log_profiles.iter();
        let profiles = profiles.map(|plan| {
            profile(plan, &mut compiler)
                .map(Arc::new)
                .map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))
        });
        let profiles = profiles.collect::<io::Result<Vec<_>>>()?;
        Ok(Programs {
            quiet: !of.iter().any(looks),
            of,
            profiles,
            patterns: compiler.pattern_sets().clone(),
            make_calls: compiler.makes_calls(),
            read_bodies: compiler.reads_bodies(),
            names: compiler.into_names(),
            process_vars,
        })
    }
}

impl Program {
    fn new(proxy: &Proxy, compiler: &mut Compiler) -> Result<Program, String> {
        let sets = &proxy.rules;
        compiler.take_acls(&sets.acls)?;
        let servers: Result<Vec<_>, String> = sets
            .servers
            .iter()
            .map(|rule| {
                let target = target(rule.server, &rule.format, compiler)?;
                let condition = condition(&rule.condition, compiler)?;
                Ok(ServerChoice { target, condition })
            })
            .collect();
        let key = proxy
            .backend
            .as_ref()
            .and_then(|backend| backend.key.expression.as_ref());
        let hash_key = key.map(|plan| Expression::new(plan, compiler));
        Ok(Program {
            hash_key: hash_key.transpose()?,
            errors: proxy
                .http
                .errors
                .iter()
                .filter(|error| error.reply.message.is_none() && !error.reply.default)
                .map(|error| Reply::new(&error.reply, compiler))
                .collect::<Result<_, _>>()?,
            forwarded: match &proxy.http.forwarded {
                Some(plan) => Some(Forwarded::new(plan, compiler)?),
                None => None,
            },
            persists: sets
                .persists
                .iter()
                .map(|rule| {
                    Ok(PersistChoice {
                        force: rule.force,
                        condition: condition(&rule.condition, compiler)?,
                    })
                })
                .collect::<Result<_, String>>()?,
            servers: servers?,
            connection: Rules::new(&sets.tcp_connection, compiler)?,
            session: Rules::new(&sets.tcp_session, compiler)?,
            content: Rules::new(&sets.tcp_content, compiler)?,
            request: Rules::new(&sets.http_request, compiler)?,
            redirects: Rules::new(&sets.redirects, compiler)?,
            response_content: Rules::new(&sets.tcp_response, compiler)?,
            response: Rules::new(&sets.http_response, compiler)?,
            after: Rules::new(&sets.http_after_response, compiler)?,
            backends: sets
                .backends
                .iter()
                .map(|rule| BackendChoice::new(rule, compiler))
                .collect::<Result<_, _>>()?,
            monitor_fail: proxy
                .http
                .monitor_fail
                .iter()
                .map(|plan| Condition::new(plan, compiler))
                .collect::<Result<_, _>>()?,
            log: format(&proxy.log_line, compiler)?,
            error_log: format(&proxy.error_log_line, compiler)?,
            structured: format(&proxy.log_structured, compiler)?,
            log_looks: proxy.log_line.is_some()
                || proxy.log_structured.is_some()
                || proxy.logs.iter().any(|log| log.profile.is_some()),
            unique_id: format(&proxy.http.unique_id, compiler)?,
        })
    }

    /// Does anything look at, or change, a request's head?
    pub(crate) fn sees_requests(&self) -> bool {
        !self.request.is_empty()
            || !self.redirects.is_empty()
            || !self.backends.is_empty()
            || !self.servers.is_empty()
            || self.sees_responses()
            || self.log_looks
            || self.unique_id.is_some()
            || !self.content.is_empty()
            || self.hash_key.is_some()
            || self.forwarded.is_some()
            || !self.errors.is_empty()
            || !self.persists.is_empty()
    }

    pub(crate) fn sees_responses(&self) -> bool {
        let lists = [&self.response_content, &self.response, &self.after];
        lists.iter().any(|rules| !rules.is_empty())
    }
}

impl BackendChoice {
    fn new(rule: &BackendRule, compiler: &mut Compiler) -> Result<BackendChoice, String> {
        Ok(BackendChoice {
            target: target(rule.backend, &rule.format, compiler)?,
            condition: condition(&rule.condition, compiler)?,
        })
    }
}

fn target(
    id: Option<u32>,
    format: &Option<telamon_plan::rules::Format>,
    compiler: &mut Compiler,
) -> Result<Target, String> {
    match (id, format) {
        (Some(id), _) => Ok(Target::Fixed(id)),
        (None, Some(plan)) => Ok(Target::Named(Format::new(plan, compiler)?)),
        (None, None) => Err("a rule names nobody".to_owned()),
    }
}

fn condition(
    plan: &Option<telamon_plan::rules::Condition>,
    compiler: &Compiler,
) -> Result<Option<Condition>, String> {
    plan.as_ref()
        .map(|plan| Condition::new(plan, compiler))
        .transpose()
}

fn profile(plan: &LogProfile, compiler: &mut Compiler) -> Result<Profile, String> {
    let rules = plan.rules.iter().map(|rule| {
        Ok(ProfileRule {
            step: rule.step,
            drop: rule.drop,
            line: format(&rule.line, compiler)?,
            structured: format(&rule.structured, compiler)?,
        })
    });
    Ok(Profile {
        tag: plan.tag.clone(),
        rules: rules.collect::<Result<_, String>>()?,
    })
}

fn format(
    plan: &Option<telamon_plan::rules::Format>,
    compiler: &mut Compiler,
) -> Result<Option<Format>, String> {
    plan.as_ref()
        .map(|plan| Format::new(plan, compiler))
        .transpose()
}
