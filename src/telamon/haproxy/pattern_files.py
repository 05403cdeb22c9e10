"""Files of patterns and maps (manual 7.1, flags `-f` and `-M`; 7.3.1, `map`).

They are read while the configuration loads, before any chroot. All who name one path share one
set, so that the stats socket changes it for all of them. A file that only actions name (`add-acl`,
`set-map`) is not read: the set begins empty, as in HAProxy.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from telamon.base.span import Span
from telamon.haproxy.keywords.row import Refused
from telamon.haproxy.rule_model import PatternFile
from telamon.haproxy.scope import Scope
from telamon.plan.rules import PatternLine


def set_of(path: str, scope: Scope) -> PatternFile:
    """The set of a path, not read yet if nobody reads it."""
    files = scope.context.model.pattern_files
    found = files.get(path)
    if found is None:
        found = files[path] = PatternFile(len(files), path)
    return found


def new_place(scope: Scope, id: int | None = None) -> int:
    """The place of one more set; `id` is its number, if `-u` gives it one."""
    ids = scope.context.model.pattern_ids
    ids.append(id)
    return len(ids) - 1


def pattern_numbers(ids: Sequence[int | None]) -> tuple[int, ...]:
    """The stats socket's number of each set: those without one fill the gaps in their order."""
    taken = {id for id in ids if id is not None}
    free = (number for number in itertools.count() if number not in taken)
    return tuple(next(free) if id is None else id for id in ids)


def named_file(
    path: str, scope: Scope, span: Span, *, is_map: bool, is_acl: bool = False
) -> PatternFile:
    """The set of a path, read; a file is a map for all or for none."""
    found = set_of(path, scope)
    _read_once(found, scope, span, is_map)
    found.is_acl |= is_acl
    kind = "map" if is_map else "acl"
    found.users.append(f"{kind} at file '{span.source.name}' line {span.line}")
    return found


def _read_once(found: PatternFile, scope: Scope, span: Span, is_map: bool) -> None:
    path = found.path
    if found.lines is None:
        found.lines, found.is_map, found.span = _read(path, scope, span, is_map), is_map, span
        found.place = new_place(scope)
    elif found.is_map is not is_map:
        raise scope.refuse(
            "H042", f"'{path}' is {'a map' if found.is_map else 'a list of patterns'} elsewhere",
            span, help=f"it is named first at {found.span}; an `acl` reads a map with `-M`",
        )  # fmt: skip


def _read(path: str, scope: Scope, span: Span, is_map: bool) -> tuple[PatternLine, ...]:
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise scope.refuse(
            "H044", f"'{path}' cannot be read: {reason}", span,
            help="give the path of a file with one pattern a line",
        ) from None  # fmt: skip
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#") or not line.strip(" \t\r"):
            continue
        lines.append(_map_line(line, number, path, scope, span) if is_map else _line(line, number))
    return tuple(lines)


def _line(line: str, number: int) -> PatternLine:
    return PatternLine(line.strip(" \t\r"), None, number)


def _map_line(line: str, number: int, path: str, scope: Scope, span: Span) -> PatternLine:
    key, *value = line.strip(" \t\r").replace("\t", " ").split(" ", 1)
    if not value:
        raise _no_value(path, number, scope, span)
    return PatternLine(key, value[0].strip(" \t"), number)


def _no_value(path: str, number: int, scope: Scope, span: Span) -> Refused:
    return scope.refuse(
        "H042", f"line {number} of the map '{path}' has a key and no value", span,
        help="write the value behind the key, with a blank between them",
    )  # fmt: skip
