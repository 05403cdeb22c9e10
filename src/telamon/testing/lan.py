"""A LAN in memory, with everything that goes wrong on one: loss, delay, duplicates, partitions,
nodes that pause, crash and come back. It connects real `Router` cores and keeps who holds what.

One `Lan` is a set of segments, named as the interfaces are: all nodes' `eth0` are on one wire.
A node is what the edge is to a router in real life, minus the kernel: it hands over what arrives,
arms one timer, and carries out effects on a set of addresses. A paused node stands for SIGSTOP or
a frozen virtual machine: its addresses stay, its packets wait, and when it wakes up it does what
the edge does: reads what has arrived, then looks at the clock.

Randomness comes from the seed alone, so a failure can be played again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from telamon.base.address import IPAddress
from telamon.plan.router import RouterPlan
from telamon.testing.clock import JumpingClock
from telamon.vrrp.effects import (
    AddAddresses,
    Effect,
    RemoveAddresses,
    SendAdvert,
    SendGratuitous,
    StateChanged,
)
from telamon.vrrp.events import Interface, Received
from telamon.vrrp.router import Router
from telamon.vrrp.states import State


@dataclass(slots=True)
class Weather:
    """How bad the wire is. `delay` is a range in seconds; the rest are chances from 0 to 1."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: tuple[float, float] = (0.0001, 0.0005)


@dataclass(slots=True)
class Sent:
    """One packet that a node put on the wire."""

    at: float
    node: str
    advert: SendAdvert


class Node:
    """One machine. `held` are its addresses by device, `states` the states of its instances."""

    def __init__(
        self, lan: Lan, name: str, plan: RouterPlan, interfaces: Mapping[str, tuple[IPAddress, ...]]
    ) -> None:
        self.lan = lan
        self.name = name
        self.plan = plan
        self.own = interfaces
        self.links = dict.fromkeys(interfaces, True)
        self.proxy = True
        self.scripts: dict[str, bool] = {}
        self.held: set[tuple[str, IPAddress]] = set()
        self.states: dict[str, State] = {}
        self.history: list[tuple[float, StateChanged]] = []
        self.effects: list[tuple[float, Effect]] = []
        self.alive = False
        self.paused = False
        self.unix_ahead = 1_800_000_000.0
        """Unix time minus the simulated time; nodes' clocks may differ."""
        self.router = Router(plan)
        self._inbox: list[Received] = []
        self._armed: float | None = None

    def boot(self) -> None:
        """Start, or start again after `crash` or `stop`."""
        self.alive, self.paused = True, False
        self._inbox.clear()
        self._armed = None
        self.router = Router(self.plan)
        now = self.lan.clock.now
        self.set_unix_ahead(self.unix_ahead)
        self._do(self.router.start(now))
        for name in self.own:
            self._do(self.router.handle_interface(self._interface(name), now))
        self._do(self.router.handle_proxy(self.proxy, "stopped by the test", now))
        for name, passed in self.scripts.items():
            self._do(self.router.handle_script(name, passed, now))

    def crash(self) -> None:
        """Power off: everything is gone, and nobody is told."""
        self.alive = self.paused = False
        self.held.clear()
        self.states.clear()

    def stop(self) -> None:
        """Leave in good order."""
        self._do(self.router.stop(self.lan.clock.now))
        self.alive = False
        self.states.clear()

    def set_unix_ahead(self, seconds: float) -> None:
        """Set the node's wall clock; the other one is nobody's to set."""
        self.unix_ahead = seconds
        now = self.lan.clock.now
        self.router.handle_wall_clock(now + seconds, now)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """Run on: first what has arrived meanwhile, then the clock."""
        self.paused = False
        inbox, self._inbox = self._inbox, []
        for received in inbox:
            self.deliver(received)
        self._armed = None
        self._do(self.router.handle_timeout(self.lan.clock.now))

    def set_link(self, interface: str, up: bool) -> None:
        self.links[interface] = up
        if self.alive and not self.paused:
            now = self.lan.clock.now
            self._do(self.router.handle_interface(self._interface(interface), now))

    def set_proxy(self, alive: bool) -> None:
        self.proxy = alive
        if self.alive and not self.paused:
            now = self.lan.clock.now
            self._do(self.router.handle_proxy(alive, "stopped by the test", now))

    def run_script(self, name: str, passed: bool) -> None:
        self.scripts[name] = passed
        if self.alive and not self.paused:
            self._do(self.router.handle_script(name, passed, self.lan.clock.now))

    def reload(self, plan: RouterPlan) -> None:
        self.plan = plan
        self._do(self.router.reload(plan, self.lan.clock.now))

    def lose_address(self, device: str, address: IPAddress) -> None:
        """Somebody runs `ip address del`."""
        self.held.discard((device, address))
        now = self.lan.clock.now
        self._do(self.router.handle_address_removed(device, address, now))

    def deliver(self, received: Received) -> None:
        if not self.alive or not self.links[received.interface]:
            return
        if self.paused:
            self._inbox.append(received)
        else:
            self.lan.heard[self.name, received.source] = self.lan.clock.now
            self._do(self.router.handle_received(received, self.lan.clock.now))

    def is_master(self, instance: str) -> bool:
        return self.states.get(instance) is State.MASTER

    def _interface(self, name: str) -> Interface:
        return Interface(name, self.links[name], self.own[name])

    def _wake(self) -> None:
        if not self.alive or self.paused or self._armed != self.lan.clock.now:
            return
        self._armed = None
        self._do(self.router.handle_timeout(self.lan.clock.now))

    def _do(self, effects: Iterable[Effect]) -> None:
        now = self.lan.clock.now
        for effect in effects:
            self.effects.append((now, effect))
            if isinstance(effect, SendAdvert):
                self.lan.transmit(self, effect)
            elif isinstance(effect, AddAddresses):
                self.held |= {(a.device or "", a.address.ip) for a in effect.addresses}
            elif isinstance(effect, RemoveAddresses):
                self.held -= {(a.device or "", a.address.ip) for a in effect.addresses}
            elif isinstance(effect, SendGratuitous):
                self.lan.believed[effect.address] = self.name
            elif isinstance(effect, StateChanged):
                self.states[effect.instance] = effect.new
                self.history.append((now, effect))
        self._arm()

    def _arm(self) -> None:
        due = self.router.next_timeout()
        if due is not None and due != self._armed:
            self._armed = max(due, self.lan.clock.now)
            self.lan.clock.call_at(self._armed, self._wake)


