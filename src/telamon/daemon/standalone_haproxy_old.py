"""The processes to take over from: `-sf`, `-st` and `-x`.

Management guide 4: bind first; if a port is still held, tell the old processes to pause (SIGTTOU)
and try again; if it cannot be had, let them go on (SIGTTIN). Only when all is bound are they told
to finish (SIGUSR1) or to end (SIGTERM). With SO_REUSEPORT, which both sides have unless `-dR` says
otherwise, nothing needs to pause.

`-x` asks the old process for its listening sockets over a stats socket that exposes them
(`expose-fd listeners`): connections that wait in their queues are not lost then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Sequence

from telamon.daemon.standalone_haproxy_options import Options
from telamon.kernel.hand_over import HandOverError, take_sockets
from telamon.kernel.sockets import BindError, Change, SocketPool, SocketWish

_RETRY_EVERY = 0.01
_RETRY_FOR = 2.0


def bind(
    pool: SocketPool, wishes: Sequence[SocketWish], options: Options, warn: Callable[[str], None]
) -> Change:
    """All sockets, from the old processes where they hold them. Raises BindError."""
    if options.take_from is not None:
        try:
            pool.adopt(wishes, take_sockets(options.take_from.removeprefix("unix@")))
        except HandOverError as error:
            warn(f"-x {options.take_from}: {error}; the sockets are bound anew")
    try:
        return pool.change(wishes)
    except BindError:
        if not options.old:
            raise
    tell(options.old, signal.SIGTTOU)
    until = time.monotonic() + _RETRY_FOR
    while True:
        # The old processes say nothing when they have let go.
        select.select([], [], [], _RETRY_EVERY)
        try:
            return pool.change(wishes)
        except BindError:
            if time.monotonic() >= until:
                tell(options.old, signal.SIGTTIN)
                raise


def relieve(options: Options) -> None:
    """Tell the old processes that we serve now."""
    tell(options.old, signal.SIGTERM if options.hard else signal.SIGUSR1)


def tell(pids: Iterable[int], signum: signal.Signals) -> None:
    for pid in pids:
        # It has gone already, which is what we want of it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
