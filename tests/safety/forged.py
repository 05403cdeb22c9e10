"""Adverts as nobody sane sends them, and the socket to send them with."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address

from tests.interop.lan import VIP, Node, inside

GROUP = IPv4Address("224.0.0.18")
VRID = 51


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def v3(
    source: IPv4Address,
    priority: int,
    *,
    vips: tuple[str, ...] = (VIP,),
    centiseconds: int = 10,
    wrong: int = 0,
    to: IPv4Address = GROUP,
    pseudo_header: bool = True,
) -> bytes:
    """A version 3 advert (RFC 5798 5.2). `wrong` is mixed into the checksum."""
    addresses = b"".join(IPv4Address(vip).packed for vip in vips)
    body = struct.pack("!BBBBHH", 0x31, VRID, priority, len(vips), centiseconds, 0) + addresses
    pseudo = source.packed + to.packed + struct.pack("!BBH", 0, 112, len(body))
    summed = checksum((pseudo if pseudo_header else b"") + body)
    return body[:6] + struct.pack("!H", summed ^ wrong) + body[8:]


def v2(priority: int, *, password: bytes = b"", seconds: int = 1, vip: str = VIP) -> bytes:
    """A version 2 advert (RFC 2338 5.3)."""
    kind = 1 if password else 0
    body = struct.pack(
        "!BBBBBBH4s", 0x21, VRID, priority, 1, kind, seconds, 0, IPv4Address(vip).packed
    )
    trailer = password.ljust(8, b"\0")
    return body[:6] + struct.pack("!H", checksum(body + trailer)) + body[8:] + trailer


def packet(
    source: IPv4Address, payload: bytes, *, to: IPv4Address = GROUP, ttl: int = 255
) -> bytes:
    """The advert in an IPv4 packet; the kernel fills in the header's own checksum."""
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(payload), 7, 0, ttl, 112, 0, source.packed, to.packed
    )
    return head + payload


def raw_socket(node: Node) -> socket.socket:
    """Sends whole IPv4 packets from the node's em1."""

    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"em1\0")
        return sock

    return inside(node.namespace, make)
