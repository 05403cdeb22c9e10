"""Other masters on the LAN: floods, neighbours that must be healed, two owners, groups and ties."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest

from telamon.plan.router import (
    InitialState,
    RouterPlan,
    ScriptPlan,
    SyncGroupPlan,
    TrackScript,
)
from telamon.testing.lan import Lan, Node
from telamon.vrrp.announce import HEALING
from telamon.vrrp.effects import Log, LowerPriorityHeard, SendAdvert, SendGratuitous
from telamon.vrrp.events import Received
from telamon.vrrp.lateness import BOUNDS
from telamon.vrrp.packet import MULTICAST_V4, Advert
from telamon.vrrp.router import Router
from telamon.vrrp.states import State
from tests.vrrp.support import VIP, add, lan_of, plan, vip

STRANGER = ip_address("10.77.0.66")
LOW = ip_address("10.77.0.0")


def advert(priority: int, interval: int = 100) -> Advert:
    return Advert(3, 51, priority, interval, (VIP,))


def from_stranger(priority: int, source: object = STRANGER, interval: int = 100) -> Received:
    one = advert(priority, interval)
    return Received("eth0", one.emit(source, MULTICAST_V4), source, MULTICAST_V4, 255)  # type: ignore[arg-type]


def settled(**changes: Any) -> tuple[Lan, Node]:
    """A master since a thousand seconds: nothing of its take-over is under way any more."""
    lan = lan_of(100, **changes)
    lan.run(1000)
    return lan, lan.nodes["n1"]


def since(node: Node, at: float, kind: type) -> list[float]:
    return [t for t, e in node.effects if t >= at and isinstance(e, kind)]


# Floods.


@pytest.mark.parametrize("priority", [1, 0])
def test_a_flood_is_answered_within_limits(priority: int) -> None:
    lan, node = settled()
    begun = lan.clock.now
    for _ in range(5000):
        node.deliver(from_stranger(priority))
        lan.run(0.001)
    adverts, garps = since(node, begun, SendAdvert), since(node, begun, SendGratuitous)
    assert len(adverts) <= 5 * 10 + 1
    assert len(garps) <= 5 * 5
    assert node.is_master("VI")
    # Its own rhythm is not lost in it either.
    assert max(b - a for a, b in pairwise(adverts)) <= 1.0


def test_after_a_flood_the_neighbours_are_healed() -> None:
    lan, node = settled()
    for _ in range(2000):
        node.deliver(from_stranger(1))
        lan.run(0.001)
    last = lan.clock.now
    lan.run(1000)
    later = [t - last for t in since(node, last, SendGratuitous)]
    assert later[-1] == pytest.approx(HEALING[-1], abs=0.01)
    assert len(later) >= len(HEALING)


def test_a_flood_of_farewells_does_not_keep_the_seat_empty() -> None:
    """Each farewell starts the short wait; the next one must not start it anew."""
    lan = lan_of(150, 100)
    lan.run(10)
    lan.nodes["n1"].crash()
    node = lan.nodes["n2"]
    for _ in range(100):
        node.deliver(from_stranger(0, ip_address("10.77.0.1")))
        lan.run(0.005)
    assert node.is_master("VI")


def test_a_flood_of_one_packet_is_told_once() -> None:
    lan, node = settled()
    effects = [node.router.handle_received(from_stranger(1), lan.clock.now) for _ in range(1000)]
    assert sum(len(e) for e in effects) < 20


# Healing.


def test_a_take_over_after_a_farewell_needs_no_healing() -> None:
    lan = lan_of(150, 100)
    lan.run(10)
    lan.nodes["n1"].stop()
    begun = lan.clock.now
    lan.run(1000)
    assert len(since(lan.nodes["n2"], begun, SendGratuitous)) == 10


def test_a_rival_that_dies_before_it_is_met_does_not_leave_neighbours_astray() -> None:
    """n2 took over in a split; then n1 dies in its own part, unheard, but believed there."""
    lan = lan_of(150, 100)
    lan.run(10)
    lan.partition(["n1"], ["n2"])
    lan.run(20)
    lan.believed[VIP] = "n1"
    lan.nodes["n1"].crash()
    lan.heal()
    lan.run(60)
    assert lan.believed[VIP] == "n2"


# Owners.


def owners(first: InitialState, second: InitialState) -> Lan:
    lan = Lan()
    for number, state in ((1, first), (2, second)):
        add(lan, number, plan(priority=255, initial_state=state))
    lan.boot()
    return lan


@pytest.mark.parametrize("state", list(InitialState))
def test_of_two_owners_the_higher_address_stays(state: InitialState) -> None:
    lan = owners(state, state)
    lan.run(20)
    assert lan.masters("VI") == ["n2"]
    assert lan.holders(VIP) == ["n2"]
    assert lan.nodes["n2"].router.status(lan.clock.now)[0].priority == 255


def test_an_owner_gives_way_to_one_that_never_yields() -> None:
    lan = Lan()
    node = add(lan, 1, plan(priority=255, initial_state=InitialState.MASTER))
    node.boot()
    lan.run(10)
    begun = lan.clock.now
    while node.is_master("VI"):
        node.deliver(from_stranger(255, LOW))
        lan.run(1.0)
        assert lan.clock.now < begun + 10
    # Two of its own adverts and 1.2 intervals, as the next advert of the rival finds.
    left = node.history[-1][0]
    assert left - begun == pytest.approx(4.0)
    assert node.router.status(lan.clock.now)[0].priority == 254
    assert any(isinstance(e, Log) and "254" in e.text for _t, e in node.effects)


def test_an_owner_that_gave_way_is_one_again_after_a_reload() -> None:
    lan = Lan()
    node = add(lan, 1, plan(priority=255, initial_state=InitialState.MASTER))
    node.boot()
    for _ in range(8):
        node.deliver(from_stranger(255, LOW))
        lan.run(1.0)
    node.reload(replace(node.plan, digest="new"))
    assert node.router.status(lan.clock.now)[0].priority == 255


def test_one_stray_advert_of_another_owner_changes_nothing() -> None:
    lan = Lan()
    node = add(lan, 1, plan(priority=255, initial_state=InitialState.MASTER))
    node.boot()
    for _ in range(5):
        node.deliver(from_stranger(255, LOW))
        lan.run(60)
    assert node.router.status(lan.clock.now)[0].priority == 255


# Options.


@pytest.mark.parametrize("answers", [True, False])
def test_a_master_tells_of_one_that_must_yield(answers: bool) -> None:
    lan, node = settled(answer_lower_priority=answers)
    begun = lan.clock.now
    for priority in (50, 0, 50):
        node.deliver(from_stranger(priority))
        lan.run(0.3)
    told = [e for t, e in node.effects if t >= begun and isinstance(e, LowerPriorityHeard)]
    assert told == [LowerPriorityHeard("VI", 100)] * 2
    for _ in range(1000):
        node.deliver(from_stranger(50))
        lan.run(0.001)
    assert len(since(node, begun, LowerPriorityHeard)) <= 2 + 10 + 1
    node.deliver(from_stranger(200))
    node.deliver(from_stranger(50))
    assert len(since(node, lan.clock.now, LowerPriorityHeard)) == 0, "it is no master any more"


def test_higher_priority_is_answered_before_yielding_and_the_winner_announces() -> None:
    lan = lan_of(100, 150)
    lan.partition(["n1"], ["n2"])
    lan.run(1000)
    begun = lan.clock.now
    lan.heal()
    lan.run(2)
    assert lan.masters("VI") == ["n2"]
    assert since(lan.nodes["n2"], begun, SendGratuitous)
    assert lan.believed[VIP] == "n2"


def test_strict_keeps_the_rfcs_skew() -> None:
    lan = lan_of(150, 100, strict=True)
    lan.run(10)
    lan.nodes["n1"].stop()
    left = lan.clock.now
    lan.run(2)
    became = next(t for t, c in lan.nodes["n2"].history if c.new is State.MASTER)
    assert became - left == pytest.approx(156 / 256, abs=0.001)


# Sync groups.


def two_legs(
    number: int, addresses: tuple[int, int], priority: int = 100, **group: object
) -> tuple[str, RouterPlan, dict[str, tuple[object, ...]]]:
    one = plan("VI", priority=priority)
    other = replace(one, name="VO", interface="eth1", vrid=52, addresses=(vip("10.78.0.100/32"),))
    groups = (SyncGroupPlan("G", ("VI", "VO"), **group),)  # type: ignore[arg-type]
    own = {f"eth{leg}": (ip_address(f"10.7{7 + leg}.0.{addresses[leg]}"),) for leg in (0, 1)}
    return f"n{number}", RouterPlan("t", (one, other), groups=groups), own  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(10))
def test_equal_groups_whose_addresses_disagree_settle(seed: int) -> None:
    """On eth0 n2 has the higher address, on eth1 n1 has."""
    lan = Lan(seed)
    lan.add(*two_legs(1, (1, 2)))  # type: ignore[arg-type]
    lan.add(*two_legs(2, (2, 1)))  # type: ignore[arg-type]
    lan.boot()
    lan.run(15)
    assert lan.masters("VI") == lan.masters("VO") == ["n2"], "VRID 51 decides"
    moves = sum(len(node.history) for node in lan.nodes.values())
    lan.run(100)
    assert sum(len(node.history) for node in lan.nodes.values()) == moves


def test_equal_groups_settle_after_a_split_too() -> None:
    lan = Lan()
    lan.add(*two_legs(1, (1, 2)))  # type: ignore[arg-type]
    lan.add(*two_legs(2, (2, 1)))  # type: ignore[arg-type]
    lan.boot()
    for _ in range(5):
        lan.partition(["n1"], ["n2"])
        lan.run(20)
        lan.heal()
        lan.run(20)
        assert lan.masters("VI") == lan.masters("VO") == ["n2"]


def test_a_leg_decides_for_itself_where_the_deciding_one_is_cut() -> None:
    """Only eth1 connects them: there must be one master there all the same."""
    lan = Lan()
    lan.add(*two_legs(1, (1, 2)))  # type: ignore[arg-type]
    lan.add(*two_legs(2, (2, 1)))  # type: ignore[arg-type]
    lan.boot()
    for node in lan.nodes.values():
        node.links["eth0"] = False  # the wire is deaf, but nobody has noticed
    lan.run(60)
    assert len(lan.masters("VO")) == 1


@pytest.mark.parametrize(("counts", "expected"), [(False, 100), (True, 120)])
def test_members_weights_count_if_the_group_says_so(counts: bool, expected: int) -> None:
    name, whole, own = two_legs(1, (1, 2), tracking_weight=counts)
    first, other = whole.instances
    first = replace(first, track_scripts=(TrackScript("s", 20),))
    whole = replace(whole, instances=(first, other), scripts=(ScriptPlan("s", ("true",)),))
    lan = Lan()
    node = lan.add(name, whole, own)  # type: ignore[arg-type]
    node.boot()
    node.run_script("s", passed=True)
    assert node.router.status(0.0)[0].priority == expected


# Lateness.


def test_lateness_is_counted_in_buckets() -> None:
    router = Router(RouterPlan("t", ()))
    assert router.lateness().counts == (0,) * (len(BOUNDS) + 1)
    _lan, node = settled()
    router = node.router
    before = router.lateness()
    assert sum(before.counts) == before.counts[0] > 900
    for late in (0.0, 0.003, 0.3):
        due = router.next_timeout()
        assert due is not None
        router.handle_timeout(due + late)
    after = router.lateness()
    new = {
        bound: b - a
        for bound, a, b in zip((*BOUNDS, None), before.counts, after.counts, strict=True)
        if b > a
    }
    assert new == {0.0005: 1, 0.005: 1, 0.5: 1}
    assert after.worst == pytest.approx(0.3)
