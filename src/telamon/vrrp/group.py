"""Sync groups: instances that are master together or not at all.

A router with two legs is of no use with one of them. So a member whose down timer runs out only
claims mastership; when the last one has claimed, all go at once. A member that loses its election
takes the others along, and a member's fault is everybody's (see `Router`).

Equal priorities need care. On each leg the higher source address wins, and nothing says that the
same node has it on all legs. Then each node would lose on one leg and take all of its legs down,
for ever. So ties are for one leg to decide, the one with the lowest VRID, which is the same on all
nodes; on the other legs an equal rival is answered as a weaker one while the deciding leg hears a
rival too, or may hear one soon (for one down interval after becoming master). If it stays silent
there, the legs are on LANs that are split differently, and each leg decides for itself.
"""

from __future__ import annotations

from telamon.plan.router import SyncGroupPlan
from telamon.vrrp.events import Instant
from telamon.vrrp.instance import Instance
from telamon.vrrp.states import Event, State


class Group:
    __slots__ = ("_state", "members", "plan")

    def __init__(self, plan: SyncGroupPlan, members: list[Instance]) -> None:
        self.plan = plan
        self.members = members
        self._state: State | None = self._common()

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def state(self) -> State | None:
        """What all members are in; None while they differ."""
        return self._common()

    def others(self, instance: Instance) -> list[Instance]:
        return [member for member in self.members if member is not instance]

    def decides_ties(self, instance: Instance, now: Instant) -> bool:
        """Whether an equal priority is settled by the addresses of this member's leg."""
        leg = min(self.members, key=lambda m: (m.plan.vrid, m.wire.family, m.plan.interface))
        if instance is leg or instance.state is not State.MASTER:
            return True
        wait = max(instance.down_interval, leg.down_interval)
        heard = leg.rival_heard
        if heard is not None and heard >= leg.since and now - heard <= wait:
            return False
        return now - instance.since > wait

    def claim(self, instance: Instance, now: Instant) -> None:
        """A member's down timer ran out."""
        instance.wants = True
        if not all(m.wants or m.state is State.MASTER for m in self.members):
            instance.fire(Event.GROUP_WAITS, now, "")
            return
        for member in self.members:
            member.fire(Event.GROUP_MASTER, now, f"all of sync group {self.name} are free")

    def yield_all(self, loser: Instance, now: Instant) -> None:
        """`loser` is not master any more."""
        for member in self.others(loser):
            member.wants = False
            reason = f"sync group {self.name}: {loser.plan.name} has yielded"
            member.fire(Event.GROUP_YIELDS, now, reason)

    def take_change(self) -> State | None:
        """The state that all members have reached since the last call, or None."""
        state = self._common()
        if state is None or state is self._state:
            return None
        self._state = state
        return state

    def _common(self) -> State | None:
        states = {member.state for member in self.members}
        return states.pop() if len(states) == 1 else None
