"""Text that remembers where each of its characters came from.

Substitution glues a line together from the file's own characters and from the values of
definitions that stand elsewhere; a message about a word must point at the characters that the
user has to change.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from telamon.base.span import Source, Span


@dataclass(frozen=True, slots=True)
class Segment:
    """From index `start` of the text on, characters stand at `column` of a line of `source`.

    `exact` is unset for made text (a number of a sequence, an environment variable): its
    characters all belong to the one place that made them, `width` wide.
    """

    start: int
    source: Source
    line: int
    column: int
    exact: bool = True
    width: int = 1


class MappedText:
    """Immutable. Slicing, joining and asking for a `Span` are all it can do."""

    __slots__ = ("segments", "starts", "text")

    def __init__(self, text: str, segments: tuple[Segment, ...]) -> None:
        self.text = text
        self.segments = segments
        self.starts = [segment.start for segment in segments]

    @classmethod
    def of_line(cls, source: Source, line: int, start: int, end: int) -> MappedText:
        """Characters `start` to `end` (from 0) of a line of a file."""
        return cls(source.lines[line - 1][start:end], (Segment(0, source, line, start + 1),))

    @classmethod
    def made(cls, text: str, place: Span) -> MappedText:
        """Text that no file holds, made because of `place`."""
        segment = Segment(0, place.source, place.line, place.column, False, place.width)
        return cls(text, (segment,))

    def __len__(self) -> int:
        return len(self.text)

    def slice(self, start: int, end: int) -> MappedText:
        if not self.segments:
            return self
        first = max(0, bisect_right(self.starts, start) - 1)
        segments: list[Segment] = []
        for segment in self.segments[first:]:
            if segment.start >= end and segments:
                break
            skip = max(0, start - segment.start)
            column = segment.column + skip if segment.exact else segment.column
            segments.append(
                Segment(
                    max(0, segment.start - start),
                    segment.source,
                    segment.line,
                    column,
                    segment.exact,
                    segment.width,
                )
            )
        return MappedText(self.text[start:end], tuple(segments))

    def lstrip(self) -> MappedText:
        skip = len(self.text) - len(self.text.lstrip())
        return self.slice(skip, len(self.text)) if skip else self

    def strip(self) -> MappedText:
        left = self.lstrip()
        return left.slice(0, len(left.text.rstrip()))

    @staticmethod
    def join(parts: list[MappedText]) -> MappedText:
        text: list[str] = []
        segments: list[Segment] = []
        at = 0
        for part in parts:
            if not part.text:
                continue
            text.append(part.text)
            segments += [
                Segment(at + s.start, s.source, s.line, s.column, s.exact, s.width)
                for s in part.segments
            ]
            at += len(part.text)
        if not segments and parts:
            segments = list(parts[0].segments)
        return MappedText("".join(text), tuple(segments))

    def span(self, start: int, end: int) -> Span:
        """Where characters `start` to `end` stand; a run over several places gives the first."""
        segment = self.segments[max(0, bisect_right(self.starts, start) - 1)]
        if not segment.exact:
            return Span(
                segment.source, segment.line, segment.column, segment.column + segment.width
            )
        column = segment.column + (start - segment.start)
        following = bisect_right(self.starts, start)
        limit = self.starts[following] if following < len(self.starts) else len(self.text)
        return Span(
            segment.source, segment.line, column, column + min(end, max(limit, start + 1)) - start
        )
