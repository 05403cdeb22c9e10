"""From what is known of the machine to an instance's trackers, faults and what it must wait for."""

from __future__ import annotations

from collections.abc import Iterable

from telamon.plan.router import AuthKind, InstancePlan, SyncGroupPlan
from telamon.vrrp.instance import Instance
from telamon.vrrp.priority import Tracker
from telamon.vrrp.tracking import Tracking

Ranking = tuple[tuple[Tracker, ...], tuple[Tracker, ...]]
"""The trackers that count for the priority, and all trackers."""

Verdict = tuple[tuple[str, ...], bool]
"""An instance's own faults, and whether something must still be waited for."""


def rank(plan: InstancePlan, group: SyncGroupPlan | None, tracking: Tracking) -> Ranking:
    own = tuple(tracking.trackers(plan))
    if group is None:
        return own, own
    everything = (*own, *tracking.trackers(group))
    # A group is ranked as one: its members' weights count only if that is asked for.
    return (everything if group.tracking_weight else everything[len(own) :]), everything


def judge(
    instance: Instance, trackers: Iterable[Tracker], tracking: Tracking, *, opened: bool
) -> Verdict:
    """`opened`: the startup delay is over."""
    everything = tuple(trackers)
    faults = [t.name for t in everything if t.is_fault]
    links, unknown = tracking.links(instance.wire)
    awaited = unknown or not opened or any(t.is_awaited for t in everything)
    authentication = instance.plan.authentication
    if authentication.kind is AuthKind.HMAC and not authentication.keys:
        # Better no address than adverts without the signature that was asked for.
        faults.append("auth_hmac has no key")
    if instance.plan.track_proxy:
        fault, proxy_awaited = tracking.proxy_fault()
        awaited = awaited or proxy_awaited
        if fault is not None:
            faults.insert(0, fault)
    return (*links, *faults), awaited
