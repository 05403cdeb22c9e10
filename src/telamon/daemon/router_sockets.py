"""The router's raw sockets: one per interface and family, opened anew when an interface is.

A socket is bound to an interface's index. An interface that is deleted and made again has a new
index, and the old socket would stay deaf for ever, so each change of a link comes by here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

from telamon.base.address import IPAddress
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.vrrp_socket import VrrpSocket
from telamon.vrrp.views import Transport

_Key = tuple[str, int]
"""Interface name and IP version."""

Opened = Callable[[str, VrrpSocket], None]
Closed = Callable[[VrrpSocket], None]


class RouterSockets:
    """Tells the loop what it opens and, before it closes it, what it closes."""

    def __init__(
        self, interfaces: Interfaces, opened: Opened, closed: Closed, log: Callable[[str], None]
    ) -> None:
        self._interfaces = interfaces
        self._opened = opened
        self._closed = closed
        self._log = log
        self._open: dict[_Key, tuple[int, VrrpSocket]] = {}
        self._needed: dict[_Key, set[IPAddress]] = {}

    def require(self, transports: Iterable[Transport]) -> None:
        """Have these open, and nothing else."""
        needed: dict[_Key, set[IPAddress]] = {}
        for transport in transports:
            groups = needed.setdefault((transport.interface, transport.family), set())
            if transport.group is not None:
                groups.add(transport.group)
        self._needed = needed
        for key in [key for key in self._open if key not in needed]:
            self._close(key)
        for interface in {interface for interface, _version in needed}:
            self.refresh(interface)

    def refresh(self, interface: str) -> None:
        """The interface has changed: it may be another one by the same name, or be gone."""
        link = self._interfaces.link(interface)
        for key, groups in self._needed.items():
            if key[0] != interface:
                continue
            index, sock = self._open.get(key, (None, None))
            if sock is not None and (link is None or link.index != index):
                self._close(key)
                sock = None
            if link is None:
                continue
            try:
                if sock is None:
                    sock = self._make(key, link.index)
                for group in groups:
                    sock.join(group)
            except OSError as error:
                self._log(f"cannot speak VRRP on {interface}: {error.strerror or error}")

    def get(self, interface: str, version: int) -> VrrpSocket | None:
        found = self._open.get((interface, version))
        return found[1] if found else None

    def close(self) -> None:
        for key in list(self._open):
            self._close(key)

    def _make(self, key: _Key, index: int) -> VrrpSocket:
        interface, version = key
        made = VrrpSocket(interface, index, socket.AF_INET if version == 4 else socket.AF_INET6)
        self._open[key] = (index, made)
        self._opened(interface, made)
        return made

    def _close(self, key: _Key) -> None:
        _index, sock = self._open.pop(key)
        self._closed(sock)
        sock.close()
