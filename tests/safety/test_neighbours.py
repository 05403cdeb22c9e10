"""Two masters at once, nodes that do not agree, and reloads: what is done, and what is said."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from tests.interop.lan import VIP, Lan, Node, Program, eventually, inside, quickest, run
from tests.interop.setups import Setup
from tests.safety import forged, whole
from tests.safety.record import Verdict

pytestmark = [
    pytest.mark.netns,
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]

HIGH, LOW = Setup(200), Setup(100)


def test_two_masters_heal(our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    """Adverts are dropped in the switch, ARP is not: both nodes announce. Then they hear again."""
    verdict.row(60, "adverts are dropped for a while, so both are master; then not any more")
    for node, setup in zip(our_lan.nodes, (HIGH, LOW), strict=False):
        node.telamon(setup.plan())
    for node, setup in zip(their_lan.nodes, (HIGH, LOW), strict=False):
        node.keepalived(setup.keepalived())
    took = quickest(lambda: _split_and_heal(our_lan), 0.4)
    text = "one master, and the neighbours' ARP agrees, after {:.0f} ms"
    verdict.ours(text.format(took * 1000))
    verdict.theirs(text.format(_split_and_heal(their_lan) * 1000))
    # The rounds that follow every take-over come a second apart: this must be the healing.
    assert took < 0.4


def _split_and_heal(made: Lan) -> float:
    """Two masters for a while; the seconds until one is left and the neighbour knows it."""
    first, second, neighbour = made.nodes
    made.master(first)
    _ask(neighbour)
    eventually(lambda: _knows(neighbour) == _mac(first), "the neighbour's ARP")
    _cut(made, True)
    eventually(lambda: len(made.holders()) == 2, "two masters")
    eventually(lambda: _knows(neighbour) == _mac(second), "the weaker one's ARP")
    _cut(made, False)
    healed = time.monotonic()
    made.master(first)
    eventually(lambda: _knows(neighbour) == _mac(first), "the stronger one's ARP")
    return time.monotonic() - healed


def _cut(made: Lan, cut: bool) -> None:
    """Let the switch's ports pass no multicast, which is VRRP here; ARP is broadcast."""
    for node in made.nodes:
        flood = ("mcast_flood", "off" if cut else "on")
        run("bridge", "-n", made.switch, "link", "set", "dev", node.port, *flood)


def _ask(node: Node) -> None:
    """Any packet to the VIP, so that the node looks for its link address."""

    def send() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", (VIP, 9))

    inside(node.namespace, send)


def _mac(node: Node) -> str:
    return f"02:00:0a:4d:00:{node.number:02x}"


def _knows(node: Node) -> str:
    """The link address that the node has for the VIP."""
    words = node.ip("neigh", "show", VIP).split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


@dataclass(frozen=True)
class Mismatch:
    """A peer that differs from `ours`: as keepalived runs it, or as a forged advert."""

    kind: str
    ours: Setup
    peer: Setup | None = None
    forged: Callable[[IPv4Address], bytes] | None = None


_V2 = Setup(200, version=2, interval=1, password="1111")

