"""How often a neighbour may make this node speak.

Other masters' adverts are answered at once, and the addresses are announced again, since that is
what heals a split. A broken or hostile neighbour can send thousands a second. So answers keep a
distance: the first goes out at once, the next ones not before `gap` has passed. Nothing is lost
by it: a master advertises on its own timer all the same, and what `announce.py` was not allowed to
announce now is announced by its healing schedule.
"""

from __future__ import annotations

from telamon.plan.router import Seconds
from telamon.vrrp.events import Instant

ANSWER_GAP: Seconds = 0.1
"""Between two adverts that answer somebody."""

ANNOUNCE_GAP: Seconds = 1.0
"""Between two bursts of announcements that answer somebody."""


class Pace:
    """Allows something at most once in `gap` seconds."""

    __slots__ = ("_free_at", "_gap")

    def __init__(self, gap: Seconds) -> None:
        self._gap = gap
        self._free_at: Instant | None = None

    def allows(self, now: Instant) -> bool:
        """Whether it may happen now; if so, it counts as having happened."""
        if self._free_at is not None and now < self._free_at:
            return False
        self._free_at = now + self._gap
        return True
