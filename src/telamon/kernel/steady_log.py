"""Log lines that never make the writer wait.

A terminal stopped by Ctrl-S, a pager, a journal that is busy: a plain write to any of them blocks
until the reader goes on, and a router that waits for its log loses the VIP. So a line is written
only when the descriptor can take it, kept for a while otherwise, and dropped (and counted) when
too many wait.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque

_MAX_WAITING = 1000
_MAX_LINE = 4000
"""Bytes; less than PIPE_BUF, so that a pipe that polls as writable takes it whole (pipe(7))."""


class SteadyLog:
    """Lines to the descriptor `fd`, in order."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._waiting: deque[bytes] = deque()
        self._dropped = 0

    def entry(self, name: str, level: str, syslog_level: int, text: str) -> None:
        """One dated entry; for the journal it begins with its level instead (sd-daemon(3))."""
        if "JOURNAL_STREAM" in os.environ:
            self.line(f"<{syslog_level}>{name}: {text}")
            return
        now = time.time()
        at = time.strftime("%F %T", time.localtime(now))
        self.line(f"{at}.{int(now * 1000) % 1000:03d} {name}[{os.getpid()}] {level}: {text}")

    def line(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")[:_MAX_LINE] + b"\n"
        if len(self._waiting) < _MAX_WAITING:
            self._waiting.append(data)
        else:
            self._dropped += 1
        self.flush()

    @property
    def behind(self) -> bool:
        """Lines wait; call `flush` now and then."""
        return bool(self._waiting)

    def flush(self) -> None:
        """Write what the descriptor takes without waiting."""
        while self._waiting and self._writable():
            try:
                os.write(self._fd, self._waiting[0])
            except BlockingIOError:
                return
            except OSError:
                # Nobody reads any more: there is nobody to tell.
                self._waiting.clear()
                return
            self._waiting.popleft()
            if self._dropped and not self._waiting:
                note = f"{self._dropped} log lines were dropped, the log was not read\n"
                self._dropped = 0
                self._waiting.append(note.encode())

    def _writable(self) -> bool:
        return any(events & ~select.POLLNVAL for _fd, events in self._poll.poll(0))
