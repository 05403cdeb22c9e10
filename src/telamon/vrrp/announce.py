"""When neighbours are told where the addresses live: bursts, a second burst, the refresh.

One burst is `repeat` rounds over all addresses. Switches and hosts forget or miss packets, hence
a second burst later, and the refresh for those who want it.

There are two more reasons to repeat, and no configuration for them. While two masters are heard,
neighbours believe whoever announced last, and which of them heard what nobody can know. And a
master that took over because the old one fell silent may have a rival beyond a split that still
answers; if that one dies before they meet, nobody ever tells its neighbours. So after either, the
addresses are announced by one round now and then (`HEALING`), until everybody has had ample
opportunity to agree. `vrrp_min_garp` (no second burst) leaves that out after a take-over.

With `garp_interval` (IPv4) or
`gna_interval` (IPv6) the packets of a burst are spaced: they wait in a queue.
"""

from __future__ import annotations

from collections import deque

from telamon.base.address import IPAddress
from telamon.plan.router import GarpPlan, Seconds
from telamon.vrrp.effects import Effect, SendGratuitous
from telamon.vrrp.events import Instant
from telamon.vrrp.pace import ANNOUNCE_GAP, Pace
from telamon.vrrp.timers import Timer, TimerTable

Target = tuple[str, IPAddress]
"""Device and address."""


HEALING: tuple[Seconds, ...] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""How long after a conflict or a take-over from silence one more round is sent."""


class Announcer:
    """The announcements of one instance; it uses four of the instance's timers."""

    __slots__ = (
        "_heal_from", "_healed", "_instance", "_out", "_pace", "_plan", "_queue",
        "_repeat", "_timers", "free_at",
    )  # fmt: skip

    def __init__(
        self, instance: str, plan: GarpPlan, timers: TimerTable, out: list[Effect]
    ) -> None:
        self._instance = instance
        self._plan = plan
        self._timers = timers
        self._out = out
        self._queue: deque[Target] = deque()
        self.free_at: Instant = 0.0
        """When the next packet may leave; 0: none has left yet."""
        self._repeat = plan.repeat
        self._pace = Pace(ANNOUNCE_GAP)
        self._heal_from: Instant = 0.0
        self._healed = 0

    def replan(self, instance: str, plan: GarpPlan) -> None:
        self._instance, self._plan = instance, plan

    def begin(self, targets: tuple[Target, ...], now: Instant, *, from_silence: bool) -> None:
        """On becoming master; `from_silence`: the old one has not said goodbye."""
        plan = self._plan
        self._queue.clear()
        self.burst(targets, plan.repeat, now)
        self._repeat = plan.repeat
        if plan.delay > 0:
            self._timers.arm(Timer.SECOND_BURST, now + plan.delay)
        if plan.refresh > 0:
            self._timers.arm(Timer.REFRESH, now + plan.refresh)
        if from_silence and plan.delay > 0:
            self._heal(now)

    def again(self, targets: tuple[Target, ...], now: Instant) -> None:
        """After another master's advert: neighbours may have believed it."""
        plan = self._plan
        if plan.lower_priority_repeat > 0:
            self._heal(now)
        if self._queue or not self._pace.allows(now):
            return
        self.burst(targets, plan.lower_priority_repeat, now)
        # A second burst that is on its way already is not put off by each further advert.
        if plan.lower_priority_delay > 0 and self._timers.deadline(Timer.SECOND_BURST) is None:
            self._repeat = plan.lower_priority_repeat
            self._timers.arm(Timer.SECOND_BURST, now + plan.lower_priority_delay)

    def handle_timer(self, timer: Timer, targets: tuple[Target, ...], now: Instant) -> None:
        if timer is Timer.SECOND_BURST:
            self.burst(targets, self._repeat, now)
        elif timer is Timer.REFRESH:
            self.burst(targets, self._plan.refresh_repeat, now)
            if self._plan.refresh > 0:
                self._timers.arm(Timer.REFRESH, now + self._plan.refresh)
        elif timer is Timer.HEAL:
            self.burst(targets, 1, now)
            self._arm_heal()
        else:
            self._pump(now)

    def _heal(self, now: Instant) -> None:
        self._heal_from, self._healed = now, 0
        self._arm_heal()

    def _arm_heal(self) -> None:
        if self._healed < len(HEALING):
            self._timers.arm(Timer.HEAL, self._heal_from + HEALING[self._healed])
            self._healed += 1

    def burst(self, targets: tuple[Target, ...], rounds: int, now: Instant) -> None:
        for _ in range(rounds):
            self._queue.extend(targets)
        self._pump(now)

    def end(self) -> None:
        """Not master any more: what still waits would be a lie. The timers are the owner's."""
        self._queue.clear()

    def _pump(self, now: Instant) -> None:
        while self._queue:
            device, address = self._queue[0]
            gap = self._gap(address)
            if gap > 0 and now < self.free_at:
                self._timers.arm(Timer.ANNOUNCE_QUEUE, self.free_at)
                return
            self._queue.popleft()
            self._out.append(SendGratuitous(self._instance, device, address))
            self.free_at = now + gap

    def _gap(self, address: IPAddress) -> Seconds:
        return self._plan.interval if address.version == 4 else self._plan.na_interval
