"""Runs the health checks of all servers in the proxy's control loop.

One non-blocking connection a check; the loop's writability callback and one timer end it. At
most `limit` checks run at the same time: the rest wait their turn in order, so that thousands
of servers due at one moment need a bounded number of descriptors.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from telamon.base.address import InetAddress, SocketAddress, UnixAddress
from telamon.checks import schedule, tcp
from telamon.checks.health import Health, interval
from telamon.checks.outcome import Outcome
from telamon.checks.proxy_header import proxy_header
from telamon.plan.proxy import Check, Timeouts

_NO_LINGER = struct.pack("ii", 1, 0)


CONCURRENT = 1000
"""How many checks may hold a descriptor at the same time."""


@dataclass(slots=True, eq=False)
class Target:
    """One checked server. `address` may change at run time; `paused` checks do not run."""

    check: Check
    timeouts: Timeouts
    address: SocketAddress
    health: Callable[[], Health]
    report: Callable[[Outcome], None]
    source: SocketAddress | None = None
    source_interface: str | None = None
    paused: bool = False
    running: bool = False
    _timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Checker:
    """Call `start` inside the loop that shall run the checks."""

    spread: int
    limit: int = CONCURRENT
    draw: random.Random = field(default_factory=random.Random)
    _targets: list[Target] = field(default_factory=list)
    _waiting: deque[Target] = field(default_factory=deque)
    _busy: int = 0
    _stopped: bool = False

    def start(self, targets: list[Target]) -> None:
        loop = asyncio.get_running_loop()
        self._targets = targets
        delays = schedule.first_delays([t.check.interval for t in targets])
        for target, delay in zip(targets, delays, strict=True):
            self._arm(target, loop.time() + delay / 1000)

    def stop(self) -> None:
        """No further check starts, and none reports."""
        self._stopped = True
        for target in self._targets:
            if target._timer is not None:
                target._timer.cancel()
        self._waiting.clear()

    def hasten(self, target: Target) -> None:
        """The next check comes after `fastinter` at the latest (manual 5.2, `on-error`)."""
        if self._stopped or target._timer is None:
            return
        check = target.check
        due = asyncio.get_running_loop().time() + (check.fast_interval or check.interval) / 1000
        # One that is under way, or waits for its turn, has its moment behind it.
        if due < target._timer.when():
            target._timer.cancel()
            self._arm(target, due)

    def _arm(self, target: Target, due: float) -> None:
        loop = asyncio.get_running_loop()
        target._timer = loop.call_at(due, self._fire, target)

    def _fire(self, target: Target) -> None:
        if self._stopped:
            return
        if target.paused:
            self._rearm(target)
        elif self._busy >= self.limit:
            self._waiting.append(target)
        else:
            self._begin(target)

    def _rearm(self, target: Target) -> None:
        """The next check: one interval after this one's end, as HAProxy counts it."""
        pause = schedule.next_delay(interval(target.check, target.health()), self.spread, self.draw)
        self._arm(target, asyncio.get_running_loop().time() + pause / 1000)

    def _begin(self, target: Target) -> None:
        loop = asyncio.get_running_loop()
        self._busy += 1
        target.running = True
        begun = loop.time()
        try:
            sock = _socket(target)
        except OSError as error:
            self._end(target, tcp.refused(error.errno or 0, 0.0))
            return
        try:
            code = sock.connect_ex(_destination(target.address))
        except OSError as error:
            # Not a connection error but, for instance, a unix path that is too long.
            code = error.errno or errno.EINVAL
        if code in (errno.EINPROGRESS, errno.EAGAIN):
            _Attempt(self, target, sock, begun)
            return
        if not code and target.check.send_proxy:
            _greet(sock, target.check.send_proxy)
        else:
            _abort(sock)
        took = loop.time() - begun
        self._end(target, tcp.refused(code, took) if code else tcp.connected(took))

    def _end(self, target: Target, outcome: Outcome) -> None:
        self._busy -= 1
        target.running = False
        if self._stopped:
            return
        if not target.paused:
            target.report(outcome)
        self._rearm(target)
        while self._waiting and self._busy < self.limit:
            self._begin(self._waiting.popleft())


class _Attempt:
    """One connection under way."""

    __slots__ = ("_begun", "_checker", "_sock", "_target", "_timer")

    def __init__(self, checker: Checker, target: Target, sock: socket.socket, begun: float):
        loop = asyncio.get_running_loop()
        self._checker, self._target, self._sock, self._begun = checker, target, sock, begun
        limit = tcp.connect_limit(target.check, target.timeouts) / 1000
        loop.add_writer(sock.fileno(), self._writable)
        self._timer = loop.call_at(begun + limit, self._expired)

    def _writable(self) -> None:
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        took = self._close(greets=code == 0)
        self._checker._end(self._target, tcp.refused(code, took) if code else tcp.connected(took))

    def _expired(self) -> None:
        took = self._close()
        self._checker._end(self._target, tcp.timed_out(took))

    def _close(self, *, greets: bool = False) -> float:
        loop = asyncio.get_running_loop()
        self._timer.cancel()
        loop.remove_writer(self._sock.fileno())
        version = self._target.check.send_proxy
        if greets and version:
            _greet(self._sock, version)
        else:
            _abort(self._sock)
        return loop.time() - self._begun


def _socket(target: Target) -> socket.socket:
    address = target.address
    if isinstance(address, InetAddress):
        family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    else:
        family = socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if isinstance(address, InetAddress):
            _leave_from(sock, address, target)
    except OSError:
        sock.close()
        raise
    return sock


def _leave_from(sock: socket.socket, address: InetAddress, target: Target) -> None:
    """A check goes the way that the traffic goes (manual 5.2, `source`)."""
    if target.source_interface is not None:
        name = target.source_interface.encode()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
    source = target.source
    if isinstance(source, InetAddress) and source.is_ipv6 == address.is_ipv6:
        sock.bind((str(source.host), source.port))


def _destination(address: SocketAddress) -> tuple[str, int] | bytes:
    if isinstance(address, InetAddress):
        return (str(address.host), address.port)
    assert isinstance(address, UnixAddress)
    return (b"\0" if address.abstract else b"") + address.path.encode()


def _greet(sock: socket.socket, version: int) -> None:
    """Send a PROXY header and close; a reset could overtake it."""
    with sock, contextlib.suppress(OSError):
        inet = sock.family != socket.AF_UNIX
        ends = (sock.getsockname()[:2], sock.getpeername()[:2]) if inet else (None, None)
        sock.send(proxy_header(version, *ends))


def _abort(sock: socket.socket) -> None:
    """Close by a reset, as HAProxy's checks do: thousands of checks leave no TIME_WAIT."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    sock.close()
