//! The rule language (manual 7): samples, converters, ACLs, formats and rules.
//!
//! The plan's values are compiled once ([`Compiler`]) into closures and small enums; evaluating
//! one looks nothing up by name. Nothing here knows a socket or a clock: what the engine knows comes
//! in through [`Facts`], heads as [`telamon_http::Message`]s, and what rules want is given back as a
//! [`Verdict`].
//!
//! Every fetch, converter and action is a row of a table (`fetches/`, `converters/`,
//! `actions.rs`); the tables are the only places that know the names.
#![forbid(unsafe_code)]

mod actions;
mod args;
mod calls;
mod changes;
mod check;
mod compile;
mod converters;
mod env;
mod fetches;
mod format;
#[cfg(test)]
mod hostile;
mod matching;
mod networks;
mod patterns;
mod prefixes;
mod ranges;
mod ranked;
mod regex;
mod reply;
mod sample;
mod structured;
mod users;
mod vars;

pub use actions::{Place, Rules, Verdict, Wanted};
pub use calls::{Answer, Call, CallEnd, Calls, Change, Function, Kind as CallKind};
pub use check::check;
pub use compile::{Compiler, Condition, Expression};
pub use env::{Env, Facts, Kernel, Limit, Names, Number, Side, Text, Timer, Whose};
pub use format::Format;
pub use patterns::{Entry, Hit, PatternSets, Refusal, Set as PatternSet, Summary, Which};
pub use reply::{Redirect, Reply};
pub use sample::Sample;
pub use vars::{ProcessVars, VariableNames, Vars};

/// The names that are carried out, by kind, each sorted.
pub fn known_words() -> Vec<(&'static str, Vec<&'static str>)> {
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    vec![
        ("fetches", sorted(fetches::names())),
        ("converters", sorted(converters::names())),
        ("actions", sorted(actions::names())),
    ]
}
