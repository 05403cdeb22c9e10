"""The rule language, resolved: sample expressions, conditions, formats, rules.

A front end has checked names, argument counts and types; the engine compiles these values once
(`crates/telamon-expr`). Names of proxies, servers, ACLs and pattern files have become numbers.
Mirrored by `crates/telamon-plan/src/rules.rs`.
"""

from __future__ import annotations

from enum import StrEnum

from telamon.base.frozen import frozen

Argument = str | int | None
"""One argument of a function, None if left out. Times are milliseconds, sizes bytes, names ids."""


@frozen
class Call:
    """A sample fetch or a converter by its row's name, with its arguments in order."""

    name: str
    arguments: tuple[Argument, ...] = ()


@frozen
class Expression:
    """A sample expression (manual 7.3): a fetch and the converters behind it."""

    fetch: Call
    converters: tuple[Call, ...] = ()


class Match(StrEnum):
    """How a sample is compared with patterns (manual 7.1)."""

    FOUND = "found"
    BOOL = "bool"
    INT = "int"
    IP = "ip"
    BIN = "bin"
    LEN = "len"
    STR = "str"
    BEG = "beg"
    SUB = "sub"
    DIR = "dir"
    DOM = "dom"
    END = "end"
    REG = "reg"


@frozen
class PatternSet:
    """A file of patterns, or of a map's keys and values; shared by all who name it.

    `id` is the number by which expressions and tests name it. `lines` are (key, value) as they
    stand in the file, comments and blank lines left out; a plain pattern's value is None. `number`
    is its `#<id>` on the stats socket, `description` says there who uses it; a set that is neither
    `is_acl` nor `is_map` is named by rules only, and not shown.
    """

    id: int
    path: str
    is_map: bool
    lines: tuple[PatternLine, ...]
    is_acl: bool = False
    number: int = 0
    description: str = ""


@frozen
class PatternLine:
    """One line of a pattern file; `number` is its line in the file."""

    key: str
    value: str | None
    number: int


@frozen
class Test:
    """One `acl` line: a sample compared with patterns. `sets` are ids of `PatternSet`s.

    Its own patterns have a number on the stats socket too, and a name: the criterion as written.
    Without a name they are not shown (a second test of one line, for files with other flags).
    """

    expression: Expression
    match: Match
    ignore_case: bool = False
    patterns: tuple[str, ...] = ()
    sets: tuple[int, ...] = ()
    source_line: str = ""
    number: int = 0
    name: str = ""


@frozen
class Acl:
    """A named (or, with an empty name, anonymous) ACL: true if one of its tests is."""

    name: str
    tests: tuple[Test, ...]


@frozen
class Term:
    """An ACL of the same proxy, by its place in `RuleSets.acls`."""

    acl: int
    negated: bool = False


@frozen
class Conjunction:
    """Terms that must all hold."""

    terms: tuple[Term, ...]


@frozen
class Condition:
    """`if` or `unless`: true (or not, with `unless`) if one of `any` holds."""

    any: tuple[Conjunction, ...]
    unless: bool = False


class Encoding(StrEnum):
    """How a whole format is written (manual 8.2.6, `%{+json}o`)."""

    PLAIN = ""
    JSON = "json"
    CBOR = "cbor"


@frozen
class Piece:
    """One piece of a format: exactly one of `text`, `alias` (without `%`) and `expression`.

    The flags are `%{+Q}`, `+X`, `+E`, `+M` and `+bin`; `name` is the key under JSON and CBOR,
    `kind` the type that it asks for (`str`, `sint`, `bool`). `encoding`: of this piece alone.
    """

    text: str | None = None
    alias: str | None = None
    arguments: str = ""
    expression: Expression | None = None
    quote: bool = False
    hexadecimal: bool = False
    escape: bool = False
    mandatory: bool = False
    binary: bool = False
    name: str = ""
    kind: str = ""
    encoding: Encoding = Encoding.PLAIN


@frozen
class Format:
    """A log-format string (manual 8.2.6)."""

    pieces: tuple[Piece, ...]
    encoding: Encoding = Encoding.PLAIN


@frozen
class ReplyHeader:
    """A header that a reply adds."""

    name: str
    value: Format


@frozen
class Reply:
    """An answer of the proxy's own (`http-request return`, `deny`, `http-error`, `errorfile`).

    `message` (hex) is a whole HTTP/1 response as an error file has it, and then nothing else
    counts. Otherwise `body` (hex) or `format` is the content. `default` asks for the proxy's own
    error reply of `status`.
    """

    status: int
    content_type: str | None = None
    headers: tuple[ReplyHeader, ...] = ()
    body: str | None = None
    format: Format | None = None
    message: str | None = None
    default: bool = False


@frozen
class Rule:
    """One rule: an action's row by name, what it takes, and when it runs."""

    action: str
    arguments: tuple[Argument, ...] = ()
    formats: tuple[Format, ...] = ()
    expression: Expression | None = None
    reply: Reply | None = None
    condition: Condition | None = None
    source_line: str = ""


@frozen
class BackendRule:
    """`use_backend`: a proxy's id, or a format that gives its name."""

    backend: int | None
    format: Format | None
    condition: Condition | None
    source_line: str = ""


@frozen
class ServerRule:
    """`use-server`: a server's id, or a format that gives its name."""

    server: int | None
    format: Format | None
    condition: Condition | None
    source_line: str = ""


@frozen
class PersistRule:
    """`force-persist` or `ignore-persist`."""

    force: bool
    condition: Condition | None


@frozen
class RuleSets:
    """All rules of one proxy, each list in the order of evaluation (those of its named defaults
    first). `acls` is what conditions point into."""

    acls: tuple[Acl, ...] = ()
    tcp_connection: tuple[Rule, ...] = ()
    tcp_session: tuple[Rule, ...] = ()
    tcp_content: tuple[Rule, ...] = ()
    tcp_response: tuple[Rule, ...] = ()
    http_request: tuple[Rule, ...] = ()
    http_response: tuple[Rule, ...] = ()
    http_after_response: tuple[Rule, ...] = ()
    redirects: tuple[Rule, ...] = ()
    backends: tuple[BackendRule, ...] = ()
    servers: tuple[ServerRule, ...] = ()
    persists: tuple[PersistRule, ...] = ()
    request_inspect_delay: int | None = None
    response_inspect_delay: int | None = None