MISMATCHES = {
    "version": Mismatch("version", HIGH, replace(_V2, priority=100, password="")),
    "interval (v3)": Mismatch("interval", Setup(100), replace(HIGH, interval=0.2)),
    "interval (v2)": Mismatch("interval", _V2, replace(_V2, priority=100, interval=2)),
    "password": Mismatch("authentication", _V2, replace(_V2, priority=100, password="2222")),
    "list of addresses": Mismatch(
        "address-list", Setup(100), replace(HIGH, vips=(VIP, "10.77.0.101"))
    ),
    "foreign cluster": Mismatch(
        "foreign-cluster", Setup(100), replace(HIGH, vips=("10.77.0.200",))
    ),
    "unicast against multicast": Mismatch(
        "transport", HIGH, Setup(100, source="10.77.0.2", peers=("10.77.0.1",))
    ),
    "checksum form": Mismatch(
        "checksum-form",
        Setup(100),
        forged=lambda source: forged.packet(source, forged.v3(source, 150, pseudo_header=False)),
    ),
    "wrong checksum": Mismatch(
        "checksum",
        HIGH,
        forged=lambda source: forged.packet(source, forged.v3(source, 150, wrong=1)),
    ),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_mismatch_has_a_name(name: str, our_lan: Lan, verdict: Verdict) -> None:
    case = MISMATCHES[name]
    verdict.row(70 + list(MISMATCHES).index(name), f"the peer differs: {name}")
    ours, other, _ = our_lan.nodes
    running = whole.start(ours, case.ours)
    theirs = None
    if case.peer is not None:
        theirs = other.keepalived(case.peer.keepalived())
    wanted = f"[{case.kind}] {other.address}"
    with forged.raw_socket(other) as sock:

        def told() -> bool:
            if case.forged is not None:
                sock.sendto(case.forged(other.address), (str(forged.GROUP), 0))
            return wanted in running.program.text()

        eventually(told, f"{wanted} in the log")
    notices = eventually(lambda: _notices(running, case.kind), f"{case.kind} in the status")
    assert {notice["peer"] for notice in notices} == {str(other.address)}
    verdict.ours(f"`{case.kind}`, the peer and the line that mends it, in log and status")
    if theirs is not None:
        verdict.theirs(_their_words(theirs))


def _notices(running: whole.Whole, kind: str) -> list[dict[str, Any]]:
    instances = running.status()["router"]["instances"]
    return [n for item in instances for n in item["notices"] if n["kind"] == kind]


_COMPLAINT = re.compile(
    r"mismatch|expected|ncompatible|nvalid|differ|ncorrect|not present|unmatch|wrong|lower priority"
)


def _their_words(program: Program) -> str:
    """The first complaint in the other side's log, for which it has two seconds."""

    def complaint() -> str:
        lines = [line.split(": ", 1)[-1] for line in program.text().splitlines()]
        # Those of the instance; the program's own start has paths and hints in it.
        return next((li for li in lines if li.startswith("(VI") and _COMPLAINT.search(li)), "")

    try:
        return f"logs “{eventually(complaint, 'a complaint', within=2.0)}”"
    except AssertionError:
        return "no complaint in its log within two seconds"


def test_a_reload_does_not_move_the_vip(our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    verdict.row(90, "ten reloads of the master, each with one more address, on it alone")
    running = whole.start(our_lan.nodes[0], HIGH)
    our_lan.nodes[1].telamon(LOW.plan())
    theirs = their_lan.nodes[0].keepalived(HIGH.keepalived())
    their_lan.nodes[1].keepalived(LOW.keepalived())
    their_config = theirs.log.with_name("keepalived.conf")
    our_lan.master(our_lan.nodes[0])
    their_lan.master(their_lan.nodes[0])
    our_wire, their_wire = our_lan.wire(), their_lan.wire()
    gaps: dict[str, float] = {}
    for number in range(10):
        vips = tuple(f"10.77.0.{last}" for last in range(100, 102 + number))
        setup = replace(HIGH, vips=vips)
        running.reload(setup)
        their_config.write_text(setup.keepalived())
        theirs.process.send_signal(signal.SIGHUP)
        for made in (our_lan, their_lan):
            gap = _until(made, vips[-1])
            gaps[made.switch] = max(gaps.get(made.switch, 0.0), gap)
    for wire, made, say in (
        (our_wire, our_lan, verdict.ours), (their_wire, their_lan, verdict.theirs)
    ):  # fmt: skip
        moved = bool(wire.adverts(made.nodes[1]))
        away = gaps[made.switch] * 1000
        say(("the VIP moved" if moved else "never moved") + f", away for {away:.0f} ms at most")
    assert not our_wire.adverts(our_lan.nodes[1])
    assert gaps[our_lan.switch] < 0.015


def test_a_reload_that_would_lose_the_vip(our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    verdict.row(91, "a reload of the master, by a file in which the VIP is another one")
    running = whole.start(our_lan.nodes[0], HIGH)
    theirs = their_lan.nodes[0].keepalived(HIGH.keepalived())
    our_lan.master(our_lan.nodes[0])
    their_lan.master(their_lan.nodes[0])
    wrong = replace(HIGH, vips=("10.77.0.200",))
    running.reload(wrong)
    theirs.log.with_name("keepalived.conf").write_text(wrong.keepalived())
    theirs.process.send_signal(signal.SIGHUP)
    eventually(lambda: "the new plan is refused" in running.program.text(), "the refusal")
    eventually(lambda: their_lan.nodes[0].holds("10.77.0.200"), "the other address")
    stays = {True: "the VIP stays", False: "the VIP is gone"}
    verdict.ours(f"refused without --force, {stays[our_lan.nodes[0].holds()]}")
    verdict.theirs(stays[their_lan.nodes[0].holds()])
    assert our_lan.holders() == [our_lan.nodes[0]]


def _until(made: Lan, address: str) -> float:
    """Look without pause until the first node has `address`; its longest time without the VIP."""
    node = made.nodes[0]
    gap, missing, end = 0.0, 0.0, time.monotonic() + 10
    while time.monotonic() < end:
        if node.holds():
            missing = 0.0
            if node.holds(address):
                return gap
        else:
            missing = missing or time.monotonic()
            gap = max(gap, time.monotonic() - missing)
    raise AssertionError("the reload has no effect")
