//! What is evaluated once, before there is any connection.

use std::net::SocketAddr;

use telamon_expr::{Compiler, Facts, Names, Number, ProcessVars, Rules, Vars, Wanted};
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
    fn source(&self) -> Option<SocketAddr> {
        None
    }

    fn destination(&self) -> Option<SocketAddr> {
        None
    }

    fn names(&self) -> Names<'_> {
        Names::default()
    }

    fn number(&self, _: Number, _: Option<u32>, _: Option<u32>) -> Option<i64> {
        None
    }

    fn wall_micros(&self) -> i64 {
        crate::log::wall(std::time::SystemTime::now()).unix_micros
    }

    fn random(&self) -> u64 {
        crate::seen::random()
    }

    fn hostname(&self) -> &str {
        ""
    }

    fn alias(&self, _: &str, _: &str, _: &mut Vec<u8>) -> bool {
        false
    }

    fn capture(&self, _: bool, _: usize) -> Option<Vec<u8>> {
        None
    }

    fn request_line(&self) -> Option<&[u8]> {
        None
    }
}
