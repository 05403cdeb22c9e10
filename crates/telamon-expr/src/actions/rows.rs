//! The table of actions: how each is made of a plan's rule.

use std::sync::Arc;

use telamon_http::normalize::Normalizer;
use telamon_plan::rules::{self, Rule};

use super::{Action, Name, Wish};
use crate::args::Args;
use crate::calls::{self, Called};
use crate::compile::{Compiler, Expression};
use crate::format::Format;
use crate::patterns::Set;
use crate::regex::Regex;
use crate::reply::{Redirect, Reply};
use crate::vars::{Setting, Slot};

/// The parts of a plan's rule as constructors read them.
struct Parts<'a> {
    args: Args<'a>,
    rule: &'a Rule,
    compiler: &'a mut Compiler,
}

impl Parts<'_> {
    fn name(&mut self) -> Result<Vec<u8>, String> {
        Ok(self.args.needed(0, "a name")?.to_ascii_lowercase())
    }

    fn format(&mut self, at: usize) -> Result<Format, String> {
        let plan = self.rule.formats.get(at).ok_or("a format is missing")?;
        Format::new(plan, self.compiler)
    }

    fn expression(&mut self) -> Result<Expression, String> {
        let plan = self
            .rule
            .expression
            .as_ref()
            .ok_or("an expression is missing")?;
        Expression::new(plan, self.compiler)
    }

    /// A number among the arguments, or the expression in its place.
    fn number_or_value(&mut self, at: usize) -> Result<Expression, String> {
        let Some(value) = self.args.number(at)? else {
            return self.expression();
        };
        let fetch = rules::Call {
            name: "int".to_owned(),
            arguments: vec![Some(rules::Argument::Number(value))],
        };
        let plan = rules::Expression {
            fetch,
            converters: Vec::new(),
        };
        Expression::new(&plan, self.compiler)
    }

    fn regex(&mut self, at: usize) -> Result<Regex, String> {
        Regex::new(&self.args.needed(at, "a regular expression")?, false)
    }

    fn reply(&mut self, status: u16) -> Result<Reply, String> {
        match &self.rule.reply {
            Some(plan) => Reply::new(plan, self.compiler),
            None => Ok(Reply::of(status)),
        }
    }

    fn slot(&mut self) -> Result<Slot, String> {
        let name = self.args.string(0).ok_or("a variable is missing")?;
        Ok(self.compiler.slot(&name))
    }

    fn settings(&self) -> Result<Vec<Setting>, String> {
        Setting::read(self.args, 1)
    }

    fn set(&mut self) -> Result<Arc<Set>, String> {
        match self.args.number(0) {
            Ok(Some(id)) => self.compiler.set(id),
            _ => {
                let path = self.args.string(0).ok_or("a file is missing")?;
                self.compiler.set_by_path(&path)
            }
        }
    }
}

