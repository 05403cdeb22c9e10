"""What the supervisor and its children say to each other.

The channel is a `SOCK_SEQPACKET` socket pair made before the fork: one message is one packet, a
closed peer is an end of file. Messages are pickled: both ends are one program of one version,
and nobody else holds the descriptor. A message may carry descriptors (`SCM_RIGHTS`).
"""

from __future__ import annotations

import array
import os
import pickle
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telamon.plan.process import StatsLevel

if TYPE_CHECKING:  # a proxy without a router need not load its plan's many classes
    from telamon.plan.router import RouterPlan


@dataclass(frozen=True, slots=True)
class Ready:
    """child -> supervisor: the role carries traffic now."""


@dataclass(frozen=True, slots=True)
class Failed:
    """child -> supervisor: it cannot start or cannot take the new plan; `reason` for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """child -> supervisor: an operator's signal told me to stop; I shall exit with 0.

    It is no crash: the supervisor gives up the listening sockets and does not start the role
    again by itself.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """child -> supervisor: one line for `telamon status` and for systemd's STATUS=."""

    text: str


@dataclass(frozen=True, slots=True)
class SoftStop:
    """supervisor -> proxy: stop accepting; the streams that run get `grace` ms (None: no limit)."""

    grace: int | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """supervisor -> child: leave now, in good order (the router sends priority 0 first)."""


@dataclass(frozen=True, slots=True)
class ServeClient:
    """master -> proxy: carries the socket of a client who may give commands of this level."""

    level: StatsLevel


@dataclass(frozen=True, slots=True)
class ProxyUp:
    """supervisor -> router: the proxy is ready. Carries its pidfd; its death is readable there."""

    pid: int


@dataclass(frozen=True, slots=True)
class ProxyDown:
    """supervisor -> router: the proxy is stopped or about to be; give the VIP away."""

    reason: str


@dataclass(frozen=True, slots=True)
class BackendHealth:
    """proxy -> supervisor -> router: how many servers take streams in each tracked backend.

    Sent before Ready and on each change, and only if the router tracks a backend at all.
    """

    servers_up: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class NewPlan:
    """supervisor -> router: take this plan in place of the old one; answer Ready or Failed.

    Without `force` a plan that would lose an address that this node holds is refused.
    """

    plan: RouterPlan
    force: bool = False


@dataclass(frozen=True, slots=True)
class ReloadWanted:
    """router -> supervisor: an operator's signal asks for it; read the files again."""

    force: bool = False


@dataclass(frozen=True, slots=True)
class NoticeStatus:
    """One disagreement between this node and a peer (docs/vrrp.md, "Notices")."""

    kind: str
    peer: str
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One VRRP instance as `telamon status` shows it."""

    name: str
    state: str
    interface: str
    vrid: int
    priority: int
    addresses: tuple[str, ...]
    reason: str
    notices: tuple[NoticeStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class RouterStatus:
    """router -> supervisor: after each change, and every ten seconds.

    `lateness` counts timers by how late they fired: upper bounds in seconds (None: all above)
    with their counts, not summed up. `latest` is the worst, in seconds.
    """

    instances: tuple[InstanceStatus, ...]
    lateness: tuple[tuple[float | None, int], ...] = ()
    latest: float = 0.0


Message = (
    Ready
    | Failed
    | Stopping
    | Status
    | SoftStop
    | Stop
    | ServeClient
    | ProxyUp
    | ProxyDown
    | BackendHealth
    | NewPlan
    | ReloadWanted
    | RouterStatus
)

MAX_MESSAGE = 8 << 20
_MAX_DESCRIPTORS = 16


class Channel:
    """One end of the pair. Closing it is how a child learns that its supervisor is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    @staticmethod
    def pair() -> tuple[Channel, Channel]:
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for sock in (left, right):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_MESSAGE)
        return Channel(left), Channel(right)

    def fileno(self) -> int:
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def send(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        """OSError if the peer is gone (BrokenPipeError) or slow (BlockingIOError)."""
        ancillary = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
            if descriptors
            else []
        )
        self._socket.sendmsg([pickle.dumps(message)], ancillary, socket.MSG_NOSIGNAL)

    def receive(self) -> tuple[Message, tuple[int, ...]] | None:
        """The next message with its descriptors; None when the peer has closed."""
        space = socket.CMSG_LEN(_MAX_DESCRIPTORS * array.array("i").itemsize)
        data, ancillary, _flags, _address = self._socket.recvmsg(MAX_MESSAGE, space)
        if not data:
            return None
        received = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
        message: Message = pickle.loads(data)
        return message, tuple(received)

    def hear(self, take: Callable[[Message], None]) -> bool:
        """Gives `take` each message that has come; False when the peer has closed. Descriptors that
        came along are nobody's and are closed."""
        while True:
            try:
                received = self.receive()
            except BlockingIOError:
                return True
            except OSError:
                return False
            if received is None:
                return False
            message, descriptors = received
            for fd in descriptors:
                os.close(fd)
            take(message)

    def close(self) -> None:
        self._socket.close()
