"""Signals and children, as things that a loop can wait for."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterable

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def signal_socket(others: Iterable[int] = ()) -> tuple[socket.socket, socket.socket]:
    """Signals as bytes on a socket: they are handled in their turn, as everything else.

    `others` are wanted besides the common ones.
    """
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in (*_SIGNALS, *others):
        signal.signal(number, lambda _number, _frame: None)
    return reader, writer


def reap(pid: int, within: float) -> None:
    """Wait for the child `pid` for `within` seconds at most; a stuck one is left to init."""
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            if select.select([pidfd], [], [], within)[0]:
                os.waitpid(pid, 0)
        finally:
            os.close(pidfd)
