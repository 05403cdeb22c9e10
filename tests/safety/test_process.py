"""What becomes of the VIP when the router sleeps, is killed, or somebody takes the address off."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time

import pytest

from tests.interop.lan import VIP, Lan, Node, Program, eventually
from tests.interop.setups import Setup
from tests.safety import whole
from tests.safety.record import Verdict

pytestmark = [
    pytest.mark.netns,
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]


def _pairs(our_lan: Lan, their_lan: Lan) -> tuple[Program, Program]:
    """Both LANs with a master (priority 200) on their first node; the masters' programs."""
    ours = our_lan.nodes[0].telamon(Setup(200).plan())
    our_lan.nodes[1].telamon(Setup(100).plan())
    theirs = their_lan.nodes[0].keepalived(Setup(200).keepalived())
    their_lan.nodes[1].keepalived(Setup(100).keepalived())
    our_lan.master(our_lan.nodes[0])
    their_lan.master(their_lan.nodes[0])
    return ours, theirs


def test_a_late_waker(our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    verdict.row(30, "the master is paused for a second (SIGSTOP) and wakes")
    after = [
        _wake(made, program)
        for made, program in zip((our_lan, their_lan), _pairs(our_lan, their_lan), strict=True)
    ]
    verdict.ours(f"listens: its first advert after {after[0] * 1000:.0f} ms")
    verdict.theirs(f"first advert after {after[1] * 1000:.0f} ms")
    assert after[0] > 0.15, "most of a down interval"


def _wake(made: Lan, program: Program) -> float:
    """Pause the master until the other has taken over; seconds from waking to its first advert."""
    node, other, _ = made.nodes
    wire = made.wire()
    everybody = whole.family(program.process.pid)
    whole.kill(everybody, signal.SIGSTOP)
    eventually(other.holds, "the other one")
    eventually(lambda: len(wire.adverts(other)) > 5, "some adverts")
    woke = time.monotonic()
    whole.kill(everybody, signal.SIGCONT)
    eventually(lambda: wire.adverts(node, since=woke), "an advert of the sleeper")
    return wire.adverts(node, since=woke)[0].at - woke


@pytest.mark.parametrize("how", ["the routers' processes by name", "every process of it"])
def test_killed_by_force(how: str, our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    verdict.row(40 + how.startswith("every"), f"kill -9: {how}")
    ours = whole.start(our_lan.nodes[0], Setup(200))
    theirs = their_lan.nodes[0].keepalived(Setup(200).keepalived())
    our_lan.master(our_lan.nodes[0])
    their_lan.master(their_lan.nodes[0])
    killed = time.monotonic()
    for pid in [*ours.processes(), *whole.family(theirs.process.pid)]:
        if how.startswith("every") or _name(pid) in ("keepalived", "telamon"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    our_node, their_node = our_lan.nodes[0], their_lan.nodes[0]
    with contextlib.suppress(AssertionError):
        eventually(lambda: not our_node.holds(), "the address to go", within=1.5)
    took = time.monotonic() - killed
    verdict.ours(_left(our_node, took))
    verdict.theirs(_left(their_node, took))
    assert not our_node.holds()
    assert took < 1.0


def _name(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:  # noqa: PTH123
        return file.read().strip()
    return ""


def _left(node: Node, took: float) -> str:
    return "the VIP stays on the dead node" if node.holds() else f"VIP gone in {took * 1000:.0f} ms"


def test_an_address_deleted_by_hand(our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    verdict.row(50, "the VIP is deleted by hand")
    _pairs(our_lan, their_lan)
    took = []
    for made in (our_lan, their_lan):
        node, other, _ = made.nodes
        wire = made.wire()
        node.ip("addr", "del", f"{VIP}/32", "dev", "em1")
        gone = time.monotonic()
        eventually(made.holders, "somebody with the address")
        back = time.monotonic() - gone
        where = "back" if made.holders() == [node] else "on the other node"
        # A down interval shows whether anybody's election was started by it.
        eventually(lambda w=wire, n=gone: w.frames and w.frames[-1].at > n + 0.5, "half a second")
        election = any(f.priority == 0 for f in wire.adverts()) or bool(wire.adverts(other))
        took.append((back, election))
        text = f"{where} after {back * 1000:.0f} ms, " + (
            "an election" if election else "no election"
        )
        (verdict.ours if made is our_lan else verdict.theirs)(text)
    assert took[0][0] < 0.05
    assert not took[0][1]
    assert our_lan.holders() == [our_lan.nodes[0]]
