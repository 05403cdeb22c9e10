"""The VRRP router: all instances and sync groups of a node, without a clock and without a socket.

Drive it like this.

- `start(now)` once, then `handle_interface` for each of `interfaces()`.
- `handle_*` tells what happened; `reload` and `stop` are commands. Each returns the effects to
  carry out, in that order (see `effects.py`).
- `next_timeout()` says when `handle_timeout(now)` is wanted; ask again after each call.
- After a wake-up hand over everything that has arrived first, and call `handle_timeout` then: an
  advert that waits in the socket is news that the timers must not overtake.
- Times are seconds of one monotonic clock that goes on while the machine sleeps. A call may come
  late by any time: a node that overslept listens before it speaks.

No input makes it raise: packets, interfaces and scripts that nobody asked for are ignored. Only
a plan that is not one (from no front end) does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from telamon.base.address import IPAddress
from telamon.plan.router import (
    AuthKind,
    InstancePlan,
    RouterPlan,
    Seconds,
    VirtualAddress,
)
from telamon.vrrp.detail import InstanceDetail, RouterDetail
from telamon.vrrp.effects import (
    Effect,
    GroupChanged,
    Log,
    Noticed,
    SendAdvert,
    Urgency,
)
from telamon.vrrp.events import Instant, Interface, Received
from telamon.vrrp.group import Group
from telamon.vrrp.instance import Instance
from telamon.vrrp.judging import Ranking, Verdict, judge, rank
from telamon.vrrp.lateness import Lateness, LatenessView
from telamon.vrrp.notices import Notice, NoticeKind
from telamon.vrrp.states import Event, State
from telamon.vrrp.timers import Timer
from telamon.vrrp.tracking import Tracking
from telamon.vrrp.views import InstanceView, Transport
from telamon.vrrp.wire import Wire, family, placed

_Key = tuple[str, int, int]
"""What makes an instance the same one after a reload: interface, VRID, family."""


class Router:
    def __init__(self, plan: RouterPlan) -> None:
        self._out: list[Effect] = []
        self._plan = plan
        self._tracking = Tracking(plan)
        self._lateness = Lateness()
        self._wall_ahead: Seconds = 0.0
        self._signs = False
        self._opens_at: Instant | None = None
        self._stopped = False
        self._instances: dict[_Key, Instance] = {}
        self._by_vrid: dict[tuple[str, int], list[Instance]] = {}
        for instance_plan in plan.instances:
            self._instances[_key(instance_plan)] = Instance(self._wire(instance_plan), self._out)
        self._groups: list[Group] = []
        self._membership: dict[Instance, Group] = {}
        self._index()

    # Getters.

    def next_timeout(self) -> Instant | None:
        """When `handle_timeout` is wanted next; None: not before something else happens."""
        soonest = self._opens_at
        for instance in self._instances.values():
            deadline = instance.timers.next_timeout()
            if deadline is not None and (soonest is None or deadline < soonest):
                soonest = deadline
        return soonest

    @property
    def wants_wall_clock(self) -> bool:
        """Whether anything here is signed, so that `handle_wall_clock` matters."""
        return self._signs

    def interfaces(self) -> frozenset[str]:
        """The interfaces whose facts decide something here."""
        plan = self._plan
        groups = [t.interface for g in plan.groups for t in g.track_interfaces]
        return frozenset(groups).union(*(_devices(i) for i in plan.instances))

    def transports(self) -> frozenset[Transport]:
        """The sockets to have open for the current plan."""
        return frozenset(
            Transport(i.plan.interface, i.wire.family, None if i.wire.is_unicast else i.wire.group)
            for i in self._instances.values()
        )

    def status(self, now: Instant) -> tuple[InstanceView, ...]:
        return tuple(
            InstanceView(
                i.plan.name, i.state, i.plan.interface, i.plan.vrid, i.plan.version, i.priority,
                placed(i.plan), i.reason, i.since, i.master, i.faults, i.losses,
                i.notices.current(now),
            )
            for i in self._instances.values()
        )  # fmt: skip

    def details(self, now: Instant) -> RouterDetail:
        """Everything, for a dump; `status` is for those who ask often."""
        groups = {i: g.name for i, g in self._membership.items()}
        return RouterDetail(
            self._plan,
            tuple(InstanceDetail.of(i, groups.get(i), now) for i in self._instances.values()),
            self._tracking.known(),
            {g.name: g.state for g in self._groups},
        )

    def clear_counters(self) -> None:
        for instance in self._instances.values():
            instance.counters.clear()

    def lateness(self) -> LatenessView:
        """How late the edge has let timers fire so far."""
        return self._lateness.view()

    def losses(self, plan: RouterPlan) -> tuple[VirtualAddress, ...]:
        """The addresses held now that a reload to `plan` would lose, if only for a moment.

        Taking one of several out of the file is no loss: somebody meant it. It is one when a
        master keeps none of its addresses, or when one moves to an instance that is no master
        yet, as it waits for an election there.
        """
        masters = {k: i for k, i in self._instances.items() if i.state is State.MASTER}
        heirs = [p for p in plan.instances if _key(p) in masters]
        kept = {(a.device, a.address.ip) for p in heirs for a in placed(p)}
        named = {(a.device, a.address.ip) for p in plan.instances for a in placed(p)}
        lost: list[VirtualAddress] = []
        for instance in masters.values():
            held = placed(instance.plan)
            gone = [a for a in held if (a.device, a.address.ip) not in kept]
            everything = len(gone) == len(held)
            lost += [a for a in gone if everything or (a.device, a.address.ip) in named]
        return tuple(lost)

    # What happened.

    def start(self, now: Instant) -> list[Effect]:
        """Leave STOP. Removes what an earlier life has left on the interfaces."""
        self._tracking.changed = True
        if self._plan.startup_delay > 0:
            self._opens_at = now + self._plan.startup_delay
        for instance in self._instances.values():
            instance.fire(Event.START, now, "starting")
        return self._settle(now)

    def handle_received(self, received: Received, now: Instant) -> list[Effect]:
        """A packet of protocol 112, whatever is in it."""
        self._notice_oversleeping(now)
        vrid = received.payload[1] if len(received.payload) > 1 else 0
        for instance in self._by_vrid.get((received.interface, vrid), ()):
            if instance.wire.family == received.source.version:
                self._hear(instance, received, now)
        return self._settle(now)

    def handle_interface(self, interface: Interface, now: Instant) -> list[Effect]:
        """Facts about an interface, at the start and whenever they change."""
        self._notice_oversleeping(now)
        before = self._tracking.interface(interface)
        for instance in self._instances.values():
            instance.rewire(self._wire(instance.plan))
            came_back = before is not None and interface.up and not before.up
            if came_back and instance.state is State.MASTER:
                lost = tuple(a for a in placed(instance.plan) if a.device == interface.name)
                if lost:
                    instance.restore(lost, now)
        return self._settle(now)

    def handle_address_removed(self, device: str, address: IPAddress, now: Instant) -> list[Effect]:
        """An address was deleted, by whomever; one that a master should hold is put back."""
        self._notice_oversleeping(now)
        for instance in self._instances.values():
            if instance.state is not State.MASTER:
                continue
            lost = tuple(
                a
                for a in placed(instance.plan)
                if a.track and a.device == device and a.address.ip == address
            )
            if lost:
                instance.losses += 1
                instance.restore(lost, now)
                self._log(
                    Urgency.WARNING,
                    f"{instance.plan.name}: somebody deleted {address} from {device}; put back",
                )
        return self._settle(now)

    def handle_script(self, name: str, passed: bool, now: Instant) -> list[Effect]:
        """One run of a `vrrp_script` has ended; one that took too long has not passed."""
        self._notice_oversleeping(now)
        if self._tracking.script(name, passed):
            outcome = "succeeds" if passed else "fails"
            self._log(Urgency.INFO, f"script {name} {outcome} now")
        return self._settle(now)

    def handle_process(self, name: str, running: bool, now: Instant) -> list[Effect]:
        """Whether a `vrrp_track_process` has its quorum."""
        self._notice_oversleeping(now)
        self._tracking.process(name, running)
        return self._settle(now)

    def handle_file(self, name: str, value: int, now: Instant) -> list[Effect]:
        """The number that a `track_file` holds."""
        self._notice_oversleeping(now)
        self._tracking.file(name, value)
        return self._settle(now)

    def handle_proxy(self, alive: bool, reason: str, now: Instant) -> list[Effect]:
        """Whether this node's proxy serves; `reason` for people, as in "it was killed"."""
        self._notice_oversleeping(now)
        self._tracking.proxy(alive, reason)
        return _adverts_first(self._settle(now))

    def handle_backends(self, servers_up: Mapping[str, int], now: Instant) -> list[Effect]:
        """How many servers are up in each backend that is known; one that lacks has none."""
        self._notice_oversleeping(now)
        self._tracking.backends(servers_up)
        return self._settle(now)

    def handle_wall_clock(self, wall: Seconds, now: Instant) -> None:
        """Unix time at `now`. Signed adverts carry it; tell it at each wake-up, before the rest."""
        self._wall_ahead = wall - now
        for instance in self._instances.values():
            instance.wall_ahead = self._wall_ahead

    def handle_timeout(self, now: Instant) -> list[Effect]:
        """Let the timers that are due run out, in the order of their deadlines."""
        self._notice_oversleeping(now)
        if self._opens_at is not None and self._opens_at <= now:
            self._opens_at = None
            self._tracking.changed = True
        for instance in self._instances.values():
            while (due := instance.timers.take_due(now)) is not None:
                self._lateness.note(now - due[1])
                self._time_out(instance, *due, now)
        return self._settle(now)

    # Commands.

    def reload(self, plan: RouterPlan, now: Instant) -> list[Effect]:
        """Live by `plan` from now on; what is the same in both goes on undisturbed."""
        self._plan = plan
        self._tracking.replan(plan)
        wanted = {_key(p): p for p in plan.instances}
        for key in [k for k in self._instances if k not in wanted]:
            self._instances.pop(key).fire(Event.STOP, now, "not in the configuration any more")
        # An address may move from one instance to another: all go before any comes.
        wires = {key: self._wire(p) for key, p in wanted.items()}
        for key, instance in self._instances.items():
            instance.withdraw(wires[key])
        known = {key: (i, i.wire) for key, i in self._instances.items()}
        self._instances = {}
        for key, wire in wires.items():
            if key in known:
                self._instances[key] = known[key][0]
                self._instances[key].rewire(wire)
            else:
                self._instances[key] = Instance(wire, self._out)
        self._index()
        for instance, old_wire in known.values():
            instance.replan(old_wire, self._ranking(instance)[0], now)
        for instance in self._instances.values():
            instance.wall_ahead = self._wall_ahead
            instance.fire(Event.START, now, "new in the configuration")
        return self._settle(now)

    def stop(self, now: Instant) -> list[Effect]:
        """Leave in good order: priority 0 first, then the addresses."""
        self._stopped = True
        self._opens_at = None
        for instance in self._instances.values():
            instance.fire(Event.STOP, now, "stopped")
        return _adverts_first(self._settle(now))

    # Inside.

    def _hear(self, instance: Instance, received: Received, now: Instant) -> None:
        if instance.state not in (State.BACKUP, State.MASTER):
            return
        admission = instance.admit(received, now)
        for notice in admission.notices:
            self._notice(instance, notice, now)
        if admission.fault is not None:
            instance.counters.fault(admission.fault)
        if admission.advert is None:
            return
        instance.counters.received(admission.advert.priority)
        was_master = instance.state is State.MASTER
        group = self._group_of(instance)
        ties = group is None or group.decides_ties(instance, now)
        event = instance.handle_advert(admission.advert, received.source, now, decides_ties=ties)
        inferior = event in (Event.INFERIOR, Event.INFERIOR_UNANSWERED)
        if was_master and inferior:
            text = f"it is master as well, with priority {admission.advert.priority}; it must yield"
            name = instance.plan.name
            notice = Notice(NoticeKind.TWO_MASTERS, name, received.source, text, harmless=True)
            self._notice(instance, notice, now)
        if group is None:
            return
        if was_master and instance.state is not State.MASTER:
            group.yield_all(instance, now)
        elif was_master and inferior:
            for member in group.others(instance):
                member.announce_again(now)

    def _time_out(self, instance: Instance, timer: Timer, due: Instant, now: Instant) -> None:
        if timer is not Timer.DOWN:
            instance.handle_timer(timer, due, now)
        elif now - due > instance.down_interval:
            # It could not even listen meanwhile; what it did not hear proves nothing.
            instance.fire(Event.OVERSLEPT, now, "")
        elif (group := self._group_of(instance)) is not None:
            group.claim(instance, now)
        else:
            instance.fire(Event.DOWN_TIMER, now, _silence(instance))

    def _notice_oversleeping(self, now: Instant) -> None:
        for instance in self._instances.values():
            if instance.oversleeps(now):
                reason = "this node did not run for longer than its peers wait; it listens first"
                self._log(Urgency.WARNING, f"{instance.plan.name}: {reason}")
                instance.fire(Event.OVERSLEPT, now, reason)
                if (group := self._group_of(instance)) is not None:
                    group.yield_all(instance, now)

    def _settle(self, now: Instant) -> list[Effect]:
        """Bring priorities, faults and readiness up to date; hand out the effects."""
        if self._tracking.changed:
            # Packets and timers, which come most often, change nothing of this.
            self._tracking.changed = False
            self._judge_all(now)
        for group in self._groups:
            state = group.take_change()
            if state is not None:
                self._out.append(GroupChanged(group.name, state))
        effects = self._out.copy()
        # The list itself is shared with the instances.
        self._out.clear()
        return effects

    def _judge_all(self, now: Instant) -> None:
        own = {key: self._judge(instance, now) for key, instance in self._instances.items()}
        for key, instance in self._instances.items():
            faults, awaited = own[key]
            group = self._group_of(instance)
            if group is not None:
                members = [own[_key(m.plan)] for m in group.members if m is not instance]
                awaited = awaited or any(waits for _faults, waits in members)
                if not faults and any(their_faults for their_faults, _waits in members):
                    faults = (f"sync group {group.name}: another member is in fault",)
            self._apply(instance, faults, awaited, grouped=group is not None, now=now)

    def _judge(self, instance: Instance, now: Instant) -> Verdict:
        ranking, everything = self._ranking(instance)
        instance.track(ranking, now)
        return judge(instance, everything, self._tracking, opened=self._opens_at is None)

    def _ranking(self, instance: Instance) -> Ranking:
        group = self._group_of(instance)
        return rank(instance.plan, None if group is None else group.plan, self._tracking)

    def _apply(
        self,
        instance: Instance,
        faults: tuple[str, ...],
        awaited: bool,
        *,
        grouped: bool,
        now: Instant,
    ) -> None:
        instance.faults = faults
        if self._stopped:
            return
        if faults:
            instance.fire(Event.FAULT, now, "; ".join(faults))
        elif instance.state in (State.INIT, State.FAULT) and not awaited:
            recovered = instance.state is State.FAULT
            owner = instance.starts_as_master and not grouped
            event = Event.READY_OWNER if owner else Event.READY
            instance.fire(event, now, "the fault is over" if recovered else "ready")
            if recovered:
                instance.announce_source()

    def _notice(self, instance: Instance, notice: Notice, now: Instant) -> None:
        if instance.notices.is_news(notice, now):
            self._out.append(Noticed(notice))

    def _log(self, urgency: Urgency, text: str) -> None:
        self._out.append(Log(urgency, text))

    def _wire(self, plan: InstancePlan) -> Wire:
        interface = self._tracking.interfaces.get(plan.interface, Interface(plan.interface))
        # Static addresses too: the nodes of a cluster often share the file that gives them.
        virtual = (a.address.ip for p in self._plan.instances for a in placed(p))
        static = (a.address.ip for a in self._plan.statics.addresses)
        strangers = frozenset((*virtual, *static))
        return Wire.of(plan, interface, strangers)

    def _index(self) -> None:
        """After a change of the plan: who listens to which VRID, who belongs to which group."""
        self._by_vrid = {}
        plans = (i.plan for i in self._instances.values())
        self._signs = any(p.authentication.kind is AuthKind.HMAC for p in plans)
        for instance in self._instances.values():
            key = (instance.plan.interface, instance.plan.vrid)
            self._by_vrid.setdefault(key, []).append(instance)
        by_name = {i.plan.name: i for i in self._instances.values()}
        self._groups = [
            Group(g, [by_name[name] for name in g.members if name in by_name])
            for g in self._plan.groups
        ]
        self._membership = {m: g for g in self._groups for m in g.members}

    def _group_of(self, instance: Instance) -> Group | None:
        return self._membership.get(instance)


def _key(plan: InstancePlan) -> _Key:
    return plan.interface, plan.vrid, family(plan)


def _devices(plan: InstancePlan) -> Iterable[str]:
    devices = [a.device for a in placed(plan) if a.device]
    return {plan.interface, *devices, *(t.interface for t in plan.track_interfaces)}


def _adverts_first(effects: list[Effect]) -> list[Effect]:
    """All farewells before anything else: no instance waits for what another one has to undo.

    For events upon which an instance speaks first and at most once in one priority.
    """
    return sorted(effects, key=lambda effect: not isinstance(effect, SendAdvert))


def _silence(instance: Instance) -> str:
    if instance.weaker is not None:
        source, priority = instance.weaker
        return f"{source} has priority {priority}, this node has {instance.priority}"
    if instance.master is None:
        return "no master was heard"
    if instance.master_left:
        return f"{instance.master} has left"
    return f"{instance.master} has fallen silent"
