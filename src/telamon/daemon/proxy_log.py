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
from dataclasses import dataclass
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
    host = f"{sender.host} " if sender.host else ""
    at = f"{sender.tag}[{sender.pid}]: "
    headers: dict[LogHeader, Callable[[], str]] = {
        LogHeader.RFC3164: lambda: f"<{priority}>{_bsd_time(now)} {host}{at}",
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


class ProxyLog:
    """Open sockets to all targets. Make it before `chroot`: /dev/log is not inside."""

    def __init__(self, process: ProcessPlan) -> None:
        host = process.log_send_hostname
        self._sender = Sender(process.log_tag, os.getpid(), host or None)
        self._hostname = host or socket.gethostname()
        self._sockets: dict[SocketAddress, socket.socket | int | None] = {}

    def open(self, targets: tuple[LogTarget, ...]) -> None:
        for target in targets:
            if target.address not in self._sockets:
                self._sockets[target.address] = _open(target.address)

    def send(
        self, targets: tuple[LogTarget, ...], level: Level, text: str, *, tag: str | None = None
    ) -> None:
        for target in targets:
            if level > target.max_level:
                continue
            sender = self._sender
            if target.header is LogHeader.RFC5424 and sender.host is None:
                sender = Sender(sender.tag, sender.pid, self._hostname)
            if tag is not None:
                sender = Sender(tag, sender.pid, sender.host)
            said = max(level, target.min_level)
            self._write(target.address, frame(target, sender, said, time.time(), text))

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
