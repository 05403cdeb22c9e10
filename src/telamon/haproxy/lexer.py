"""Words, quotes and escapes of haproxy.cfg (manual 2.1 to 2.3).

Two steps, so that the tree stays lossless while values may depend on the environment:

* `split` cuts one line into pieces (gaps, words as written, comment); their texts joined are the
  line again, whatever it holds.
* `expand` turns a line's pieces into `Word`s: quotes and escapes removed, variables filled in.

What HAProxy does where its manual is silent was found out by asking it (`.notice` prints a word):
a backslash before any other character stays; a carriage return ends the line; a backslash at the
end of a line is an ordinary character, since the language has no continuation lines; the default
in `${NAME-default}` is taken as it stands up to the closing brace.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

from telamon.base.diagnostic import Report
from telamon.base.frozen import frozen
from telamon.base.span import Source, Span
from telamon.haproxy.environment import Environment

MAX_WORDS = 64
"""HAProxy's MAX_LINE_ARGS: the words that one line may have."""


class Kind(IntEnum):
    """What a piece of a line is. A `BROKEN` word opens a quote that the line does not close."""

    GAP = 0
    PLAIN = 1
    WORD = 2
    BROKEN = 3
    COMMENT = 4


class Piece(NamedTuple):
    """A run of characters of one line, as written. `column` counts from 1."""

    kind: Kind
    text: str
    column: int


@frozen
class Word:
    """One word after quotes, escapes and variables; `span` covers it as written."""

    text: str
    span: Span

    def __str__(self) -> str:
        return self.text


# One piece a match: a gap; a word without anything special; else a word of quoted and escaped
# parts (possibly left open); else a comment, which a stray carriage return also begins.
_PIECE = re.compile(
    r"""(?P<gap>[ \t]+)
      | (?P<plain>[^ \t\r#\\"']+)(?=[ \t\r#]|\Z)
      | (?P<word>(?:[^ \t\r#\\"']+ | \\[^\r] | \\(?=\r|\Z) | '[^']*' | "(?:[^"\\]|\\.)*")+)
      | (?P<broken>["'].*)
      | (?P<comment>[\r#].*)""",
    re.VERBOSE | re.DOTALL,
)
_KINDS = {
    "gap": Kind.GAP,
    "plain": Kind.PLAIN,
    "word": Kind.WORD,
    "broken": Kind.BROKEN,
    "comment": Kind.COMMENT,
}


def split(text: str) -> tuple[Piece, ...]:
    """The pieces of one line (without its line end). Joined, they are `text`."""
    pieces = []
    for match in _PIECE.finditer(text):
        group = match.lastgroup
        assert group is not None
        pieces.append(Piece(_KINDS[group], match[0], match.start() + 1))
    return tuple(pieces)


_SPECIAL = re.compile(r"""["'\\#\r]""")
_PLAIN = re.compile(r"[^ \t]+")


def expand(
    text: str, source: Source, line: int, environment: Environment, report: Report
) -> list[Word] | None:
    """The words of one line; None if it is malformed, which `report` then tells."""
    if _SPECIAL.search(text) is None:
        return _checked(
            [
                Word(match[0], Span(source, line, match.start() + 1, match.end() + 1))
                for match in _PLAIN.finditer(text)
            ],
            report,
        )
    return _expand_pieces(split(text), source, line, environment, report)


def _expand_pieces(
    pieces: tuple[Piece, ...], source: Source, line: int, environment: Environment, report: Report
) -> list[Word] | None:
    words: list[Word] = []
    for piece in pieces:
        kind, text, column = piece
        if kind is Kind.PLAIN:
            words.append(Word(text, Span(source, line, column, column + len(text))))
        elif kind is Kind.GAP:
            continue
        elif kind is Kind.COMMENT:
            break
        elif kind is Kind.BROKEN:
            span = Span(source, line, column, column + 1)
            report.error(
                "H010", "this quote is never closed", span,
                label="opens here", help=f"close it with {text[0]} on the same line",
            )  # fmt: skip
            return None
        else:
            parts = _Unquoter(piece, source, line, environment, report).run()
            if parts is None:
                return None
            span = Span(source, line, column, column + len(text))
            words.extend(Word(part, span) for part in parts)
    return _checked(words, report)


