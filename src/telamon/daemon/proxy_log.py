"""HAProxy's own log lines about servers and proxies, sent to the file's log targets.

The engine logs traffic; what the control loop finds (a server goes down) is sent from here, in
the same framing (manual, `log ... format`). A target that is slow or dead costs a lost line,
never a wait: sockets are non-blocking.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from telamon.base.address import FdAddress, InetAddress, SocketAddress, UnixAddress
from telamon.plan.process import Level, LogHeader, LogTarget, ProcessPlan

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@dataclass(frozen=True, slots=True)
class Sender:
    """Who speaks: the fields of a header that are the same for every line."""

    tag: str
    pid: int
    host: str | None


def frame(target: LogTarget, sender: Sender, level: Level, now: float, text: str) -> bytes:
    """One line as `target` wants it, with its line feed, cut to the target's length.

    `now` is Unix time.
    """
    priority = target.facility * 8 + level
    at = f"{sender.tag}[{sender.pid}]: "
    headers: dict[LogHeader, Callable[[], str]] = {
        LogHeader.RFC3164: lambda: (
            f"<{priority}>{_bsd_time(now)} {sender.host or 'localhost'} {at}"
        ),
        LogHeader.LOCAL: lambda: f"<{priority}>{_bsd_time(now)} {at}",
        LogHeader.RFC5424: lambda: (
            f"<{priority}>1 {_iso_time(now)} {sender.host or '-'} {sender.tag} {sender.pid} - - "
        ),
        LogHeader.PRIORITY: lambda: f"<{priority}>",
        LogHeader.SHORT: lambda: f"<{level.value}>",
        LogHeader.TIMED: lambda: f"<{level.value}>{_iso_time(now)} ",
        LogHeader.ISO: lambda: f"{_iso_time(now)} ",
        LogHeader.RAW: lambda: "",
    }
    line = (headers[target.header]() + text).encode(errors="replace")
    return line[: target.length - 1] + b"\n"


def _bsd_time(now: float) -> str:
    local = time.localtime(now)
    return (
        f"{_MONTHS[local.tm_mon - 1]} {local.tm_mday:2d} "
        f"{local.tm_hour:02d}:{local.tm_min:02d}:{local.tm_sec:02d}"
    )


def _iso_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).astimezone().isoformat(timespec="microseconds")


WriteRing = Callable[[int, bytes], None]
"""Puts a line, without its end, into the ring of a number."""


def _no_ring(ring: int, line: bytes) -> None:
    """Where no engine runs, nobody reads rings."""


class ProxyLog:
    """Open sockets to all targets. Make it before `chroot`: /dev/log is not inside."""

    def __init__(self, process: ProcessPlan, write_ring: WriteRing = _no_ring) -> None:
        self._sender = Sender(process.log_tag, os.getpid(), process.log_send_hostname or None)
        self._rings, self._write_ring = process.rings, write_ring
        self._seen: dict[LogTarget, int] = {}
        self._sockets: dict[SocketAddress, socket.socket | int | None] = {}

    def open(self, targets: tuple[LogTarget, ...]) -> None:
        for target in targets:
            if target.address is not None and target.address not in self._sockets:
                self._sockets[target.address] = _open(target.address)

    def send(
        self, targets: tuple[LogTarget, ...], level: Level, text: str, *, tag: str | None = None
    ) -> None:
        for target in targets:
            if level > target.max_level or not self._sampled(target):
                continue
            sender = self._sender
            if tag is not None:
                sender = Sender(tag, sender.pid, sender.host)
            said = max(level, target.min_level)
            if target.ring is not None:
                ring = self._rings[target.ring]
                target = replace(target, header=ring.header, length=ring.max_length)
                line = frame(target, sender, said, time.time(), text)
                self._write_ring(target.ring or 0, line[:-1])
            elif target.address is not None:
                self._write(target.address, frame(target, sender, said, time.time(), text))

    def _sampled(self, target: LogTarget) -> bool:
        """Whether `sample` picks this message, by a count of the control loop's own."""
        if target.sample is None:
            return True
        seen = self._seen.get(target, 0)
        self._seen[target] = seen + 1
        number = seen % target.sample.size + 1
        return any(one.first <= number <= one.last for one in target.sample.ranges)

    def _write(self, address: SocketAddress, line: bytes) -> None:
        output = self._sockets.get(address)
        with contextlib.suppress(OSError):
            if isinstance(output, int):
                os.write(output, line)
            elif output is not None and isinstance(address, InetAddress):
                output.sendto(line, (str(address.host), address.port))
            elif output is not None:
                output.send(line)

    def close(self) -> None:
        for output in self._sockets.values():
            if isinstance(output, socket.socket):
                output.close()
        self._sockets.clear()


def _open(address: SocketAddress) -> socket.socket | int | None:
    """A socket to `address`; None if a unix target is not there."""
    if isinstance(address, FdAddress):
        return address.fd
    if isinstance(address, InetAddress):
        family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        return sock
    assert isinstance(address, UnixAddress)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.setblocking(False)
    try:
        sock.connect((b"\0" if address.abstract else b"") + address.path.encode())
    except OSError:
        sock.close()
        return None
    return sock
