"""What an instance tracks, and the priority and faults that come of it.

A tracker with a weight moves the priority: a positive weight counts while all is well, a negative
one while it is not; `reverse` turns the direction of the move round, not its condition. A tracker
without weight is a matter of serving or not: it puts the instance into fault, with `reverse`
while all is well (keepalived.conf(5), "track_script"). The sum stays within 1 to 254, and 255,
the address owner, is moved by nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from telamon.plan.router import ScriptPlan

OWNER = 255
_LOWEST, _HIGHEST = 1, 254


class Tracker(Protocol):
    """How one tracked thing stands."""

    @property
    def name(self) -> str:
        """For people, as in "script check_haproxy"."""

    @property
    def is_fault(self) -> bool:
        """The instance must not serve."""

    @property
    def is_awaited(self) -> bool:
        """Nobody may serve before this is known."""

    @property
    def contribution(self) -> int:
        """What it adds to the priority."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A thing that is well or not. `well` is None as long as nobody has looked."""

    name: str
    weight: int
    reverse: bool
    well: bool | None

    @property
    def is_fault(self) -> bool:
        if self.weight or self.well is None:
            return False
        return self.well == self.reverse

    @property
    def is_awaited(self) -> bool:
        return self.weight == 0 and self.well is None

    @property
    def contribution(self) -> int:
        if self.well is None:
            # Not known yet: neither reward nor penalty.
            return 0
        applies = self.well if self.weight > 0 else not self.well
        if not applies:
            return 0
        return -self.weight if self.reverse else self.weight


@dataclass(frozen=True, slots=True)
class Figure:
    """A number from a file, times a weight; -254 and below mean fault (`track_file`).

    Without a weight the number says whether all is well: 0 is well, with `reverse` it is not.
    `value` is None as long as nobody has looked.
    """

    name: str
    weight: int
    reverse: bool
    value: int | None

    @property
    def is_awaited(self) -> bool:
        return self.value is None

    @property
    def is_fault(self) -> bool:
        if self.weight == 0 and self.value is not None:
            return (self.value == 0) == self.reverse
        return self.contribution <= -_HIGHEST

    @property
    def contribution(self) -> int:
        product = (self.value or 0) * self.weight
        return -product if self.reverse else product


def effective_priority(base: int, trackers: Iterable[Tracker]) -> int:
    """The priority to advertise: 1 to 254, or 255 for the address owner."""
    if base == OWNER:
        return OWNER
    return max(_LOWEST, min(_HIGHEST, base + sum(t.contribution for t in trackers)))


class ScriptVerdict:
    """Counts a script's runs: `rise` passes in a row make it well, `fall` failures not well.

    The very first run decides alone, unless the script counts as failed from the start
    (`init_fail`): then it has to rise first.
    """

    __slots__ = ("_plan", "_streak", "well")

    def __init__(self, plan: ScriptPlan) -> None:
        self._plan = plan
        self._streak = 0
        self.well: bool | None = False if plan.init_fail else None

    def count(self, passed: bool) -> bool:
        """One run has ended; returns whether the verdict changed."""
        before = self.well
        if before is None:
            self.well = passed
        elif passed == before:
            self._streak = 0
        else:
            self._streak += 1
            if self._streak >= (self._plan.rise if passed else self._plan.fall):
                self.well = passed
                self._streak = 0
        return self.well != before

    @property
    def level(self) -> int:
        """Keepalived's counter for dumps: from 0 (failed for good) to rise + fall - 1 (well)."""
        if not self.well:
            return self._streak
        return self._plan.rise + self._plan.fall - 1 - self._streak

    def replan(self, plan: ScriptPlan) -> None:
        """Take over a reloaded plan; what is known about the script stays known."""
        self._plan = plan
