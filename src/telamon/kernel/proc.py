"""Reading /proc: which processes run, under which name and command line (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass

_ZOMBIES = (b"Z", b"X")


@dataclass(frozen=True, slots=True)
class Program:
    """What a process runs. `arguments` is empty for kernel threads, or if nobody asked."""

    name: str
    arguments: tuple[str, ...] = ()


def pids() -> list[int]:
    """All processes of this PID namespace."""
    with os.scandir("/proc") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]


def program(pid: int, *, with_arguments: bool = False) -> Program | None:
    """None if it does not run (any more); a zombie does not."""
    stat = _read(f"/proc/{pid}/stat")
    # The name stands in parentheses and may hold any byte, parentheses too.
    opening, closing = stat.find(b"("), stat.rfind(b")")
    if opening < 0 or closing < 0 or stat[closing + 2 : closing + 3] in _ZOMBIES:
        return None
    name = os.fsdecode(stat[opening + 1 : closing])
    if not with_arguments:
        return Program(name)
    words = _read(f"/proc/{pid}/cmdline").removesuffix(b"\0")
    return Program(name, tuple(os.fsdecode(word) for word in words.split(b"\0")) if words else ())


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 65536)
        finally:
            os.close(fd)
    except OSError:
        return b""