def _checked(words: list[Word], report: Report) -> list[Word] | None:
    if not words:
        return words
    last = words[-1]
    if len(words) > MAX_WORDS:
        report.error(
            "H014", f"{len(words)} words on one line: HAProxy takes at most {MAX_WORDS}",
            words[MAX_WORDS].span, help="split the statement over several lines",
        )  # fmt: skip
        return None
    for word in words:
        if not word.text.isascii() and any("\ud800" <= char <= "\udfff" for char in word.text):
            report.error(
                "H004", "this word is not UTF-8 text", word.span,
                help="save the file as UTF-8; other bytes are allowed in comments only",
            )  # fmt: skip
            return None
    if last.text.endswith("\\") and last.span.source.line(last.span.line).rstrip("\r")[-1] == "\\":
        report.warning(
            "H015", "a backslash at the end of a line does not continue it", last.span,
            label="taken as an ordinary character",
            help="write the statement on one line; haproxy.cfg has no continuation lines",
        )  # fmt: skip
    return words


_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_SELF_ESCAPED = " \t\\#'\""
_VARIABLE = re.compile(r"\.?[A-Za-z_][A-Za-z0-9_]*")
_HEX = re.compile(r"[0-9A-Fa-f]{2}")


class _Malformed(Exception):
    """The word cannot be read; the report says why."""


class _Unquoter:
    """Takes one written word apart. Several words come out only of `"${LIST[*]}"`."""

    def __init__(
        self, piece: Piece, source: Source, line: int, environment: Environment, report: Report
    ) -> None:
        self._text = piece.text
        self._column = piece.column
        self._source = source
        self._line = line
        self._environment = environment
        self._report = report
        self._words: list[str] = [""]

    def run(self) -> list[str] | None:
        try:
            self._read()
        except _Malformed:
            return None
        return self._words

    def _read(self) -> None:
        text, at, end, weak = self._text, 0, len(self._text), False
        while at < end:
            char = text[at]
            if char == '"':
                weak = not weak
                at += 1
            elif char == "'" and not weak:
                close = text.index("'", at + 1)
                self._put(text[at + 1 : close])
                at = close + 1
            elif char == "\\":
                at = self._escape(at, weak)
            elif char == "$" and weak:
                at = self._variable(at)
            else:
                self._put(char)
                at += 1

    def _put(self, text: str) -> None:
        self._words[-1] += text

    def _fail(self, code: str, message: str, start: int, end: int, help: str) -> _Malformed:
        column = self._column
        span = Span(self._source, self._line, column + start, column + max(end, start + 1))
        self._report.error(code, message, span, help=help)
        return _Malformed()

    def _escape(self, at: int, weak: bool) -> int:
        """Reads the escape at `at`; returns where the rest begins (manual 2.2, its matrix)."""
        follower = self._text[at + 1 : at + 2]
        if follower == "x":
            digits = _HEX.match(self._text, at + 2)
            if digits is None:
                raise self._fail(
                    "H011", "\\x needs two hexadecimal digits", at, at + 4,
                    "write for example \\x20 for a space",
                )  # fmt: skip
            self._put(chr(int(digits[0], 16)))
            return at + 4
        if follower in _ESCAPED and follower:
            self._put(_ESCAPED[follower])
            return at + 2
        if follower and (follower in _SELF_ESCAPED or (weak and follower == "$")):
            self._put(follower)
            return at + 2
        self._put("\\")
        return at + 1

    def _variable(self, at: int) -> int:
        """Reads `$NAME`, `${NAME}`, `${NAME-default}` or `${NAME[*]}` (manual 2.3)."""
        text = self._text
        braced = text[at + 1 : at + 2] == "{"
        start = at + (2 if braced else 1)
        name = _VARIABLE.match(text, start)
        if name is None:
            raise self._fail(
                "H012", "a variable's name must begin with a letter or '_'", start, start + 1,
                "write \\$ for a dollar sign, or use single quotes",
            )  # fmt: skip
        value = self._environment.get(name[0], self._source.name, self._line)
        if not braced:
            self._put(value or "")
            return name.end()
        close = text.find("}", name.end())
        if close < 0:
            raise self._fail(
                "H013", f"the brace of '${{{name[0]}' is never closed", at, name.end(), "add '}'"
            )
        suffix = text[name.end() : close]
        if suffix == "[*]":
            self._spread(value)
        elif suffix.startswith("-"):
            self._put(suffix[1:] if value is None else value)
        elif suffix:
            raise self._fail(
                "H013", f"'{suffix}' cannot follow a variable's name", name.end(), close,
                "write ${NAME}, ${NAME-default} or ${NAME[*]}",
            )  # fmt: skip
        else:
            self._put(value or "")
        return close + 1

    def _spread(self, value: str | None) -> None:
        """`"${LIST[*]}"`: each blank-separated value becomes a word of its own."""
        first, *rest = (value or "").split() or [""]
        self._put(first)
        self._words.extend(rest)
