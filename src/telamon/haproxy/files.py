"""From paths to text: several files, directories, and everything that may be wrong with a file."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Sequence
from pathlib import Path

from telamon.base.diagnostic import Report
from telamon.base.span import Source, Span

MAX_BYTES = 64 << 20
"""More than any real configuration; a log or an image given by mistake must not fill memory."""


def expand_paths(paths: Sequence[str], report: Report) -> list[str]:
    """The files that `-f` names: a directory is its `*.cfg`, sorted (management guide 3)."""
    found: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            found.append(path)
            continue
        try:
            members = sorted(
                str(entry)
                for entry in Path(path).iterdir()
                if entry.suffix == ".cfg" and not entry.name.startswith(".") and entry.is_file()
            )
        except OSError as error:
            report.error("H001", f"cannot list '{path}': {error.strerror}")
            continue
        if not members:
            report.warning("H002", f"the directory '{path}' holds no file named *.cfg")
        found.extend(members)
    return found


def read_sources(paths: Sequence[str], report: Report) -> tuple[list[Source], str]:
    """The readable files' texts, and a digest (hex) of all their bytes."""
    sources: list[Source] = []
    digest = hashlib.sha256()
    for path in paths:
        data = _read_bytes(path, report)
        if data is None:
            continue
        digest.update(data)
        source = _decode(path, data, report)
        if source is not None:
            sources.append(source)
    return sources, digest.hexdigest()


def _read_bytes(path: str, report: Report) -> bytes | None:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        report.error("H001", f"cannot read '{path}': {error.strerror}", help=_reading_help(path))
        return None
    except ValueError:
        report.error("H001", f"cannot read {path!r}: this cannot be the name of a file")
        return None
    if len(data) > MAX_BYTES:
        report.error("H006", f"'{path}' is larger than {MAX_BYTES >> 20} MiB")
        return None
    return data


def _reading_help(path: str) -> str:
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return "check the path and its permissions"
    return "" if stat.S_ISREG(mode) else "it is not a regular file"


def _decode(path: str, data: bytes, report: Report) -> Source | None:
    """The text; bytes that are not UTF-8 become surrogates, so that comments may hold any."""
    source = Source(path, data.decode("utf-8", "surrogateescape"))
    if not data.strip():
        report.note(
            "H002", f"'{path}' is empty", help="it adds nothing; remove it from the command line"
        )
    at = source.text.find("\0")
    if at >= 0:
        line = source.text.count("\n", 0, at) + 1
        column = at - (source.text.rfind("\n", 0, at) + 1) + 1
        report.error(
            "H003", f"'{path}' holds a zero byte: it is binary or damaged",
            Span(source, line, column, column + 1), label="zero byte here",
        )  # fmt: skip
        return None
    if data and not data.endswith(b"\n"):
        number = len(source.lines)
        width = len(source.line(number))
        report.error(
            "H005", "the last line has no line feed: the file may have been cut off",
            Span(source, number, width + 1, width + 2),
            help="if it is whole, add a newline at its end; HAProxy refuses it without",
        )  # fmt: skip
    return source
