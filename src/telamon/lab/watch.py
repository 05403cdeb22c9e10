"""Who held the VIP when: fed with what is seen, asked for what it means. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

Seconds = float


@dataclass(slots=True)
class Watch:
    """The record of one run, a change at a time."""

    changes: list[tuple[Seconds, frozenset[str]]] = field(default_factory=list)

    def saw(self, now: Seconds, holders: frozenset[str]) -> bool:
        """Note who holds it now; True if that is a change."""
        if self.changes and self.changes[-1][1] == holders:
            return False
        self.changes.append((now, holders))
        return True

    @property
    def holders(self) -> frozenset[str]:
        return self.changes[-1][1] if self.changes else frozenset()

    @property
    def sole(self) -> str:
        """The one holder, empty if there is none or more than one."""
        return next(iter(self.holders)) if len(self.holders) == 1 else ""

    def steady_for(self, now: Seconds) -> Seconds:
        """For how long nothing has changed."""
        return now - self.changes[-1][0] if self.changes else 0.0

    def longest_with_two(self, since: Seconds, until: Seconds) -> Seconds:
        """The longest time within `since` to `until` in which more than one had it."""
        longest = 0.0
        began: Seconds | None = None
        for at, holders in [*self.changes, (until, frozenset[str]())]:
            if began is not None and len(holders) < 2:
                longest = max(longest, min(at, until) - max(began, since))
                began = None
            elif began is None and len(holders) > 1:
                began = at
        return longest
