"""Where Telamon's own log lines go: stderr in the foreground, syslog in the background."""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path

# sd-daemon(3): a line to the journal may begin with its level.
_JOURNAL = {10: 7, 20: 6, 30: 4, 40: 3, 50: 2}


class _Formatter(logging.Formatter):
    """`2026-11-24 02:00:00.123 telamon-proxy[42] warning: text`; shorter for the journal."""

    def __init__(self, journal: bool, timed: bool) -> None:
        super().__init__()
        self._journal, self._timed = journal, timed

    def format(self, record: logging.LogRecord) -> str:
        level = record.levelname.lower()
        name = record.name.replace(".", "-")
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if self._journal:
            return f"<{_JOURNAL.get(record.levelno, 6)}>{name}: {text}"
        at = f"{self.formatTime(record, '%F %T')}.{int(record.msecs):03d} " if self._timed else ""
        return f"{at}{name}[{record.process}] {level}: {text}"


def to_stderr() -> list[int]:
    """Log to stderr. Returns the descriptors that children must keep for it."""
    handler = logging.StreamHandler(sys.stderr)
    journal = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(_Formatter(journal, timed=True))
    _install(handler)
    return []


def to_syslog(path: str = "/dev/log") -> list[int]:
    """Log to the system's log, or nowhere if it has none. Returns descriptors as above."""
    if not Path(path).is_socket():
        _install(logging.NullHandler())
        return []
    from logging.handlers import SysLogHandler

    try:
        handler = SysLogHandler(path, SysLogHandler.LOG_DAEMON)
    except OSError:
        _install(logging.NullHandler())
        return []
    handler.setFormatter(_Formatter(journal=False, timed=False))
    _install(handler)
    sock: socket.socket = handler.socket  # type: ignore[attr-defined]
    # A full log must not stop a role: the line is lost then.
    sock.setblocking(False)
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    return [sock.fileno()]


def _install(handler: logging.Handler) -> None:
    root = logging.getLogger("telamon")
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
