"""A clock that stands still until somebody lets it run, and then jumps from deadline to deadline.

Nothing waits for real: an hour of simulated time costs what its events cost.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class JumpingClock:
    """Calls what was asked for, in the order of time; at one instant, in the order of asking."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = itertools.count()

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """A time that has passed means: at once when the clock runs next."""
        heapq.heappush(self._queue, (max(when, self.now), next(self._ticket), callback))

    def run_until(self, when: float) -> None:
        while self._queue and self._queue[0][0] <= when:
            self.now, _ticket, callback = heapq.heappop(self._queue)
            callback()
        self.now = max(self.now, when)

    def run_for(self, seconds: float) -> None:
        self.run_until(self.now + seconds)
