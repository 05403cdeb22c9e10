"""From documents to plain lines: includes, conditions, definitions, sequences.

The order is Keepalived's (keepalived.conf(5), ADVANCED CONFIGURATION): an include is seen before
anything else; then `@id` conditions, `$NAME=value` definitions, `~SEQ` and `~LST`, and `$NAME`
uses. A line in which something was replaced starts again from its front, so that a definition
may hold a condition or another definition. Values are replaced when they are used, not when they
are defined.

What comes out is a stream of `Token` rows, one row a line, ready for `tree.py`.
"""

from __future__ import annotations

import os
import random
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from telamon.base.diagnostic import Report, nearest
from telamon.base.span import Source, Span
from telamon.keepalived import codes, files
from telamon.keepalived.lexer import Kind, decode, is_unterminated, scan
from telamon.keepalived.mapped import MappedText
from telamon.keepalived.sequence import SequenceError, parse_sequence
from telamon.keepalived.syntax import Document, Line, Word

MAX_LINES = 2_000_000
MAX_LINE_LENGTH = 1 << 16
MAX_REPLACEMENTS = 1000
MAX_INCLUDE_DEPTH = 32

_DEFINITION = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=")
_USE = re.compile(
    r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)((?:[ \t]+[^ \t}]+)*)[ \t]*\}"
    r"|([A-Za-z_][A-Za-z0-9_]*)(?=\s|$))"
)
_INCLUDES = {
    "include": frozenset[str](),
    "includer": frozenset({"readable"}),
    "includem": frozenset({"readable", "match"}),
    "includew": frozenset({"readable", "wildcard_match"}),
    "includeb": frozenset({"readable", "brace_match"}),
    "includea": frozenset({"readable", "match", "wildcard_match", "brace_match"}),
}
_ALL_CHECKS = _INCLUDES["includea"]


@dataclass(frozen=True, slots=True)
class Token:
    """A word (`word` is set) or a brace."""

    kind: Kind
    span: Span
    word: Word | None = None


@dataclass(slots=True)
class _Definition:
    """What `$NAME=` stands for: one line, or several."""

    lines: list[MappedText]


class _TooMuch(Exception):
    """The file grows beyond all reason; was reported."""


