"""How late timers fire: the first thing to look at when a backup takes over for no reason.

A histogram with fixed bounds, as Prometheus wants them: a machine that is starved, a virtual
machine that is taken off its processor, a snapshot: all of them show here before they cost a VIP.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from telamon.plan.router import Seconds

BOUNDS: tuple[Seconds, ...] = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0,
)  # fmt: skip
"""Upper bounds of the buckets, inclusive; a last one has none."""


@dataclass(frozen=True, slots=True)
class LatenessView:
    """`counts` has one number for each of `bounds` and a last one for all above, not summed up."""

    bounds: tuple[Seconds, ...]
    counts: tuple[int, ...]
    total: Seconds
    worst: Seconds


class Lateness:
    """Collects; `view` gives it as a value."""

    __slots__ = ("_counts", "_total", "_worst")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0
        self._worst = 0.0

    def note(self, late: Seconds) -> None:
        """A timer fired `late` seconds after it was due."""
        self._counts[bisect_left(BOUNDS, late)] += 1
        self._total += late
        if late > self._worst:
            self._worst = late

    def view(self) -> LatenessView:
        return LatenessView(BOUNDS, tuple(self._counts), self._total, self._worst)
