"""Places within a word, for mistakes in the small languages that words hold."""

from __future__ import annotations

from telamon.base.span import Span
from telamon.haproxy.lexer import Word


def part(word: Word, start: int, end: int) -> Span:
    """Characters `start` to `end` of a word's text; all of it, if quotes or escapes moved them."""
    span = word.span
    if span.end - span.column != len(word.text):
        return span
    return Span(span.source, span.line, span.column + start, span.column + max(end, start + 1))


class Mistake(Exception):
    """Something wrong at `start` to `end` of the text that is being read."""

    def __init__(
        self, message: str, start: int, end: int, *, help: str = "", code: str = "H042"
    ) -> None:
        super().__init__(message)
        self.start = start
        self.end = end
        self.help = help
        self.code = code