@dataclass(slots=True)
class Expander:
    """One run over a main file and all that it includes."""

    report: Report
    config_id: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    documents: list[Document] = field(default_factory=list)
    definitions: dict[str, _Definition] = field(default_factory=dict)
    _open: list[tuple[str, str]] = field(default_factory=list)
    _checks: frozenset[str] = frozenset()
    _lines: int = 0
    _random: random.Random = field(default_factory=random.Random)

    @property
    def identity(self) -> str:
        """The config-id: given, or the first part of the host's name."""
        if self.config_id is not None:
            return self.config_id
        return socket.gethostname().split(".")[0]

    def run(self, document: Document) -> Iterator[list[Token]]:
        """The rows of the main file. Ends early, with an error reported, if it grows too large."""
        try:
            yield from self._document(document)
        except _TooMuch:
            return

    # files -----------------------------------------------------------------------------------

    def _document(self, document: Document) -> Iterator[list[Token]]:
        self.documents.append(document)
        path = document.source.name
        self._open.append((path, os.path.realpath(path)))
        checks = self._checks
        collecting: tuple[str, _Definition] | None = None
        source = document.source
        for line in document.lines:
            end = len(line.text)
            if line.pieces and line.pieces[-1].kind is Kind.COMMENT:
                end = line.pieces[-1].start
            text = MappedText.of_line(source, line.number, 0, end).strip()
            self._comment_in_word(line)
            if collecting is not None:
                _, definition = collecting
                more = text.text.endswith("\\")
                part = text.slice(0, len(text.text) - 1).strip() if more else text
                if part.text:
                    definition.lines.append(part)
                if not more:
                    collecting = None
                continue
            if not text.text:
                continue
            first = text.text.split(None, 1)[0]
            if first in _INCLUDES:
                yield from self._include(text, first)
                continue
            if first == "include_check":
                self._set_checks(text)
            started = self._start_of_definition(text)
            if started is not None:
                collecting = started
                continue
            yield from self._line(text, 0)
        if collecting is not None:
            self.report.warning(
                codes.DEFINITION, f"the definition of ${collecting[0]} has no last line",
                collecting[1].lines[-1].span(0, 1) if collecting[1].lines else None,
                help="each line but the last ends with a backslash",
            )  # fmt: skip
        self._checks = checks
        self._open.pop()

    def _comment_in_word(self, line: Line) -> None:
        """`auth_pass pa!ss` sets the password `pa`: nobody sees that."""
        if len(line.pieces) < 2 or line.pieces[-1].kind is not Kind.COMMENT:
            return
        word, comment = line.pieces[-2:]
        text = line.text[comment.start : comment.end]
        if word.kind is Kind.WORD and len(text) > 1 and text[1] not in " \t#!*-=":
            kept = line.text[word.start : word.end]
            column = comment.start + 1
            self.report.warning(
                codes.TRAP_COMMENT, f"'{text[0]}' begins a comment: only '{kept}' is read",
                Span(line.source, line.number, column, column + len(text)),
                help=f'put the word into quotes: "{kept}{text.split()[0]}"',
            )  # fmt: skip

    def _start_of_definition(self, text: MappedText) -> tuple[str, _Definition] | None:
        """A definition over several lines begins here, under its conditions."""
        if not text.text.endswith("\\"):
            return None
        kept = self._conditions(text)
        match = _DEFINITION.match((kept or _without_conditions(text)).text)
        if match is None:
            return None
        body = (kept or _without_conditions(text)).slice(match.end(), 1 << 30)
        rest = body.slice(0, len(body.text) - 1).strip()
        definition = _Definition([rest] if rest.text else [])
        if kept is not None:
            self.definitions[match[1]] = definition
        return match[1], definition

    def _include(self, text: MappedText, keyword: str) -> Iterator[list[Token]]:
        at = len(keyword)
        place = text.span(0, at)
        words = _words(text.slice(at, len(text)).lstrip(), self.report)
        if not words:
            self.report.error(codes.INCLUDE, f"'{keyword}' names no file", place)
            return
        pattern = "".join(token.word.text if token.word else "{" if token.kind is Kind.OPEN else "}"
                          for token in words)  # fmt: skip
        place = words[0].span
        checks = self._checks | _INCLUDES[keyword]
        directory = str(Path(self._open[-1][0]).parent)
        found = files.find_included(pattern, directory)
        if not found:
            self._report_no_match(pattern, checks, place)
        for path in found:
            yield from self._included(path, checks, place)

    def _report_no_match(self, pattern: str, checks: frozenset[str], place: Span) -> None:
        wild = files.has_wildcard(pattern)
        needed = "wildcard_match" if wild else "match"
        tell = self.report.error if needed in checks else self.report.warning
        if wild and "wildcard_match" not in checks:
            self.report.note(codes.INCLUDE, f"no file matches '{pattern}'", place)
            return
        tell(
            codes.INCLUDE, f"no file matches '{pattern}'", place,
            help="'include' goes on without it, as Keepalived does; 'includea' makes it an error",
        )  # fmt: skip

    def _included(self, path: str, checks: frozenset[str], place: Span) -> Iterator[list[Token]]:
        real = os.path.realpath(path)
        if any(real == known for _, known in self._open):
            chain = " -> ".join([*(name for name, _ in self._open), path])
            self.report.error(codes.INCLUDE_LOOP, f"'{path}' includes itself", place, notes=[chain])
            return
        if len(self._open) >= MAX_INCLUDE_DEPTH:
            self.report.error(
                codes.INCLUDE_LOOP, f"includes are nested more than {MAX_INCLUDE_DEPTH} deep", place
            )
            return
        try:
            source = files.read_source(path)
        except files.UnreadableFile as error:
            tell = self.report.error if "readable" in checks else self.report.warning
            tell(codes.INCLUDE, f"cannot read '{path}': {error}", place)
            return
        yield from self._document(Document.parse(source))

    def _set_checks(self, text: MappedText) -> None:
        options = text.text.split()[1:]
        if not options:
            self._checks = _ALL_CHECKS
            return
        chosen = set(self._checks) if options[0][0] in "+-" else set()
        sign = "+"
        for option in options:
            if option[0] in "+-":
                sign, option = option[0], option[1:]
            if option not in _ALL_CHECKS:
                continue
            (chosen.add if sign == "+" else chosen.discard)(option)
        self._checks = frozenset(chosen)

    # lines -----------------------------------------------------------------------------------

    def _line(self, text: MappedText, replaced: int) -> Iterator[list[Token]]:
        """One line after the comment was cut; `replaced` counts the replacements that made it."""
        while True:
            kept = self._conditions(text)
            if kept is None:
                return
            text = kept
            if not text.text:
                return
            match = _DEFINITION.match(text.text)
            if match is not None:
                value = text.slice(match.end(), len(text.text)).strip()
                self.definitions[match[1]] = _Definition([value])
                return
            if text.text.startswith(("~SEQ", "~LST")):
                yield from self._sequence(text, replaced)
                return
            if "$" not in text.text:
                break
            lines = self._replace_one(text)
            if lines is None:
                break
            replaced += 1
            if replaced > MAX_REPLACEMENTS or any(len(x.text) > MAX_LINE_LENGTH for x in lines):
                self.report.error(
                    codes.ENDLESS, "a definition uses itself, or grows without end", text.span(0, 1)
                )
                raise _TooMuch
            if len(lines) != 1:
                for line in lines:
                    yield from self._line(line.strip(), replaced)
                return
            text = lines[0].strip()
        self._lines += 1
        if self._lines > MAX_LINES:
            self.report.error(
                codes.ENDLESS, f"the file makes more than {MAX_LINES} lines", text.span(0, 1),
                help="a ~SEQ with a very large range, or definitions that multiply each other?",
            )  # fmt: skip
            raise _TooMuch
        row = _words(text, self.report)
        self._undefined(row)
        yield row

    def _undefined(self, row: list[Token]) -> None:
        """A use that nothing replaced. Keepalived takes it as it stands, and so do we."""
        for token in row:
            word = token.word
            if word is None or "$" not in word.raw or word.raw[0] in "\"'":
                continue
            match = _USE.search(word.raw)
            if match is None:
                continue
            name = match[1] or match[3]
            near = nearest(name, self.definitions)
            help = f"did you mean '${near}'?" if near else f"write '${name}=VALUE' before its use"
            if name == "_ENV":
                help = f"the environment has no '{(match[2] or '').strip()}'"
            self.report.warning(
                codes.UNDEFINED, f"'{match[0]}' is not defined: it is taken as it stands",
                word.span, help=help,
            )  # fmt: skip

    def _conditions(self, text: MappedText) -> MappedText | None:
        """The line without its `@id` marks, or None if one of them does not hold."""
        while text.text.startswith("@"):
            match = re.match(r"@(\^?)(\S*)\s*", text.text)
            assert match is not None
            if (match[2] == self.identity) == bool(match[1]):
                return None
            text = text.slice(match.end(), len(text.text))
        return text

    def _sequence(self, text: MappedText, replaced: int) -> Iterator[list[Token]]:
        end = _closing(text.text)
        head = self._replace_all(text.slice(0, end))
        try:
            sequence = parse_sequence(head)
        except SequenceError as error:
            self.report.error(codes.SEQUENCE, str(error), text.span(0, end))
            return
        rest = text.slice(end, len(text.text)).lstrip()
        place = text.span(0, end)
        for values in sequence:
            for name, value in values.items():
                self.definitions[name] = _Definition([MappedText.made(value, place)])
            yield from self._line(rest, replaced)

    # definitions -----------------------------------------------------------------------------

    def _replace_one(self, text: MappedText) -> list[MappedText] | None:
        """The line with its first known `$NAME` replaced (it may become several), or None."""
        for match in _USE.finditer(text.text):
            value = self._value(match, text)
            if value is None:
                continue
            before = text.slice(0, match.start())
            after = text.slice(match.end(), len(text.text))
            if len(value) == 1:
                return [MappedText.join([before, value[0], after])]
            if not value:
                return [MappedText.join([before, after])]
            first = MappedText.join([before, value[0]])
            last = MappedText.join([value[-1], after])
            return [first, *value[1:-1], last]
        return None

    def _replace_all(self, text: MappedText) -> str:
        for _ in range(MAX_REPLACEMENTS):
            lines = self._replace_one(text)
            if lines is None:
                return text.text
            text = MappedText.join(lines)
            if len(text) > MAX_LINE_LENGTH:
                break
        self.report.error(
            codes.ENDLESS, "a definition uses itself, or grows without end", text.span(0, 1)
        )
        raise _TooMuch

    def _value(self, match: re.Match[str], text: MappedText) -> list[MappedText] | None:
        name = match[1] or match[3]
        extra = (match[2] or "").split()
        if name in self.definitions and not extra:
            return self.definitions[name].lines
        made = self._predefined(name, extra)
        if made is None:
            return None
        return [MappedText.made(made, text.span(match.start(), match.end()))]

    def _predefined(self, name: str, extra: list[str]) -> str | None:
        """keepalived.conf(5), "Pre-defined definitions"."""
        if name == "_PWD":
            return str(Path(self._open[-1][0]).resolve().parent)
        if name == "_INSTANCE":
            return self.identity
        if name == "_HASH":
            return "#"
        if name == "_BANG":
            return "!"
        if name == "_ENV" and len(extra) == 1:
            return self.environment.get(extra[0])
        if name == "_RANDOM" and all(item.isdigit() for item in extra[:2]):
            low = int(extra[0]) if extra else 0
            high = int(extra[1]) if len(extra) > 1 else 32767
            return str(self._random.randint(low, high)) if low <= high else None
        return None


