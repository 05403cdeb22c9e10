"""The router's log: to whatever is given, else to stderr, and never waiting for either."""

from __future__ import annotations

from collections.abc import Callable

from telamon.kernel.steady_log import SteadyLog
from telamon.vrrp.effects import Urgency

Write = Callable[[Urgency, str], None]

_SYSLOG = {Urgency.INFO: 6, Urgency.WARNING: 4, Urgency.ERROR: 3}


class RouterLog:
    def __init__(self, write: Write | None = None) -> None:
        self._steady = SteadyLog(2)
        self._write = write or self._to_stderr

    def info(self, text: str) -> None:
        self._write(Urgency.INFO, text)

    def warn(self, text: str) -> None:
        self._write(Urgency.WARNING, text)

    def say(self, urgency: Urgency, text: str) -> None:
        self._write(urgency, text)

    @property
    def behind(self) -> bool:
        """Does something wait that a slow reader has not let us say?"""
        return self._steady.behind

    def flush(self) -> None:
        self._steady.flush()

    def _to_stderr(self, urgency: Urgency, text: str) -> None:
        self._steady.entry("telamon-vrrp", urgency.name.lower(), _SYSLOG[urgency], text)
