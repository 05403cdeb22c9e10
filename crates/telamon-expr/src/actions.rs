//! Rules: a table of actions, and how a list of rules is run (manual 4.3 and 4.4).
//!
//! What an action's row takes of the plan's `Rule`: `arguments` in written order, log-format strings
//! in `formats`, a sample expression in `expression`, an answer in `reply`. An action that edits the
//! head does so at once; everything else is left in [`Wanted`] or ends the list with a [`Verdict`].

use telamon_http::normalize::Normalizer;
use telamon_http::Message;
use telamon_plan::rules::{self, Rule};

use crate::args::Args;
use crate::calls::{self, CallEnd, Called, Calls, Outcome};
use crate::compile::{Compiler, Condition, Expression};
use crate::env::{Env, Facts};
use crate::fetches::list_parts;
use crate::format::Format;
use crate::patterns::Set;
use crate::regex::Regex;
use crate::reply::{early_hint, reason, whole, Redirect, Reply};
use crate::sample::Sample;
use crate::vars::{Setting, Slot, Vars};
use std::net::IpAddr;
use std::sync::Arc;

/// How a list of rules ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All rules were looked at.
    GoOn,
    /// A rule said that no further one of this list counts.
    Allow,
    /// Answer and count it as denied. The numbers are those of the rule in its list.
    Deny(usize),
    /// The same after a while.
    Tarpit(usize),
    Return(usize),
    Redirect(usize),
    /// Ask for a name and a password, for this realm (by rule).
    Auth(usize),
    /// Close without an answer; with `silent`, without even a reset.
    Reject,
    SilentDrop,
    /// The server's connection ends; what it has said goes on.
    Close,
    /// More of the body is wanted: this long (ms), and at least so many bytes (0: all).
    Wait {
        time: u64,
        bytes: u64,
    },
    /// Nothing happens for so many milliseconds.
    Pause(u64),
    /// A condition depends on bytes that are still to come.
    More,
    /// The URI breaks the encoding that `normalize-uri ... strict` asks for.
    BadUri,
    /// A rule failed, and `strict-mode` is on.
    Failed,
    /// The answer to a call must be there first ([`crate::Calls::wanted`]); then the list goes on
    /// from the same rule.
    Call,
    /// It failed, and the rule cannot do without it.
    CallFailed,
}

impl Verdict {
    /// Is there an answer to be made, of the same values?
    fn answers(&self) -> bool {
        use Verdict::{Auth, Deny, Redirect, Return, Tarpit};
        matches!(
            self,
            Deny(_) | Tarpit(_) | Return(_) | Redirect(_) | Auth(_)
        )
    }
}

/// What rules want of the engine beyond the head.
#[derive(Default)]
pub struct Wanted {
    pub source: Option<IpAddr>,
    pub source_port: Option<u16>,
    pub destination: Option<IpAddr>,
    pub destination_port: Option<u16>,
    /// By the timeout's word.
    pub timeouts: Vec<(&'static str, u64)>,
    pub retries: Option<u32>,
    pub priority_class: Option<i64>,
    pub priority_offset: Option<i64>,
    /// A syslog level, or `silent` (None within).
    pub log_level: Option<Option<u8>>,
    /// Interim responses for the client.
    pub hints: Vec<u8>,
    pub no_retry: bool,
    pub tos: Option<u32>,
    pub mark: Option<u32>,
    pub server_tos: Option<u32>,
    pub server_mark: Option<u32>,
}

impl Wanted {
    /// Do they change who the client is, or where it wanted to go?
    pub fn changes_ends(&self) -> bool {
        let ips = [self.source, self.destination];
        let ports = [self.source_port, self.destination_port];
        ips.iter().any(Option::is_some) || ports.iter().any(Option::is_some)
    }
}

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

/// Where a rule stands in the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: u32,
}

