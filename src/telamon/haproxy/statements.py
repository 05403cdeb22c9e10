"""Which lines count: conditional blocks and messages (manual 2.4), and their words.

A block must end in the file in which it began. The lines of a branch that is not taken are not
read beyond their first word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from telamon.base.diagnostic import Report, Severity
from telamon.base.span import Source, Span
from telamon.haproxy.conditions import ConditionError, evaluate
from telamon.haproxy.environment import Environment
from telamon.haproxy.lexer import Word, expand
from telamon.haproxy.syntax import Document, Line


@dataclass(slots=True)
class _Level:
    """One open `.if`: is its current branch taken, was any, was `.else` seen."""

    opened: Span
    active: bool
    decided: bool
    closing: bool = False


_MESSAGES = {
    ".notice": (Severity.NOTE, "H023"),
    ".warning": (Severity.WARNING, "H024"),
    ".alert": (Severity.ERROR, "H025"),
}
_BLOCKS = frozenset({".if", ".elif", ".else", ".endif"})


def statements(
    document: Document, environment: Environment, report: Report
) -> Iterator[tuple[Line, list[Word]]]:
    """The lines that count, with their words; blank and malformed ones are left out."""
    reader = _Statements(document.source, environment, report)
    for line in document:
        words = reader.read(line)
        if words:
            yield line, words
    reader.finish()


class _Statements:
    def __init__(self, source: Source, environment: Environment, report: Report) -> None:
        self._source = source
        self._environment = environment
        self._report = report
        self._levels: list[_Level] = []

    def read(self, line: Line) -> list[Word] | None:
        """The line's words if they are a statement of a taken branch."""
        keyword = line.keyword
        if not keyword or (self._skipping and keyword not in _BLOCKS):
            return None
        if self._skipping and not self._matters(keyword):
            self._note_skipped(keyword, line)
            return None
        words = expand(line.text, self._source, line.number, self._environment, self._report)
        if not words:
            return words
        if words[0].text in _BLOCKS:
            self._block(words)
            return None
        if words[0].text in _MESSAGES or words[0].text == ".diag":
            self._message(words)
            return None
        return words

    def finish(self) -> None:
        for level in self._levels:
            self._report.error(
                "H022", "this '.if' has no '.endif' in its file", level.opened,
                help="add '.endif' after the last line of the block",
            )  # fmt: skip

    @property
    def _skipping(self) -> bool:
        return bool(self._levels) and not all(level.active for level in self._levels)

    def _matters(self, keyword: str) -> bool:
        """Whether a directive in skipped lines belongs to a block whose surroundings count."""
        return keyword != ".if" and all(level.active for level in self._levels[:-1])

    def _note_skipped(self, keyword: str, line: Line) -> None:
        span = line.span(self._source)
        if keyword == ".if":
            self._levels.append(_Level(span, active=False, decided=True))
        elif keyword == ".endif":
            self._levels.pop()

    def _block(self, words: list[Word]) -> None:
        keyword, arguments = words[0], words[1:]
        if keyword.text == ".if":
            span = keyword.span.to(words[-1].span)
            taken = self._condition(keyword, arguments)
            self._levels.append(_Level(span, active=taken, decided=taken))
            return
        if not self._levels:
            self._report.error("H021", f"'{keyword}' without an open '.if'", keyword.span)
            return
        level = self._levels[-1]
        if keyword.text == ".endif":
            self._no_arguments(keyword, arguments)
            self._levels.pop()
        elif level.closing:
            self._report.error(
                "H021", f"'{keyword}' after '.else'", keyword.span, help="close with '.endif'"
            )
        elif keyword.text == ".else":
            self._no_arguments(keyword, arguments)
            level.closing = True
            level.active, level.decided = not level.decided, True
        else:
            taken = self._condition(keyword, arguments) if not level.decided else False
            level.active, level.decided = taken, level.decided or taken

    def _no_arguments(self, keyword: Word, arguments: Sequence[Word]) -> None:
        if arguments:
            self._report.error("H041", f"'{keyword}' takes no argument", arguments[0].span)

    def _condition(self, keyword: Word, arguments: Sequence[Word]) -> bool:
        text = " ".join(word.text for word in arguments)
        try:
            return evaluate(text, self._environment)
        except ConditionError as error:
            at, span = error.at, arguments[-1].span
            for word in arguments:
                if at <= len(word.text):
                    span = word.span
                    break
                at -= len(word.text) + 1
            self._report.error("H020", f"condition of '{keyword}': {error}", span)
            return False

    def _message(self, words: list[Word]) -> None:
        keyword = words[0]
        if len(words) != 2:
            self._report.error(
                "H041" if len(words) > 2 else "H040",
                f"'{keyword}' takes one message", words[-1].span,
                help="put the message in quotes",
            )  # fmt: skip
        elif keyword.text in _MESSAGES:  # .diag speaks in HAProxy's diagnostic mode (-dD) only
            severity, code = _MESSAGES[keyword.text]
            self._report.add(severity, code, words[1].text, keyword.span, label="said here")
