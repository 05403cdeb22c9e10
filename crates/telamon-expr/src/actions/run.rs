//! A list of rules, compiled, and how it is run.

use std::sync::Arc;

use telamon_http::Message;
use telamon_plan::rules::Rule;

use super::rows::action_of;
use super::{Action, Place, Verdict, Wanted};
use crate::calls::{self, CallEnd, Calls, Outcome};
use crate::compile::{Compiler, Condition, Expression};
use crate::env::{Env, Facts};
use crate::reply::{reason, whole};
use crate::vars::Vars;

/// The rules of one list, compiled.
pub struct Rules {
    rules: Vec<Compiled>,
    /// Some of them may call functions outside.
    makes_calls: bool,
}

struct Compiled {
    condition: Option<Condition>,
    /// The values of the action that make calls: all of them must be there before it does anything.
    awaited: Vec<Expression>,
    action: Action,
    place: Arc<Place>,
}

/// What comes of looking at a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    PassedOver,
    /// Bytes that are still to come decide.
    Open,
    /// The answer to a call is missing.
    Waits,
    Holds,
}

impl From<Option<bool>> for Look {
    fn from(decided: Option<bool>) -> Look {
        match decided {
            None => Look::Open,
            Some(false) => Look::PassedOver,
            Some(true) => Look::Holds,
        }
    }
}

