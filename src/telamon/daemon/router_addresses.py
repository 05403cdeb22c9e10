"""The virtual addresses that this node is to hold, and what the kernel thinks of it.

The core says which addresses to put on and to take off. This object carries that out, remembers
what was refused and tries it again every second, and tells the guardian (see
`telamon.daemon.scripts`) what to take off should the router be killed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from telamon.base.address import IPAddress, IPInterface
from telamon.kernel import rtnetlink
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.netlink import Netlink
from telamon.kernel.rtnetlink import Address
from telamon.plan.router import VirtualAddress

RETRY = 1.0
"""Seconds between two tries to put on an address that the kernel refused."""

STATICS = "static_ipaddress"
"""The owner of addresses that stay whoever is master, as the log names it."""

_GONE_WITH_ITS_INTERFACE = (errno.ENODEV, errno.EADDRNOTAVAIL)

_Key = tuple[str, IPInterface]


@dataclass(slots=True)
class _Wanted:
    instance: str
    virtual: VirtualAddress
    device: str
    refused: str = ""


class RouterAddresses:
    """Owned by the router's loop; every method is quick (one netlink exchange at most)."""

    def __init__(
        self,
        netlink: Netlink,
        interfaces: Interfaces,
        guard: Callable[[tuple[Address, ...]], None],
        log: Callable[[str], None],
    ) -> None:
        self._netlink = netlink
        self._interfaces = interfaces
        self._guard = guard
        self._log = log
        self._wanted: dict[_Key, _Wanted] = {}
        self._guarded: tuple[Address, ...] = ()
        self.deadline: float | None = None
        """When `retry` wants to be called; None: never."""

    def add(self, instance: str, addresses: Iterable[VirtualAddress], now: float) -> None:
        """Put these on, in order. A refusal is logged and tried again later."""
        items = []
        for virtual in addresses:
            item = _Wanted(instance, virtual, virtual.device or "")
            known = self._wanted.get((item.device, virtual.address))
            item.refused = known.refused if known else ""
            self._wanted[item.device, virtual.address] = item
            items.append(item)
        # The guardian first: it must know of an address before the kernel does.
        self.tell_guard()
        self._put_on(items, now)

    def remove(self, instance: str, addresses: Iterable[VirtualAddress]) -> None:
        """Take these off. One that another instance wants as well stays."""
        orders = {}
        for virtual in addresses:
            key = (virtual.device or "", virtual.address)
            item = self._wanted.get(key)
            if item is not None and item.instance != instance:
                continue
            self._wanted.pop(key, None)
            address = self._address(virtual)
            if address is not None:
                orders[address] = virtual
        refused = self._netlink.remove(orders) if orders else {}
        for address, error in refused.items():
            if error.errno not in _GONE_WITH_ITS_INTERFACE:
                self._log(
                    f"({instance}) {address.interface} stays on {orders[address].device}: "
                    f"the kernel refused to remove it ({error.strerror})"
                )
        self.tell_guard()

    def retry(self, now: float) -> None:
        """Try again what was refused, if it is time."""
        if self.deadline is None or now < self.deadline:
            return
        self.deadline = None
        self._put_on([item for item in self._wanted.values() if item.refused], now)

    def keep_statics(self, device: str, address: IPAddress, now: float) -> None:
        """Somebody deleted this address: if it is a static one, it is put back."""
        items = [
            item
            for (name, interface), item in self._wanted.items()
            if item.instance == STATICS
            and item.virtual.track
            and (name, interface.ip) == (device, address)
        ]
        if items:
            self._log(f"({STATICS}) somebody deleted {address} from {device}; put back")
            self._put_on(items, now)

    def missing(self) -> list[tuple[str, IPAddress]]:
        """Device and address of what should be on the node and, as far as we know, is not."""
        found = []
        for item in self._wanted.values():
            link = self._interfaces.link(item.device)
            if link is not None and not self._interfaces.holds(link.index, item.virtual.address):
                found.append((item.device, item.virtual.address.ip))
        return found

    def refusals(self, instance: str) -> list[str]:
        """Why addresses of `instance` are not on the node although they should be."""
        wanted = self._wanted.values()
        return [item.refused for item in wanted if item.instance == instance and item.refused]

    def tell_guard(self, *, anew: bool = False) -> None:
        """Tell the guardian all there is to guard, if that has changed or it is `anew`."""
        # Static addresses outlive a crash: what else runs here may well speak from them.
        addresses = (
            self._address(item.virtual)
            for item in self._wanted.values()
            if item.instance != STATICS
        )
        guarded = tuple(address for address in addresses if address is not None)
        if anew or guarded != self._guarded:
            self._guarded = guarded
            self._guard(guarded)

    def _put_on(self, items: list[_Wanted], now: float) -> None:
        orders: dict[Address, _Wanted] = {}
        for item in items:
            address = self._address(item.virtual)
            if address is None:
                self._refuse(item, f"there is no interface {item.device}", now)
            else:
                orders[address] = item
        refused = self._netlink.add(orders) if orders else {}
        for address, item in orders.items():
            if address in refused:
                self._refuse(item, str(refused[address].strerror), now)
            elif item.refused:
                item.refused = ""
                self._log(f"({item.instance}) {item.virtual.address} is on {item.device} now")

    def _refuse(self, item: _Wanted, reason: str, now: float) -> None:
        text = f"{item.virtual.address} cannot be added to {item.device}: {reason}"
        if text != item.refused:
            self._log(f"({item.instance}) {text}; trying again every {RETRY:g} s")
        item.refused = text
        if self.deadline is None:
            self.deadline = now + RETRY

    def _address(self, virtual: VirtualAddress) -> Address | None:
        link = self._interfaces.link(virtual.device or "")
        return None if link is None else kernel_address(virtual, link.index)


def kernel_address(virtual: VirtualAddress, index: int) -> Address:
    """`virtual` as the kernel is told of it."""
    flags = sum(flag for given, flag in _flags(virtual) if given)
    preferred = virtual.preferred_lifetime
    if virtual.address.version == 6:
        # It is ours by election, so there is no time for duplicate address detection. A bare
        # /128 serves, but the node does not speak from it by itself (keepalived does the same).
        flags |= rtnetlink.IFA_F_NODAD
        if preferred is None and virtual.address.network.prefixlen == 128:
            preferred = 0
    return Address(
        index,
        virtual.address,
        rtnetlink.scope_number(virtual.scope),
        flags,
        virtual.label or "",
        virtual.broadcast,
        rtnetlink.PROTOCOL_KEEPALIVED,
        virtual.peer,
        preferred,
    )


def _flags(virtual: VirtualAddress) -> tuple[tuple[bool, int], ...]:
    return (
        (virtual.no_prefix_route, rtnetlink.IFA_F_NOPREFIXROUTE),
        (virtual.manage_temporary, rtnetlink.IFA_F_MANAGETEMPADDR),
        (virtual.home, rtnetlink.IFA_F_HOMEADDRESS),
        (virtual.no_dad, rtnetlink.IFA_F_NODAD),
        (virtual.autojoin, rtnetlink.IFA_F_MCAUTOJOIN),
    )