def _without_conditions(text: MappedText) -> MappedText:
    match = re.match(r"(@\S*\s*)*", text.text)
    return text.slice(match.end() if match else 0, len(text.text))


def _closing(text: str) -> int:
    """The index after the parenthesis that closes the first one, or the end."""
    at = text.find(")")
    return len(text) if at < 0 else at + 1


def _words(text: MappedText, report: Report) -> list[Token]:
    """The line's words and braces. Its comment is cut already; a `#` that `${_HASH}` made stays."""
    tokens: list[Token] = []
    for kind, start, end in scan(text.text, comments=False):
        if kind is Kind.BLANK:
            continue
        span = text.span(start, end)
        if kind is not Kind.WORD:
            tokens.append(Token(kind, span))
            continue
        raw = text.text[start:end]
        if is_unterminated(raw):
            report.error(
                codes.QUOTE, "a quote is opened here and never closed", span,
                help="a quoted string ends on the line where it began",
            )  # fmt: skip
        tokens.append(Token(kind, span, Word(decode(raw), span, raw)))
    return tokens


def load_document(path: str, report: Report) -> Document | None:
    """The main file, or None with an error reported."""
    try:
        return Document.parse(files.read_source(path))
    except files.UnreadableFile as error:
        source = Source(path, "")
        span = Span(source, error.line, 1, 2) if error.line else None
        report.error(
            codes.UNREADABLE, f"cannot read '{path}': {error}", span,
            help="name the configuration file with -f or -k" if not error.line else "",
        )  # fmt: skip
        return None
