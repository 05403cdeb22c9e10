//! What is evaluated once, before there is any connection.

use telamon_expr::{Compiler, Facts, ProcessVars, Rules, Vars, Wanted};
use telamon_http::Message;
use telamon_plan::ProxyPlan;

/// `set-var` and `set-var-fmt` of `global`: run once, before there is any connection.
pub(crate) fn set_variables(
    plan: &ProxyPlan,
    compiler: &mut Compiler,
    process: &ProcessVars,
) -> Result<(), String> {
    compiler.take_acls(&[])?;
    let rules = Rules::new(&plan.variables, compiler)?;
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