impl Rules {
    /// An error names the rule's place in the files.
    pub fn new(rules: &[Rule], compiler: &mut Compiler) -> Result<Rules, String> {
        let compiled = rules.iter().map(|rule| {
            Compiled::new(rule, compiler)
                .map_err(|error| format!("{}: {}: {error}", rule.source_line, rule.action))
        });
        Ok(Rules {
            rules: compiled.collect::<Result<_, _>>()?,
            makes_calls: compiler.calls_made,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Where the rule numbered `at` stands.
    pub fn place(&self, at: usize) -> Option<&Arc<Place>> {
        self.rules.get(at).map(|rule| &rule.place)
    }

    /// Runs the rules from the one numbered `from`. `edited` is the head that they may change: the
    /// request's, or with `in_response` the response's.
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &self,
        from: usize,
        edited: &mut Message,
        other: Option<&Message>,
        in_response: bool,
        body: &[u8],
        facts: &dyn Facts,
        vars: &Vars,
        wanted: &mut Wanted,
    ) -> (Verdict, usize) {
        let mut strict = {
            let env = env(edited, other, in_response, body, facts, vars);
            self.is_strict_at(from, &env)
        };
        for (at, rule) in self.rules.iter().enumerate().skip(from) {
            let verdict = {
                let env = env(edited, other, in_response, body, facts, vars);
                let look = self.look(rule, &env);
                if vars.take_give_up() {
                    return (Verdict::Failed, at);
                }
                match look {
                    Look::PassedOver => continue,
                    Look::Open => return (Verdict::More, at),
                    Look::Waits => return (Verdict::Call, at),
                    Look::Holds => rule.action.verdict(at, &env),
                }
            };
            if vars.take_give_up() {
                return (Verdict::Failed, at);
            }
            if let Some(verdict) = verdict {
                if !verdict.answers() {
                    self.pass(facts);
                }
                return (verdict, at);
            }
            if let Action::Call(called) = &rule.action {
                let outcome = called.outcome(&env(edited, other, in_response, body, facts, vars));
                match follow(outcome, at, edited, vars) {
                    Some(verdict) => return (verdict, at),
                    None => self.pass(facts),
                }
                continue;
            }
            if let Action::Strict(on) = rule.action {
                strict = on;
                continue;
            }
            let edit = {
                let env = env(edited, other, in_response, body, facts, vars);
                rule.action.effect(&env, wanted, in_response)
            };
            if vars.take_give_up() {
                return (Verdict::Failed, at);
            }
            match edit {
                Some(edit) => edit.apply(edited),
                None if strict && rule.action.must_succeed() => return (Verdict::Failed, at),
                None => {}
            }
            self.pass(facts);
        }
        (Verdict::GoOn, self.rules.len())
    }

    /// What `strict-mode` rules before this one have said, for a list that goes on from its middle.
    fn is_strict_at(&self, from: usize, env: &Env<'_>) -> bool {
        let before = self.rules.iter().take(from).rev();
        let mut said = before.filter_map(|rule| match rule.action {
            Action::Strict(on) => Some((on, rule.condition.as_ref())),
            _ => None,
        });
        let last = said.find(|(_, condition)| condition.is_none_or(|one| one.holds(env)));
        last.is_none_or(|(on, _)| on)
    }

    /// Does a rule hold, and are all of its values there?
    fn look(&self, rule: &Compiled, env: &Env<'_>) -> Look {
        let decides = || {
            let condition = rule.condition.as_ref();
            condition.map_or(Some(true), |one| one.decides(env))
        };
        // Without calls a rule pays nothing for them.
        let calls = if self.makes_calls {
            env.facts.calls()
        } else {
            None
        };
        let Some(calls) = calls else {
            return Look::from(decides());
        };
        calls.begin();
        let look = Look::from(decides());
        calls.begin();
        if look == Look::Holds && !calls.waits() {
            rule.awaited.iter().for_each(|one| drop(one.value(env)));
            calls.begin();
        }
        if calls.waits() {
            return Look::Waits;
        }
        if look != Look::Holds {
            calls.forget();
        }
        look
    }

    /// A rule is over; what it has called is called anew by the next.
    fn pass(&self, facts: &dyn Facts) {
        if self.makes_calls {
            facts.calls().into_iter().for_each(Calls::forget);
        }
    }

    /// The answer of the rule that ended the list; None: the proxy's own page of its status.
    pub fn answer(&self, at: usize, env: &Env<'_>) -> (u16, Option<(Message, Vec<u8>)>) {
        match self.rules.get(at).map(|rule| &rule.action) {
            Some(Action::Deny(reply) | Action::Tarpit(reply) | Action::Return(reply)) => {
                (reply.status, reply.make(env))
            }
            Some(Action::Redirect(redirect)) => {
                (redirect.code, Some((redirect.make(env), Vec::new())))
            }
            Some(Action::Auth(realm)) => {
                let names = env.facts.names();
                let own = names.backend.unwrap_or(names.frontend).0.as_bytes();
                (401, Some(challenge(realm.as_deref().unwrap_or(own))))
            }
            Some(Action::Call(_)) => match env.facts.calls().and_then(Calls::take_end) {
                Some(CallEnd::Message(message)) => {
                    let made = whole(&message);
                    (made.as_ref().map_or(500, |made| made.0.status()), made)
                }
                Some(CallEnd::Deny(status)) => (status, None),
                None => (500, None),
            },
            _ => (500, None),
        }
    }
}

/// Does what a function outside wants. The verdict, if it ends or stops the list.
fn follow(outcome: Outcome, at: usize, edited: &mut Message, vars: &Vars) -> Option<Verdict> {
    let (changes, end) = match outcome {
        Outcome::Waits => return Some(Verdict::Call),
        Outcome::Failed => return Some(Verdict::CallFailed),
        Outcome::Done(changes, end) => (changes, end),
    };
    for change in changes {
        change.make(edited, vars);
    }
    end.map(|end| match end {
        CallEnd::Message(_) => Verdict::Return(at),
        CallEnd::Deny(_) => Verdict::Deny(at),
    })
}

/// RFC 7617: who are you?
fn challenge(realm: &[u8]) -> (Message, Vec<u8>) {
    let body =
        b"<html><body><h1>401 Unauthorized</h1>\nYou need a valid user and password to access \
                 this content.\n</body></html>\n";
    let mut head = Message::default();
    head.begin_response(401, reason(401));
    head.add_field(b"content-length", body.len().to_string().as_bytes());
    head.add_field(b"cache-control", b"no-cache");
    head.add_field(b"content-type", b"text/html");
    let value = [b"Basic realm=\"", realm, b"\""].concat();
    head.add_field(b"www-authenticate", &value);
    (head, body.to_vec())
}

fn env<'e>(
    edited: &'e Message,
    other: Option<&'e Message>,
    in_response: bool,
    body: &'e [u8],
    facts: &'e dyn Facts,
    vars: &'e Vars,
) -> Env<'e> {
    let own = (!edited.is_empty()).then_some(edited);
    let (request, response) = if in_response {
        (other, own)
    } else {
        (own, None)
    };
    Env {
        request,
        response,
        body,
        facts,
        vars,
    }
}

impl Compiled {
    fn new(rule: &Rule, compiler: &mut Compiler) -> Result<Compiled, String> {
        let condition = rule.condition.as_ref();
        let condition = condition
            .map(|plan| Condition::new(plan, compiler))
            .transpose()?;
        let action = action_of(rule, compiler)?;
        let awaited = calls::expressions(rule)
            .into_iter()
            .map(|plan| Expression::new(plan, compiler));
        let place = Arc::new(Place::new(&rule.source_line));
        Ok(Compiled {
            condition,
            awaited: awaited.collect::<Result<_, _>>()?,
            action,
            place,
        })
    }
}
