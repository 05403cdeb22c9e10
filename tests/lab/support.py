"""Finding what a lab has left: processes are marked by a variable of their environment."""

from __future__ import annotations

import time
from pathlib import Path

_LIMIT = 15.0


def lab_processes(mark: str) -> dict[int, str]:
    """The live processes that have the variable `mark` in their environment, with their command."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = command.decode(errors="replace")
        except OSError:
            continue
    return found


def descendants_gone(mark: str) -> None:
    """Wait until no process is marked; fails with those that are."""
    deadline = time.monotonic() + _LIMIT
    while left := lab_processes(mark):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)
