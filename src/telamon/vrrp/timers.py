"""The timers of one instance, and how long the protocol's intervals are."""

from __future__ import annotations

from enum import IntEnum, auto

from telamon.plan.router import Seconds
from telamon.vrrp.events import Instant


class Timer(IntEnum):
    """Timers that run out at the same moment are served in this order."""

    ADVERT = auto()
    """When to send the next advert (master)."""
    DOWN = auto()
    """When to take over unless the master is heard (backup)."""
    PREEMPT_DELAY = auto()
    """Until when a weaker master is still obeyed."""
    SECOND_BURST = auto()
    """When to announce the addresses for the second time."""
    REFRESH = auto()
    """When to announce them again for good measure."""
    HEAL = auto()
    """When to announce them once more after a conflict."""
    ANNOUNCE_QUEUE = auto()
    """When the next spaced announcement may leave."""


class TimerTable:
    """At most one deadline for each timer; the next timeout is their minimum."""

    __slots__ = ("_deadlines",)

    def __init__(self) -> None:
        self._deadlines: dict[Timer, Instant] = {}

    def arm(self, timer: Timer, deadline: Instant) -> None:
        self._deadlines[timer] = deadline

    def disarm(self, timer: Timer) -> None:
        self._deadlines.pop(timer, None)

    def clear(self) -> None:
        self._deadlines.clear()

    def deadline(self, timer: Timer) -> Instant | None:
        return self._deadlines.get(timer)

    def next_timeout(self) -> Instant | None:
        return min(self._deadlines.values(), default=None)

    def take_due(self, now: Instant) -> tuple[Timer, Instant] | None:
        """The timer that ran out first, with its deadline; it is disarmed. None: none is due."""
        first: tuple[Instant, Timer] | None = None
        for timer, deadline in self._deadlines.items():
            if deadline <= now and (first is None or (deadline, timer) < first):
                first = (deadline, timer)
        if first is None:
            return None
        del self._deadlines[first[1]]
        return first[1], first[0]


def skew(version: int, priority: int, interval: Seconds) -> Seconds:
    """How much longer a weaker node waits, so that the strongest is first.

    RFC 3768 6.1 counts in parts of a second whatever the interval is; RFC 9568 6.1 in parts of
    the master's interval. Keepalived does not round to centiseconds, nor do we.
    """
    share = (256 - priority) / 256
    return share if version == 2 else share * interval


HANDOVER_WINDOW: Seconds = 0.016
"""After a farewell the candidates take their turns within this time (ADR 5)."""

TURNS = 8
TURN: Seconds = 0.001
"""Candidates of one priority go by turns of a millisecond, by the last bits of their address."""


def handover_skew(version: int, priority: int, interval: Seconds, *, strict: bool) -> Seconds:
    """How long to wait after the master said goodbye: the skew, in the same order but pressed.

    The RFCs' skew would be 609 ms at priority 100 and 1 s, all of it outage. `strict` keeps it.
    """
    full = skew(version, priority, interval)
    return full if strict else min(full, (256 - priority) / 256 * HANDOVER_WINDOW)


def turn(address: int) -> Seconds:
    """How much longer this one of several candidates of the same priority waits.

    The higher address goes first, as it would win anyway (RFC 9568 6.4.3). Without turns both
    would become master at once, and the loser's announcements could be the last ones heard.
    """
    return (TURNS - 1 - address % TURNS) * TURN


def down_interval(version: int, priority: int, interval: Seconds, adverts: int) -> Seconds:
    """After which silence the master counts as gone. `adverts` is the RFCs' 3."""
    return adverts * interval + skew(version, priority, interval)
