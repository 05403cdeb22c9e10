"""VRRP adverts on the wire: version 2 (RFC 3768, with RFC 2338's password) and 3 (RFC 9568).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    |Version| Type  | Virtual Rtr ID|   Priority    |  Count Addrs  |
    |  v2: auth type, interval in s; v3: 4 bits 0, interval in cs   | Checksum (16 of these 32)
    |  Count Addrs addresses of 4 or 16 bytes                       |
    |  v2 only: 8 bytes of authentication data, zeros without one   |

Two levels. `Packet` is a view of bytes whose length was checked once: it gives fields by name and
judges nothing. `Advert` holds only what makes sense; `Advert.parse` makes one of bytes or raises
`PacketError`, and nothing else, whatever the bytes are; `Advert.emit` makes bytes of one.

The checksum needs a word. Version 2 sums the message alone; version 3 over IPv6 sums a
pseudo-header as well. For version 3 over IPv4, RFC 5798 5.2.8 was read in two ways: keepalived
sums a pseudo-header, RFC 9568 5.2.8, Cisco and Juniper do not; and keepalived up to 1.3.6 put
224.0.0.18 into the pseudo-header of unicast adverts. Whoever knows one form only is deaf to half
of the world; whoever stops looking (as keepalived's `v3_checksum_as_v2` does) takes noise for
adverts. So: every form is tried, one must fit, and `Advert.checksum_form` says which did.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal

from telamon.base.address import IPAddress

PROTOCOL: Final = 112
MULTICAST_V4: Final = IPv4Address("224.0.0.18")
MULTICAST_V6: Final = IPv6Address("ff02::12")
MAX_INTERVAL: Final = 4095
"""Centiseconds: 12 bits in version 3."""

_HEADER = struct.Struct("!BBBBHH")
_PSEUDO_V4 = struct.Struct("!4s4sBBH")
_PSEUDO_V6 = struct.Struct("!16s16sI3xB")
_ADVERTISEMENT = 1
_AUTH_DATA = 8
_CHECKSUM_AT = 6
_ETHERNET_PADDED = 46 - 20
"""An Ethernet payload is filled up to 46 bytes; this much is left behind the IPv4 header."""


class Reason(StrEnum):
    """Why bytes are no advert."""

    SHORT = "shorter than its header"
    VERSION = "neither version 2 nor 3"
    TYPE = "not an advertisement"
    LENGTH = "not as long as its address count says"
    CHECKSUM = "wrong checksum"
    VRID = "VRID 0"
    INTERVAL = "interval 0"
    AUTHENTICATION_TYPE = "unknown authentication type"


class PacketError(ValueError):
    """The bytes are no sound advert; the sender is to blame."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class AuthType(IntEnum):
    """RFC 2338 5.3.6. AH (2) is obsolete and refused."""

    NONE = 0
    PASS = 1


class ChecksumForm(StrEnum):
    PLAIN = "without pseudo-header"
    PSEUDO_HEADER = "with pseudo-header"
    OLD_UNICAST = "with 224.0.0.18 in the pseudo-header"


@dataclass(frozen=True, slots=True)
class Packet:
    """Fields of an advert by name. `data` holds at least the header."""

    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) < _HEADER.size:
            raise PacketError(Reason.SHORT)

    @property
    def version(self) -> int:
        return self.data[0] >> 4

    @property
    def kind(self) -> int:
        return self.data[0] & 0x0F

    @property
    def vrid(self) -> int:
        return self.data[1]

    @property
    def priority(self) -> int:
        return self.data[2]

    @property
    def count(self) -> int:
        return self.data[3]

    @property
    def auth_type(self) -> int:
        """Version 2."""
        return self.data[4]

    @property
    def interval(self) -> int:
        """In centiseconds, whatever the version counts in."""
        if self.version == 2:
            return self.data[5] * 100
        return (self.data[4] & 0x0F) << 8 | self.data[5]

    @property
    def checksum(self) -> int:
        return int.from_bytes(self.data[_CHECKSUM_AT : _CHECKSUM_AT + 2], "big")

    def length(self, address_size: int) -> int:
        """How long the message should be, by its own count."""
        tail = _AUTH_DATA if self.version == 2 else 0
        return _HEADER.size + self.count * address_size + tail


