"""What the router says of itself: its instances for status and metrics, the sockets it needs."""

from __future__ import annotations

from dataclasses import dataclass

from telamon.base.address import IPAddress
from telamon.plan.router import VirtualAddress
from telamon.vrrp.events import Instant
from telamon.vrrp.notices import Notice
from telamon.vrrp.states import State


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance for status and metrics. `priority` is the effective one, `since` an instant.

    `master`: whom a backup obeys (None: itself, or not known). `losses`: how often somebody else
    deleted a virtual address from under it.
    """

    name: str
    state: State
    interface: str
    vrid: int
    version: int
    priority: int
    addresses: tuple[VirtualAddress, ...]
    reason: str
    since: Instant
    master: IPAddress | None
    faults: tuple[str, ...]
    losses: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Transport:
    """A raw socket that the router needs: where, for which family (4 or 6), in which group."""

    interface: str
    family: int
    group: IPAddress | None
