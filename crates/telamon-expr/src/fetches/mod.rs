//! Sample fetches: a table of rows, by family.

use telamon_plan::rules::Call;

use crate::args::Args;
use crate::calls;
use crate::compile::Compiler;
use crate::env::Env;
use crate::sample::Sample;

mod constants;
mod http;
mod layer4;
mod states;

type One = Box<dyn for<'e> Fn(&Env<'e>) -> Option<Sample<'e>> + Send + Sync>;
type Each = Box<dyn for<'e> Fn(&Env<'e>, &mut dyn FnMut(Sample<'e>) -> bool) -> bool + Send + Sync>;

/// A compiled fetch.
pub(crate) enum Fetch {
    One(One),
    /// One with several values: an ACL looks at all of them until one passes, an expression takes
    /// the first or the last.
    Each {
        each: Each,
        last: bool,
    },
}

impl Fetch {
    pub(crate) fn new(
        fetch: impl for<'e> Fn(&Env<'e>) -> Option<Sample<'e>> + Send + Sync + 'static,
    ) -> Result<Fetch, String> {
        Ok(Fetch::One(Box::new(fetch)))
    }

    pub(crate) fn each_of(
        last: bool,
        each: impl for<'e> Fn(&Env<'e>, &mut dyn FnMut(Sample<'e>) -> bool) -> bool
            + Send
            + Sync
            + 'static,
    ) -> Result<Fetch, String> {
        Ok(Fetch::Each {
            each: Box::new(each),
            last,
        })
    }

    pub(crate) fn one<'e>(&self, env: &Env<'e>) -> Option<Sample<'e>> {
        match self {
            Fetch::One(fetch) => fetch(env),
            Fetch::Each { each, last } => {
                let mut found = None;
                each(env, &mut |sample| {
                    found = Some(sample);
                    !last
                });
                found
            }
        }
    }

    pub(crate) fn each<'e>(&self, env: &Env<'e>, test: &mut dyn FnMut(Sample<'e>) -> bool) -> bool {
        match self {
            Fetch::One(fetch) => fetch(env).is_some_and(test),
            Fetch::Each { each, .. } => each(env, test),
        }
    }
}

/// One row: the name, and how its arguments become a fetch.
pub(crate) struct Row {
    name: &'static str,
    make: fn(Args<'_>, &mut Compiler) -> Result<Fetch, String>,
}

const FAMILIES: [&[Row]; 4] = [constants::ROWS, http::ROWS, layer4::ROWS, states::ROWS];

pub(crate) fn names() -> Vec<&'static str> {
    let rows = FAMILIES.iter().flat_map(|rows| rows.iter());
    rows.map(|row| row.name).collect()
}

pub(crate) fn compile(call: &Call, compiler: &mut Compiler) -> Result<Fetch, String> {
    if let Some(name) = call.name.strip_prefix(calls::PREFIX) {
        compiler.makes_calls = true;
        let function = calls::function(calls::Kind::Fetch, name, Args(&call.arguments));
        return Fetch::new(move |env| calls::value(env, &function, None));
    }
    let row = FAMILIES
        .iter()
        .flat_map(|rows| rows.iter())
        .find(|row| row.name == call.name)
        .ok_or("known to HAProxy, not yet to Telamon")?;
    (row.make)(Args(&call.arguments), compiler)
}
