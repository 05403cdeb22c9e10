"""A fork into a child that has a channel to its parent: what supervisor and master share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection
from typing import NoReturn

from telamon.daemon.messages import Channel


def fork(
    signals: Collection[signal.Signals], be_child: Callable[[Channel, int], NoReturn]
) -> tuple[int, Channel]:
    """The child's pid and our end of its channel. OSError if there can be none.

    `be_child` is given the other end and our pid. No signal of `signals` may arrive in the child
    while it still has our handlers and wake-up socket: it begins with them blocked.
    """
    parent = os.getpid()
    ours, theirs = Channel.pair()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            be_child(theirs, parent)
    except OSError:
        for end in (ours, theirs):
            end.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    theirs.close()
    ours.setblocking(False)
    return pid, ours
