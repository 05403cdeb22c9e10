//! Rules: a table of actions, and how a list of rules is run (manual 4.3 and 4.4).
//!
//! What an action's row takes of the plan's `Rule`: `arguments` in written order, log-format strings
//! in `formats`, a sample expression in `expression`, an answer in `reply`. An action that edits the
//! head does so at once; everything else is left in [`Wanted`] or ends the list with a [`Verdict`].
//!
//! `rows.rs` is the table, `run.rs` runs a list, `effect.rs` does what one action says, `edit.rs` changes heads.

mod edit;
mod effect;
mod rows;
mod run;

use std::net::IpAddr;
use std::sync::Arc;

use telamon_http::normalize::Normalizer;

use crate::calls::Called;
use crate::compile::Expression;
use crate::format::Format;
use crate::patterns::Set;
use crate::regex::Regex;
use crate::reply::{Redirect, Reply};
use crate::vars::{Setting, Slot, Vars};

pub(crate) use edit::{clean, Edit};
pub(crate) use rows::names;
pub use run::Rules;

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
