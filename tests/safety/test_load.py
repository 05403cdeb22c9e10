"""Both routers while other processes want every core: late adverts must not move the VIP."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.interop.lan import Lan, Wire
from tests.interop.setups import Setup
from tests.safety import whole
from tests.safety.record import Verdict

pytestmark = [
    pytest.mark.netns,
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]

SECONDS = float(os.environ.get("TELAMON_LOAD_SECONDS", "20"))
"""How long every core is wanted by others. 120 is what the promise says."""


def test_every_core_is_busy(our_lan: Lan, their_lan: Lan, verdict: Verdict) -> None:
    verdict.row(100, f"every core wanted by two other processes for {SECONDS:g} s, 0.1 s adverts")
    high, low = Setup(200), Setup(100)
    ours = whole.start(our_lan.nodes[0], high)
    whole.start(our_lan.nodes[1], low)
    their_lan.nodes[0].keepalived(high.keepalived())
    their_lan.nodes[1].keepalived(low.keepalived())
    wires = []
    for made in (our_lan, their_lan):
        made.master(made.nodes[0])
        wire = made.wire()
        wires.append(wire)
    with _busy(2 * (os.cpu_count() or 1)):
        begun = time.monotonic()
        time.sleep(SECONDS)  # the load's duration is what is tested
    verdict.ours(_told(wires[0], our_lan, begun) + _worst(ours))
    verdict.theirs(_told(wires[1], their_lan, begun))
    assert not wires[0].adverts(our_lan.nodes[1], since=begun)
    assert _longest(wires[0], our_lan, begun) < 0.3, "three intervals"
    assert our_lan.holders() == [our_lan.nodes[0]]


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processes that never wait. They end by themselves, whatever becomes of us."""
    end = f"end = time.monotonic() + {SECONDS + 10}"
    code = f"import time\n{end}\nwhile time.monotonic() < end: pass"
    loops = [subprocess.Popen([sys.executable, "-I", "-S", "-c", code]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _told(wire: Wire, made: Lan, begun: float) -> str:
    longest = _longest(wire, made, begun)
    over = len(wire.adverts(made.nodes[1], since=begun)) > 0
    return f"{'a' if over else 'no'} takeover, at most {longest * 1000:.0f} ms between adverts"


def _longest(wire: Wire, made: Lan, begun: float) -> float:
    times = [frame.at for frame in wire.adverts(made.nodes[0], since=begun)]
    assert len(times) > SECONDS / 0.1 / 2, "adverts went out"
    return max(b - a for a, b in itertools.pairwise(times))


def _worst(running: whole.Whole) -> str:
    """From the router's own lateness histogram."""
    worst = running.status()["router"].get("lateness", {}).get("worst")
    return "" if worst is None else f"; latest timer {worst * 1000:.1f} ms"
