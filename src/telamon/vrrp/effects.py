"""What the router asks its edge to do, as values, to be carried out in the order given.

The order is part of the contract: on becoming master the advert comes first, then the addresses,
then the announcements, then the news for people and scripts (keepalived does the same).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from telamon.base.address import IPAddress
from telamon.plan.router import VirtualAddress
from telamon.vrrp.notices import Notice
from telamon.vrrp.states import State


class Urgency(IntEnum):
    """Levels of the `logging` module."""

    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class SendAdvert:
    """Send `payload` as IP protocol 112 with this TTL or hop limit out of `interface`."""

    instance: str
    interface: str
    payload: bytes
    source: IPAddress
    destination: IPAddress
    ttl: int = 255


@dataclass(frozen=True, slots=True)
class AddAddresses:
    """Put these on their devices (`device` is always filled in). One that is there is no error."""

    instance: str
    addresses: tuple[VirtualAddress, ...]


@dataclass(frozen=True, slots=True)
class RemoveAddresses:
    """Take these off their devices. One that is not there is no error."""

    instance: str
    addresses: tuple[VirtualAddress, ...]


@dataclass(frozen=True, slots=True)
class SendGratuitous:
    """Send one gratuitous ARP request, or unsolicited NA for IPv6, for `address` on `device`."""

    instance: str
    device: str
    address: IPAddress


@dataclass(frozen=True, slots=True)
class StateChanged:
    """`instance` went from `old` to `new`; run its notify scripts. `reason` is for people."""

    instance: str
    old: State
    new: State
    priority: int
    reason: str


@dataclass(frozen=True, slots=True)
class LowerPriorityHeard:
    """`instance`, a master of `priority`, heard another one that must yield to it.

    People who move something beside the address (a cloud's route, say) move it back then.
    """

    instance: str
    priority: int


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """All members of the sync group `group` have reached `state`."""

    group: str
    state: State


@dataclass(frozen=True, slots=True)
class Log:
    """One line for the log."""

    urgency: Urgency
    text: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """Two nodes do not agree about something: log it, and show it in the status."""

    notice: Notice


Effect = (
    SendAdvert
    | AddAddresses
    | RemoveAddresses
    | SendGratuitous
    | StateChanged
    | LowerPriorityHeard
    | GroupChanged
    | Log
    | Noticed
)
