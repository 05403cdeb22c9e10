"""The lossless tree: every line of a file, cut into pieces, grouped by section.

Nothing is thrown away: `str(document)` is the file byte for byte (surrogates stand for bytes that
are not UTF-8, see `files.py`). Which lines count (`.if`) and what the words mean is for the next
steps; only the lines that open a section are recognised here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from telamon.base.frozen import frozen
from telamon.base.span import Source, Span
from telamon.haproxy.keywords.sections import SECTIONS
from telamon.haproxy.lexer import Kind, Piece, split

_FIRST = re.compile(r"[ \t]*([^ \t\r#]+)")


@frozen
class Line:
    """One line and its line end (``\\n``, or nothing on a last line without one).

    It is cut into pieces when somebody asks: large files are mostly lines without quotes, whose
    words are found without them (`lexer.expand`).
    """

    number: int
    text: str
    end: str

    def __str__(self) -> str:
        return "".join(piece.text for piece in self.pieces) + self.end

    @property
    def pieces(self) -> tuple[Piece, ...]:
        return split(self.text)

    @property
    def keyword(self) -> str:
        """The first word as written, empty if the line has none."""
        match = _FIRST.match(self.text)
        return match[1] if match else ""

    def span(self, source: Source) -> Span:
        """The line's words, without indentation and comment."""
        words = [p for p in self.pieces if p.kind not in (Kind.GAP, Kind.COMMENT)]
        if not words:
            return Span(source, self.number, 1, 2)
        last = words[-1]
        return Span(source, self.number, words[0].column, last.column + len(last.text))


@frozen
class Section:
    """A line that opens a section and all lines up to the next one.

    `header` is None for what stands before the first section of a file.
    """

    header: Line | None
    body: tuple[Line, ...]

    def __str__(self) -> str:
        return str(self.header or "") + "".join(map(str, self.body))

    def __iter__(self) -> Iterator[Line]:
        if self.header is not None:
            yield self.header
        yield from self.body


@frozen
class Document:
    """One file."""

    source: Source
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.sections))

    def __iter__(self) -> Iterator[Line]:
        for section in self.sections:
            yield from section


def parse(source: Source) -> Document:
    """The tree of `source`. Cannot fail: what is malformed stays in the tree as it was written."""
    sections: list[Section] = []
    header: Line | None = None
    body: list[Line] = []
    last = len(source.lines)
    for number, text in enumerate(source.lines, 1):
        if number == last and not text:
            break
        line = Line(number, text, "" if number == last else "\n")
        if line.keyword in SECTIONS:
            if header is not None or body:
                sections.append(Section(header, tuple(body)))
            header, body = line, []
        else:
            body.append(line)
    if header is not None or body:
        sections.append(Section(header, tuple(body)))
    return Document(source, tuple(sections))
