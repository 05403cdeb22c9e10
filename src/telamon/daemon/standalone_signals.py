"""Keepalived's signals: what `--signum=` answers, and what each means to parent and router.

STOP, RELOAD, DATA and STATS are the classic four; the others are real-time signals, with the
numbers of Debian's keepalived 2.2.7. RELOAD_FORCE is our own: a reload that may lose an address.
"""

from __future__ import annotations

import signal
from enum import IntEnum


class Function(IntEnum):
    """The names are `--signum`'s words, the values the numbers of signals."""

    STOP = signal.SIGTERM
    RELOAD = signal.SIGHUP
    DATA = signal.SIGUSR1
    STATS = signal.SIGUSR2
    STATS_CLEAR = signal.SIGRTMAX - 1
    JSON = signal.SIGRTMIN + 2
    RELOAD_FORCE = signal.SIGRTMIN + 5


REAL_TIME = (Function.STATS_CLEAR, Function.JSON, Function.RELOAD_FORCE)
"""Those that a process must ask for besides the common ones."""

DUMPS = (Function.DATA, Function.STATS, Function.STATS_CLEAR, Function.JSON)
