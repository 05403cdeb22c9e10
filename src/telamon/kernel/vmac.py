"""Interfaces with a virtual router's own MAC address (RFC 9568 7.3): macvlan, as link messages.

Private mode: two of them on one interface do not talk with each other; and a frame that comes in
from the virtual router's own MAC address, which is the other node's advert, is given to the
macvlan alone and not to the interface below it.
"""

from __future__ import annotations

import struct

from telamon.kernel.rtnetlink import (
    IFF_UP,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    RTM_DELLINK,
    RTM_NEWLINK,
    attribute,
    message,
)

KIND = "macvlan"

_LINK = struct.Struct("=BxHiII")
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINK, _IFLA_LINKINFO = 1, 3, 5, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _IFLA_MACVLAN_MODE = 1, 2, 1
_MODE_PRIVATE = 1


def virtual_mac(vrid: int, family: int) -> bytes:
    """00:00:5e:00:01:VRID for IPv4, 00:00:5e:00:02:VRID for IPv6."""
    return bytes((0, 0, 0x5E, 0, 1 if family == 4 else 2, vrid))


def create_request(name: str, parent: int, mac: bytes, sequence: int) -> bytes:
    """Make the macvlan `name` on the interface with index `parent`; it is down at first."""
    mode = attribute(_IFLA_MACVLAN_MODE, struct.pack("=I", _MODE_PRIVATE))
    info = attribute(_IFLA_INFO_KIND, KIND.encode()) + attribute(_IFLA_INFO_DATA, mode)
    body = (
        _LINK.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, name.encode() + b"\0")
        + attribute(_IFLA_ADDRESS, mac)
        + attribute(_IFLA_LINK, struct.pack("=I", parent))
        + attribute(_IFLA_LINKINFO, info)
    )
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
    return message(RTM_NEWLINK, flags, sequence, body)


def up_request(index: int, sequence: int) -> bytes:
    """Set an interface administratively up."""
    body = _LINK.pack(0, 0, index, IFF_UP, IFF_UP)
    return message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, body)


def remove_request(index: int, sequence: int) -> bytes:
    """Delete a virtual interface."""
    body = _LINK.pack(0, 0, index, 0, 0)
    return message(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, body)