impl Place {
    fn new(source_line: &str) -> Place {
        let (file, line) = source_line.rsplit_once(':').unwrap_or((source_line, "0"));
        Place {
            file: file.to_owned(),
            line: line.parse().unwrap_or(0),
        }
    }
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

enum Action {
    Allow,
    Reject,
    SilentDrop,
    Close,
    Deny(Reply),
    Tarpit(Reply),
    Return(Reply),
    Redirect(Redirect),
    /// Without a realm, the proxy's name is it.
    Auth(Option<Vec<u8>>),
    Add(Vec<u8>, Format),
    Set(Vec<u8>, Format),
    Delete(Name),
    ReplaceHeader(Vec<u8>, Regex, Format),
    ReplaceValue(Vec<u8>, Regex, Format),
    ReplacePath(Regex, Format, bool),
    ReplaceUri(Regex, Format),
    SetMethod(Format),
    SetPath(Format, bool),
    SetQuery(Format),
    SetUri(Format),
    SetStatus(u16, Option<Vec<u8>>),
    SetVar(Slot, Expression, Vec<Setting>),
    SetVarFormat(Slot, Format, Vec<Setting>),
    UnsetVar(Slot),
    Capture(Expression, usize),
    LogLevel(Option<u8>),
    Timeout(&'static str, Expression),
    Number(Wish, Expression),
    Address(bool, Expression),
    Port(bool, Expression),
    Wait(u64, u64),
    Pause(Expression),
    Hint(Vec<u8>, Format),
    SetEntry(Arc<Set>, Format, Option<Format>),
    RemoveEntry(Arc<Set>, Format),
    NoRetry,
    Normalize(Normalizer),
    Strict(bool),
    /// A function outside decides.
    Call(Called),
    /// Changes no result here: hints to the system's scheduler.
    Nothing,
}

/// A number that the engine is told.
#[derive(Clone, Copy)]
enum Wish {
    Class,
    Offset,
    Retries,
    Tos,
    Mark,
    ServerTos,
    ServerMark,
}

/// Which headers `del-header` takes away.
enum Name {
    Exact(Vec<u8>),
    Beginning(Vec<u8>),
    Ending(Vec<u8>),
    Containing(Vec<u8>),
    Matching(Regex),
}

impl Name {
    fn matches(&self, name: &[u8], vars: &Vars) -> bool {
        match self {
            Name::Exact(text) => name == &text[..],
            Name::Beginning(text) => name.starts_with(text),
            Name::Ending(text) => name.ends_with(text),
            Name::Containing(text) => memchr::memmem::find(name, text).is_some(),
            Name::Matching(regex) => regex.is_match(name, vars),
        }
    }
}

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

pub(crate) fn names() -> Vec<&'static str> {
    ROWS.iter().map(|row| row.0).collect()
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
        let make = ROWS
            .iter()
            .find(|row| row.0 == rule.action)
            .ok_or("known to HAProxy, not yet to Telamon")?
            .1;
        let action = make(&mut Parts {
            args: Args(&rule.arguments),
            rule,
            compiler,
        })?;
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

/// A change of the head, made from values that were read before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    Nothing,
    Add(Vec<u8>, Vec<u8>),
    Set(Vec<u8>, Vec<u8>),
    Delete(Vec<Vec<u8>>),
    Lines(Vec<u8>, Vec<Option<Vec<u8>>>),
    Method(Vec<u8>),
    Path(Vec<u8>, bool),
    Query(Vec<u8>),
    Uri(Vec<u8>),
    Normalized(Normalizer),
    Status(u16, Vec<u8>),
}

impl Edit {
    pub(crate) fn apply(self, head: &mut Message) {
        match self {
            Edit::Nothing => {}
            Edit::Add(name, value) => head.add_field(&name, &value),
            Edit::Set(name, value) => head.set_field(&name, &value),
            Edit::Delete(names) => {
                head.remove_fields(|field| names.iter().any(|name| name == field.name));
            }
            Edit::Lines(name, values) => {
                let mut values = values.into_iter();
                let next = std::cell::RefCell::new(&mut values);
                head.change_lines(&name, |_| next.borrow_mut().next().flatten());
            }
            Edit::Method(method) => head.set_method(&method),
            Edit::Path(path, query) => head.set_path(&path, query),
            Edit::Query(query) => head.set_query(&query),
            Edit::Uri(uri) => head.set_uri(&uri),
            Edit::Normalized(normalizer) => {
                // What cannot be was told before (`Verdict::BadUri`).
                let _ = head.normalize(normalizer);
            }
            Edit::Status(status, reason) => head.set_status(status, &reason),
        }
    }
}

impl Action {
    /// The verdict of an action that ends its list.
    fn verdict(&self, at: usize, env: &Env<'_>) -> Option<Verdict> {
        Some(match self {
            Action::Allow => Verdict::Allow,
            Action::Reject => Verdict::Reject,
            Action::SilentDrop => Verdict::SilentDrop,
            Action::Close => Verdict::Close,
            Action::Deny(_) => Verdict::Deny(at),
            Action::Tarpit(_) => Verdict::Tarpit(at),
            Action::Return(_) => Verdict::Return(at),
            Action::Redirect(redirect) if redirect.counts(env) => Verdict::Redirect(at),
            Action::Pause(expression) => {
                let time = expression.value(env)?.as_int()?;
                Verdict::Pause(u64::try_from(time).ok()?)
            }
            Action::Auth(_) => Verdict::Auth(at),
            Action::Normalize(normalizer) => {
                normalizer.apply(env.request?.pathq()).err()?;
                Verdict::BadUri
            }
            Action::Wait(time, bytes) => Verdict::Wait {
                time: *time,
                bytes: *bytes,
            },
            _ => return None,
        })
    }

