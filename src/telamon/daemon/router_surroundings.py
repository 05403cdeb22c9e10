"""What a router's states mean for the node besides its addresses.

Routes and rules, static addresses, interfaces with virtual MAC addresses, packet filter, link
delays and announcements on further interfaces: each has an object of its own; this one tells
them what happens, so that the loop has one to talk to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from telamon.base.address import IPAddress
from telamon.daemon.router_addresses import STATICS, RouterAddresses
from telamon.daemon.router_filter import RouterFilter
from telamon.daemon.router_routes import RouterRoutes
from telamon.daemon.router_vmacs import RouterVmacs, arrange
from telamon.kernel import sysctl
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.netlink import ROUTES_AND_RULES, Change, Monitor, Netlink
from telamon.kernel.rtnetlink import AddressRemoved
from telamon.plan.router import InterfaceDelay, RouterPlan, VirtualAddress
from telamon.vrrp.wire import placed

Announce = Callable[[str, str, IPAddress], None]
"""Instance, device, address."""


@dataclass(slots=True)
class _Link:
    """A link with delays: what was told, and since when it is otherwise."""

    told: bool
    due: float | None = None


class LinkDelays:
    """`interface_up_down_delays`: a change that lasts less than the delay is not seen."""

    def __init__(self) -> None:
        self._delays: dict[str, InterfaceDelay] = {}
        self._links: dict[str, _Link] = {}

    def plan(self, delays: tuple[InterfaceDelay, ...]) -> None:
        self._delays = {delay.interface: delay for delay in delays}

    def seen(self, name: str, up: bool, now: float) -> bool:
        """What to make of a link that is `up` now."""
        delay = self._delays.get(name)
        if delay is None:
            return up
        link = self._links.setdefault(name, _Link(up))
        if up == link.told:
            link.due = None
        elif link.due is None:
            link.due = now + (delay.up if up else delay.down)
        if link.due is not None and link.due <= now:
            link.told, link.due = up, None
        return link.told

    @property
    def deadline(self) -> float | None:
        return min((x.due for x in self._links.values() if x.due is not None), default=None)

    def due(self, now: float) -> list[str]:
        """The links whose change has lasted; they are seen as they are from now on."""
        ripe = [n for n, link in self._links.items() if link.due is not None and link.due <= now]
        for name in ripe:
            link = self._links[name]
            link.told, link.due = not link.told, None
        return ripe


class Surroundings:
    """Owned by the router's loop."""

    def __init__(
        self,
        netlink: Netlink,
        interfaces: Interfaces,
        addresses: RouterAddresses,
        announce: Announce,
        log: Callable[[str], None],
    ) -> None:
        self._netlink = netlink
        self._interfaces = interfaces
        self._addresses = addresses
        self._announce = announce
        self._log = log
        self._routes = RouterRoutes(netlink, self._index_of, log)
        self._filter = RouterFilter(log)
        self._statics: tuple[VirtualAddress, ...] = ()
        self._plan: RouterPlan | None = None
        self._strays: set[tuple[str, IPAddress]] = set()
        self._promoted: dict[str, str] = {}
        self._extra: dict[str, float] = {}
        self.vmacs = RouterVmacs(netlink, interfaces, log)
        self.delays = LinkDelays()
        self.monitor = Monitor(ROUTES_AND_RULES)

    def plan(self, plan: RouterPlan, now: float) -> RouterPlan:
        """Take a plan, at the start or at a reload; the plan as the core is to see it."""
        plan, vmacs = arrange(plan)
        self._plan = plan
        self.vmacs.plan(vmacs)
        if self.vmacs:
            # The core is to find them at once, not with the monitor's next word.
            self._interfaces.replace(self._netlink.links(), self._netlink.addresses())
        self._filter.plan(plan)
        self.delays.plan(plan.interface_delays)
        self._promote(plan)
        wanted = plan.statics.addresses
        gone = [address for address in self._statics if address not in wanted]
        self._addresses.remove(STATICS, gone)
        self._addresses.add(STATICS, [a for a in wanted if a not in self._statics], now)
        self._statics = wanted
        self._routes.plan(plan, now)
        self._extra = {n: t for n, t in self._extra.items() if self._extra_every(n)}
        return plan

    def state(self, instance: str, master: bool, now: float) -> None:
        """An instance became master, or something else."""
        if master:
            self._tell_strays(instance)
            self._routes.hold(instance, now)
            if every := self._extra_every(instance):
                self._extra[instance] = now + every
        else:
            self._routes.release(instance)
            self._extra.pop(instance, None)

    def changed(self, change: Change, name: str, now: float) -> None:
        """A link or an address; `name` is the interface's."""
        self.vmacs.changed(change)
        if self._routes.planned:
            self._routes.changed(change, now)
        if isinstance(change, AddressRemoved) and self._statics:
            self._addresses.keep_statics(name, change.address.interface.ip, now)

    def read_monitor(self, now: float) -> None:
        """Routes and rules have come or gone."""
        changes = self.monitor.changes()
        if changes is None:
            self._routes.restore(now)
            return
        if self._routes.planned:
            for change in changes:
                self._routes.changed(change, now)

    @property
    def deadline(self) -> float | None:
        """When `handle_timeout` wants to be called; None: never."""
        moments = (self._routes.deadline, self.delays.deadline, *self._extra.values())
        return min((moment for moment in moments if moment is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        self._routes.retry(now)
        for instance, due in self._extra.items():
            if due <= now:
                self._extra[instance] = now + self._extra_every(instance)
                for device, address in self._extra_targets(instance):
                    self._announce(instance, device, address)

    def refusals(self, instance: str) -> list[str]:
        """Why something is not on the node although it should be."""
        return [*self._addresses.refusals(instance), *self._routes.refusals(instance)]

    def remove(self) -> None:
        """The router ends in good order, and all instances have let go."""
        self._routes.close()
        self._addresses.remove(STATICS, self._statics)
        self._filter.close()
        self.vmacs.close()
        for interface, before in self._promoted.items():
            with contextlib.suppress(OSError):
                sysctl.write(before, "net", "ipv4", "conf", interface, "promote_secondaries")

    def close(self) -> None:
        self.monitor.close()

    def _index_of(self, name: str) -> int:
        link = self._interfaces.link(name)
        if link is None:
            raise KeyError(name)
        return link.index

    def _promote(self, plan: RouterPlan) -> None:
        """A VIP that goes must not take the node's other addresses of that subnet with it."""
        for instance in plan.instances:
            name = instance.interface
            before = sysctl.read("net", "ipv4", "conf", name, "promote_secondaries")
            if instance.promote_secondaries and name not in self._promoted and before == "0":
                with contextlib.suppress(OSError):
                    sysctl.write("1", "net", "ipv4", "conf", name, "promote_secondaries")
                    self._promoted[name] = before

    def _tell_strays(self, instance: str) -> None:
        """VIPs that neighbours would not look for here: in no subnet, with no prefix of their own.

        A VMAC has no subnet; that of the interface below it counts.
        """
        plans = self._plan.instances if self._plan is not None else ()
        for plan in (i for i in plans if i.name == instance):
            for address in placed(plan):
                ip, network = address.address.ip, address.address.network
                device = self.vmacs.base(address.device or plan.interface)
                stray = network.prefixlen == network.max_prefixlen and not ip.is_link_local
                if not stray or self._interfaces.covers(device, ip) or address.peer is not None:
                    continue
                if (device, ip) not in self._strays:
                    self._strays.add((device, ip))
                    self._log(
                        f"({instance}) {address.address} is in no subnet of {device}: only who "
                        f"has a route to it by this node will find it; a prefix length that "
                        f"others on {device} have as well would say that it is on the link"
                    )

    def _extra_every(self, instance: str) -> float:
        plans = self._plan.instances if self._plan is not None else ()
        return next((i.garp.extra_interfaces_every for i in plans if i.name == instance), 0.0)

    def _extra_targets(self, instance: str) -> Iterator[tuple[str, IPAddress]]:
        """Addresses on interfaces where no advert keeps the switches' tables fresh."""
        plans = self._plan.instances if self._plan is not None else ()
        for plan in (i for i in plans if i.name == instance):
            home = {plan.interface, self.vmacs.outlet(plan.name, plan.interface)}
            for address in placed(plan):
                device = address.device or plan.interface
                if device not in home and (plan.garp.extra_on_all or self.vmacs.has(device)):
                    yield device, address.address.ip