@dataclass(frozen=True, slots=True)
class Advert:
    """One advertisement that makes sense.

    `interval` is in centiseconds (whole seconds for version 2). `addresses` are all of `family`.
    `auth_data` is 8 bytes in version 2, zeros without authentication, and empty in version 3.
    `checksum_form` is how it was or will be summed. ValueError for what cannot be put on the wire.
    """

    version: Literal[2, 3]
    vrid: int
    priority: int
    interval: int
    addresses: tuple[IPAddress, ...] = ()
    family: Literal[4, 6] = 4
    auth_type: AuthType = AuthType.NONE
    auth_data: bytes = b""
    checksum_form: ChecksumForm = ChecksumForm.PSEUDO_HEADER

    def __post_init__(self) -> None:
        if not 1 <= self.vrid <= 255:
            raise ValueError(f"VRID {self.vrid} is outside 1 to 255")
        if not 0 <= self.priority <= 255:
            raise ValueError(f"priority {self.priority} is outside 0 to 255")
        if len(self.addresses) > 255:
            raise ValueError("an advert holds at most 255 addresses")
        if any(address.version != self.family for address in self.addresses):
            raise ValueError(f"an address is not of IPv{self.family}")
        if self.version == 2:
            self._check_v2()
        elif not 1 <= self.interval <= MAX_INTERVAL:
            raise ValueError(f"interval {self.interval} is outside 1 to {MAX_INTERVAL} cs")
        elif self.auth_type or self.auth_data:
            raise ValueError("version 3 has no authentication field")
        elif self.family == 6 and self.checksum_form is not ChecksumForm.PSEUDO_HEADER:
            raise ValueError("IPv6 always sums the pseudo-header")

    def _check_v2(self) -> None:
        if self.family != 4:
            raise ValueError("version 2 is for IPv4 only")
        if self.interval % 100 or not 1 <= self.interval // 100 <= 255:
            raise ValueError(f"interval {self.interval} cs is not 1 to 255 whole seconds")
        if len(self.auth_data) != _AUTH_DATA:
            raise ValueError("version 2 carries 8 bytes of authentication data")
        if self.checksum_form is not ChecksumForm.PLAIN:
            raise ValueError("version 2 never sums a pseudo-header")

    @staticmethod
    def parse(
        data: bytes, source: IPAddress, destination: IPAddress, trailer: bytes = b""
    ) -> Advert:
        """The advert in `data`, which stood behind an IP header with these addresses.

        Raises PacketError, and nothing else. Ethernet's padding is tolerated where IPv4 was short
        enough to need it; any other excess is not. `trailer` is a signature that was cut off from
        behind it: IPv6's checksum may count it, where the kernel has done the sum.
        """
        packet = Packet(data)
        family: Literal[4, 6] = 6 if source.version == 6 else 4
        if packet.version not in (2, 3) or (packet.version == 2 and family == 6):
            raise PacketError(Reason.VERSION)
        length = packet.length(16 if family == 6 else 4)
        padded = family == 4 and length < len(data) <= _ETHERNET_PADDED
        if len(data) != length and not padded:
            raise PacketError(Reason.LENGTH)
        data = data[:length]
        form = _checksum_form(data, packet.version, source, destination, trailer)
        if packet.kind != _ADVERTISEMENT:
            raise PacketError(Reason.TYPE)
        if packet.vrid == 0:
            raise PacketError(Reason.VRID)
        if packet.interval == 0:
            raise PacketError(Reason.INTERVAL)
        addresses = _addresses(data, packet.count, family)
        if packet.version == 3:
            return Advert(
                3, packet.vrid, packet.priority, packet.interval, addresses, family,
                checksum_form=form,
            )  # fmt: skip
        if packet.auth_type not in (AuthType.NONE, AuthType.PASS):
            raise PacketError(Reason.AUTHENTICATION_TYPE)
        return Advert(
            2, packet.vrid, packet.priority, packet.interval, addresses, family,
            AuthType(packet.auth_type), data[-_AUTH_DATA:], form,
        )  # fmt: skip

    def emit(self, source: IPAddress, destination: IPAddress) -> bytes:
        """The bytes to stand behind an IP header with these addresses."""
        if self.version == 2:
            word = self.auth_type << 8 | self.interval // 100
        else:
            word = self.interval
        header = _HEADER.pack(
            self.version << 4 | _ADVERTISEMENT,
            self.vrid, self.priority, len(self.addresses), word, 0,
        )  # fmt: skip
        data = header + b"".join(address.packed for address in self.addresses) + self.auth_data
        checksum = _sum(_pseudo_header(self.checksum_form, len(data), source, destination) + data)
        return data[:_CHECKSUM_AT] + checksum.to_bytes(2, "big") + data[_CHECKSUM_AT + 2 :]