    /// A failed rewrite is an error under `strict-mode`.
    fn must_succeed(&self) -> bool {
        matches!(
            self,
            Action::Add(..) | Action::Set(..) | Action::SetUri(_) | Action::SetPath(..)
        )
    }

    fn effect(&self, env: &Env<'_>, wanted: &mut Wanted, in_response: bool) -> Option<Edit> {
        let head = if in_response {
            env.response
        } else {
            env.request
        };
        Some(match self {
            Action::Add(name, format) => Edit::Add(name.clone(), clean(format.bytes(env))),
            Action::Set(name, format) => Edit::Set(name.clone(), clean(format.bytes(env))),
            Action::Delete(which) => {
                let names = head?.fields().map(|field| field.name);
                Edit::Delete(
                    names
                        .filter(|name| which.matches(name, env.vars))
                        .map(<[u8]>::to_vec)
                        .collect(),
                )
            }
            Action::ReplaceHeader(name, regex, format) => {
                let by = clean(format.bytes(env));
                let lines = head?.lines(name);
                let changed = lines
                    .map(|line| regex.groups(line, &by, env.vars))
                    .collect();
                Edit::Lines(name.clone(), changed)
            }
            Action::ReplaceValue(name, regex, format) => {
                let by = clean(format.bytes(env));
                let lines = head?.lines(name);
                Edit::Lines(
                    name.clone(),
                    lines
                        .map(|line| replace_values(line, regex, &by, env.vars))
                        .collect(),
                )
            }
            Action::ReplacePath(regex, format, query) => {
                let head = head?;
                let text = if *query { head.pathq() } else { head.path() };
                match regex.groups(text, &clean(format.bytes(env)), env.vars) {
                    Some(path) => Edit::Path(path, *query),
                    None => Edit::Nothing,
                }
            }
            Action::ReplaceUri(regex, format) => {
                match regex.groups(head?.uri(), &clean(format.bytes(env)), env.vars) {
                    Some(uri) => Edit::Uri(uri),
                    None => Edit::Nothing,
                }
            }
            Action::SetMethod(format) => Edit::Method(clean(format.bytes(env))),
            Action::SetPath(format, query) => Edit::Path(clean(format.bytes(env)), *query),
            Action::SetQuery(format) => Edit::Query(clean(format.bytes(env))),
            Action::Normalize(normalizer) => Edit::Normalized(*normalizer),
            Action::SetUri(format) => Edit::Uri(clean(format.bytes(env))),
            Action::SetStatus(status, text) => {
                let text = text.clone().unwrap_or_else(|| reason(*status).to_vec());
                Edit::Status(*status, text)
            }
            other => {
                other.other_effect(env, wanted);
                Edit::Nothing
            }
        })
    }

