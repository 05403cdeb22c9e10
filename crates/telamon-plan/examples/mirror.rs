//! Reads plans as JSON, one a line, and answers each with a line: the plan written anew, or
//! `error: ` and why it is none. The Python tests hold the two sides of the border together
//! with it.

use std::io::{self, BufRead, Write};

use telamon_plan::ProxyPlan;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        // Without `validate`: shapes are compared here, not sense.
        match serde_json::from_str::<ProxyPlan>(&line?) {
            Ok(plan) => writeln!(out, "{}", serde_json::to_string(&plan)?)?,
            Err(error) => writeln!(out, "error: {error}")?,
        }
    }
    Ok(())
}
