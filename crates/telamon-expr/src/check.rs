//! Compiles all rules of a plan only to see what is wrong with them.
//!
//! The reader of the configuration knows names, arguments and types; regular expressions and what a
//! row wants of its arguments beyond that are known here only.

use telamon_plan::rules::{Format as PlannedFormat, Rule};
use telamon_plan::{Proxy, ProxyPlan};

use crate::actions::Rules;
use crate::compile::{Compiler, Condition};
use crate::format::Format;
use crate::patterns::PatternSets;

/// What cannot be compiled, each with its place (`file:line: ...`).
pub fn check(plan: &ProxyPlan) -> Vec<String> {
    let mut compiler = Compiler::new(PatternSets::new(&plan.pattern_sets));
    let mut found = Vec::new();
    found.extend(compiler.take_users(&plan.userlists).err());
    for proxy in &plan.proxies {
        check_proxy(proxy, &mut compiler, &mut found);
    }
    for rule in &plan.variables {
        found.extend(Rules::new(std::slice::from_ref(rule), &mut compiler).err());
    }
    found
}

fn check_proxy(proxy: &Proxy, compiler: &mut Compiler, found: &mut Vec<String>) {
    let rules = &proxy.rules;
    if let Err(error) = compiler.take_acls(&rules.acls) {
        found.push(error);
        return;
    }
    let lists: [&[Rule]; 8] = [
        &rules.tcp_connection,
        &rules.tcp_session,
        &rules.tcp_content,
        &rules.tcp_response,
        &rules.http_request,
        &rules.http_response,
        &rules.http_after_response,
        &rules.redirects,
    ];
    for rule in lists.into_iter().flatten() {
        found.extend(Rules::new(std::slice::from_ref(rule), compiler).err());
    }
    let place = &proxy.source_line;
    for (planned, place) in formats(proxy) {
        if let Err(error) = Format::new(planned, compiler) {
            found.push(format!("{place}: {error}"));
        }
    }
    for condition in &proxy.http.monitor_fail {
        if let Err(error) = Condition::new(condition, compiler) {
            found.push(format!("{place}: {error}"));
        }
    }
}

/// The formats outside of rules, each with the place to blame.
fn formats(proxy: &Proxy) -> Vec<(&PlannedFormat, &str)> {
    let own = [
        &proxy.log_line,
        &proxy.error_log_line,
        &proxy.log_structured,
        &proxy.http.unique_id,
    ];
    let own = own
        .into_iter()
        .flatten()
        .map(|format| (format, proxy.source_line.as_str()));
    let backends = proxy.rules.backends.iter();
    let backends = backends.filter_map(|rule| Some((rule.format.as_ref()?, &rule.source_line[..])));
    let servers = proxy.rules.servers.iter();
    let servers = servers.filter_map(|rule| Some((rule.format.as_ref()?, &rule.source_line[..])));
    own.chain(backends).chain(servers).collect()
}
