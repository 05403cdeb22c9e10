"""Telling the neighbours where a virtual address lives now, as Ethernet frames.

IPv4: a gratuitous ARP request (RFC 5798 8.1.2): sender and target address are both the VIP, the
target hardware address is all ones as keepalived has it. IPv6: an unsolicited neighbour
advertisement to all nodes (RFC 4861 7.2.6), from the VIP itself, Override set. Both leave by a
packet socket, so that they go out at once, also before the kernel thinks the address usable.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from telamon.base.address import IPAddress

_ETHERTYPE_ARP = 0x0806
_ETHERTYPE_IPV6 = 0x86DD
_BROADCAST_MAC = b"\xff" * 6
_ALL_NODES = IPv6Address("ff02::1")
_ALL_NODES_MAC = bytes.fromhex("333300000001")

_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_ADVERTISEMENT = struct.Struct("!BBHI16sBB6s")

_ARP_REQUEST = 1
_ICMPV6 = 58
_NEIGHBOUR_ADVERTISEMENT = 136
_FLAG_ROUTER = 0x80000000
_FLAG_OVERRIDE = 0x20000000
_OPTION_TARGET_ADDRESS = 2


def gratuitous_arp(address: IPv4Address, mac: bytes) -> bytes:
    """The frame that says: `address` is at `mac`."""
    body = _ARP.pack(
        1, 0x0800, 6, 4, _ARP_REQUEST, mac, address.packed, _BROADCAST_MAC, address.packed
    )
    return _ETHERNET.pack(_BROADCAST_MAC, mac, _ETHERTYPE_ARP) + body


def neighbour_advertisement(address: IPv6Address, mac: bytes, *, router: bool) -> bytes:
    """The frame that says: `address` is at `mac`. `router`: this host forwards (RFC 4861 4.4)."""
    flags = _FLAG_OVERRIDE | (_FLAG_ROUTER if router else 0)
    fields = (_NEIGHBOUR_ADVERTISEMENT, 0, 0, flags, address.packed, _OPTION_TARGET_ADDRESS, 1, mac)
    body = _ADVERTISEMENT.pack(*fields)
    pseudo = struct.pack("!16s16sII", address.packed, _ALL_NODES.packed, len(body), _ICMPV6)
    body = body[:2] + _checksum(pseudo + body).to_bytes(2, "big") + body[4:]
    header = _IPV6.pack(0x60000000, len(body), _ICMPV6, 255, address.packed, _ALL_NODES.packed)
    return _ETHERNET.pack(_ALL_NODES_MAC, mac, _ETHERTYPE_IPV6) + header + body


class Announcer:
    """A packet socket that only sends. OSError without CAP_NET_RAW."""

    def __init__(self) -> None:
        # Protocol 0: nothing is ever delivered to it.
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_PACKET, kind, 0)

    def announce(
        self, address: IPAddress, interface: str, mac: bytes, *, router: bool = False
    ) -> None:
        """Send one announcement. OSError if the interface does not take it."""
        if isinstance(address, IPv4Address):
            frame, kind = gratuitous_arp(address, mac), _ETHERTYPE_ARP
        else:
            frame, kind = neighbour_advertisement(address, mac, router=router), _ETHERTYPE_IPV6
        self._socket.sendto(frame, (interface, kind))

    def close(self) -> None:
        self._socket.close()


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
