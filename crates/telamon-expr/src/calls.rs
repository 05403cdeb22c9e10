//! Calls of functions that live elsewhere (Python's): what is asked, and what was answered.
//!
//! Nothing here can wait. An expression that meets a call whose answer is not there yet notes the
//! call and has no value. Whoever runs the rules then lets the request wait, has the call made, and
//! runs the same rule again: this time the answer is found. So a rule is evaluated once more for
//! each call in it, and nothing it does is done before all of its values are there.
//!
//! Answers belong to one rule: when it is over they are forgotten, since the same call in the next
//! rule may see another request. A call is known again by what it is given; where that changes by
//! itself (`rand`, `date`), by being the same function's first, second, ... call in the rule.

use std::cell::RefCell;
use std::sync::Arc;

use telamon_plan::rules;

use crate::args::Args;
use crate::env::Env;
use crate::format::Format;
use crate::sample::Sample;

/// Names of such functions begin with it.
pub(crate) const PREFIX: &str = "python.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Fetch,
    Converter,
    Action,
    Service,
}

/// A function with the arguments that its rule has written.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub kind: Kind,
    pub name: String,
    pub arguments: Vec<Vec<u8>>,
}

/// `given`: a converter's input, or an action's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub function: Arc<Function>,
    pub given: Vec<Sample<'static>>,
}

/// What came of a call.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// It raised, or took too long.
    pub failed: bool,
    pub value: Option<Sample<'static>>,
    pub changes: Vec<Change>,
    pub end: Option<CallEnd>,
}

impl Answer {
    pub fn failure() -> Answer {
        Answer {
            failed: true,
            ..Answer::default()
        }
    }
}

pub use crate::changes::Change;

/// The request ends here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// With this response.
    Message(Vec<u8>),
    /// With the proxy's own page.
    Deny(u16),
}

/// The calls of the rule at hand. An exchange has one of these.
#[derive(Debug, Default)]
pub struct Calls {
    /// Each with its number among those of its function.
    known: RefCell<Vec<(Call, usize, Answer)>>,
    /// The functions that this pass has met so far.
    met: RefCell<Vec<Arc<Function>>>,
    wanted: RefCell<Option<(Call, usize)>>,
    end: RefCell<Option<CallEnd>>,
}

impl Calls {
    /// A new look at the rule.
    pub fn begin(&self) {
        self.met.borrow_mut().clear();
    }

    /// The answer, or None and the call is wanted.
    fn ask(&self, function: &Arc<Function>, given: Vec<Sample<'static>>) -> Option<Answer> {
        let number = {
            let mut met = self.met.borrow_mut();
            let before = met.iter().filter(|one| **one == *function).count();
            met.push(function.clone());
            before
        };
        let call = Call {
            function: function.clone(),
            given,
        };
        let known = self.known.borrow();
        let same = known.iter().find(|one| one.0 == call);
        let place = || {
            known
                .iter()
                .find(|one| one.1 == number && one.0.function == call.function)
        };
        if let Some((_, _, answer)) = same.or_else(place) {
            return Some(answer.clone());
        }
        let mut wanted = self.wanted.borrow_mut();
        if wanted.is_none() {
            *wanted = Some((call, number));
        }
        None
    }

    /// Is an answer missing?
    pub fn waits(&self) -> bool {
        self.wanted.borrow().is_some()
    }

    /// The call whose answer is missing.
    pub fn wanted(&self) -> Option<Call> {
        self.wanted.borrow().as_ref().map(|one| one.0.clone())
    }

    /// The answer to the call that was wanted.
    pub fn tell(&self, answer: Answer) {
        if let Some((call, number)) = self.wanted.take() {
            self.known.borrow_mut().push((call, number, answer));
        }
    }

    /// The rule is over.
    pub fn forget(&self) {
        self.known.borrow_mut().clear();
        self.met.borrow_mut().clear();
        self.wanted.take();
    }

    pub(crate) fn take_end(&self) -> Option<CallEnd> {
        self.end.take()
    }
}

/// `python.name(arguments)` as a fetch or a converter.
pub(crate) fn function(kind: Kind, name: &str, args: Args<'_>) -> Arc<Function> {
    Arc::new(Function {
        kind,
        name: name.to_owned(),
        arguments: (0..args.len())
            .map(|at| args.text(at).unwrap_or_default())
            .collect(),
    })
}