@dataclass
class Lan:
    """`believed`: for each virtual address the node that announced it last.

    `heard`: when a node last took in a packet of a source, whatever it thought of it.
    """

    seed: int = 0
    clock: JumpingClock = field(default_factory=JumpingClock)
    weather: Weather = field(default_factory=Weather)
    nodes: dict[str, Node] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    believed: dict[IPAddress, str] = field(default_factory=dict)
    heard: dict[tuple[str, IPAddress], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._side: dict[str, int] = {}

    def add(
        self, name: str, plan: RouterPlan, interfaces: Mapping[str, tuple[IPAddress, ...]]
    ) -> Node:
        node = self.nodes[name] = Node(self, name, plan, interfaces)
        return node

    def boot(self) -> None:
        for node in self.nodes.values():
            node.boot()

    def run(self, seconds: float) -> None:
        self.clock.run_for(seconds)

    def partition(self, *parts: Iterable[str]) -> None:
        """Split the nodes; who is in no part is in the first."""
        self._side = {name: side for side, part in enumerate(parts) for name in part}

    def heal(self) -> None:
        self._side = {}

    def connected(self, one: str, other: str) -> bool:
        return self._side.get(one, 0) == self._side.get(other, 0)

    def parts(self) -> list[list[Node]]:
        """The nodes that can hear each other, as lists."""
        sides: dict[int, list[Node]] = {}
        for node in self.nodes.values():
            sides.setdefault(self._side.get(node.name, 0), []).append(node)
        return list(sides.values())

    def masters(self, instance: str) -> list[str]:
        return [n.name for n in self.nodes.values() if n.alive and n.is_master(instance)]

    def holders(self, address: IPAddress) -> list[str]:
        """The nodes that have `address`, whatever they think of themselves."""
        return [n.name for n in self.nodes.values() if any(a == address for _d, a in n.held)]

    def transmit(self, sender: Node, advert: SendAdvert) -> None:
        self.sent.append(Sent(self.clock.now, sender.name, advert))
        if not sender.links[advert.interface]:
            return
        for node in self.nodes.values():
            if node is sender or advert.interface not in node.own:
                continue
            if not self.connected(sender.name, node.name):
                continue
            to = advert.destination
            if to.is_multicast or to in node.own[advert.interface]:
                self._carry(node, advert)

    def inject(self, node: Node, received: Received) -> None:
        """A packet from a stranger."""
        node.deliver(received)

    def _carry(self, node: Node, advert: SendAdvert) -> None:
        weather = self.weather
        copies = 2 if self._random.random() < weather.duplication else 1
        for _ in range(copies):
            if self._random.random() < weather.loss:
                continue
            received = Received(
                advert.interface, advert.payload, advert.source, advert.destination, advert.ttl
            )
            arrival = self.clock.now + self._random.uniform(*weather.delay)
            self.clock.call_at(arrival, partial(node.deliver, received))