def split_trailer(data: bytes, family: int, size: int) -> tuple[bytes, bytes]:
    """An advert and what stands behind it, if that is exactly `size` bytes; else no trailer."""
    if len(data) < _HEADER.size + size:
        return data, b""
    length = Packet(data).length(16 if family == 6 else 4)
    return (data[:length], data[length:]) if len(data) == length + size else (data, b"")


def with_trailer(data: bytes, trailer: bytes, source: IPAddress, to: IPAddress) -> bytes:
    """`data` with a signature behind it.

    The kernel sums whole IPv6 packets (RFC 3542 3.1), as keepalived lets it: there, the checksum
    counts the trailer; over IPv4 it does not.
    """
    if source.version == 4:
        return data + trailer
    blank = data[:_CHECKSUM_AT] + b"\0\0" + data[_CHECKSUM_AT + 2 :] + trailer
    pseudo = _pseudo_header(ChecksumForm.PSEUDO_HEADER, len(blank), source, to)
    checksum = _sum(pseudo + blank).to_bytes(2, "big")
    return blank[:_CHECKSUM_AT] + checksum + blank[_CHECKSUM_AT + 2 :]


def password_data(secret: bytes) -> bytes:
    """A password as the 8 bytes of the wire: cut or filled up with zeros (RFC 2338 5.3.10)."""
    return secret[:_AUTH_DATA].ljust(_AUTH_DATA, b"\0")


def _addresses(data: bytes, count: int, family: int) -> tuple[IPAddress, ...]:
    size, make = (16, IPv6Address) if family == 6 else (4, IPv4Address)
    start = _HEADER.size
    return tuple(make(data[start + i * size : start + (i + 1) * size]) for i in range(count))


def _forms(version: int, destination: IPAddress) -> tuple[ChecksumForm, ...]:
    """In which ways an advert may be summed, the likeliest first."""
    if version == 2:
        return (ChecksumForm.PLAIN,)
    if destination.version == 6:
        return (ChecksumForm.PSEUDO_HEADER,)
    if destination.is_multicast:
        return (ChecksumForm.PSEUDO_HEADER, ChecksumForm.PLAIN)
    return (ChecksumForm.PSEUDO_HEADER, ChecksumForm.PLAIN, ChecksumForm.OLD_UNICAST)


def _checksum_form(
    data: bytes, version: int, source: IPAddress, destination: IPAddress, trailer: bytes
) -> ChecksumForm:
    for form in _forms(version, destination):
        # Summed together with its own checksum, a sound message gives zero (RFC 1071).
        if _sum(_pseudo_header(form, len(data), source, destination) + data) == 0:
            return form
    if trailer and destination.version == 6:
        return _checksum_form(data + trailer, version, source, destination, b"")
    raise PacketError(Reason.CHECKSUM)


def _pseudo_header(
    form: ChecksumForm, length: int, source: IPAddress, destination: IPAddress
) -> bytes:
    if form is ChecksumForm.PLAIN:
        return b""
    if form is ChecksumForm.OLD_UNICAST:
        destination = MULTICAST_V4
    if source.version == 6:
        return _PSEUDO_V6.pack(source.packed, destination.packed, length, PROTOCOL)
    return _PSEUDO_V4.pack(source.packed, destination.packed, 0, PROTOCOL, length)


def _sum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
