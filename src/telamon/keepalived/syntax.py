"""The syntax tree: a document that prints back as it was read, and the statements it means.

A `Document` is one file as it stands: lines of pieces, with every blank and comment. Statements
are what is left once includes, conditions and variables are resolved (`expand.py`): words, each
with the place in a file that wrote it, and the block that follows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from telamon.base.span import Source, Span
from telamon.keepalived.lexer import Kind, Piece, scan


@dataclass(frozen=True, slots=True)
class Line:
    """Line `number` (from 1) of `source`."""

    source: Source
    number: int
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return self.source.lines[self.number - 1]

    def parts(self) -> Iterator[tuple[Kind, str]]:
        text = self.text
        for kind, start, end in self.pieces:
            yield kind, text[start:end]

    def __str__(self) -> str:
        return "".join(part for _, part in self.parts())


@dataclass(frozen=True, slots=True)
class Document:
    """One file. `str()` gives its text back, byte for byte."""

    source: Source
    lines: tuple[Line, ...]

    @classmethod
    def parse(cls, source: Source) -> Document:
        return cls(
            source,
            tuple(
                Line(source, number, tuple(scan(text)))
                for number, text in enumerate(source.lines, start=1)
            ),
        )

    def __str__(self) -> str:
        return "\n".join(str(line) for line in self.lines)


@dataclass(frozen=True, slots=True)
class Word:
    """`text` is what it means, `raw` how it was written (quotes and escapes in place)."""

    text: str
    span: Span
    raw: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Statement:
    """A keyword, its arguments and, if braces follow, its block (`None`: no braces)."""

    words: tuple[Word, ...]
    block: list[Statement] | None = None
    brace: Span | None = None

    @property
    def name(self) -> str:
        return self.words[0].text

    @property
    def span(self) -> Span:
        return self.words[0].span

    @property
    def whole(self) -> Span:
        """From the keyword to its last argument."""
        return self.words[0].span.to(self.words[-1].span)

    @property
    def arguments(self) -> tuple[Word, ...]:
        return self.words[1:]

    @property
    def entries(self) -> list[Statement]:
        """The statements of the block, none if there is no block."""
        return self.block or []

    @property
    def place(self) -> str:
        """`file:line` of the keyword."""
        return f"{self.span.source.name}:{self.span.line}"