/// The value of a fetch or a converter.
pub(crate) fn value(
    env: &Env<'_>,
    function: &Arc<Function>,
    input: Option<Sample<'_>>,
) -> Option<Sample<'static>> {
    let given = input.into_iter().map(Sample::into_owned).collect();
    env.facts.calls()?.ask(function, given)?.value
}

/// The expressions of a rule's action that make calls, in the order of their evaluation.
pub(crate) fn expressions(rule: &rules::Rule) -> Vec<&rules::Expression> {
    let own = rule.expression.iter();
    let reply = rule.reply.iter();
    let headers = reply.clone().flat_map(|reply| &reply.headers);
    let formats = (rule.formats.iter())
        .chain(reply.filter_map(|reply| reply.format.as_ref()))
        .chain(headers.map(|header| &header.value));
    let pieces = formats.flat_map(|format| &format.pieces);
    let written = pieces.filter_map(|piece| piece.expression.as_ref());
    own.chain(written).filter(|one| makes_calls(one)).collect()
}

fn makes_calls(expression: &rules::Expression) -> bool {
    let calls = std::iter::once(&expression.fetch).chain(&expression.converters);
    // `acl` looks at tests, which may make them.
    calls
        .into_iter()
        .any(|call| call.name.starts_with(PREFIX) || call.name == "acl")
}

/// An action or a service.
pub(crate) struct Called {
    function: Arc<Function>,
    formats: Vec<Format>,
    /// Its failure ends the request.
    required: bool,
}

/// How far a call of an action has come.
pub(crate) enum Outcome {
    Waits,
    Failed,
    Done(Vec<Change>, Option<CallEnd>),
}

impl Called {
    pub(crate) fn new(kind: Kind, name: String, formats: Vec<Format>, required: bool) -> Called {
        Called {
            function: Arc::new(Function {
                kind,
                name,
                arguments: Vec::new(),
            }),
            formats,
            required: required || kind == Kind::Service,
        }
    }

    pub(crate) fn outcome(&self, env: &Env<'_>) -> Outcome {
        let Some(calls) = env.facts.calls() else {
            return Outcome::Failed;
        };
        let texts = self.formats.iter().map(|format| format.plain(env));
        let Some(answer) = calls.ask(&self.function, texts.map(Sample::owned).collect()) else {
            return Outcome::Waits;
        };
        if answer.failed && self.required {
            return Outcome::Failed;
        }
        calls.end.replace(answer.end.clone());
        Outcome::Done(answer.changes, answer.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Arc<Function> {
        Arc::new(Function {
            kind: Kind::Converter,
            name: name.to_owned(),
            arguments: Vec::new(),
        })
    }

    fn number(value: i64) -> Answer {
        Answer {
            value: Some(Sample::Int(value)),
            ..Answer::default()
        }
    }

    fn ask(calls: &Calls, function: &Arc<Function>, given: i64) -> Option<i64> {
        let answer = calls.ask(function, vec![Sample::Int(given)])?;
        answer.value?.as_int()
    }

    #[test]
    fn the_first_call_without_an_answer_is_wanted() {
        let (calls, one, other) = (Calls::default(), named("a"), named("b"));
        assert_eq!(ask(&calls, &one, 1), None);
        assert_eq!(ask(&calls, &other, 1), None);
        assert_eq!(calls.wanted().unwrap().function, one);
        calls.tell(number(5));
        calls.begin();
        assert_eq!(ask(&calls, &one, 1), Some(5));
        assert_eq!(ask(&calls, &other, 1), None);
        assert_eq!(calls.wanted().unwrap().function, other);
    }

    #[test]
    fn several_values_of_one_function_are_kept_apart() {
        let (calls, one) = (Calls::default(), named("a"));
        for given in 1..=3 {
            calls.begin();
            for before in 1..given {
                assert_eq!(ask(&calls, &one, before), Some(before * 10));
            }
            assert_eq!(ask(&calls, &one, given), None);
            calls.tell(number(given * 10));
        }
        // Another order of the same values.
        calls.begin();
        assert_eq!(ask(&calls, &one, 3), Some(30));
        assert_eq!(ask(&calls, &one, 1), Some(10));
    }

    #[test]
    fn a_value_that_changes_by_itself_is_asked_once() {
        let (calls, one) = (Calls::default(), named("a"));
        assert_eq!(ask(&calls, &one, 17), None);
        calls.tell(number(1));
        calls.begin();
        assert_eq!(ask(&calls, &one, 99), Some(1));
        assert!(!calls.waits());
        calls.forget();
        assert_eq!(ask(&calls, &one, 17), None);
    }
}
