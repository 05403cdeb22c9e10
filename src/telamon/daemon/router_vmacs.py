"""Interfaces with the virtual routers' own MAC addresses: `use_vmac` and its kin.

The core knows nothing of them: it is given a plan in which the addresses that belong on such an
interface name it as their device, and hears of packets as if they came in by the interface
below. What leaves and arrives where is decided here:

- adverts of a multicast instance leave by its own interface (with `vmac_xmit_base` by the one
  below) and are heard on its own: the kernel gives a frame from the virtual router's MAC address
  to nobody else;
- unicast stays with the interface below, whose address the peers talk to.

An interface is made at the start and whenever the one below comes back, and removed at the end.
One that a crash left behind is recognised by name, MAC address and the interface below, and kept.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv6Interface

from telamon.kernel import rtnetlink, sysctl, vmac
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.netlink import Change, Netlink
from telamon.kernel.rtnetlink import Address, Link
from telamon.kernel.vmac import virtual_mac
from telamon.plan.router import InstancePlan, RouterPlan, VirtualAddress, VmacPlan
from telamon.vrrp.views import Transport
from telamon.vrrp.wire import family

_MAX_NAME = 15
_ADDR_GEN_NONE = "1"


@dataclass(frozen=True, slots=True)
class Vmac:
    """One of them.

    `speaks`: it is the instance's own for adverts to come in by, not only a place for addresses.
    `sends`: adverts leave by it as well.
    """

    name: str
    parent: str
    mac: bytes
    vrid: int
    family: int
    instance: str
    speaks: bool
    sends: bool


def arrange(plan: RouterPlan) -> tuple[RouterPlan, tuple[Vmac, ...]]:
    """The plan with addresses on their VMACs, and the VMACs."""
    made: dict[str, Vmac] = {}
    # One MAC address stands on an interface once: those that adverts leave by come first, and
    # an address of another instance with the same VRID joins it there.
    for instance in plan.instances:
        if instance.vmac is not None and instance.vmac.for_adverts:
            _own_vmac(instance, instance.vmac, made)
    instances = tuple(_arrange(instance, made) for instance in plan.instances)
    return replace(plan, instances=instances), tuple(made.values())


def _own_vmac(plan: InstancePlan, asked: VmacPlan, made: dict[str, Vmac]) -> None:
    kind = family(plan)
    mac = _mac(asked.address, plan.vrid, kind)
    name = asked.name if asked.name and asked.name not in made else None
    name = name or _free_name(asked.prefix, plan.vrid, kind, made)
    speaks = not plan.unicast_peers
    made[name] = Vmac(
        name, plan.interface, mac, plan.vrid, kind, plan.name, speaks,
        speaks and not asked.adverts_from_base,
    )  # fmt: skip


def _arrange(plan: InstancePlan, made: dict[str, Vmac]) -> InstancePlan:
    asked = plan.vmac or VmacPlan(for_adverts=False)

    def moved(address: VirtualAddress) -> VirtualAddress:
        device = address.device or plan.interface
        general = asked.for_adverts if device == plan.interface else asked.for_other_interfaces
        if not general and not address.vmac:
            return address
        kind = address.address.version
        return replace(address, device=_place(plan, asked, device, kind, made))

    return replace(
        plan,
        addresses=tuple(moved(a) for a in plan.addresses),
        excluded_addresses=tuple(moved(a) for a in plan.excluded_addresses),
    )


def _place(
    plan: InstancePlan, asked: VmacPlan, parent: str, kind: int, made: dict[str, Vmac]
) -> str:
    """The VMAC on `parent` for an address of this family."""
    own = (item for item in made.values() if item.instance == plan.name)
    for item in own:
        if (item.parent, item.family) == (parent, kind):
            return item.name
    mac = virtual_mac(plan.vrid, kind)
    for item in made.values():
        if (item.parent, item.mac) == (parent, mac):
            return item.name
    name = _free_name(asked.address_prefix, plan.vrid, kind, made)
    made[name] = Vmac(name, parent, mac, plan.vrid, kind, plan.name, False, False)
    return name


def _mac(text: str | None, vrid: int, kind: int) -> bytes:
    """As given; the VRID follows one that lacks the last octet."""
    try:
        given = bytes.fromhex((text or "").replace(":", ""))
    except ValueError:
        given = b""
    if len(given) == 5:
        given += bytes([vrid])
    return given if len(given) == 6 else virtual_mac(vrid, kind)


def _free_name(prefix: str, vrid: int, kind: int, made: dict[str, Vmac]) -> str:
    """Keepalived's own choice, so that scripts find it."""
    middles = ["", *(["6"] if kind == 6 else []), *map(str, range(1, len(made) + 2))]
    names = (f"{prefix}{middle}.{vrid}"[:_MAX_NAME] for middle in middles)
    return next(name for name in names if name not in made)


