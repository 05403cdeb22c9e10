"""The connect check: a server is well if a TCP (or unix) connection comes about in time.

Sans-IO: the runner connects, and asks here for the time limit and the meaning of the result.
"""

from __future__ import annotations

import errno
import os

from telamon.base.units import Milliseconds
from telamon.checks.outcome import Outcome, Result
from telamon.plan.proxy import Check, Timeouts

_LOCAL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""Errors that say nothing about the server: we could not even try."""


def connect_limit(check: Check, timeouts: Timeouts) -> Milliseconds:
    """How long the connection may take.

    The whole check must fit into `inter`; where `timeout check` is set, it bounds what follows
    the connection, and the connection is bounded by `timeout connect` too (manual, `timeout
    check`).
    """
    if timeouts.check is not None and timeouts.connect is not None:
        return min(timeouts.connect, check.interval)
    return check.interval


def connected(duration: float) -> Outcome:
    """`duration` in seconds."""
    return Outcome(Result.L4_OK, int(duration * 1000))


def timed_out(duration: float) -> Outcome:
    return Outcome(Result.L4_TIMEOUT, int(duration * 1000))


def refused(error: int, duration: float) -> Outcome:
    """The connection failed with the errno `error`."""
    result = Result.SOCKET_ERROR if error in _LOCAL else Result.L4_CONNECTION_ERROR
    return Outcome(result, int(duration * 1000), os.strerror(error))
