"""Routers on a bad LAN, against a shadow model: what must hold whatever happened before.

Hypothesis invents the story: two to six routers with priorities, intervals, `nopreempt` and
delays; the wire loses, delays and doubles; nodes crash, stop, pause, come back; the LAN splits.
At any moment that the story picks, the weather clears and the timers run out, and then:

- every connected part with an eligible router has exactly one master, and it holds the addresses;
- no eligible router that may preempt is stronger than its master;
- a master that nothing happened to is displaced only by a stronger one that may preempt: so
  `nopreempt` is obeyed, and nobody fights over equal priorities (where all advertise equally
  often: who boots with a much shorter interval than the master's cannot know that one lives);
- nobody else holds an address, and the neighbours believe the master, unless the one that
  misled them failed before it could meet its rival, or the rival never heard it.

`TELAMON_SIM_STEPS` sets how many steps a story may have, `TELAMON_SIM_STORIES` how many are told.
"""

from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import ip_address

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from telamon.plan.router import InstancePlan, RouterPlan, SyncGroupPlan
from telamon.testing.lan import Lan, Node, Weather
from telamon.vrrp.effects import SendGratuitous
from telamon.vrrp.states import State
from tests.vrrp.support import VIP, plan, vip

STEPS = int(os.environ.get("TELAMON_SIM_STEPS", "40"))
STORIES = int(os.environ.get("TELAMON_SIM_STORIES", "60"))

_INTERVALS = (0.1, 0.5, 1.0)
_SECOND_VIP = ip_address("10.78.0.100")


@st.composite
def instance_plans(draw: st.DrawFn) -> InstancePlan:
    return plan(
        "VI",
        priority=draw(st.sampled_from((1, 50, 100, 100, 150, 254))),
        preempt=draw(st.booleans()),
        preempt_delay=draw(st.sampled_from((0.0, 0.0, 2.0))),
        track_proxy=True,
    )


