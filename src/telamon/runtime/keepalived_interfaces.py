"""The dump's section of interfaces, line by line as Keepalived 2.2.7."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from telamon.base.address import IPAddress
from telamon.plan.router import RouterPlan
from telamon.runtime import keepalived_text as text
from telamon.runtime.keepalived_garp import pause_lines
from telamon.vrrp.wire import placed


@dataclass(frozen=True, slots=True)
class InterfaceLine:
    """An interface of this machine, whether the router uses it or not.

    `macvlan_on`: the interface below it.
    """

    name: str
    index: int
    up: bool
    running: bool
    loopback: bool
    mtu: int
    mac: bytes
    addresses: tuple[IPAddress, ...]
    macvlan_on: str | None = None


def interface_lines(plan: RouterPlan, interfaces: Iterable[InterfaceLine]) -> Iterator[str]:
    entries = list(interfaces)
    virtual = frozenset(
        (
            *(a.address.ip for i in plan.instances for a in placed(i)),
            *(a.address.ip for a in plan.statics.addresses),
        )
    )
    for entry in entries:
        yield f" Name = {entry.name}"
        yield from (f"   {line}" for line in _facts(entry, virtual))
        yield from (f"   {line}" for line in _debounce(plan, entry.name))
        below = next((e for e in entries if e.name == entry.macvlan_on), None)
        if below is not None:
            under = f"underlying interface = {below.name}, state = {_state(below)}"
            yield f"   VMAC type private, {under}"
            yield "   I/f created by keepalived"
        yield f"   MTU = {entry.mtu}"
        yield f"   HW Type = {'LOOPBACK' if entry.loopback else 'ETHERNET'}"
        yield "   NIC netlink status update"
        yield from (f"   {line}" for line in pause_lines(plan, entry.name))
        yield from (f"   {line}" for line in _CHANGED)
        promoting = [i for i in plan.instances if i.promote_secondaries]
        count = sum(i.interface == entry.name for i in promoting)
        yield f"   Reset promote_secondaries counter {count}"
        users = list(_users(plan, entry.name))
        if users:
            yield "   Tracking VRRP instances :"
            yield from (f"     {user}" for user in users)


_NOT_TRACKED = 255
"""Keepalived's number for `dont_track_primary`."""

_CHANGED = (
    "Reset ARP config counter 0",
    "Original arp_ignore 0",
    "Original arp_filter 0",
    "Original promote_secondaries 0",
)
"""What Keepalived would put back at its end; Telamon keeps no count of it."""


def _facts(entry: InterfaceLine, virtual: Collection[IPAddress]) -> Iterator[str]:
    yield f"index = {entry.index}"
    own = [address for address in entry.addresses if address not in virtual]
    first = next((a for a in own if a.version == 4), None)
    # The one that adverts would come from.
    local = next((a for a in own if a.version == 6 and a.is_link_local), None)
    yield f"IPv4 address = {first or '(none)'}"
    yield f"IPv6 address = {local or '(none)'}"
    if entry.mac and not entry.loopback:
        yield f"MAC = {entry.mac.hex(':')}"
        yield "MAC broadcast = ff:ff:ff:ff:ff:ff"
    rest = ", no broadcast, loopback, no multicast" if entry.loopback else ""
    yield f"State = {_state(entry)}{rest}"
    yield f"Seen up = {int(entry.up and entry.running)}"


def _state(entry: InterfaceLine) -> str:
    up = "UP" if entry.up else "not UP"
    return f"{up}, {'RUNNING' if entry.running else 'not RUNNING'}"


def _debounce(plan: RouterPlan, name: str) -> Iterator[str]:
    delay = next((d for d in plan.interface_delays if d.interface == name), None)
    yield "Delayed state change running = false"
    yield f"Up debounce timer = {int((delay.up if delay else 0) * 1e6)}us"
    yield f"Down debounce timer = {int((delay.down if delay else 0) * 1e6)}us"


def _users(plan: RouterPlan, name: str) -> Iterator[str]:
    """The instances that look at this interface, and what its loss means to them."""
    told: set[str] = set()
    for instance in plan.instances:
        needed = {a.device for a in placed(instance) if a.device and a.track}
        own = name in (instance.interface, text.device(instance))
        if own and not instance.track_primary:
            told.add(instance.name)
            yield f"{instance.name}, weight {_NOT_TRACKED}"
        elif instance.interface == name or name in needed:
            told.add(instance.name)
            yield f"{instance.name}, weight 0"
        for entry in instance.track_interfaces:
            if entry.interface == name and not entry.implied:
                yield f"{instance.name}, weight {entry.weight}{text.reverse(entry.reverse)}"
    members = [(g, i.name) for i in plan.instances for g in plan.groups if i.name in g.members]
    for group, member in members:
        for entry in group.track_interfaces:
            if entry.interface == name:
                yield f"{member}, weight {entry.weight}{text.reverse(entry.reverse)}"
    for instance in plan.instances:
        implied = {entry.interface for entry in instance.track_interfaces if entry.implied}
        if name in implied and instance.name not in told:
            yield f"{instance.name}, weight 0"
