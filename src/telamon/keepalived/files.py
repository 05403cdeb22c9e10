"""Reading configuration files, and finding those that an `include` names."""

from __future__ import annotations

import errno
import glob
import itertools
import os
import re
from pathlib import Path

from telamon.base.span import Source

MAX_BYTES = 64 << 20
"""Larger files are refused: no configuration is so large, and a device has no end."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


class UnreadableFile(Exception):
    """The file cannot be taken as a configuration; `str()` says why, `line` where (0: nowhere)."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


def read_source(path: str) -> Source:
    """The file as a `Source` named `path`. Raises `UnreadableFile`.

    Text that is not UTF-8 is read as Latin-1: comments in old files often are.
    """
    try:
        if Path(path).is_dir():
            raise UnreadableFile("it is a directory")
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise UnreadableFile(str(reason).lower()) from error
    if len(data) > MAX_BYTES:
        raise UnreadableFile(
            f"it is larger than {MAX_BYTES >> 20} MiB ({os.strerror(errno.EFBIG)})"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    match = _CONTROL.search(text)
    if match is not None:
        line = text.count("\n", 0, match.start()) + 1
        raise UnreadableFile(f"it is not text: control character {match[0]!r} on line {line}", line)
    return Source(path, text)


def find_included(pattern: str, directory: str) -> list[str]:
    """The files that `pattern` names, sorted; relative ones are below `directory`."""
    found: list[str] = []
    for single in expand_braces(pattern):
        full = single if single.startswith("/") else str(Path(directory or ".") / single)
        if has_wildcard(full):
            found += sorted(
                name
                for name in glob.glob(full)  # noqa: PTH207 - a pattern may be absolute
                if not Path(name).is_dir()
            )
        elif os.path.lexists(full):
            found.append(full)
    return found


def has_wildcard(pattern: str) -> bool:
    return any(char in pattern for char in "*?[")


def expand_braces(pattern: str) -> list[str]:
    """csh's `{a,b}`, nested too. At most 10,000 names come out."""
    done: list[str] = []
    todo = [pattern]
    while todo and len(done) < 10_000:
        text = todo.pop()
        bounds = _first_braces(text)
        if bounds is None:
            done.append(text)
            continue
        start, commas, end = bounds
        edges = [start, *commas, end]
        options = [text[a + 1 : b] for a, b in itertools.pairwise(edges)]
        todo += [text[:start] + option + text[end + 1 :] for option in reversed(options)]
    return done


def _first_braces(text: str) -> tuple[int, list[int], int] | None:
    start = text.find("{")
    if start < 0:
        return None
    depth = 0
    commas: list[int] = []
    for at in range(start, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return start, commas, at
        elif text[at] == "," and depth == 1:
            commas.append(at)
    return None
