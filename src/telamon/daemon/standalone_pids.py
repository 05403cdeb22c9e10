"""Pid files as keepalived's: one number, gone when the process is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType

_NAME = "keepalived"


class PidFile:
    """A pid file that is removed at the end if it is still ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: int | None = None

    def write(self, pid: int) -> None:
        """OSError if it cannot be written; a link is not followed."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.path, flags, 0o644)
        with os.fdopen(fd, "wb") as file:
            # Over the old number, and cut off afterwards: who reads meanwhile finds no empty file.
            file.write(b"%d\n" % pid)
            file.truncate()
        self._written = pid

    def __enter__(self) -> PidFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._written is not None and _pid_in(self.path) == self._written:
            with contextlib.suppress(OSError):
                self.path.unlink()


def runs_already(path: Path) -> bool:
    """Whether the process that `path` names lives and is a keepalived.

    The number alone proves nothing: after a crash, and in every container, it is soon that of
    another process, and a stale file must not keep the router from starting.
    """
    pid = _pid_in(path)
    if pid is None or pid == os.getpid():
        return False
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == _NAME
    except OSError:
        return False


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text().strip())
    except (OSError, ValueError):
        return None
