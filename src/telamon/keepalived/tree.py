"""From rows of words and braces to nested statements.

Keepalived goes on when braces do not match, and says so; so do we, except where a block swallows
another one's keyword: then the file does not mean what its author sees.
"""

from __future__ import annotations

from collections.abc import Iterable

from telamon.base.diagnostic import Report
from telamon.base.span import Span
from telamon.keepalived import codes
from telamon.keepalived.expand import Token
from telamon.keepalived.lexer import Kind
from telamon.keepalived.syntax import Statement, Word

MAX_DEPTH = 24
"""The language itself nests 5 deep."""


def build(rows: Iterable[list[Token]], report: Report) -> list[Statement]:
    """The top level's statements."""
    builder = _Builder(report)
    for row in rows:
        builder.take(row)
    builder.finish()
    return builder.top


class _Builder:
    def __init__(self, report: Report) -> None:
        self.report = report
        self.top: list[Statement] = []
        self.blocks: list[list[Statement]] = [self.top]
        self.openers: list[Span] = []
        self.last: Statement | None = None
        self.too_deep = False

    def take(self, row: list[Token]) -> None:
        words: list[Word] = []
        for token in row:
            if token.word is not None:
                words.append(token.word)
                continue
            self._statement(words)
            words = []
            if token.kind is Kind.OPEN:
                self._open(token.span)
            else:
                self._close(token.span)
        self._statement(words)

    def _statement(self, words: list[Word]) -> None:
        if words:
            self.last = Statement(tuple(words))
            self.blocks[-1].append(self.last)

    def _open(self, span: Span) -> None:
        if self.last is None or self.last.block is not None:
            self.report.error(
                codes.STRAY_BRACE, "this '{' follows no keyword", span,
                help="a block is a keyword, its arguments and then '{'",
            )  # fmt: skip
            self.blocks.append([])
        else:
            self.last.block = []
            self.last.brace = span
            self.blocks.append(self.last.block)
        self.openers.append(span)
        self.last = None
        if len(self.blocks) > MAX_DEPTH and not self.too_deep:
            self.too_deep = True
            self.report.error(
                codes.STRAY_BRACE, f"blocks are nested more than {MAX_DEPTH} deep", span
            )

    def _close(self, span: Span) -> None:
        self.last = None
        if len(self.blocks) == 1:
            self.report.warning(
                codes.UNBALANCED, "this '}' closes nothing", span,
                help="remove it, or look for a '{' that is missing above",
                notes=["Keepalived ignores it and goes on"],
            )  # fmt: skip
            return
        self.blocks.pop()
        self.openers.pop()

    def finish(self) -> None:
        if self.too_deep:
            self.top.clear()
        for span in self.openers[:1]:
            count = len(self.openers)
            self.report.warning(
                codes.UNBALANCED, f"{count} '}}' missing at the end of the file", span,
                label="opened here and never closed",
                notes=["Keepalived takes the end of the file for it and goes on"],
            )  # fmt: skip
