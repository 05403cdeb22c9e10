//! From the plan's values to closures.

use std::collections::HashMap;
use std::sync::Arc;

use telamon_plan::rules::{self, Acl};
use telamon_plan::users::UserList;

use crate::converters::{self, Converter, PublicKeys};
use crate::env::Env;
use crate::fetches::{self, Fetch};
use crate::matching::Test;
use crate::patterns::{PatternSets, Set};
use crate::sample::Sample;
use crate::users::Users;
use crate::vars::{Slot, VariableNames};

/// What compiling needs to know beyond the expression itself; one per process.
#[derive(Default)]
pub struct Compiler {
    sets: PatternSets,
    names: VariableNames,
    /// The ACLs of the proxy at hand.
    acls: Vec<Arc<Vec<Test>>>,
    /// Something that was compiled calls a function outside.
    pub(crate) calls_made: bool,
    /// Of `jwt_verify`.
    pub(crate) public_keys: PublicKeys,
    /// Something that was compiled looks at a body.
    pub(crate) bodies_read: bool,
    users: HashMap<String, Arc<Users>>,
}

impl Compiler {
    pub fn new(sets: PatternSets) -> Compiler {
        Compiler {
            sets,
            ..Compiler::default()
        }
    }

    /// For what is added to a process that runs: its sets, and its names of variables.
    pub fn again(sets: &PatternSets, names: &VariableNames) -> Compiler {
        Compiler {
            sets: sets.clone(),
            names: names.clone(),
            ..Compiler::default()
        }
    }

    /// Takes the lists of users that fetches name; an error where a hash cannot be computed.
    pub fn take_users(&mut self, lists: &[UserList]) -> Result<(), String> {
        for list in lists {
            let users =
                Users::new(list).map_err(|text| format!("userlist '{}': {text}", list.name))?;
            self.users.insert(list.name.clone(), Arc::new(users));
        }
        Ok(())
    }

    pub(crate) fn users(&self, name: &[u8]) -> Result<Arc<Users>, String> {
        let named = std::str::from_utf8(name)
            .ok()
            .and_then(|name| self.users.get(name));
        named
            .cloned()
            .ok_or_else(|| "there is no such userlist".to_owned())
    }

    /// Compiles the ACLs of one proxy: the conditions that follow point into them.
    pub fn take_acls(&mut self, acls: &[Acl]) -> Result<(), String> {
        self.acls.clear();
        for acl in acls {
            let tests = acl.tests.iter().map(|test| {
                Test::new(test, self).map_err(|error| format!("{}: {error}", test.source_line))
            });
            let tests = tests.collect::<Result<Vec<_>, _>>()?;
            self.acls.push(Arc::new(tests));
        }
        Ok(())
    }

    /// A variable's number. Its scope is the name's first part.
    pub(crate) fn slot(&mut self, name: &str) -> Slot {
        self.names.number(name)
    }

    /// Does anything that was compiled call a function outside?
    pub fn makes_calls(&self) -> bool {
        self.calls_made
    }

    /// Does anything that was compiled look at a request's or a response's body?
    pub fn reads_bodies(&self) -> bool {
        self.bodies_read || self.calls_made
    }

    /// The number of the variable that a text names; None if it names none.
    pub(crate) fn variable(&mut self, text: &[u8]) -> Option<Slot> {
        self.names.slot(text).ok()
    }

    /// What the variables are called.
    pub fn into_names(self) -> VariableNames {
        self.names
    }

    pub(crate) fn set(&self, id: i64) -> Result<Arc<Set>, String> {
        u32::try_from(id)
            .ok()
            .and_then(|id| self.sets.get(id))
            .ok_or_else(|| format!("no pattern file has the number {id}"))
    }

    /// The set of an ACL's own line.
    pub(crate) fn set_of_line(&mut self, test: &rules::Test) -> Arc<Set> {
        self.sets.of_line(test)
    }

