"""Faults, trackers, sync groups, reload: what besides adverts decides who serves."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from telamon.plan.router import (
    Authentication,
    AuthKind,
    GarpPlan,
    RouterPlan,
    ScriptPlan,
    SyncGroupPlan,
    TrackBackend,
    TrackFile,
    TrackInterface,
    TrackProcess,
    TrackProxy,
    TrackScript,
)
from telamon.testing.lan import Lan, Node
from telamon.vrrp.effects import (
    AddAddresses,
    GroupChanged,
    RemoveAddresses,
    SendAdvert,
    SendGratuitous,
)
from telamon.vrrp.events import Interface
from telamon.vrrp.priority import Condition, Figure, ScriptVerdict, effective_priority
from telamon.vrrp.router import Router
from telamon.vrrp.states import State
from telamon.vrrp.views import Transport
from tests.vrrp.support import VIP, add, decoded, lan_of, plan, router_plan, vip

# Trackers.


@pytest.mark.parametrize(
    ("weight", "reverse", "well", "moved"),
    [
        (20, False, True, 20),
        (20, False, False, 0),
        (-20, False, True, 0),
        (-20, False, False, -20),
        (20, True, True, -20),
        (20, True, False, 0),
        (-20, True, True, 0),
        (-20, True, False, 20),
        (20, False, None, 0),
        (-20, False, None, 0),
    ],
)
def test_weights(weight: int, reverse: bool, well: bool | None, moved: int) -> None:
    condition = Condition("x", weight, reverse, well)
    assert effective_priority(100, [condition]) == 100 + moved
    assert not condition.is_fault
    assert not condition.is_awaited


@pytest.mark.parametrize(
    ("reverse", "well", "fault", "awaited"),
    [
        (False, True, False, False),
        (False, False, True, False),
        (True, True, True, False),
        (True, False, False, False),
        (False, None, False, True),
    ],
)
def test_without_weight_it_is_a_matter_of_fault(
    reverse: bool, well: bool | None, fault: bool, awaited: bool
) -> None:
    condition = Condition("x", 0, reverse, well)
    assert (condition.is_fault, condition.is_awaited) == (fault, awaited)
    assert effective_priority(100, [condition]) == 100


def test_the_sum_stays_in_range_and_an_owner_unmoved() -> None:
    assert effective_priority(100, [Condition("x", 200, False, True)]) == 254
    assert effective_priority(100, [Condition("x", -200, False, False)]) == 1
    assert effective_priority(255, [Condition("x", -200, False, False)]) == 255


@pytest.mark.parametrize(
    ("value", "weight", "fault"), [(-254, 1, True), (-2, 127, True), (5, 1, False)]
)
def test_a_files_number_counts_times_its_weight(value: int, weight: int, fault: bool) -> None:
    figure = Figure("f", weight, False, value)
    assert figure.contribution == value * weight
    assert figure.is_fault is fault


@pytest.mark.parametrize(
    ("value", "reverse", "fault", "awaited"),
    [(0, False, False, False), (7, False, True, False), (-1, False, True, False),
     (0, True, True, False), (7, True, False, False), (None, False, False, True),
     (None, True, False, True)],
)  # fmt: skip
def test_a_file_without_weight_says_whether_all_is_well(
    value: int | None, reverse: bool, fault: bool, awaited: bool
) -> None:
    figure = Figure("f", 0, reverse, value)
    assert (figure.is_fault, figure.is_awaited, figure.contribution) == (fault, awaited, 0)


def script(**changes: object) -> ScriptPlan:
    return replace(ScriptPlan("check", ("/bin/check",)), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rise", "fall", "init_fail", "runs", "verdicts"),
    [
        (1, 1, False, "+-+", "+-+"),
        (3, 2, False, "+--+++", "++---+"),
        (2, 3, False, "--", "--"),
        (1, 3, False, "+--+---", "+++++" + "+-"),
        (2, 1, True, "+++", "-++"),
        (2, 1, True, "-+-++", "----+"),
    ],
)
def test_rise_and_fall(rise: int, fall: int, init_fail: bool, runs: str, verdicts: str) -> None:
    """The first run decides alone; then passes and failures count in a row."""
    verdict = ScriptVerdict(script(rise=rise, fall=fall, init_fail=init_fail))
    seen = ""
    for run in runs:
        verdict.count(run == "+")
        seen += "+" if verdict.well else "-"
    assert seen == verdicts


# The start.


def test_init_waits_for_scripts_without_weight() -> None:
    lan = Lan()
    whole = router_plan(plan(track_scripts=(TrackScript("check", 0),)), scripts=(script(),))
    node = lan.add("n1", whole, {"eth0": (ip_address("10.77.0.1"),)})
    node.boot()
    lan.run(60)
    assert node.states == {"VI": State.INIT}
    node.run_script("check", True)
    assert node.states == {"VI": State.BACKUP}


def test_init_waits_for_the_proxy_and_interface() -> None:
    router = Router(router_plan(plan(track_proxy=True)))
    router.start(0.0)
    router.handle_proxy(True, "", 1.0)
    assert router.status(1.0)[0].state is State.INIT
    router.handle_interface(Interface("eth0", True, (ip_address("10.77.0.1"),)), 2.0)
    assert router.status(2.0)[0].state is State.BACKUP


def test_the_start_removes_what_an_earlier_life_left() -> None:
    (removal, _change) = Router(router_plan(plan())).start(0.0)
    assert isinstance(removal, RemoveAddresses)
    assert [(a.device, a.address.ip) for a in removal.addresses] == [("eth0", VIP)]


def test_startup_delay() -> None:
    lan = Lan()
    node = add(lan, 1, plan(), startup_delay=30.0)
    node.boot()
    lan.run(29)
    assert node.states == {"VI": State.INIT}
    lan.run(2)
    assert node.states == {"VI": State.BACKUP}


# Faults.


def fault_pair(**changes: object) -> Lan:
    lan = Lan()
    for number, priority in ((1, 150), (2, 100)):
        add(
            lan, number, plan("VI", **{"track_proxy": True, **changes, "priority": priority})
        ).boot()
    lan.run(10)
    assert lan.masters("VI") == ["n1"]
    return lan


@pytest.mark.parametrize("stops", [True, False])
def test_every_instance_says_farewell_before_anything_else_is_done(stops: bool) -> None:
    second = plan("VB", vrid=52, addresses=(vip("10.77.0.101/32"),), track_proxy=True)
    lan = Lan()
    instances = (plan("VA", track_proxy=True), second)
    node = lan.add("n1", router_plan(*instances), {"eth0": (ip_address("10.77.0.1"),)})
    lan.boot()
    lan.run(10)
    now = lan.clock.now
    router = node.router
    effects = router.stop(now) if stops else router.handle_proxy(False, "killed", now)
    spoken = [e for e in effects if isinstance(e, SendAdvert)]
    assert {e.instance for e in spoken} == {"VA", "VB"}
    assert {decoded(e).priority for e in spoken} == {0}
    assert effects[: len(spoken)] == spoken
    assert isinstance(effects[len(spoken)], RemoveAddresses)


def test_a_dead_proxy_gives_the_address_away_with_two_farewells() -> None:
    lan = fault_pair(preempt=False, priority=100)
    before = len(lan.sent)
    lan.nodes["n1"].set_proxy(False)
    assert [decoded(s.advert).priority for s in lan.sent[before:]] == [0, 0]
    assert lan.holders(VIP) == []
    lan.run(0.65)
    assert lan.holders(VIP) == ["n2"]
    assert lan.nodes["n1"].history[-1][1].reason == "the proxy is down: stopped by the test"
    lan.nodes["n1"].set_proxy(True)
    lan.run(20)
    # It is eligible again, and being sticky it stays backup.
    assert lan.nodes["n1"].states["VI"] is State.BACKUP
    lan.nodes["n2"].set_proxy(False)
    lan.run(1)
    assert lan.holders(VIP) == ["n1"]


def test_back_from_fault_takes_a_whole_down_interval() -> None:
    lan = Lan()
    node = add(lan, 1, plan(track_proxy=True))
    node.boot()
    lan.run(10)
    node.set_proxy(False)
    lan.run(10)
    node.set_proxy(True)
    back = lan.clock.now
    lan.run(10)
    assert node.history[-1][0] - back == pytest.approx(3 + 156 / 256)


def test_an_interface_that_goes_down_is_a_fault() -> None:
    lan = fault_pair()
    lan.nodes["n1"].set_link("eth0", False)
    assert lan.nodes["n1"].states["VI"] is State.FAULT
    assert lan.nodes["n1"].history[-1][1].reason == "interface eth0 is down"
    lan.run(4)
    assert lan.holders(VIP) == ["n2"]
    lan.nodes["n1"].set_link("eth0", True)
    lan.run(10)
    assert lan.holders(VIP) == ["n1"]


def test_an_interface_without_an_address_is_a_fault() -> None:
    router = Router(router_plan(plan()))
    router.start(0.0)
    router.handle_interface(Interface("eth0", True, (VIP,)), 0.0)
    # Only the virtual address is there: an owner's case, so it serves.
    assert router.status(0.0)[0].state is State.BACKUP
    router.handle_interface(Interface("eth0", True), 1.0)
    assert router.status(1.0)[0].faults == ("no IPv4 address on eth0",)


def test_the_source_address_may_be_tracked() -> None:
    """`track_src_ip` with an address that is not there; without one there is nothing to track."""
    here = ip_address("10.77.0.1")
    for source, state in ((ip_address("10.0.0.9"), State.FAULT), (None, State.BACKUP)):
        router = Router(router_plan(plan(track_source=True, source=source)))
        router.start(0.0)
        router.handle_interface(Interface("eth0", True, (here,)), 0.0)
        assert router.status(0.0)[0].state is state


def test_an_untracked_interface_keeps_the_address_and_gets_it_again() -> None:
    lan = Lan()
    node = add(lan, 1, plan(track_primary=False, addresses=(replace(vip(), track=False),)))
    node.boot()
    lan.run(10)
    node.set_link("eth0", False)
    assert node.is_master("VI")
    before = len(node.effects)
    node.set_link("eth0", True)
    assert any(isinstance(e, AddAddresses) for _t, e in node.effects[before:])


def test_unicast_peers_hear_of_our_own_address_after_a_fault() -> None:
    lan = Lan()
    node = add(lan, 1, plan(track_proxy=True, unicast_peers=(ip_address("10.77.0.2"),)))
    node.boot()
    node.set_proxy(False)
    node.set_proxy(True)
    garps = [e for _t, e in node.effects if isinstance(e, SendGratuitous)]
    assert [g.address for g in garps] == [ip_address("10.77.0.1")]


def test_a_weighted_script_lets_the_weaker_take_over() -> None:
    lan = Lan()
    tracked = (TrackScript("check", -60),)
    for number, priority in ((1, 150), (2, 100)):
        whole = router_plan(
            plan(priority=priority, track_scripts=tracked), scripts=(script(weight=-60),)
        )
        lan.add(f"n{number}", whole, {"eth0": (ip_address(f"10.77.0.{number}"),)}).boot()
    lan.run(10)
    assert lan.masters("VI") == ["n1"]
    lan.nodes["n1"].run_script("check", False)
    assert lan.nodes["n1"].router.status(lan.clock.now)[0].priority == 90
    lan.run(5)
    assert lan.masters("VI") == ["n2"]


def test_a_change_of_priority_moves_a_running_down_timer() -> None:
    router = Router(
        router_plan(plan(track_scripts=(TrackScript("check", -50),)), scripts=(script(),))
    )
    router.start(0.0)
    router.handle_interface(Interface("eth0", True, (ip_address("10.77.0.1"),)), 0.0)
    assert router.next_timeout() == pytest.approx(3 + 156 / 256)
    router.handle_script("check", False, 1.0)
    assert router.next_timeout() == pytest.approx(3 + 206 / 256)


def test_other_trackers() -> None:
    lan = Lan()
    node = add(
        lan, 1,
        plan(
            track_interfaces=(TrackInterface("eth1", -10),),
            track_processes=(TrackProcess("p", 0),),
            track_files=(TrackFile("f", 2),),
        ),
    )  # fmt: skip
    node.boot()
    router = node.router

    def priority() -> int:
        return router.status(0.0)[0].priority

    assert node.states["VI"] is State.INIT
    router.handle_process("p", True, 0.0)
    assert router.status(0.0)[0].state is State.INIT, "the file has not been read"
    router.handle_file("f", 0, 0.0)
    assert router.status(0.0)[0].state is State.BACKUP
    router.handle_interface(Interface("eth1"), 0.0)
    assert priority() == 90
    router.handle_file("f", 7, 0.0)
    assert priority() == 104
    router.handle_process("p", False, 0.0)
    assert router.status(0.0)[0].faults == ("process p",)
    assert router.interfaces() == {"eth0", "eth1"}


def test_a_backend_needs_its_servers_and_a_proxy() -> None:
    router = Router(router_plan(plan(track_backends=(TrackBackend("web", 2),))))
    router.start(0.0)
    router.handle_interface(Interface("eth0", True, (ip_address("10.77.0.1"),)), 0.0)

    def faults() -> tuple[str, ...]:
        return router.status(0.0)[0].faults

    assert router.status(0.0)[0].state is State.INIT, "the proxy has not spoken yet"
    router.handle_backends({"web": 1}, 0.0)
    assert router.status(0.0)[0].state is State.INIT
    router.handle_proxy(True, "ready", 0.0)
    assert faults() == ("backend web has 1 of 2 servers up",)
    router.handle_backends({"web": 2}, 0.0)
    assert router.status(0.0)[0].state is State.BACKUP
    router.handle_proxy(False, "killed", 0.0)
    assert faults() == ("backend web has 0 of 2 servers up",)
    router.handle_proxy(True, "ready", 0.0)
    router.handle_backends({"other": 9}, 0.0)
    assert faults() == ("backend web has 0 of 2 servers up",)


def test_weights_of_a_backend_and_of_the_proxy() -> None:
    tracked = plan(track_backends=(TrackBackend("web", 1, -20),), proxy=TrackProxy(-30))
    router = Router(router_plan(tracked))
    router.start(0.0)
    router.handle_interface(Interface("eth0", True, (ip_address("10.77.0.1"),)), 0.0)

    def priority() -> int:
        return router.status(0.0)[0].priority

    assert priority() == 100
    router.handle_proxy(False, "killed", 0.0)
    assert priority() == 50
    router.handle_proxy(True, "ready", 0.0)
    assert priority() == 80
    router.handle_backends({"web": 3}, 0.0)
    assert priority() == 100


# Sync groups.


def grouped(lan: Lan, number: int, priority: int) -> Node:
    one = plan("VI", priority=priority)
    other = replace(one, name="VO", interface="eth1", vrid=52, addresses=(vip("10.78.0.100/32"),))
    whole = RouterPlan("g", (one, other), groups=(SyncGroupPlan("G", ("VI", "VO")),))
    own = {f"eth{leg}": (ip_address(f"10.7{7 + leg}.0.{number}"),) for leg in (0, 1)}
    node = lan.add(f"n{number}", whole, own)
    node.boot()
    return node


def test_a_group_is_master_as_one_and_falls_as_one() -> None:
    lan = Lan()
    strong, weak = grouped(lan, 1, 150), grouped(lan, 2, 100)
    lan.run(10)
    assert lan.masters("VI") == lan.masters("VO") == ["n1"]
    changed = [e for _t, e in strong.effects if isinstance(e, GroupChanged)]
    assert [c.state for c in changed] == [State.INIT, State.BACKUP, State.MASTER]
    before = len(lan.sent)
    strong.set_link("eth1", False)
    assert strong.states == {"VI": State.FAULT, "VO": State.FAULT}
    # The leg that still works says so.
    said = [s.advert.interface for s in lan.sent[before:] if decoded(s.advert).priority == 0]
    assert said.count("eth0") == 2
    lan.run(10)
    assert weak.states == {"VI": State.MASTER, "VO": State.MASTER}
    strong.set_link("eth1", True)
    lan.run(10)
    assert lan.masters("VI") == lan.masters("VO") == ["n1"]
    assert weak.held == set()


def test_members_weights_count_only_if_asked_for() -> None:
    for counted, expected in ((False, 100), (True, 110)):
        one = plan(track_scripts=(TrackScript("check", 10),))
        group = SyncGroupPlan("G", ("VI",), tracking_weight=counted)
        router = Router(RouterPlan("g", (one,), (script(),), groups=(group,)))
        router.start(0.0)
        router.handle_script("check", True, 0.0)
        assert router.status(0.0)[0].priority == expected


# Reload.


def reloaded(lan: Lan, **changes: object) -> list[type]:
    node = lan.nodes["n1"]
    before = len(node.effects)
    node.reload(router_plan(plan("VI", **changes)))
    return [type(e) for _t, e in node.effects[before:]]


def test_a_reload_of_the_same_plan_does_nothing() -> None:
    lan = lan_of(150, 100)
    lan.run(10)
    due = lan.nodes["n1"].router.next_timeout()
    assert reloaded(lan, priority=150) == []
    assert lan.nodes["n1"].router.next_timeout() == due


def test_a_reload_adds_and_removes_the_difference() -> None:
    lan = lan_of(150, 100)
    lan.run(10)
    second = ip_address("10.77.0.101")
    reloaded(lan, priority=150, addresses=(vip(), vip("10.77.0.101/32")))
    assert lan.holders(second) == lan.holders(VIP) == ["n1"]
    reloaded(lan, priority=150, addresses=(vip("10.77.0.101/32"),))
    assert lan.holders(VIP) == []
    assert lan.holders(second) == ["n1"]
    assert [c.new for _t, c in lan.nodes["n1"].history][-1] is State.MASTER


def test_a_renamed_instance_keeps_its_address() -> None:
    lan = lan_of(150, 100)
    lan.run(10)
    lan.nodes["n1"].reload(router_plan(plan("OTHER", priority=150)))
    lan.run(10)
    assert lan.holders(VIP) == ["n1"]
    assert lan.nodes["n1"].router.status(0.0)[0].name == "OTHER"


def test_a_removed_instance_leaves_in_order_and_a_new_one_starts() -> None:
    lan = lan_of(150)
    lan.run(10)
    node = lan.nodes["n1"]
    before = len(lan.sent)
    other = plan("NEW", vrid=60, addresses=(vip("10.77.0.200/32"),))
    assert [a.address.ip for a in node.router.losses(router_plan(other))] == [VIP]
    assert node.router.losses(node.plan) == ()
    node.reload(router_plan(other))
    assert [decoded(s.advert).priority for s in lan.sent[before:]] == [0]
    assert lan.holders(VIP) == []
    lan.run(10)
    assert node.states["NEW"] is State.MASTER


def test_a_lower_priority_in_a_reload_is_told_at_once() -> None:
    lan = lan_of(150, 100)
    lan.run(10)
    before = len(lan.sent)
    reloaded(lan, priority=50)
    assert [decoded(s.advert).priority for s in lan.sent[before:]] == [50]
    lan.run(10)
    assert lan.masters("VI") == ["n2"]


def test_transports() -> None:
    peers = (ip_address("10.77.0.2"),)
    router = Router(router_plan(plan(), plan("U", vrid=9, interface="eth1", unicast_peers=peers)))
    group = ip_address("224.0.0.18")
    assert router.transports() == {Transport("eth0", 4, group), Transport("eth1", 4, None)}


def test_spaced_announcements_wait_in_a_queue() -> None:
    lan = lan_of(100, garp=GarpPlan(repeat=3, delay=0.0, refresh=10.0, interval=0.5))
    lan.run(12)
    node = lan.nodes["n1"]
    start = next(t for t, c in node.history if c.new is State.MASTER)
    times = [t - start for t, e in node.effects if isinstance(e, SendGratuitous)]
    assert times == pytest.approx([0.0, 0.5, 1.0])
    lan.run(5)
    times = [t - start for t, e in node.effects if isinstance(e, SendGratuitous)]
    assert times[3:] == pytest.approx([10.0])


def test_without_a_key_nothing_is_sent_unsigned() -> None:
    lan = lan_of(150, authentication=Authentication(AuthKind.HMAC))
    lan.run(10)
    assert lan.sent == []
    assert "auth_hmac" in lan.nodes["n1"].router.status(lan.clock.now)[0].faults[0]