class RouterMachine(RuleBasedStateMachine):
    """One instance on each node."""

    lan: Lan
    grouped = False

    def __init__(self) -> None:
        super().__init__()
        self.undisturbed: dict[str, str] = {}
        """For each node that was settled master: itself, until something happens to it."""
        self.unwell = False
        """The LAN was split or lossy since everybody last agreed."""
        self.left_unheard = False
        """A node failed meanwhile: whom it misled about the address, nobody else can know."""

    @initialize(
        plans=st.lists(instance_plans(), min_size=2, max_size=6),
        seed=st.integers(0, 2**32 - 1),
        version=st.sampled_from((2, 3)),
        legs_agree=st.booleans(),
        intervals=st.lists(st.sampled_from(_INTERVALS), min_size=6, max_size=6)
        | st.sampled_from(_INTERVALS).map(lambda one: [one] * 6),
    )
    def begin(
        self,
        plans: list[InstancePlan],
        seed: int,
        version: int,
        legs_agree: bool,
        intervals: list[float],
    ) -> None:
        note(f"seed of the LAN: {seed}")
        self.lan = Lan(seed)
        self.legs_agree = legs_agree
        for number, one in enumerate(plans, start=1):
            # Version 2 knows one interval, in whole seconds; in version 3 nodes may differ.
            interval = 1.0 if version == 2 else intervals[number - 1]
            self._add(number, replace(one, version=version, advert_interval=interval))
        self.lan.boot()

    def _add(self, number: int, one: InstancePlan) -> None:
        if not self.grouped:
            whole = RouterPlan("sim", (one,))
            self.lan.add(f"n{number}", whole, {"eth0": (ip_address(f"10.77.0.{number}"),)})
            return
        whole = RouterPlan(
            "sim", (one, self._second(one)), groups=(SyncGroupPlan("G", ("VI", "VO")),)
        )
        # Equal priorities are settled by addresses, and legs need not agree about those.
        last = number if self.legs_agree else 50 - number
        own = {"eth0": (ip_address(f"10.77.0.{number}"),), "eth1": (ip_address(f"10.78.0.{last}"),)}
        self.lan.add(f"n{number}", whole, own)

    def _second(self, one: InstancePlan) -> InstancePlan:
        """The second leg, with its own VRID and wire."""
        return replace(
            one, name="VO", interface="eth1", vrid=52, addresses=(vip("10.78.0.100/32"),)
        )

    def mishap(self, node: Node) -> None:
        self.undisturbed.pop(node.name, None)
        self.left_unheard |= self.unwell

    def perhaps_settle(self, data: st.DataObject) -> None:
        """So that stories often see what a single mishap does to a LAN at rest."""
        if data.draw(st.booleans()):
            self.settle()

    def node(self, data: st.DataObject) -> Node:
        return data.draw(st.sampled_from(sorted(self.lan.nodes.values(), key=lambda n: n.name)))

    # What goes wrong.

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        node = self.node(data)
        node.crash()
        self.mishap(node)
        self.perhaps_settle(data)

    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        node = self.node(data)
        if node.alive and not node.paused:
            node.stop()
            self.mishap(node)
        self.perhaps_settle(data)

    @rule(data=st.data())
    def boot(self, data: st.DataObject) -> None:
        node = self.node(data)
        if not node.alive:
            node.boot()
        self.perhaps_settle(data)

    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        node = self.node(data)
        if node.alive:
            node.pause()
            self.mishap(node)
        self.perhaps_settle(data)

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        node = self.node(data)
        if node.alive and node.paused:
            node.resume()
        self.perhaps_settle(data)

    @rule(data=st.data(), alive=st.booleans())
    def proxy(self, data: st.DataObject, alive: bool) -> None:
        node = self.node(data)
        if not node.paused:
            node.set_proxy(alive)
            if not alive:
                self.mishap(node)

    @rule(data=st.data(), up=st.booleans())
    def link(self, data: st.DataObject, up: bool) -> None:
        node = self.node(data)
        if not node.paused:
            node.set_link(data.draw(st.sampled_from(sorted(node.own))), up)
            if not up:
                self.mishap(node)

    @rule(
        data=st.data(),
        priority=st.sampled_from((1, 50, 100, 150, 254)),
        preempt=st.booleans(),
    )
    def reload(self, data: st.DataObject, priority: int, preempt: bool) -> None:
        """Another priority and another mind about preempting, while it runs."""
        node = self.node(data)
        if not node.alive or node.paused:
            return
        one = replace(node.plan.instances[0], priority=priority, preempt=preempt)
        instances = (one, self._second(one)) if self.grouped else (one,)
        node.reload(replace(node.plan, instances=instances))
        self.undisturbed.clear()
        self.perhaps_settle(data)

    @rule(data=st.data())
    def somebody_deletes_the_address(self, data: st.DataObject) -> None:
        node = self.node(data)
        if node.alive and not node.paused and node.is_master("VI"):
            node.lose_address("eth0", VIP)
            assert ("eth0", VIP) in node.held

    @rule(
        loss=st.sampled_from((0.0, 0.1, 0.5, 0.9)),
        duplication=st.sampled_from((0.0, 0.3)),
        delay=st.sampled_from((0.0005, 0.02, 0.3)),
    )
    def weather(self, loss: float, duplication: float, delay: float) -> None:
        self.lan.weather = Weather(loss, duplication, (0.0001, delay))
        self.undisturbed.clear()
        self.unwell = True

    @rule(data=st.data(), sides=st.lists(st.integers(0, 2), min_size=6, max_size=6))
    def split(self, data: st.DataObject, sides: list[int]) -> None:
        parts: list[list[str]] = [[], [], []]
        for name, side in zip(sorted(self.lan.nodes), sides, strict=False):
            parts[side].append(name)
        self.lan.partition(*parts)
        self.undisturbed.clear()
        self.unwell = True
        self.perhaps_settle(data)

    @rule(data=st.data())
    def heal(self, data: st.DataObject) -> None:
        self.lan.heal()
        self.undisturbed.clear()
        self.unwell = True
        self.perhaps_settle(data)

    @rule(seconds=st.sampled_from((0.01, 0.1, 0.35, 1.0, 5.0)))
    def time_passes(self, seconds: float) -> None:
        self.lan.run(seconds)

    # What must hold then.

    @precondition(lambda self: hasattr(self, "lan"))
    @rule()
    def the_weather_clears(self) -> None:
        self.settle()

    def teardown(self) -> None:
        if hasattr(self, "lan"):
            self.settle()

    def settle(self) -> None:
        self.lan.weather = Weather()
        # Two full elections, each with the longest down interval, and a delay of preemption.
        self.lan.run(2 * (3 * 1.0 + 1.0) + 2.0 + 4.0)
        for part in self.lan.parts():
            self._check(part)
        self.undisturbed = {
            n.name: n.name
            for n in self.lan.nodes.values()
            if n.alive and not n.paused and n.is_master("VI")
        }

    def _check(self, part: list[Node]) -> None:
        running = [n for n in part if n.alive and not n.paused]
        eligible = [n for n in running if n.proxy and all(n.links.values())]
        masters = [n for n in running if n.is_master("VI")]
        story = {n.name: (n.plan.instances[0].priority, str(n.states)) for n in part}
        assert len(masters) == (1 if eligible else 0), story
        assert set(masters) <= set(eligible), story
        for node in running:
            expected = set(self._addresses()) if node in masters else set()
            assert node.held == expected, (node.name, node.held, story)
            assert {State.MASTER if node in masters else node.states["VI"]} == set(
                node.states.values()
            ), story
        if masters:
            self._check_master(masters[0], eligible, part)

    def _check_master(self, master: Node, eligible: list[Node], part: list[Node]) -> None:
        priority = master.plan.instances[0].priority
        stronger = [
            n
            for n in eligible
            if n.plan.instances[0].preempt and n.plan.instances[0].priority > priority
        ]
        assert not stronger, (master.name, [n.name for n in stronger])
        before = [self.lan.nodes[name] for name in self.undisturbed]
        if len({n.plan.instances[0].advert_interval for n in self.lan.nodes.values()}) > 1:
            # Who boots with 0.1 s hears nothing for 0.4 s from a master of 1 s, and takes it for
            # gone; it can learn the interval from an advert only (RFC 9568 6.4.1).
            before = []
        for node in before:
            if node in part and node is not master:
                winner = master.plan.instances[0]
                assert winner.preempt, (node.name, master.name)
                assert winner.priority > node.plan.instances[0].priority
        if len(part) == len(self.lan.nodes) and not any(n.paused for n in part):
            if self.left_unheard or self._misled_unheard(master):
                # Neighbours' entries time out some day, or `garp_master_refresh` mends them.
                self.lan.believed[VIP] = master.name
            assert self.lan.believed.get(VIP) == master.name
            self.unwell = self.left_unheard = False

    def _misled_unheard(self, master: Node) -> bool:
        """Who announced last was not heard by the master since: all that it said was lost."""
        node = self.lan.nodes[self.lan.believed[VIP]]
        told = (at for at, e in node.effects if isinstance(e, SendGratuitous) and e.address == VIP)
        sources = (address for own in node.own.values() for address in own)
        heard = max(self.lan.heard.get((master.name, source), -1.0) for source in sources)
        return node is not master and heard < max(told)

    def _addresses(self) -> list[tuple[str, object]]:
        both: list[tuple[str, object]] = [("eth0", VIP)]
        return [*both, ("eth1", _SECOND_VIP)] if self.grouped else both

    @invariant()
    def holding_means_being_master(self) -> None:
        """At every moment: a node that runs has the addresses if and only if it is master."""
        if not hasattr(self, "lan"):
            return
        for node in self.lan.nodes.values():
            if node.alive and not node.paused:
                assert (("eth0", VIP) in node.held) == node.is_master("VI")


class GroupMachine(RouterMachine):
    """Two instances on each node, on two wires, in a sync group."""

    grouped = True

    @invariant()
    def members_are_master_together(self) -> None:
        if not hasattr(self, "lan"):
            return
        for node in self.lan.nodes.values():
            if node.alive and not node.paused:
                assert node.is_master("VI") == node.is_master("VO")


_SETTINGS = settings(
    max_examples=STORIES,
    stateful_step_count=STEPS,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

TestRouters = RouterMachine.TestCase
TestRouters.settings = _SETTINGS

TestGroups = GroupMachine.TestCase
TestGroups.settings = _SETTINGS
