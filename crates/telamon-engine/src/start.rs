//! What is evaluated once, without any connection: at the start, or because an operator asks.

use telamon_expr::{Compiler, Facts, ProcessVars, Rules, Vars, Wanted};
use telamon_http::Message;
use telamon_plan::rules::Rule;
use telamon_plan::ProxyPlan;

use crate::engine::{Engine, EngineError};

/// `set-var` and `set-var-fmt` of `global`: run once, before there is any connection.
pub(crate) fn set_variables(
    plan: &ProxyPlan,
    compiler: &mut Compiler,
    process: &ProcessVars,
) -> Result<(), String> {
    run(&plan.variables, compiler, process)
}

impl Engine {
    /// Runs rules that set variables of the process (`set var` on the stats socket; JSON).
    pub fn set_variables(&self, rules: &str) -> Result<(), EngineError> {
        let rules = telamon_plan::rules_from_json(rules).map_err(EngineError::Plan)?;
        let programs = &self.shared().programs;
        let mut compiler = Compiler::again(&programs.patterns, &programs.names);
        run(&rules, &mut compiler, &programs.process_vars).map_err(EngineError::Value)
    }
}

fn run(rules: &[Rule], compiler: &mut Compiler, process: &ProcessVars) -> Result<(), String> {
    compiler.take_acls(&[])?;
    let rules = Rules::new(rules, compiler)?;
    let (mut none, mut wanted) = (Message::default(), Wanted::default());
    let (facts, vars) = (Start, Vars::new(process));
    rules.run(0, &mut none, None, false, &[], &facts, &vars, &mut wanted);
    Ok(())
}

/// What is known before there is any connection.
struct Start;

impl Facts for Start {
    fn wall_micros(&self) -> i64 {
        crate::log::wall(std::time::SystemTime::now()).unix_micros
    }

    fn random(&self) -> u64 {
        crate::seen::random()
    }
}
