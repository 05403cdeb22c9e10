"""rtnetlink messages: bytes in, values out (rtnetlink(7)). Opens nothing.

Only what a router needs: links, addresses and, in `routes.py`, routes and rules. A message is a
16-byte head, a fixed body that depends on its type, and attributes (length, type, value, padded
to 4 bytes). Numbers are in host order, addresses in network order. Why not pyroute2:
`docs/adr/0004-netlink.md`.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address

from telamon.base.address import IPAddress, IPInterface

NLMSG_ERROR = 2
NLMSG_DONE = 3
RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_DELROUTE = 25
RTM_DELRULE = 33

NLM_F_REQUEST = 0x01
NLM_F_ACK = 0x04
NLM_F_DUMP = 0x300
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
_NLM_F_CAPPED = 0x100
_NLM_F_ACK_TLVS = 0x200

IFF_UP = 0x1
IFF_BROADCAST = 0x2
IFF_LOOPBACK = 0x8
IFF_RUNNING = 0x40
IFF_NOARP = 0x80

_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_LABEL = 3
_IFA_BROADCAST = 4
_IFA_CACHEINFO = 6
_IFA_FLAGS = 8
_IFA_PROTO = 11
_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_LINK = 5
_IFLA_LINKINFO = 18
_IFLA_INFO_KIND = 1
_NLMSGERR_ATTR_MSG = 1

IFA_F_SECONDARY = 0x01
IFA_F_NODAD = 0x02
IFA_F_OPTIMISTIC = 0x04
IFA_F_HOMEADDRESS = 0x10
IFA_F_TENTATIVE = 0x40
IFA_F_MANAGETEMPADDR = 0x100
IFA_F_NOPREFIXROUTE = 0x200
IFA_F_MCAUTOJOIN = 0x400

_FOREVER = 0xFFFFFFFF

PROTOCOL_KEEPALIVED = 18
"""The address protocol that marks a VIP: keepalived's number in /etc/iproute2/rt_protos, so that
tools that look can tell a VIP from an address that an administrator set."""

_HEAD = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_VERSIONS: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 6}
_RTA_DST = 1
_RTA_TABLE = 15
_ATTRIBUTE = struct.Struct("=HH")
_CACHEINFO = struct.Struct("=IIII")

_SCOPES = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}


class NetlinkFormatError(ValueError):
    """The bytes are not rtnetlink messages."""


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as the kernel shows it. `mac` is empty where it has none (a tunnel).

    `kind` names a virtual one's driver ("macvlan"); `parent` is the index of what it stands on.
    """

    index: int
    name: str
    flags: int
    mac: bytes
    mtu: int
    kind: str = ""
    parent: int = 0

    @property
    def running(self) -> bool:
        """Administratively up, and with a carrier."""
        return self.flags & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING

    @property
    def speaks_arp(self) -> bool:
        return not self.flags & (IFF_NOARP | IFF_LOOPBACK) and len(self.mac) == 6


@dataclass(frozen=True, slots=True)
class LinkGone:
    """An interface was removed, or moved to another namespace."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address on the interface `index`. `label` is IPv4's alias name, empty if none.

    `peer` is the other end's address on a point-to-point link. `preferred` is how long, in
    seconds, the node may speak from it by itself (0: never, None: for ever); it is only told to
    the kernel, never read back.
    """

    index: int
    interface: IPInterface
    scope: int = 0
    flags: int = 0
    label: str = ""
    broadcast: IPAddress | None = None
    protocol: int = 0
    peer: IPInterface | None = None
    preferred: int | None = None


@dataclass(frozen=True, slots=True)
class AddressAdded:
    address: Address


@dataclass(frozen=True, slots=True)
class AddressRemoved:
    address: Address


