"""Where a relative path of the file begins (`default-path`, manual 3.1)."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from telamon.base.frozen import frozen
from telamon.haproxy.lexer import Word


class Base(StrEnum):
    """The words after `default-path`."""

    CURRENT = "current"
    CONFIG = "config"
    PARENT = "parent"
    ORIGIN = "origin"


@frozen
class DefaultPath:
    """`origin` counts for `Base.ORIGIN` only."""

    base: Base = Base.CURRENT
    origin: str = ""

    def resolve(self, word: Word) -> str:
        """The path that `word` names, from the place where it is written."""
        folder = Path(word.span.source.name).parent
        start = {
            Base.CURRENT: Path(),
            Base.CONFIG: folder,
            Base.PARENT: folder / "..",
            Base.ORIGIN: Path(self.origin),
        }
        return str(start[self.base] / word.text)
