"""One virtual router: its state, timers and priority. `router.py` feeds it, the table rules it.

`fire` is the only place where the state changes. Actions are looked up by name; each appends
effects to the router's common list, so that the order of effects is the order of actions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from telamon.base.address import IPAddress
from telamon.plan.router import (
    InitialState,
    InstancePlan,
    Seconds,
    VirtualAddress,
)
from telamon.vrrp.admission import Admission
from telamon.vrrp.announce import Announcer, Target
from telamon.vrrp.counters import Counters
from telamon.vrrp.effects import (
    AddAddresses,
    Effect,
    Log,
    LowerPriorityHeard,
    RemoveAddresses,
    SendGratuitous,
    StateChanged,
    Urgency,
)
from telamon.vrrp.events import Instant, Received
from telamon.vrrp.gate import Gate
from telamon.vrrp.notices import NoticeBook
from telamon.vrrp.owner import OwnerRivalry
from telamon.vrrp.pace import ANSWER_GAP, Pace
from telamon.vrrp.packet import Advert
from telamon.vrrp.priority import OWNER, Tracker, effective_priority
from telamon.vrrp.states import Action, Event, Rank, State, hear, next_transition
from telamon.vrrp.timers import Timer, TimerTable, down_interval, handover_skew, turn
from telamon.vrrp.wire import Wire, placed


class Instance:
    """Attributes are for the router to read; it changes them through the methods alone."""

    def __init__(self, wire: Wire, out: list[Effect]) -> None:
        self.wire = wire
        self.state = State.STOPPED
        self.reason = "not started"
        self.since: Instant = 0.0
        self.priority = wire.plan.priority
        self.faults: tuple[str, ...] = ()
        self.master: IPAddress | None = None
        """Whom this backup obeys, as far as known."""
        self.master_left = False
        """That one has said goodbye with priority 0."""
        self.weaker: tuple[IPAddress, int] | None = None
        """The master whom this backup will preempt, with its priority."""
        self._master_priority: int | None = None
        self.wants = False
        """Its down timer ran out, but its sync group is not free."""
        self.timers = TimerTable()
        self.notices = NoticeBook()
        self.counters = Counters()
        self.losses = 0
        """How often somebody else deleted a virtual address."""
        self._out = out
        self._announcer = Announcer(wire.plan.name, wire.plan.garp, self.timers, out)
        self._interval: Seconds = wire.interval / 100
        """Our own, kept since it is asked for with each packet and timer."""
        self._master_interval = self._interval
        self._heard: Advert | None = None
        self._weaker_obeyed_long_enough = False
        self._last_sent: Instant = 0.0
        self._answers = Pace(ANSWER_GAP)
        self._tells_of_weaker = Pace(ANSWER_GAP)
        self._rivalry = OwnerRivalry()
        self._gave_way = False
        """An owner that another one has outlasted: 254 until a reload."""
        self.rival_heard: Instant | None = None
        """When another master was heard last."""
        self.wall_ahead: Seconds = 0.0
        """Unix time minus the monotonic clock; for signatures only."""
        self._gate = Gate(wire.plan)
        self._due: Instant | None = None

    @property
    def plan(self) -> InstancePlan:
        return self.wire.plan

    @property
    def rank(self) -> Rank:
        return Rank(self.priority, int(self.wire.source) if self.wire.source else 0)

    @property
    def master_priority(self) -> int:
        """What the master that was heard last advertised; 0: none was."""
        return self._master_priority or 0

    @property
    def master_interval(self) -> Seconds:
        return self._master_interval

    @property
    def starts_as_master(self) -> bool:
        """RFC 9568 6.4.1: the owner waits for nobody; keepalived wants `state MASTER` as well."""
        return self.priority == OWNER and self.plan.initial_state is InitialState.MASTER

    @property
    def preempts(self) -> bool:
        """`nopreempt` has no meaning with `state MASTER` and for an owner (keepalived.conf(5))."""
        plan = self.plan
        return plan.preempt or plan.initial_state is InitialState.MASTER or plan.priority == OWNER

    @property
    def preempt_delay(self) -> Seconds:
        return 0.0 if self.plan.initial_state is InitialState.MASTER else self.plan.preempt_delay

    @property
    def down_interval(self) -> Seconds:
        plan = self.plan
        return down_interval(
            plan.version, self.priority, self._master_interval, plan.down_timer_adverts
        )

    @property
    def announces_at(self) -> Instant | None:
        """When the next announcement may leave; None: there was none yet."""
        return self._announcer.free_at or None

    def oversleeps(self, now: Instant) -> bool:
        """Whether this master was silent for so long that the best backup may be master now."""
        if self.state is not State.MASTER:
            return False
        return now - self._last_sent > self.wire.plan.down_timer_adverts * self._interval

    def fire(self, event: Event, now: Instant, reason: str) -> bool:
        """Carry out what the table says; whether it says anything."""
        transition = next_transition(self.state, event)
        if transition is None:
            return False
        old, self.state = self.state, transition.state
        if old is not self.state:
            self.wants = False
            self.weaker = None
            self._weaker_obeyed_long_enough = False
            self.timers.disarm(Timer.PREEMPT_DELAY)
            if self.state is State.MASTER:
                self.master = None
                self.counters.become_master += 1
            elif old is State.MASTER:
                self._announcer.end()
                self.counters.release_master += 1
        for action in transition.actions:
            _ACTIONS[action](self, now)
        if old is not self.state:
            self.reason, self.since = reason, now
            self._out.append(StateChanged(self.plan.name, old, self.state, self.priority, reason))
        return True

    def admit(self, received: Received, now: Instant) -> Admission:
        """Judge a packet with this VRID."""
        return self._gate.admit(self.wire, received, now + self.wall_ahead)

    def handle_advert(
        self, advert: Advert, source: IPAddress, now: Instant, *, decides_ties: bool = True
    ) -> Event | None:
        """An advert that passed all checks. Returns what it meant.

        Without `decides_ties` a master of this node's priority counts as weaker (see `Group`).
        """
        theirs = Rank(advert.priority, int(source) if decides_ties else -1)
        if self.state is State.MASTER and advert.priority:
            self.rival_heard = now
            self._look_at_owners(advert, now)
        # While a seat is vacant there is nobody to preempt: the strongest candidate gets it.
        sticky = not self.preempts and not self.master_left
        obeys_all = self._delays_preemption(theirs, now) or sticky
        event = hear(self.state, self.rank, theirs, obeys_all=obeys_all)
        if event is None:
            return None
        if self.state is State.MASTER:
            event = self._with_options(event, now)
        self._heard = advert
        if self.state is State.BACKUP:
            self.weaker = (source, advert.priority) if event is Event.INFERIOR else None
        if event in (Event.SUPERIOR, Event.SUPERIOR_ANSWERED):
            self.wants = False
            self.master, self.master_left = source, False
            self._master_priority = advert.priority
        elif event is Event.LEAVING:
            self.master_left = source == self.master
            if self.state is State.BACKUP and len(self.plan.unicast_peers) == 1:
                event = Event.LAST_LEAVES
        self.fire(event, now, _heard_reason(event, theirs, source, self.rank))
        weaker = event in (Event.INFERIOR, Event.INFERIOR_UNANSWERED)
        if weaker and self.state is State.MASTER and self._tells_of_weaker.allows(now):
            self._out.append(LowerPriorityHeard(self.plan.name, self.priority))
        return event

    def handle_timer(self, timer: Timer, deadline: Instant, now: Instant) -> None:
        """All timers but DOWN, which concerns the sync group as well: see `Router`."""
        self._due = deadline
        if timer is Timer.ADVERT:
            self.fire(Event.ADVERT_TIMER, now, "")
        elif timer is Timer.PREEMPT_DELAY:
            self._weaker_obeyed_long_enough = True
        else:
            self._announcer.handle_timer(timer, self._targets(), now)
        self._due = None

    def announce_again(self, now: Instant) -> None:
        """Another master was heard, by this instance or by one of its sync group."""
        if self.state is State.MASTER:
            self._announcer.again(self._targets(), now)

    def restore(self, addresses: tuple[VirtualAddress, ...], now: Instant) -> None:
        """Addresses that this master lost from outside: put them back, without an election."""
        self._out.append(AddAddresses(self.plan.name, addresses))
        self._announcer.burst(_targets(addresses), max(1, self.plan.garp.repeat), now)

    def announce_source(self) -> None:
        """Unicast peers may hold a stale neighbour entry after a fault."""
        if self.wire.is_unicast and self.wire.source is not None:
            self._out.append(SendGratuitous(self.plan.name, self.plan.interface, self.wire.source))

    def track(self, trackers: tuple[Tracker, ...], now: Instant) -> None:
        """Recompute the priority."""
        priority = effective_priority(self.plan.priority, trackers)
        if self._gave_way:
            priority = min(priority, OWNER - 1)
        if priority == self.priority:
            return
        before = self.down_interval
        old, self.priority = self.priority, priority
        if self.state in (State.BACKUP, State.MASTER):
            self._out.append(
                Log(Urgency.INFO, f"{self.plan.name}: priority {old} becomes {priority}")
            )
        # Keepalived moves a running down timer by the change of skew; so the order holds.
        deadline = self.timers.deadline(Timer.DOWN)
        if deadline is not None:
            self.timers.arm(Timer.DOWN, max(now, deadline + self.down_interval - before))

    def rewire(self, wire: Wire) -> None:
        """The interface's addresses or MTU have changed."""
        self.wire = wire
        self._interval = wire.interval / 100

    def withdraw(self, wire: Wire) -> None:
        """First half of a reload: take off what the new plan does not hold."""
        if self.state is State.MASTER:
            kept = set(placed(wire.plan))
            gone = tuple(a for a in placed(self.plan) if a not in kept)
            if gone:
                self._out.append(RemoveAddresses(self.plan.name, gone))

    def replan(self, old: Wire, trackers: tuple[Tracker, ...], now: Instant) -> None:
        """Second half of a reload: the wire is the new one; live by it, in the state as it is."""
        wire = self.wire
        self._announcer.replan(wire.plan.name, wire.plan.garp)
        self._gave_way, self._rivalry = False, OwnerRivalry()
        self.track(trackers, now)
        if old.plan == wire.plan:
            return
        self._gate.replan(wire.plan)
        if old.interval != wire.interval or self.plan.version != 3:
            self._master_interval = wire.interval / 100
        if self.state is State.BACKUP:
            self._arm_down(now)
        elif self.state is State.MASTER:
            had = set(placed(old.plan))
            new = tuple(a for a in placed(wire.plan) if a not in had)
            if new:
                self._out.append(AddAddresses(self.plan.name, new))
                self._announcer.burst(_targets(new), self.plan.garp.repeat, now)
            self._send_advert(now)
            self._arm_advert(now)

    def _delays_preemption(self, theirs: Rank, now: Instant) -> bool:
        """`preempt_delay`: a weaker master is obeyed for so long after it was first heard."""
        if self.state is not State.BACKUP or not self.preempt_delay or theirs.priority == 0:
            return False
        if theirs.priority >= self.priority:
            self.timers.disarm(Timer.PREEMPT_DELAY)
            self._weaker_obeyed_long_enough = False
            return False
        if self._weaker_obeyed_long_enough:
            return False
        if self.timers.deadline(Timer.PREEMPT_DELAY) is None:
            self.timers.arm(Timer.PREEMPT_DELAY, now + self.preempt_delay)
        return True

    def _look_at_owners(self, advert: Advert, now: Instant) -> None:
        if advert.priority != OWNER or self.priority != OWNER:
            return
        ours, theirs = self.wire.interval / 100, advert.interval / 100
        if self._rivalry.persists(ours, theirs, now):
            self._gave_way = True
            self.priority = OWNER - 1
            text = "another owner with priority 255 does not yield; this one goes down to 254"
            self._out.append(Log(Urgency.WARNING, f"{self.plan.name}: {text}"))

    def _with_options(self, event: Event, now: Instant) -> Event:
        if event is Event.SUPERIOR:
            # It has announced its addresses, perhaps a moment after the winner did.
            return Event.SUPERIOR_ANSWERED
        if event is Event.INFERIOR:
            answers = self.plan.answer_lower_priority and self._answers.allows(now)
            return Event.INFERIOR if answers else Event.INFERIOR_UNANSWERED
        if event is Event.LEAVING and not self._answers.allows(now):
            return Event.LEAVING_UNANSWERED
        return event

    def _targets(self) -> tuple[Target, ...]:
        return _targets(placed(self.plan))

    # The actions of the table.

    def _send_advert(self, now: Instant) -> None:
        self._last_sent = now
        self._send(self.priority, now)

    def _send_farewell(self, now: Instant) -> None:
        self._send(0, now)

    def _send(self, priority: int, now: Instant) -> None:
        adverts = self.wire.adverts(priority)
        if adverts:
            self._out.extend(self._gate.signed(adverts, now + self.wall_ahead))
            self.counters.sent(priority)

    def _add_addresses(self, now: Instant) -> None:
        if addresses := placed(self.plan):
            self._out.append(AddAddresses(self.plan.name, addresses))

    def _remove_addresses(self, now: Instant) -> None:
        if addresses := placed(self.plan):
            self._out.append(RemoveAddresses(self.plan.name, addresses))

    def _announce(self, now: Instant) -> None:
        from_silence = not self.master_left
        self._announcer.begin(self._targets(), now, from_silence=from_silence)

    def _learn(self, now: Instant) -> None:
        if self.plan.version == 3 and self._heard is not None:
            self._master_interval = self._heard.interval / 100

    def _forget(self, now: Instant) -> None:
        self._master_interval = self.wire.interval / 100

    def _arm_advert(self, now: Instant) -> None:
        # Counted from when it was due, so that a lateness of a millisecond does not add up.
        interval = self._interval
        due = self._due
        start = due if due is not None and now - due < interval else now
        self.timers.arm(Timer.ADVERT, start + interval)

    def _arm_down(self, now: Instant) -> None:
        self.timers.arm(Timer.DOWN, now + self.down_interval)

    def _arm_skew(self, now: Instant) -> None:
        plan = self.plan
        wait = handover_skew(plan.version, self.priority, self._master_interval, strict=plan.strict)
        # Who followed a master of its own priority is probably not the only one to do so.
        if self._master_priority == self.priority and not plan.strict:
            wait += turn(self.rank.address)
        # Never later than it was: farewells in a row, or forged ones, must not keep the seat empty.
        deadline = self.timers.deadline(Timer.DOWN)
        self.timers.arm(Timer.DOWN, now + wait if deadline is None else min(deadline, now + wait))

    def _arm_now(self, now: Instant) -> None:
        self.timers.arm(Timer.DOWN, now)

    def _disarm(self, now: Instant) -> None:
        self.timers.clear()

    by_action: ClassVar[dict[Action, Callable[[Instance, Instant], None]]] = {
        Action.SEND_ADVERT: _send_advert,
        Action.SEND_FAREWELL: _send_farewell,
        Action.ADD_ADDRESSES: _add_addresses,
        Action.REMOVE_ADDRESSES: _remove_addresses,
        Action.ANNOUNCE: _announce,
        Action.ANNOUNCE_AGAIN: announce_again,
        Action.LEARN: _learn,
        Action.FORGET: _forget,
        Action.ARM_ADVERT: _arm_advert,
        Action.ARM_DOWN: _arm_down,
        Action.ARM_SKEW: _arm_skew,
        Action.ARM_NOW: _arm_now,
        Action.DISARM: _disarm,
    }


_ACTIONS = Instance.by_action


def _targets(addresses: tuple[VirtualAddress, ...]) -> tuple[Target, ...]:
    return tuple((a.device or "", a.address.ip) for a in addresses)


def _heard_reason(event: Event, theirs: Rank, source: IPAddress, ours: Rank) -> str:
    if event in (Event.SUPERIOR, Event.SUPERIOR_ANSWERED):
        if theirs.priority == ours.priority:
            return f"{source} has the same priority {theirs.priority} and the higher address"
        return f"{source} advertises priority {theirs.priority}, this node has {ours.priority}"
    return ""