@dataclass(frozen=True, slots=True)
class Reply:
    """The kernel's answer to request `sequence`: `errno` 0 is yes; `text` its own words if any."""

    sequence: int
    errno: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a dump."""

    sequence: int


@dataclass(frozen=True, slots=True)
class RouteRemoved:
    """A route has gone; `destination` is its prefix, None for the default route."""

    family: int
    table: int
    destination: IPInterface | None


@dataclass(frozen=True, slots=True)
class RuleRemoved:
    """A policy rule has gone. Rules are few and seldom change: which one does not matter."""

    family: int


Event = Link | LinkGone | AddressAdded | AddressRemoved | RouteRemoved | RuleRemoved | Reply | Done


def scope_number(name: str | None) -> int:
    """A scope as users write it (`global`, `link`, ..., or a number). ValueError if unknown."""
    if name is None:
        return 0
    if name in _SCOPES:
        return _SCOPES[name]
    number = int(name, 0)
    if not 0 <= number <= 255:
        raise ValueError(f"scope {number} is outside 0 to 255")
    return number


def get_request(kind: int, sequence: int) -> bytes:
    """Ask for all links (`RTM_GETLINK`) or all addresses (`RTM_GETADDR`)."""
    body = _LINK.pack(0, 0, 0, 0, 0) if kind == RTM_GETLINK else _ADDRESS.pack(0, 0, 0, 0, 0)
    return message(kind, NLM_F_REQUEST | NLM_F_DUMP, sequence, body)


def add_address_request(address: Address, sequence: int) -> bytes:
    """Add `address`; an address that is there already is answered with EEXIST."""
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
    return message(RTM_NEWADDR, flags, sequence, _address_body(address))


def remove_address_request(address: Address, sequence: int) -> bytes:
    """Remove `address`; one that is not there is answered with EADDRNOTAVAIL."""
    return message(RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK, sequence, _address_body(address))


def parse(data: bytes) -> Iterator[Event]:
    """The messages of one datagram that mean something here.

    NetlinkFormatError if a length contradicts the datagram's.
    """
    offset, end = 0, len(data)
    while end - offset >= _HEAD.size:
        length, kind, flags, sequence, _port = _HEAD.unpack_from(data, offset)
        if not _HEAD.size <= length <= end - offset:
            raise NetlinkFormatError(f"message length {length} at {offset} of {end} bytes")
        event = _event(kind, flags, sequence, data[offset + _HEAD.size : offset + length])
        if event is not None:
            yield event
        offset += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A whole message of this type."""
    return _HEAD.pack(_HEAD.size + len(body), kind, flags, sequence, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute, padded."""
    head = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind)
    return head + value + bytes(_aligned(len(value)) - len(value))


def _address_body(address: Address) -> bytes:
    interface = address.interface
    family = socket.AF_INET if interface.version == 4 else socket.AF_INET6
    far_end = address.peer or interface
    packed = interface.ip.packed
    parts = [
        _ADDRESS.pack(family, _prefix(far_end), address.flags & 0xFF, address.scope, address.index),
        attribute(_IFA_LOCAL, packed),
        attribute(_IFA_ADDRESS, far_end.ip.packed),
    ]
    if address.label:
        parts.append(attribute(_IFA_LABEL, address.label.encode() + b"\0"))
    if address.broadcast is not None:
        parts.append(attribute(_IFA_BROADCAST, address.broadcast.packed))
    if address.flags > 0xFF:
        parts.append(attribute(_IFA_FLAGS, struct.pack("=I", address.flags)))
    if address.preferred is not None:
        lifetimes = _CACHEINFO.pack(address.preferred, _FOREVER, 0, 0)
        parts.append(attribute(_IFA_CACHEINFO, lifetimes))
    if address.protocol:
        # Kernels before 5.18 do not know the attribute and skip it.
        parts.append(attribute(_IFA_PROTO, bytes([address.protocol])))
    return b"".join(parts)


def _prefix(interface: IPInterface) -> int:
    return interface.network.prefixlen


def _event(kind: int, flags: int, sequence: int, body: bytes) -> Event | None:
    try:
        if kind in (RTM_NEWLINK, RTM_DELLINK):
            return _link(kind, body)
        if kind in (RTM_NEWADDR, RTM_DELADDR):
            return _address(kind, body)
        if kind == RTM_DELROUTE:
            return _route_removed(body)
        if kind == RTM_DELRULE:
            return RuleRemoved(_VERSIONS.get(body[0], 0) if body else 0)
        if kind == NLMSG_ERROR:
            return _reply(flags, sequence, body)
        if kind == NLMSG_DONE:
            return Done(sequence)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise NetlinkFormatError(f"message of type {kind}: {error}") from error
    return None


def _attributes(body: bytes, offset: int) -> dict[int, bytes]:
    found = {}
    while len(body) - offset >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if not _ATTRIBUTE.size <= length <= len(body) - offset:
            raise NetlinkFormatError(f"attribute length {length}")
        found[kind] = body[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)
    return found


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _link(kind: int, body: bytes) -> Event | None:
    family, _type, index, flags, _change = _LINK.unpack_from(body)
    if family != socket.AF_UNSPEC:
        # A bridge tells of its ports with its own family: leaving a bridge is no DELLINK of ours.
        return None
    attributes = _attributes(body, _LINK.size)
    name = _text(attributes.get(_IFLA_IFNAME, b""))
    if kind == RTM_DELLINK:
        return LinkGone(index, name)
    mtu = int.from_bytes(attributes.get(_IFLA_MTU, b"\0\0\0\0"), "little" if _LITTLE else "big")
    kind_of = _attributes(attributes.get(_IFLA_LINKINFO, b""), 0).get(_IFLA_INFO_KIND, b"")
    parent = int.from_bytes(attributes.get(_IFLA_LINK, b""), "little" if _LITTLE else "big")
    mac = attributes.get(_IFLA_ADDRESS, b"")
    return Link(index, name, flags, mac, mtu, _text(kind_of), parent)


_LITTLE = struct.pack("=H", 1) == b"\1\0"


def _address(kind: int, body: bytes) -> Event | None:
    family, prefix, flags, scope, index = _ADDRESS.unpack_from(body)
    attributes = _attributes(body, _ADDRESS.size)
    # On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL ours.
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if packed is None or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    if _IFA_FLAGS in attributes:
        (flags,) = struct.unpack("=I", attributes[_IFA_FLAGS])
    interface: IPInterface = (
        IPv4Interface((IPv4Address(packed), prefix))
        if family == socket.AF_INET
        else IPv6Interface((IPv6Address(packed), prefix))
    )
    broadcast = attributes.get(_IFA_BROADCAST)
    address = Address(
        index,
        interface,
        scope,
        flags,
        _text(attributes.get(_IFA_LABEL, b"")),
        ip_address(broadcast) if broadcast else None,
        attributes.get(_IFA_PROTO, b"\0")[0],
    )
    return AddressAdded(address) if kind == RTM_NEWADDR else AddressRemoved(address)


def _route_removed(body: bytes) -> Event | None:
    family, prefix, _source, _tos, table, _protocol, _scope, _kind, _flags = _ROUTE.unpack_from(
        body
    )
    version = _VERSIONS.get(family)
    if version is None:
        return None
    attributes = _attributes(body, _ROUTE.size)
    if _RTA_TABLE in attributes:
        (table,) = struct.unpack("=I", attributes[_RTA_TABLE])
    packed = attributes.get(_RTA_DST)
    if packed is None or prefix == 0:
        return RouteRemoved(version, table, None)
    destination: IPInterface = (
        IPv4Interface((IPv4Address(packed), prefix))
        if version == 4
        else IPv6Interface((IPv6Address(packed), prefix))
    )
    return RouteRemoved(version, table, destination)


def _reply(flags: int, sequence: int, body: bytes) -> Reply:
    """nlmsgerr: the negative errno, the request's head (and body unless capped), then texts."""
    (code,) = struct.unpack_from("=i", body)
    text = ""
    if flags & _NLM_F_ACK_TLVS:
        (request_length,) = struct.unpack_from("=I", body, 4)
        start = 4 + (_HEAD.size if flags & _NLM_F_CAPPED else _aligned(request_length))
        text = _text(_attributes(body, start).get(_NLMSGERR_ATTR_MSG, b""))
    return Reply(sequence, -code, text or (os.strerror(-code) if code else ""))
