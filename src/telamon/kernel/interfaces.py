"""What is known of interfaces and addresses, kept up to date by netlink's changes."""

from __future__ import annotations

from collections.abc import Iterable

from telamon.base.address import IPAddress, IPInterface
from telamon.kernel.netlink import Change
from telamon.kernel.rtnetlink import (
    IFA_F_OPTIMISTIC,
    IFA_F_SECONDARY,
    IFA_F_TENTATIVE,
    Address,
    AddressAdded,
    AddressRemoved,
    Link,
    LinkGone,
)


class Interfaces:
    """The tables of one network namespace."""

    def __init__(self, links: Iterable[Link], addresses: Iterable[Address]) -> None:
        self.replace(links, addresses)

    def replace(self, links: Iterable[Link], addresses: Iterable[Address]) -> None:
        """Forget everything and start from these."""
        self._links = {link.index: link for link in links}
        self._names = {link.name: link for link in self._links.values()}
        # Per interface in the kernel's order: primary addresses first, oldest first.
        self._addresses: dict[int, dict[IPInterface, Address]] = {}
        for address in addresses:
            self._add(address)

    def link(self, name: str) -> Link | None:
        return self._names.get(name)

    def links(self) -> tuple[Link, ...]:
        """All of them, in the kernel's order."""
        return tuple(self._links.values())

    def name(self, index: int) -> str:
        """The interface's name, or its number if it is not known (any more)."""
        link = self._links.get(index)
        return link.name if link else str(index)

    def apply(self, change: Change) -> None:
        """Take note of one change."""
        if isinstance(change, Link):
            before = self._links.get(change.index)
            if before is not None and before.name != change.name:
                self._names.pop(before.name, None)
            self._links[change.index] = change
            self._names[change.name] = change
        elif isinstance(change, LinkGone):
            gone = self._links.pop(change.index, None)
            if gone is not None and self._names.get(gone.name) is gone:
                del self._names[gone.name]
            self._addresses.pop(change.index, None)
        elif isinstance(change, AddressAdded):
            self._add(change.address)
        elif isinstance(change, AddressRemoved):
            held = self._addresses.get(change.address.index, {})
            held.pop(change.address.interface, None)

    def holds(self, index: int, address: IPInterface) -> bool:
        """Is `address`, with this very prefix length, on the interface `index`?"""
        return address in self._addresses.get(index, {})

    def addresses(self, name: str) -> tuple[IPAddress, ...]:
        """The usable addresses of the interface `name`, in the kernel's order.

        Of IPv4 the primary ones come first. An IPv6 address that is still being checked for
        duplicates cannot be spoken from, so it is not among them.
        """
        link = self._names.get(name)
        if link is None:
            return ()
        held = self._addresses.get(link.index, {}).values()
        usable = (a for a in held if not a.flags & IFA_F_TENTATIVE or a.flags & IFA_F_OPTIMISTIC)
        first = sorted(usable, key=lambda a: bool(a.flags & IFA_F_SECONDARY and _is_ipv4(a)))
        return tuple(address.interface.ip for address in first)

    def covers(self, name: str, address: IPAddress) -> bool:
        """Is `address` in a subnet of the interface? Also if that has none of its family yet."""
        link = self._names.get(name)
        held = self._addresses.get(link.index, {}) if link is not None else {}
        networks = [i.network for i in held if i.version == address.version and i.ip != address]
        return not networks or any(address in network for network in networks)

    def _add(self, address: Address) -> None:
        self._addresses.setdefault(address.index, {})[address.interface] = address


def _is_ipv4(address: Address) -> bool:
    # The same bit means "temporary" for IPv6 (IFA_F_TEMPORARY).
    return address.interface.version == 4