    /// What does not change the head.
    fn other_effect(&self, env: &Env<'_>, wanted: &mut Wanted) {
        match self {
            Action::SetVar(slot, expression, settings) => {
                if let Some(value) = expression.value(env) {
                    env.vars.set_if(*slot, value.into_owned(), settings);
                }
            }
            Action::SetVarFormat(slot, format, settings) => {
                let value = Sample::owned(format.plain(env));
                env.vars.set_if(*slot, value, settings);
            }
            Action::UnsetVar(slot) => env.vars.unset(*slot),
            Action::Capture(expression, slot) => {
                if let Some(value) = expression.value(env) {
                    let in_response = env.response.is_some();
                    env.facts
                        .keep_capture(in_response, *slot, &value.into_text());
                }
            }
            Action::LogLevel(level) => wanted.log_level = Some(*level),
            Action::Timeout(name, expression) => {
                if let Some(value) = expression.value(env).and_then(|value| value.as_int()) {
                    wanted.timeouts.push((name, value.max(0) as u64));
                }
            }
            Action::Number(wish, expression) => {
                let Some(value) = expression.value(env).and_then(|value| value.as_int()) else {
                    return;
                };
                match wish {
                    Wish::Class => wanted.priority_class = Some(value),
                    Wish::Offset => wanted.priority_offset = Some(value),
                    Wish::Retries => wanted.retries = u32::try_from(value).ok(),
                    Wish::Tos => wanted.tos = u32::try_from(value).ok(),
                    Wish::Mark => wanted.mark = u32::try_from(value).ok(),
                    Wish::ServerTos => wanted.server_tos = u32::try_from(value).ok(),
                    Wish::ServerMark => wanted.server_mark = u32::try_from(value).ok(),
                }
            }
            Action::Address(source, expression) => {
                let ip = expression.value(env).and_then(|value| value.as_ip());
                let place = if *source {
                    &mut wanted.source
                } else {
                    &mut wanted.destination
                };
                *place = ip.or(*place);
                env.facts.change_end(*source, ip, None);
            }
            Action::Port(source, expression) => {
                let port = expression.value(env).and_then(|value| value.as_int());
                let port = port.and_then(|port| u16::try_from(port).ok());
                let place = if *source {
                    &mut wanted.source_port
                } else {
                    &mut wanted.destination_port
                };
                *place = port.or(*place);
                env.facts.change_end(*source, None, port);
            }
            Action::Hint(name, format) => {
                let value = clean(format.bytes(env));
                wanted.hints.extend(early_hint(name, &value));
            }
            Action::SetEntry(set, key, value) => {
                let value = value.as_ref().map(|value| value.bytes(env));
                set.set(&key.bytes(env), value.as_deref());
            }
            Action::RemoveEntry(set, key) => set.forget(&key.bytes(env)),
            Action::NoRetry => wanted.no_retry = true,
            _ => {}
        }
    }
}

/// A value that a rule writes ends no line of the head: line ends and NUL become blanks.
pub(crate) fn clean(mut value: Vec<u8>) -> Vec<u8> {
    for byte in &mut value {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
    value
}

/// Each of a line's values that matches is written anew, without the blanks around it; the others
/// stay as they are. None without a match.
fn replace_values(line: &[u8], regex: &Regex, by: &[u8], vars: &Vars) -> Option<Vec<u8>> {
    let mut changed = false;
    let parts: Vec<Vec<u8>> = list_parts(line)
        .map(|part| match regex.groups(part.trim_ascii(), by, vars) {
            Some(new) => {
                changed = true;
                new
            }
            None => part.to_vec(),
        })
        .collect();
    changed.then(|| parts.join(&b','))
}
