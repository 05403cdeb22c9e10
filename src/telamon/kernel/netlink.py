"""Two netlink sockets: one to ask the kernel, one to hear what others change.

A request is answered within its own system call (the answer is queued before `send` returns),
so asking never waits for anything but the kernel's own lock.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from telamon.kernel import rtnetlink
from telamon.kernel.rtnetlink import (
    Address,
    AddressAdded,
    AddressRemoved,
    Done,
    Link,
    LinkGone,
    Reply,
    RouteRemoved,
    RuleRemoved,
)

Change = Link | LinkGone | AddressAdded | AddressRemoved | RouteRemoved | RuleRemoved

Thing = TypeVar("Thing", bound=Hashable)

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11

_RTMGRP_LINK = 0x1
_RTMGRP_IPV4_IFADDR = 0x10
_RTMGRP_IPV6_IFADDR = 0x100
_RTMGRP_ROUTES = 0x40 | 0x400
_RTMGRP_RULES = 0x80 | 1 << 18
LINKS_AND_ADDRESSES = _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR
ROUTES_AND_RULES = _RTMGRP_ROUTES | _RTMGRP_RULES

_DATAGRAM = 64 << 10
_MONITOR_BUFFER = 4 << 20
_MAX_BATCH = 100


class KernelRefused(OSError):
    """The kernel said no; `str()` has its reason, `errno` its number."""


class Netlink:
    """Questions and orders to the kernel, one at a time."""

    def __init__(self) -> None:
        self._socket = _open(0)
        self._sequence = 0

    def links(self) -> list[Link]:
        """All interfaces of this network namespace."""
        return [event for event in self._dump(rtnetlink.RTM_GETLINK) if isinstance(event, Link)]

    def addresses(self) -> list[Address]:
        """All addresses of this network namespace, primary ones first."""
        events = self._dump(rtnetlink.RTM_GETADDR)
        return [event.address for event in events if isinstance(event, AddressAdded)]

    def add(self, addresses: Iterable[Address]) -> dict[Address, KernelRefused]:
        """Add all; the refused ones with the reason. One that is there already counts as added."""
        return self.orders(addresses, rtnetlink.add_address_request, errno.EEXIST)

    def remove(self, addresses: Iterable[Address]) -> dict[Address, KernelRefused]:
        """Remove all; the refused ones with the reason. One that is not there counts as gone."""
        return self.orders(addresses, rtnetlink.remove_address_request, errno.EADDRNOTAVAIL)

    def close(self) -> None:
        self._socket.close()

    def _dump(self, kind: int) -> Iterator[rtnetlink.Event]:
        self._sequence += 1
        self._socket.send(rtnetlink.get_request(kind, self._sequence))
        while True:
            for event in rtnetlink.parse(self._socket.recv(_DATAGRAM)):
                if isinstance(event, Reply) and event.errno:
                    raise KernelRefused(event.errno, event.text)
                if isinstance(event, Done):
                    return
                yield event

    def orders(
        self, things: Iterable[Thing], request: Callable[[Thing, int], bytes], *harmless: int
    ) -> dict[Thing, KernelRefused]:
        """Order `request(thing, sequence)` for all; those refused but for a `harmless` errno."""
        refused: dict[Thing, KernelRefused] = {}
        waiting = list(things)
        for start in range(0, len(waiting), _MAX_BATCH):
            refused |= self._order(waiting[start : start + _MAX_BATCH], request, harmless)
        return refused

    def _order(
        self,
        batch: list[Thing],
        request: Callable[[Thing, int], bytes],
        harmless: tuple[int, ...],
    ) -> dict[Thing, KernelRefused]:
        """Many orders in one system call: the kernel takes them in order and answers each."""
        by_sequence = {}
        messages = []
        for address in batch:
            self._sequence += 1
            by_sequence[self._sequence] = address
            messages.append(request(address, self._sequence))
        self._socket.send(b"".join(_padded(message) for message in messages))
        refused: dict[Thing, KernelRefused] = {}
        while by_sequence:
            for reply in rtnetlink.parse(self._socket.recv(_DATAGRAM)):
                if not isinstance(reply, Reply) or reply.sequence not in by_sequence:
                    continue
                address = by_sequence.pop(reply.sequence)
                if reply.errno and reply.errno not in harmless:
                    refused[address] = KernelRefused(reply.errno, reply.text)
        return refused


class Monitor:
    """What changes, as it happens. Watch `fileno()`, then `changes()`.

    `groups`: links and addresses, or routes and rules (a router may have very many of those).
    """

    def __init__(self, groups: int = LINKS_AND_ADDRESSES) -> None:
        self._socket = _open(groups)
        self._socket.setblocking(False)
        _grow_receive_buffer(self._socket, _MONITOR_BUFFER)

    def fileno(self) -> int:
        return self._socket.fileno()

    def changes(self) -> list[Change] | None:
        """What happened since the last call; None if the kernel had to drop some: ask anew."""
        found: list[Change] = []
        while True:
            try:
                data = self._socket.recv(_DATAGRAM)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    self._drain()
                    return None
                raise
            found += [e for e in rtnetlink.parse(data) if not isinstance(e, Reply | Done)]

    def close(self) -> None:
        self._socket.close()

    def _drain(self) -> None:
        try:
            while self._socket.recv(_DATAGRAM):
                pass
        except OSError:
            pass


def _padded(message: bytes) -> bytes:
    return message + bytes(-len(message) % 4)


def _open(groups: int) -> socket.socket:
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
        sock.setsockopt(_SOL_NETLINK, option, 1)
    sock.bind((0, groups))
    return sock


_SO_RCVBUFFORCE = 33


def _grow_receive_buffer(sock: socket.socket, size: int) -> None:
    """A burst of changes (a thousand containers starting) must not overrun the socket."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
