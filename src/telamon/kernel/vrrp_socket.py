"""Raw sockets for IP protocol 112: one per interface and family (RFC 9568 5.1).

What goes out is, byte for byte, what keepalived puts on the wire: TTL 255, TOS 0xc0 (network
control), DF clear, no options, an identification that counts from 1. What comes in keeps its
TTL and its destination, since the receive checks need both (RFC 9568 7.1).
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from telamon.base.address import IPAddress

PROTOCOL = 112

MULTICAST_V4 = IPv4Address("224.0.0.18")
MULTICAST_V6 = IPv6Address("ff02::12")

_TTL = 255
_TRAFFIC_CLASS = 0xC0
_TC_PRIO_CONTROL = 7
_IP_MULTICAST_ALL = 49
_IPV6_MULTICAST_ALL = 29

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_PKTINFO6 = struct.Struct("=16sI")
_MREQN = struct.Struct("=4s4si")

_MAX_PACKET = 65535
_MAX_PER_WAKE = 64
"""A flood of packets is read in portions of this size, so that our own timers get their turn."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """A received VRRP packet. `ttl` is the hop limit as it arrived."""

    payload: bytes
    source: IPAddress
    destination: IPAddress
    ttl: int


class VrrpSocket:
    """Sends and receives on one interface. OSError if it cannot be opened (no right, no such)."""

    def __init__(self, interface: str, index: int, family: socket.AddressFamily) -> None:
        self.family = family
        self._index = index
        self._identification = 0
        self._groups: set[IPAddress] = set()
        self._targets: dict[IPAddress, tuple[str, int]] = {}
        self._last: Datagram | None = None
        self._last_same: tuple[int, int, bytes] | None = None
        self._header_for: tuple[IPv4Address, IPAddress, int, int] | None = None
        self._header = bytearray(_IPV4.size)
        self._to: tuple[tuple[str, int], int] = (("", 0), 0)
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(family, kind, PROTOCOL)
        try:
            self._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0"
            )
            self._set_priority()
            if family == socket.AF_INET:
                self._prepare_v4()
            else:
                self._prepare_v6()
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def join(self, group: IPAddress) -> None:
        """Receive what is sent to the multicast `group` on this interface."""
        if group in self._groups:
            return
        if isinstance(group, IPv4Address):
            request = _MREQN.pack(group.packed, bytes(4), self._index)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            request = _PKTINFO6.pack(group.packed, self._index)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
        self._groups.add(group)

    def send(
        self, payload: bytes, source: IPAddress, destination: IPAddress, ttl: int = _TTL
    ) -> None:
        """Send one advert. OSError if the kernel does not take it (link down, no route, ...)."""
        if isinstance(source, IPv4Address):
            self._send_v4(payload, source, destination, ttl)
        else:
            target, flags = self._target(destination)
            info = _PKTINFO6.pack(source.packed, self._index)
            ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]
            if ttl != _TTL:
                hops = struct.pack("=i", ttl)
                ancillary.append((socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, hops))
            self._socket.sendmsg(
                [payload],
                ancillary,
                flags,
                (target, 0, 0, self._index),
            )

    def _send_v4(
        self, payload: bytes, source: IPv4Address, destination: IPAddress, ttl: int
    ) -> None:
        known = self._header_for
        if (
            known is None or known[0] is not source or known[1] is not destination
            or known[2] != ttl or known[3] != len(payload)
        ):  # fmt: skip
            # The kernel fills in the header's checksum (raw(7), IP_HDRINCL).
            self._header[:] = _IPV4.pack(
                0x45, _TRAFFIC_CLASS, _IPV4.size + len(payload), 0, 0,
                ttl, PROTOCOL, 0, source.packed, destination.packed,
            )  # fmt: skip
            self._header_for = (source, destination, ttl, len(payload))
            target, flags = self._target(destination)
            self._to = ((target, 0), flags)
        number = self._identification = self._identification % 0xFFFF + 1
        self._header[4], self._header[5] = number >> 8, number & 0xFF
        self._socket.sendto(self._header + payload, self._to[1], self._to[0])

    def _target(self, destination: IPAddress) -> tuple[str, int]:
        """The destination as the socket module wants it, and the flags; worked out only once."""
        known = self._targets.get(destination)
        if known is None:
            # A group is on the link by definition, whatever the routing table says.
            flags = socket.MSG_DONTROUTE if destination.is_multicast else 0
            known = self._targets[destination] = (str(destination), flags)
        return known

    def receive(self) -> list[Datagram]:
        """What has arrived, at most `_MAX_PER_WAKE` packets; the rest stays readable."""
        found: list[Datagram] = []
        read = self._receive_v4 if self.family == socket.AF_INET else self._receive_v6
        for _ in range(_MAX_PER_WAKE):
            try:
                datagram = read()
            except OSError:
                # Nothing waits, or an error that waited (link down) has been taken note of.
                break
            if datagram is not None:
                found.append(datagram)
        return found

    def close(self) -> None:
        self._socket.close()

    def _set_priority(self) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _TC_PRIO_CONTROL)
        except PermissionError:
            # Priorities above 6 need CAP_NET_ADMIN; without it adverts queue like the rest.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 6)

    def _prepare_v4(self) -> None:
        interface = _MREQN.pack(bytes(4), bytes(4), self._index)
        for option, value in (
            (socket.IP_HDRINCL, 1),
            (socket.IP_MULTICAST_LOOP, 0),
            (socket.IP_MULTICAST_TTL, _TTL),
            (_IP_MULTICAST_ALL, 0),
        ):
            self._socket.setsockopt(socket.IPPROTO_IP, option, value)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)

    def _prepare_v6(self) -> None:
        for option, value in (
            (socket.IPV6_MULTICAST_HOPS, _TTL),
            (socket.IPV6_UNICAST_HOPS, _TTL),
            (socket.IPV6_MULTICAST_LOOP, 0),
            (socket.IPV6_MULTICAST_IF, self._index),
            (socket.IPV6_TCLASS, _TRAFFIC_CLASS),
            (socket.IPV6_RECVHOPLIMIT, 1),
            (socket.IPV6_RECVPKTINFO, 1),
            (_IPV6_MULTICAST_ALL, 0),
        ):
            self._socket.setsockopt(socket.IPPROTO_IPV6, option, value)

    def _receive_v4(self) -> Datagram | None:
        """A raw IPv4 socket gives the IP header too; the kernel has checked it."""
        data = self._socket.recv(_MAX_PACKET)
        if len(data) < _IPV4.size:
            return None
        # A master's packets differ in the header's identification and checksum only: the same
        # value again spares everybody above the work of reading it.
        same = (data[0], data[8], data[12:])
        if same != self._last_same or self._last is None:
            self._last_same = same
            self._last = _datagram(data)
        return self._last

    def _receive_v6(self) -> Datagram | None:
        data, ancillary, _flags, peer = self._socket.recvmsg(_MAX_PACKET, 128)
        destination: IPv6Address | None = None
        hop_limit = 0
        for level, kind, value in ancillary:
            if level != socket.IPPROTO_IPV6:
                continue
            if kind == socket.IPV6_PKTINFO:
                destination = IPv6Address(value[:16])
            elif kind == socket.IPV6_HOPLIMIT:
                (hop_limit,) = struct.unpack("=i", value[:4])
        if destination is None:
            return None
        return Datagram(data, IPv6Address(peer[0].partition("%")[0]), destination, hop_limit)


def _datagram(data: bytes) -> Datagram:
    start = (data[0] & 0x0F) * 4
    return Datagram(data[start:], IPv4Address(data[12:16]), IPv4Address(data[16:20]), data[8])