    /// All sets, those of the lines included that were compiled.
    pub fn pattern_sets(&self) -> &PatternSets {
        &self.sets
    }

    pub(crate) fn set_by_path(&self, path: &str) -> Result<Arc<Set>, String> {
        self.sets
            .by_path(path)
            .ok_or_else(|| format!("no rule reads the file '{path}'"))
    }

    pub(crate) fn acl(&self, at: usize) -> Result<Arc<Vec<Test>>, String> {
        let found = self.acls.get(at).cloned();
        found.ok_or_else(|| format!("there is no ACL number {at}"))
    }
}

/// A fetch and its converters.
pub struct Expression {
    fetch: Fetch,
    converters: Vec<Converter>,
}

impl Expression {
    pub fn new(plan: &rules::Expression, compiler: &mut Compiler) -> Result<Expression, String> {
        let fetch = fetches::compile(&plan.fetch, compiler)
            .map_err(|error| format!("fetch '{}': {error}", plan.fetch.name))?;
        let converters = plan.converters.iter().map(|call| {
            converters::compile(call, compiler)
                .map_err(|error| format!("converter '{}': {error}", call.name))
        });
        Ok(Expression {
            fetch,
            converters: converters.collect::<Result<_, _>>()?,
        })
    }

    /// The expression's value; a fetch of several gives the one that HAProxy names.
    pub fn value<'e>(&self, env: &Env<'e>) -> Option<Sample<'e>> {
        self.convert(env, self.fetch.one(env)?)
    }

    /// Is `test` true for any of the values?
    pub fn any<'e>(&self, env: &Env<'e>, test: &mut dyn FnMut(Sample<'e>) -> bool) -> bool {
        self.fetch.each(env, &mut |sample| {
            self.convert(env, sample).is_some_and(&mut *test)
        })
    }

    fn convert<'e>(&self, env: &Env<'e>, mut sample: Sample<'e>) -> Option<Sample<'e>> {
        for converter in &self.converters {
            sample = converter(env, sample)?;
        }
        Some(sample)
    }
}

/// `if` or `unless`.
pub struct Condition {
    any: Vec<Vec<(bool, Arc<Vec<Test>>)>>,
    unless: bool,
}

impl Condition {
    pub fn new(plan: &rules::Condition, compiler: &Compiler) -> Result<Condition, String> {
        let any = plan.any.iter().map(|all| {
            let terms = all.terms.iter().map(|term| {
                let tests = compiler.acl(term.acl as usize)?;
                Ok((term.negated, tests))
            });
            terms.collect::<Result<Vec<_>, String>>()
        });
        Ok(Condition {
            any: any.collect::<Result<_, _>>()?,
            unless: plan.unless,
        })
    }

    /// As `holds`; None: bytes that are still to come could change it (manual 4.2, `tcp-request
    /// inspect-delay`).
    pub fn decides(&self, env: &Env<'_>) -> Option<bool> {
        if !env.facts.may_change() {
            return Some(self.holds(env));
        }
        let acl = |(negated, tests): &(bool, Arc<Vec<Test>>)| {
            env.facts.take_undecided();
            let passes = tests.iter().any(|test| test.passes(env));
            let open = !passes && env.facts.take_undecided();
            (!open).then_some(passes != *negated)
        };
        let mut open = false;
        for all in &self.any {
            // The first term that does not hold, or may not, settles the conjunction.
            match all.iter().map(acl).find(|term| *term != Some(true)) {
                None => return Some(!self.unless),
                Some(None) => open = true,
                Some(Some(_)) => {}
            }
        }
        (!open).then_some(self.unless)
    }

    pub fn holds(&self, env: &Env<'_>) -> bool {
        let one = |(negated, tests): &(bool, Arc<Vec<Test>>)| {
            tests.iter().any(|test| test.passes(env)) != *negated
        };
        self.any.iter().any(|all| all.iter().all(one)) != self.unless
    }
}
