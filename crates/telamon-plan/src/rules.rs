//! The rule language, resolved; the twin of `telamon.plan.rules`.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// One argument of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Argument {
    Number(i64),
    Text(String),
}

/// A sample fetch or a converter by its row's name. None: an argument that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub name: String,
    pub arguments: Vec<Option<Argument>>,
}

/// A fetch and the converters behind it (manual 7.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expression {
    pub fetch: Call,
    pub converters: Vec<Call>,
}

/// How a sample is compared with patterns (manual 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    Found,
    Bool,
    Int,
    Ip,
    Bin,
    Len,
    Str,
    Beg,
    Sub,
    Dir,
    Dom,
    End,
    Reg,
}

/// One line of a pattern file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternLine {
    pub key: String,
    pub value: Option<String>,
    pub number: u32,
}

/// A file of patterns, or of a map's keys and values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternSet {
    pub id: u32,
    pub path: String,
    pub is_map: bool,
    pub lines: Vec<PatternLine>,
    pub is_acl: bool,
    pub number: u32,
    pub description: String,
}

/// One `acl` line: a sample compared with patterns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    pub expression: Expression,
    #[serde(rename = "match")]
    pub method: Match,
    pub ignore_case: bool,
    pub patterns: Vec<String>,
    pub sets: Vec<u32>,
    pub source_line: String,
    pub number: u32,
    pub name: String,
}

/// True if one of its tests is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acl {
    pub name: String,
    pub tests: Vec<Test>,
}

/// An ACL of the same proxy, by its place in [`RuleSets::acls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    pub acl: u32,
    pub negated: bool,
}

/// Terms that must all hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conjunction {
    pub terms: Vec<Term>,
}

/// `if` or `unless`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub any: Vec<Conjunction>,
    pub unless: bool,
}

/// How a whole format is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    #[default]
    #[serde(rename = "")]
    Plain,
    Json,
    Cbor,
}

/// One piece of a format: exactly one of `text`, `alias` and `expression`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    pub text: Option<String>,
    pub alias: Option<String>,
    pub arguments: String,
    pub expression: Option<Expression>,
    pub quote: bool,
    pub hexadecimal: bool,
    pub escape: bool,
    pub mandatory: bool,
    pub binary: bool,
    pub name: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub encoding: Encoding,
}

/// A log-format string (manual 8.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Format {
    pub pieces: Vec<Piece>,
    pub encoding: Encoding,
}

/// A header that a reply adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyHeader {
    pub name: String,
    pub value: Format,
}

/// An answer of the proxy's own; `body` and `message` are hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    pub status: u16,
    pub content_type: Option<String>,
    pub headers: Vec<ReplyHeader>,
    pub body: Option<String>,
    pub format: Option<Format>,
    pub message: Option<String>,
    pub default: bool,
}

/// One rule: an action's row by name, what it takes, and when it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub action: String,
    pub arguments: Vec<Option<Argument>>,
    pub formats: Vec<Format>,
    pub expression: Option<Expression>,
    pub reply: Option<Reply>,
    pub condition: Option<Condition>,
    pub source_line: String,
}

/// `use_backend`: a proxy's id, or a format that gives its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendRule {
    pub backend: Option<u32>,
    pub format: Option<Format>,
    pub condition: Option<Condition>,
    pub source_line: String,
}

/// `use-server`: a server's id, or a format that gives its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerRule {
    pub server: Option<u32>,
    pub format: Option<Format>,
    pub condition: Option<Condition>,
    pub source_line: String,
}

/// `force-persist` or `ignore-persist`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersistRule {
    pub force: bool,
    pub condition: Option<Condition>,
}

/// All rules of one proxy, each list in the order of evaluation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSets {
    pub acls: Vec<Acl>,
    pub tcp_connection: Vec<Rule>,
    pub tcp_session: Vec<Rule>,
    pub tcp_content: Vec<Rule>,
    pub tcp_response: Vec<Rule>,
    pub http_request: Vec<Rule>,
    pub http_response: Vec<Rule>,
    pub http_after_response: Vec<Rule>,
    pub redirects: Vec<Rule>,
    pub backends: Vec<BackendRule>,
    pub servers: Vec<ServerRule>,
    pub persists: Vec<PersistRule>,
    pub request_inspect_delay: Option<Millis>,
    pub response_inspect_delay: Option<Millis>,
}