type Make = fn(&mut Parts<'_>) -> Result<Action, String>;

const ROWS: &[(&str, Make)] = &[
    ("accept", |_| Ok(Action::Allow)),
    ("add-acl", |parts| {
        Ok(Action::SetEntry(parts.set()?, parts.format(0)?, None))
    }),
    ("add-header", |parts| {
        Ok(Action::Add(parts.name()?, parts.format(0)?))
    }),
    ("allow", |_| Ok(Action::Allow)),
    ("auth", |parts| Ok(Action::Auth(parts.args.text(0)))),
    ("capture", |parts| {
        let slot = parts.args.number(0)?.ok_or("a slot is missing")?;
        Ok(Action::Capture(parts.expression()?, slot as usize))
    }),
    ("close", |_| Ok(Action::Close)),
    ("del-acl", |parts| {
        Ok(Action::RemoveEntry(parts.set()?, parts.format(0)?))
    }),
    ("del-header", del_header),
    ("del-map", |parts| {
        Ok(Action::RemoveEntry(parts.set()?, parts.format(0)?))
    }),
    ("deny", |parts| Ok(Action::Deny(parts.reply(403)?))),
    ("disable-l7-retry", |_| Ok(Action::NoRetry)),
    ("early-hint", |parts| {
        Ok(Action::Hint(parts.name()?, parts.format(0)?))
    }),
    ("normalize-uri", normalize),
    ("pause", |parts| {
        Ok(Action::Pause(parts.number_or_value(0)?))
    }),
    ("python", |parts| call(parts, calls::Kind::Action)),
    ("redirect", |parts| {
        let to = parts.format(0)?;
        let cookie = parts.format(1).ok();
        Ok(Action::Redirect(Redirect::new(parts.args, to, cookie)?))
    }),
    ("reject", |_| Ok(Action::Reject)),
    ("replace-header", |parts| {
        Ok(Action::ReplaceHeader(
            parts.name()?,
            parts.regex(1)?,
            parts.format(0)?,
        ))
    }),
    ("replace-path", |parts| {
        Ok(Action::ReplacePath(
            parts.regex(0)?,
            parts.format(0)?,
            false,
        ))
    }),
    ("replace-pathq", |parts| {
        Ok(Action::ReplacePath(parts.regex(0)?, parts.format(0)?, true))
    }),
    ("replace-uri", |parts| {
        Ok(Action::ReplaceUri(parts.regex(0)?, parts.format(0)?))
    }),
    ("replace-value", |parts| {
        Ok(Action::ReplaceValue(
            parts.name()?,
            parts.regex(1)?,
            parts.format(0)?,
        ))
    }),
    ("return", |parts| Ok(Action::Return(parts.reply(200)?))),
    ("set-dst", |parts| {
        Ok(Action::Address(false, parts.expression()?))
    }),
    ("set-dst-port", |parts| {
        Ok(Action::Port(false, parts.expression()?))
    }),
    ("set-header", |parts| {
        Ok(Action::Set(parts.name()?, parts.format(0)?))
    }),
    ("set-log-level", log_level),
    ("set-map", |parts| {
        Ok(Action::SetEntry(
            parts.set()?,
            parts.format(0)?,
            Some(parts.format(1)?),
        ))
    }),
    ("set-bc-mark", |parts| {
        Ok(Action::Number(Wish::ServerMark, parts.number_or_value(0)?))
    }),
    ("set-bc-tos", |parts| {
        Ok(Action::Number(Wish::ServerTos, parts.number_or_value(0)?))
    }),
    ("set-fc-mark", |parts| {
        Ok(Action::Number(Wish::Mark, parts.number_or_value(0)?))
    }),
    ("set-fc-tos", |parts| {
        Ok(Action::Number(Wish::Tos, parts.number_or_value(0)?))
    }),
    ("set-mark", |parts| {
        Ok(Action::Number(Wish::Mark, parts.number_or_value(0)?))
    }),
    ("set-method", |parts| {
        Ok(Action::SetMethod(parts.format(0)?))
    }),
    ("set-nice", |_| Ok(Action::Nothing)),
    ("set-path", |parts| {
        Ok(Action::SetPath(parts.format(0)?, false))
    }),
    ("set-pathq", |parts| {
        Ok(Action::SetPath(parts.format(0)?, true))
    }),
    ("set-priority-class", |parts| {
        Ok(Action::Number(Wish::Class, parts.expression()?))
    }),
    ("set-priority-offset", |parts| {
        Ok(Action::Number(Wish::Offset, parts.expression()?))
    }),
    ("set-query", |parts| Ok(Action::SetQuery(parts.format(0)?))),
    ("set-retries", |parts| {
        Ok(Action::Number(Wish::Retries, parts.number_or_value(0)?))
    }),
    ("set-src", |parts| {
        Ok(Action::Address(true, parts.expression()?))
    }),
    ("set-src-port", |parts| {
        Ok(Action::Port(true, parts.expression()?))
    }),
    ("set-status", |parts| {
        let status = parts.args.number(0)?.ok_or("a status is missing")?;
        Ok(Action::SetStatus(status as u16, parts.args.text(1)))
    }),
    ("set-timeout", timeout),
    ("set-tos", |parts| {
        Ok(Action::Number(Wish::Tos, parts.number_or_value(0)?))
    }),
    ("set-uri", |parts| Ok(Action::SetUri(parts.format(0)?))),
    ("set-var", |parts| {
        Ok(Action::SetVar(
            parts.slot()?,
            parts.expression()?,
            parts.settings()?,
        ))
    }),
    ("set-var-fmt", |parts| {
        Ok(Action::SetVarFormat(
            parts.slot()?,
            parts.format(0)?,
            parts.settings()?,
        ))
    }),
    ("silent-drop", |_| Ok(Action::SilentDrop)),
    ("strict-mode", |parts| {
        Ok(Action::Strict(parts.args.text(0).as_deref() == Some(b"on")))
    }),
    ("tarpit", |parts| Ok(Action::Tarpit(parts.reply(500)?))),
    ("unset-var", |parts| Ok(Action::UnsetVar(parts.slot()?))),
    ("use-service", |parts| call(parts, calls::Kind::Service)),
    // There is no handshake behind which a request could wait, without TLS.
    ("wait-for-handshake", |_| Ok(Action::Nothing)),
    ("wait-for-body", |parts| {
        let time = parts.args.number(0)?.unwrap_or(0).max(0) as u64;
        let bytes = parts.args.number(1)?.unwrap_or(0).max(0) as u64;
        Ok(Action::Wait(time, bytes))
    }),
];

fn del_header(parts: &mut Parts<'_>) -> Result<Action, String> {
    let name = parts.name()?;
    Ok(Action::Delete(match parts.args.string(1).as_deref() {
        None | Some("str") => Name::Exact(name),
        Some("beg") => Name::Beginning(name),
        Some("end") => Name::Ending(name),
        Some("sub") => Name::Containing(name),
        Some("reg") => Name::Matching(Regex::new(&parts.args.needed(0, "a name")?, true)?),
        Some(other) => return Err(format!("'{other}' is no way to match a name")),
    }))
}

fn normalize(parts: &mut Parts<'_>) -> Result<Action, String> {
    let name = parts.args.string(0).unwrap_or_default();
    let option = parts.args.string(1);
    let normalizer = Normalizer::named(&name, option.as_deref());
    let normalizer = normalizer.ok_or_else(|| format!("'{name}' is no normalizer"))?;
    Ok(Action::Normalize(normalizer))
}

fn log_level(parts: &mut Parts<'_>) -> Result<Action, String> {
    const LEVELS: [&str; 8] = [
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
    ];
    let word = parts.args.string(0).unwrap_or_default();
    if word == "silent" {
        return Ok(Action::LogLevel(None));
    }
    let level = LEVELS.iter().position(|level| *level == word);
    let level = level.ok_or_else(|| format!("'{word}' is no log level"))?;
    Ok(Action::LogLevel(Some(level as u8)))
}

fn timeout(parts: &mut Parts<'_>) -> Result<Action, String> {
    const NAMES: [&str; 6] = ["client", "connect", "queue", "server", "tarpit", "tunnel"];
    let word = parts.args.string(0).unwrap_or_default();
    let name = NAMES.iter().find(|name| **name == word);
    let name = name.ok_or_else(|| format!("'{word}' is no timeout that rules set"))?;
    let expression = parts.number_or_value(1)?;
    Ok(Action::Timeout(name, expression))
}

/// `python.name` or `use-service`: the name, `required`, and the function's arguments as formats.
fn call(parts: &mut Parts<'_>, kind: calls::Kind) -> Result<Action, String> {
    let name = parts.args.string(0).ok_or("a function's name is missing")?;
    let formats = (0..parts.rule.formats.len()).map(|at| parts.format(at));
    let formats = formats.collect::<Result<_, _>>()?;
    parts.compiler.calls_made = true;
    let required = parts.args.string(1).is_some();
    Ok(Action::Call(Called::new(kind, name, formats, required)))
}

/// The action that a rule names.
pub(super) fn action_of(rule: &Rule, compiler: &mut Compiler) -> Result<Action, String> {
    let row = ROWS.iter().find(|row| row.0 == rule.action);
    let make = row.ok_or("known to HAProxy, not yet to Telamon")?.1;
    make(&mut Parts {
        args: Args(&rule.arguments),
        rule,
        compiler,
    })
}

pub(crate) fn names() -> Vec<&'static str> {
    ROWS.iter().map(|row| row.0).collect()
}
