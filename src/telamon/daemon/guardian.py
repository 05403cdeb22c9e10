"""The last one to leave: takes virtual addresses off a node whose router was killed by force.

The helper (`telamon.daemon.scripts`) does so when the router is gone. But who kills a router with
-9 often kills everything of it: its process group, its children, whatever is called keepalived
or telamon. So the helper starts this one, which is in none of these: its own session, no parent
of ours, a name of its own, nothing to do but wait. (What kills by control group, a container
runtime for example, takes it along; there the node's network mostly goes as well.)

It hears from the router itself which addresses there are, before the kernel does: by the helper,
the news could die with the helper on its way. When the router's end of the socket closes, it
looks whether the router lives: if so, the helper was replaced and a new guardian is there, and
this one leaves; if not, it removes the addresses first.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
from collections.abc import Sequence

from telamon.kernel.netlink import Netlink
from telamon.kernel.process import close_descriptors, set_name
from telamon.kernel.rtnetlink import Address

NAME = "vip-guardian"

_MAX_PACKET = 1 << 20
_DIES_WITHIN = 0.5
"""Seconds from the end of a process's files to its own, on a busy machine."""


class Guardian:
    """The router's end."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    @staticmethod
    def pair() -> tuple[Guardian, socket.socket]:
        """The router's end, and what `start` needs."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for sock in (ours, theirs):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MAX_PACKET)
        ours.setblocking(False)
        return Guardian(ours), theirs

    def tell(self, addresses: Sequence[Address]) -> None:
        """All addresses to guard, in place of what it was told before."""
        # If somebody has killed it, the helper itself still guards.
        with contextlib.suppress(OSError):
            self._socket.send(pickle.dumps(tuple(addresses)), socket.MSG_NOSIGNAL)

    def close(self) -> None:
        self._socket.close()


def start(sock: socket.socket, router: int) -> None:
    """Fork the guardian of the router with that pid; it is nobody's child from then on."""
    with sock:
        between = os.fork()
        if between == 0:
            # Twice, so that the guardian is handed to the init and appears in no tree of ours.
            if os.fork() == 0:
                _guard(sock, router)
            os._exit(0)
        os.waitpid(between, 0)


def _guard(sock: socket.socket, router: int) -> None:
    """The guardian's whole life; does not return."""
    try:
        os.setsid()
        close_descriptors((sock.fileno(),))
        set_name(NAME)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        netlink = Netlink()
        pidfd = _open(router)
        guarded = _listen(sock)
        if guarded and _is_dead(pidfd):
            netlink.remove(guarded)
    finally:
        os._exit(0)


def _listen(sock: socket.socket) -> tuple[Address, ...]:
    """What was to be guarded when the router's end closed."""
    guarded: tuple[Address, ...] = ()
    while True:
        try:
            data = sock.recv(_MAX_PACKET)
        except OSError:
            return guarded
        if not data:
            return guarded
        guarded = pickle.loads(data)


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _is_dead(pidfd: int | None) -> bool:
    if pidfd is None:
        return True
    return bool(select.select([pidfd], [], [], _DIES_WITHIN)[0])
