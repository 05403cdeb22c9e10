//! Sample fetches: a table of rows, by family.

use telamon_http::Message;
use telamon_plan::rules::Call;

use crate::args::Args;
use crate::calls;
use crate::compile::Compiler;
use crate::env::{Env, Number, Text};
use crate::sample::Sample;

mod authentication;
mod connections;
mod constants;
mod distcc;
mod hello;
mod http;
mod layer4;
mod payload;
mod states;
mod timers;
mod urls;

pub(crate) use http::list_parts;

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

    /// Of several values, an expression takes the last.
    fn takes_last(&self) -> bool {
        matches!(self, Fetch::Each { last: true, .. })
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

/// One of the two heads, or of the two directions.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Request,
    Response,
}

impl Of {
    fn head<'e>(self, env: &Env<'e>) -> Option<&'e Message> {
        match self {
            Of::Request => env.asked(),
            Of::Response => env.response,
        }
    }
}

type Made = Result<Fetch, String>;

/// One row: the name, and how its arguments become a fetch.
pub(crate) struct Row {
    name: &'static str,
    /// The response's name, where `name` is the request's and both are made alike.
    twin: Option<&'static str>,
    make: Make,
}

/// What many rows share is data.
enum Make {
    By(fn(Args<'_>, &mut Compiler) -> Made),
    OfSide(fn(Args<'_>, Of) -> Made),
    Number(Number, states::Shape),
    Text(Text),
}

const fn by(name: &'static str, make: fn(Args<'_>, &mut Compiler) -> Made) -> Row {
    Row {
        name,
        twin: None,
        make: Make::By(make),
    }
}

const fn sided(name: &'static str, twin: &'static str, make: fn(Args<'_>, Of) -> Made) -> Row {
    Row {
        name,
        twin: Some(twin),
        make: Make::OfSide(make),
    }
}

const fn number(name: &'static str, what: Number) -> Row {
    shaped(name, what, states::Shape::Plain)
}

const fn shaped(name: &'static str, what: Number, shape: states::Shape) -> Row {
    Row {
        name,
        twin: None,
        make: Make::Number(what, shape),
    }
}

const fn text(name: &'static str, what: Text) -> Row {
    Row {
        name,
        twin: None,
        make: Make::Text(what),
    }
}

const FAMILIES: [&[Row]; 11] = [
    authentication::ROWS,
    connections::ROWS,
    constants::ROWS,
    distcc::ROWS,
    hello::ROWS,
    http::ROWS,
    layer4::ROWS,
    payload::ROWS,
    states::ROWS,
    timers::ROWS,
    urls::ROWS,
];

pub(crate) fn names() -> Vec<&'static str> {
    let rows = FAMILIES.iter().flat_map(|rows| rows.iter());
    rows.flat_map(|row| std::iter::once(row.name).chain(row.twin))
        .collect()
}

pub(crate) fn compile(call: &Call, compiler: &mut Compiler) -> Made {
    if let Some(name) = call.name.strip_prefix(calls::PREFIX) {
        compiler.calls_made = true;
        let function = calls::function(calls::Kind::Fetch, name, Args(&call.arguments));
        return Fetch::new(move |env| calls::value(env, &function, None));
    }
    let named = |row: &&Row| row.name == call.name || row.twin == Some(&*call.name);
    let mut rows = FAMILIES.iter().flat_map(|rows| rows.iter());
    let row = rows
        .find(named)
        .ok_or("known to HAProxy, not yet to Telamon")?;
    compiler.bodies_read |= http::BODIES.contains(&row.name);
    let args = Args(&call.arguments);
    match row.make {
        Make::By(make) => make(args, compiler),
        Make::OfSide(make) if row.name == call.name => make(args, Of::Request),
        Make::OfSide(make) => make(args, Of::Response),
        Make::Number(what, shape) => states::fetch(args, what, shape),
        Make::Text(what) => Fetch::new(move |env| {
            let text = env.facts.text(what)?;
            Some(Sample::owned(text.into_owned().into_bytes()))
        }),
    }
}
