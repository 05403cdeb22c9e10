"""A fork into a child that has a channel to its parent: what all parents share."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable
from typing import NoReturn

from telamon.daemon.messages import Channel, Failed
from telamon.kernel.process import close_descriptors

Work = Callable[[Channel, int], int]
"""What a child does: it gets its end of the channel and the parent's pid, and gives its status."""


def fork(
    signals: Collection[int], work: Work, failed: Callable[[BaseException], None] | None = None
) -> tuple[int, Channel]:
    """The child's pid and our end of its channel. OSError if there can be none.

    No signal of `signals` may arrive in the child while it still has our handlers and wake-up
    socket: it begins with them blocked, and `settle` ends that. An exception that ends it is told
    to `failed`, in the child, and to the parent.
    """
    parent = os.getpid()
    ours, theirs = Channel.pair()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _be_child(theirs, parent, work, failed)
    except OSError:
        for end in (ours, theirs):
            end.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    theirs.close()
    ours.setblocking(False)
    return pid, ours


def _be_child(
    channel: Channel, parent: int, work: Work, failed: Callable[[BaseException], None] | None
) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        code = work(channel, parent)
    except BaseException as error:
        if failed is not None:
            failed(error)
        with contextlib.suppress(OSError):
            channel.send(Failed(f"{type(error).__name__}: {error}"))
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        # The parent's objects live on in this copy; none of their finalisers may run.
        os._exit(code)


def settle(
    signals: Collection[int], kept: Iterable[int], handler: signal.Handlers = signal.SIG_DFL
) -> None:
    """In the child: the parent's handlers and its descriptors, but for those that are `kept`, are
    gone; signals may come again."""
    for number in signals:
        signal.signal(number, handler)
    close_descriptors(kept)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
