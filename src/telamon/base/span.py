"""Where a piece of text stands in a user's file.

A `Source` is one file as it was read; a `Span` is a run of characters on one line of it.
Lines and columns count from 1, columns in characters, as editors do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from telamon.base.frozen import frozen


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One configuration file's text.

    `name` is the path as the user gave it; `lines` holds the text without line ends.
    """

    name: str
    text: str = field(repr=False)
    lines: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self.text.split("\n")))

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), empty past the end."""
        return self.lines[number - 1] if 1 <= number <= len(self.lines) else ""


@frozen
class Span:
    """Characters `column` to `end` (exclusive) of line `line` of `source`."""

    source: Source
    line: int
    column: int
    end: int

    @property
    def width(self) -> int:
        return max(1, self.end - self.column)

    def to(self, other: Span) -> Span:
        """The span from here to the end of `other`, if that is on the same line."""
        if other.source is not self.source or other.line != self.line:
            return self
        return Span(self.source, self.line, self.column, max(self.end, other.end))

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"
