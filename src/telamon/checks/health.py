"""Rise and fall: when a series of check results makes a server go up or down.

The counter is HAProxy's (manual 5.2, `rise` and `fall`; shown by `show servers state`): it runs
from 0 to `rise + fall - 1`, and the server is up while it is at least `rise`. A success adds
one, and on reaching `rise` jumps to the top; a failure takes one away, and on falling below
`rise` drops to 0. So it says both the state and how far from a change it is.

At start a server with checks is up but at `rise`: its first failure takes it down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from telamon.plan.proxy import Check


@dataclass(frozen=True, slots=True)
class Health:
    """One server's counter. Make the first one with `starting`."""

    rise: int
    fall: int
    value: int

    @staticmethod
    def starting(rise: int, fall: int) -> Health:
        return Health(rise, fall, rise)

    @property
    def top(self) -> int:
        return self.rise + self.fall - 1

    @property
    def up(self) -> bool:
        return self.value >= self.rise

    @property
    def settled(self) -> bool:
        """Not in transition: fully up or fully down."""
        return self.value in (0, self.top)

    def passed(self) -> Health:
        """After one more success."""
        value = self.value + 1
        return replace(self, value=self.top if value >= self.rise else value)

    def failed(self) -> Health:
        """After one more failure."""
        value = self.value - 1
        return replace(self, value=value if value >= self.rise else 0)

    def forced(self, up: bool) -> Health:
        """As an operator's `set server ... health` leaves it."""
        return replace(self, value=self.top if up else 0)


def interval(check: Check, health: Health) -> int:
    """Milliseconds until the next check (manual 5.2: `inter`, `fastinter`, `downinter`)."""
    if health.value == health.top:
        return check.interval
    if health.value == 0:
        return check.down_interval or check.interval
    return check.fast_interval or check.interval
