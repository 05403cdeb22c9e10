"""What becomes of the VIP when the router sleeps, is killed, or somebody takes the address off."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from telamon.daemon import guardian
from telamon.daemon.script_runner import HELPER_NAME
from tests.interop.lan import VIP, Lan, Node, Program, eventually, quickest
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


def test_killed_before_the_helper_has_heard(our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    """The news of the VIP must not be lost with a helper that was starved when it came."""
    verdict.row(42, "kill -9 of every process of it, and the helper was starved since the start")
    ours, node = whole.start(our_lan.nodes[0], Setup(200)), our_lan.nodes[0]
    theirs = their_lan.nodes[0].keepalived(Setup(200).keepalived())

    def helpers() -> list[int]:
        return [pid for pid in ours.processes() if _name(pid) == HELPER_NAME]

    place = Path(f"/proc/{ours.program.process.pid}/ns/net")
    eventually(lambda: _is_guarded(place), "the guardian")
    whole.kill(eventually(helpers, "the helper"), signal.SIGSTOP)
    our_lan.master(node)
    their_lan.master(their_lan.nodes[0])
    killed = time.monotonic()
    whole.kill(ours.processes())
    whole.kill(whole.family(theirs.process.pid)[::-1])
    with contextlib.suppress(AssertionError):
        eventually(lambda: not node.holds(), "the address to go", within=2.0)
    took = time.monotonic() - killed
    verdict.ours(_left(node, took))
    verdict.theirs(_left(their_lan.nodes[0], took))
    assert not node.holds()


def _is_guarded(place: Path) -> bool:
    """Whether a guardian is there in this network namespace; it is nobody's child."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    guardians = [pid for pid in pids if _name(pid) == guardian.NAME]
    with contextlib.suppress(OSError):
        return any(Path(f"/proc/{pid}/ns/net").samefile(place) for pid in guardians)
    return False


def _name(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:  # noqa: PTH123
        return file.read().strip()
    return ""


def _left(node: Node, took: float) -> str:
    return "the VIP stays on the dead node" if node.holds() else f"VIP gone in {took * 1000:.0f} ms"


def test_an_address_deleted_by_hand(our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    verdict.row(50, "the VIP is deleted by hand")
    _pairs(our_lan, their_lan)
    ours, theirs = _take_away(our_lan), _take_away(their_lan)
    verdict.ours(_back(our_lan, *ours))
    verdict.theirs(_back(their_lan, *theirs))
    assert not ours[1]
    # A busy machine may disturb one look.
    back = ours[0] if ours[0] < 0.05 else quickest(lambda: _take_away(our_lan)[0], 0.05)
    assert back < 0.05
    assert our_lan.holders() == [our_lan.nodes[0]]


def _take_away(made: Lan) -> tuple[float, bool]:
    """Seconds until somebody has the VIP again, and whether there was an election for it."""
    node, other, _ = made.nodes
    wire = made.wire()
    node.ip("addr", "del", f"{VIP}/32", "dev", "em1")
    gone = time.monotonic()
    eventually(made.holders, "somebody with the address")
    back = time.monotonic() - gone
    # More than a down interval shows whether it started an election.
    eventually(lambda: wire.frames and wire.frames[-1].at > gone + 0.5, "half a second")
    return back, any(f.priority == 0 for f in wire.adverts()) or bool(wire.adverts(other))


def _back(made: Lan, back: float, election: bool) -> str:
    where = "back" if made.holders() == [made.nodes[0]] else "on the other node"
    return f"{where} after {back * 1000:.0f} ms, {'an' if election else 'no'} election"