class RouterVmacs:
    """Owned by the router's loop."""

    def __init__(
        self, netlink: Netlink, interfaces: Interfaces, log: Callable[[str], None]
    ) -> None:
        self._netlink = netlink
        self._interfaces = interfaces
        self._log = log
        self._vmacs: dict[str, Vmac] = {}
        self._refused: dict[str, str] = {}

    def plan(self, vmacs: Iterable[Vmac]) -> None:
        """Have these and no others."""
        wanted = {item.name: item for item in vmacs}
        for name, item in self._vmacs.items():
            if wanted.get(name) != item and not _same_link(wanted.get(name), item):
                self._remove(item)
        self._vmacs = wanted
        for item in wanted.values():
            self._ensure(item)

    def __bool__(self) -> bool:
        return bool(self._vmacs)

    def has(self, interface: str) -> bool:
        return interface in self._vmacs

    def base(self, interface: str) -> str:
        """The interface below, or the interface itself."""
        item = self._vmacs.get(interface)
        return interface if item is None else item.parent

    def changed(self, change: Change) -> None:
        """An interface below one of ours has come, or ours has gone."""
        if isinstance(change, Link):
            for item in self._vmacs.values():
                if change.name in (item.parent, item.name):
                    self._ensure(item)

    def outlet(self, instance: str, interface: str) -> str:
        """Where this instance's adverts leave."""
        for item in self._vmacs.values():
            if item.instance == instance and item.sends and item.parent == interface:
                return item.name
        return interface

    def inlet(self, interface: str, octet: bytes, version: int) -> str | None:
        """By which interface of the plan a packet that came in here came in; None: not ours.

        `octet` is that of the VRID, empty if the packet has none. Each macvlan hears all
        multicast of the interface below: only its own VRID counts.
        """
        vrid = octet[0] if octet else 0
        item = self._vmacs.get(interface)
        if item is not None:
            return item.parent if (item.vrid, item.family) == (vrid, version) else None
        for item in self._vmacs.values():
            if item.speaks and (item.parent, item.vrid, item.family) == (interface, vrid, version):
                return None
        return interface

    def transports(self, known: Iterable[Transport]) -> Iterator[Transport]:
        """The sockets that are needed besides those that the core asks for."""
        for transport in known:
            yield transport
            for item in self._vmacs.values():
                same = (item.parent, item.family) == (transport.interface, transport.family)
                if item.speaks and same and transport.group is not None:
                    yield replace(transport, interface=item.name)

    def close(self) -> None:
        """The router ends."""
        for item in self._vmacs.values():
            self._remove(item)
        self._vmacs = {}

    def _ensure(self, item: Vmac) -> None:
        parent = self._interfaces.link(item.parent)
        if parent is None:
            return
        link = self._interfaces.link(item.name)
        if link is not None and not _fits(link, parent, item):
            if link.kind != vmac.KIND:
                self._refuse(item, f"there is another interface of this name ({link.kind})")
                return
            stale = link.index
            self._order(lambda sequence: vmac.remove_request(stale, sequence))
            link = None
        if link is None:
            link = self._create(item, parent)
        if link is None:
            return
        if not link.flags & rtnetlink.IFF_UP:
            _prepare(item)
            index = link.index
            self._order(lambda sequence: vmac.up_request(index, sequence))
        if item.family == 6:
            self._lend_link_local(item, link)

    def _create(self, item: Vmac, parent: Link) -> Link | None:
        refused = self._order(
            lambda sequence: vmac.create_request(item.name, parent.index, item.mac, sequence)
        )
        if refused and refused.errno != errno.EEXIST:
            self._refuse(item, refused.strerror or "")
            return None
        if self._refused.pop(item.name, None) is not None:
            self._log(f"({item.instance}) the VMAC interface {item.name} is there now")
        link = next((x for x in self._netlink.links() if x.name == item.name), None)
        if link is not None:
            self._interfaces.apply(link)
        return link

    def _lend_link_local(self, item: Vmac, link: Link) -> None:
        """IPv6 needs an address to speak from: that of the interface below, never preferred."""
        for address in self._interfaces.addresses(item.parent):
            if address.version == 6 and address.is_link_local:
                lent = IPv6Interface((address, 64))
                if not self._interfaces.holds(link.index, lent):
                    flags = rtnetlink.IFA_F_NODAD
                    scope = rtnetlink.scope_number("link")
                    self._netlink.add([Address(link.index, lent, scope, flags, preferred=0)])
                return

    def _remove(self, item: Vmac) -> None:
        link = self._interfaces.link(item.name)
        if link is not None and link.kind == vmac.KIND and link.mac == item.mac:
            self._order(lambda sequence: vmac.remove_request(link.index, sequence))

    def _refuse(self, item: Vmac, reason: str) -> None:
        if self._refused.get(item.name) != reason:
            self._log(
                f"({item.instance}) the VMAC interface {item.name} cannot be made on "
                f"{item.parent}: {reason}"
            )
        self._refused[item.name] = reason

    def _order(self, request: Callable[[int], bytes]) -> OSError | None:
        return self._netlink.orders((0,), lambda _thing, sequence: request(sequence)).get(0)


def _fits(link: Link, parent: Link, item: Vmac) -> bool:
    return (link.kind, link.parent, link.mac) == (vmac.KIND, parent.index, item.mac)


def _same_link(one: Vmac | None, other: Vmac) -> bool:
    return one is not None and (one.parent, one.mac) == (other.parent, other.mac)


def _prepare(item: Vmac) -> None:
    """The settings without which two MAC addresses on one link get in each other's way.

    ARP is answered only for an interface's own addresses, also by the one below; what the other
    node sends from the address that both know is believed; no address grows by itself.
    """
    settings = [("6", item.name, "addr_gen_mode", _ADDR_GEN_NONE),
                ("4", item.name, "rp_filter", "0")]  # fmt: skip
    if item.family == 4:
        settings += [
            ("4", item.name, "accept_local", "1"),
            ("4", item.name, "arp_ignore", "1"),
            ("4", item.name, "promote_secondaries", "1"),
            ("4", item.parent, "arp_ignore", "1"),
            ("4", item.parent, "arp_filter", "1"),
        ]
    settings.append(("6", item.name, "disable_ipv6", "0" if item.family == 6 else "1"))
    for version, interface, name, value in settings:
        # A kernel without IPv6, or a container's read-only /proc/sys.
        with contextlib.suppress(OSError):
            sysctl.write(value, "net", f"ipv{version}", "conf", interface, name)
