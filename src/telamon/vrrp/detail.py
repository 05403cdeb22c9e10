"""Everything about the instances at one moment, for those who dump it (`Router.details`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from telamon.base.address import IPAddress
from telamon.plan.router import InstancePlan, RouterPlan, Seconds, VirtualAddress
from telamon.vrrp.counters import Counters
from telamon.vrrp.events import Instant
from telamon.vrrp.instance import Instance
from telamon.vrrp.states import State
from telamon.vrrp.tracking import Known
from telamon.vrrp.wire import placed


@dataclass(frozen=True, slots=True)
class InstanceDetail:
    """One instance. `held`: the addresses it has put up. `age`: s since the last transition.

    `timeout`: s until its next timer. `announces_in`: s until an announcement may leave, below 0
    if one might have (None: there was none). `multicast` is None with unicast. `faults`: how many
    things forbid it to serve.
    """

    plan: InstancePlan
    state: State
    wants: bool
    group: str | None
    priority: int
    total_priority: int
    master: IPAddress | None
    master_priority: int
    master_interval: Seconds
    down_interval: Seconds
    age: Seconds
    timeout: Seconds | None
    announces_in: Seconds | None
    source: IPAddress | None
    family: int
    multicast: IPAddress | None
    held: tuple[VirtualAddress, ...]
    faults: tuple[str, ...]
    counters: Counters

    @staticmethod
    def of(instance: Instance, group: str | None, now: Instant) -> InstanceDetail:
        timeout = instance.timers.next_timeout()
        master = instance.state is State.MASTER
        announces = instance.announces_at
        return InstanceDetail(
            plan=instance.plan,
            state=instance.state,
            wants=instance.wants,
            group=group,
            priority=instance.priority,
            total_priority=instance.priority,
            master=None if master else instance.master,
            master_priority=0 if master else instance.master_priority,
            master_interval=instance.master_interval,
            down_interval=instance.down_interval,
            age=now - instance.since,
            timeout=None if timeout is None else timeout - now,
            announces_in=None if announces is None else announces - now,
            source=instance.wire.source,
            family=instance.wire.family,
            multicast=None if instance.wire.is_unicast else instance.wire.group,
            held=placed(instance.plan) if master else (),
            faults=instance.faults,
            counters=replace(instance.counters),
        )


@dataclass(frozen=True, slots=True)
class RouterDetail:
    """The whole router. `group_states`: what all members have reached, None while they differ."""

    plan: RouterPlan
    instances: tuple[InstanceDetail, ...]
    known: Known
    group_states: Mapping[str, State | None]
