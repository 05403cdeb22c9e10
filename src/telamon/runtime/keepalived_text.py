"""How Keepalived writes addresses, times and commands in its dumps; exporters parse these."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

from telamon.plan.router import CommandPlan, InstancePlan, VirtualAddress
from telamon.vrrp.detail import InstanceDetail
from telamon.vrrp.states import State

STATE_NUMBERS = {
    State.STOPPED: 0,
    State.INIT: 0,
    State.BACKUP: 1,
    State.MASTER: 2,
    State.FAULT: 3,
}
"""The numbers of Keepalived's JSON; a router that stops is not asked any more."""


def state_name(state: State) -> str:
    """One of INIT, BACKUP, MASTER and FAULT: exporters know no other."""
    return State.INIT.value if state is State.STOPPED else state.value


def wanted(detail: InstanceDetail) -> State:
    """What the instance would like to be."""
    return State.MASTER if detail.wants else detail.state


def device(plan: InstancePlan) -> str:
    """The interface that the instance speaks on."""
    if plan.vmac is None or not plan.vmac.for_adverts:
        return plan.interface
    return plan.vmac.name or f"{plan.vmac.prefix}.{plan.vrid}"


def virtual_address(address: VirtualAddress, plan: InstancePlan, *, held: bool) -> str:
    """As `10.0.0.1/24 brd 10.0.0.255 dev eth0 scope global label eth0:1 set`."""
    own = address.device in (None, plan.interface, device(plan))
    on = f"{device(plan)}@{plan.interface}" if own and device(plan) != plan.interface else None
    # The group is told of static addresses only.
    plain = replace(address, track_group=None)
    words = address_words(plain, on or address.device or plan.interface)
    if not held:
        return words
    return f"{words} set" if plan.accept else f"{words} set nftable_set"


def address_words(address: VirtualAddress, on: str) -> str:
    """The address on the device `on`, and how it is put there."""
    interface = address.address
    full = interface.network.prefixlen == interface.max_prefixlen
    words = [str(interface.ip) if full else str(interface)]
    if address.broadcast is not None:
        words.append(f"brd {address.broadcast}")
    words.append(f"dev {on}")
    words.append(f"scope {address.scope or 'global'}")
    if address.label:
        words.append(f"label {address.label}")
    words += [flag for flag, given in _flags(address) if given]
    if address.peer is not None:
        words.append(f"peer {address.peer}")
    if not address.track:
        words.append("no_track")
    if address.track_group:
        words.append(f"track_group {address.track_group}")
    if interface.version == 6:
        left = address.preferred_lifetime
        bare = left is None and full
        words.append(
            "deprecated" if bare or left == 0
            else f"preferred_lft {'forever' if left is None else left}"
        )  # fmt: skip
    return " ".join(words)


def _flags(address: VirtualAddress) -> tuple[tuple[str, bool], ...]:
    return (
        ("home", address.home),
        ("-nodad", address.no_dad and address.address.version == 6),
        ("mngtmpaddr", address.manage_temporary),
        ("noprefixroute", address.no_prefix_route),
        ("autojoin", address.autojoin),
    )


def virtual_addresses(
    detail: InstanceDetail, addresses: Iterable[VirtualAddress]
) -> list[str]:  # fmt: skip
    """Each as a line, those that are up marked as such."""
    up = {entry.address for entry in detail.held}
    return [virtual_address(a, detail.plan, held=a.address in up) for a in addresses]


def command(plan: CommandPlan) -> str:
    """Each word quoted, as `'/bin/notify' 'arg'`."""
    return words(plan.command)


def words(arguments: Iterable[str]) -> str:
    return " ".join(f"'{word}'" for word in arguments)


def moment(when: float, *, year: bool = True) -> str:
    """Seconds since the epoch, and the same for people."""
    micro = f"{when:.6f}"
    local = time.localtime(int(micro.partition(".")[0]))
    people = time.strftime("%a %b %e %H:%M:%S", local) + micro[micro.index(".") :]
    return f"{micro} ({people} {local.tm_year})" if year else f"{micro} ({people})"


def interval(plan: InstancePlan) -> str:
    if plan.version == 2:
        return f"{plan.advert_interval:g} sec"
    return f"{plan.advert_interval * 1000:g} milli-sec"


def reverse(flag: bool) -> str:
    return " reverse" if flag else ""


def truth(flag: bool) -> str:
    return "true" if flag else "false"
