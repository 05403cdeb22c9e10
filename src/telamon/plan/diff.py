"""What a reload changes in the router, instance by instance.

The runtime carries out only what changed: an instance whose plan is equal is not touched, so
its VIP does not move.
"""

from __future__ import annotations

import dataclasses

from telamon.base.address import IPInterface
from telamon.base.frozen import frozen
from telamon.plan.router import InstancePlan, RouterPlan, VirtualAddress

_LABELS = frozenset({"source_line"})
"""Where a thing stands in the file is no change of the thing."""

_IDENTITY = frozenset({"interface", "vrid", "version"})
"""Another value here is another virtual router: the old one is left, a new one is joined."""


@frozen
class InstanceChange:
    """An instance that is in both plans, and the fields that differ."""

    old: InstancePlan
    new: InstancePlan
    fields: tuple[str, ...]

    @property
    def replaces(self) -> bool:
        """True if the instance must leave and join anew (other interface, VRID or family)."""
        return bool(_IDENTITY & set(self.fields)) or _family(self.old) != _family(self.new)

    @property
    def added_addresses(self) -> tuple[IPInterface, ...]:
        return _minus(self.new, self.old)

    @property
    def removed_addresses(self) -> tuple[IPInterface, ...]:
        return _minus(self.old, self.new)


@frozen
class RouterDiff:
    """`renamed` pairs an old name with a new one where nothing else changed."""

    added: tuple[InstancePlan, ...] = ()
    removed: tuple[InstancePlan, ...] = ()
    changed: tuple[InstanceChange, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    scripts_changed: bool = False
    others_changed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == RouterDiff()

    @property
    def lost_addresses(self) -> tuple[IPInterface, ...]:
        """VIPs that no instance will own any more."""
        lost = [a.address for plan in self.removed for a in _all(plan)]
        lost += [address for change in self.changed for address in change.removed_addresses]
        kept = {a.address for plan in self.added for a in _all(plan)}
        kept |= {a.address for change in self.changed for a in _all(change.new)}
        return tuple(address for address in lost if address not in kept)


def diff_router(old: RouterPlan, new: RouterPlan) -> RouterDiff:
    """What must be done to go from `old` to `new`. Instances are the same if names are."""
    before = {plan.name: plan for plan in old.instances}
    after = {plan.name: plan for plan in new.instances}
    added = [plan for name, plan in after.items() if name not in before]
    removed = [plan for name, plan in before.items() if name not in after]
    renamed = _take_renamed(added, removed)
    changed = []
    for name in before.keys() & after.keys():
        fields = _differing(before[name], after[name])
        if fields:
            changed.append(InstanceChange(before[name], after[name], fields))
    order = {name: index for index, name in enumerate(after)}
    changed.sort(key=lambda change: order[change.new.name])
    skipped = {"instances", "scripts", "digest"}
    others = tuple(
        field.name
        for field in dataclasses.fields(RouterPlan)
        if field.name not in skipped
        and bare(getattr(old, field.name)) != bare(getattr(new, field.name))
    )
    return RouterDiff(
        tuple(added),
        tuple(removed),
        tuple(changed),
        renamed,
        bare(old.scripts) != bare(new.scripts),
        others,
    )


def _take_renamed(
    added: list[InstancePlan], removed: list[InstancePlan]
) -> tuple[tuple[str, str], ...]:
    """Pairs that differ by name only; they leave both lists."""
    pairs = []
    for new in tuple(added):
        for old in tuple(removed):
            if bare(dataclasses.replace(old, name=new.name)) == bare(new):
                pairs.append((old.name, new.name))
                added.remove(new)
                removed.remove(old)
                break
    return tuple(pairs)


def _differing(old: InstancePlan, new: InstancePlan) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in dataclasses.fields(InstancePlan)
        if field.name not in _LABELS
        and bare(getattr(old, field.name)) != bare(getattr(new, field.name))
    )


def bare(value: object) -> object:
    """`value` with every `source_line` taken out, fit for comparison."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (
            type(value).__name__,
            *(
                bare(getattr(value, field.name))
                for field in dataclasses.fields(value)
                if field.name not in _LABELS
            ),
        )
    if isinstance(value, (tuple, list)):
        return tuple(bare(item) for item in value)
    return value


def _all(plan: InstancePlan) -> tuple[VirtualAddress, ...]:
    return (*plan.addresses, *plan.excluded_addresses)


def _minus(left: InstancePlan, right: InstancePlan) -> tuple[IPInterface, ...]:
    other = {item.address for item in (*right.addresses, *right.excluded_addresses)}
    return tuple(
        item.address
        for item in (*left.addresses, *left.excluded_addresses)
        if item.address not in other
    )


def _family(plan: InstancePlan) -> int:
    return plan.addresses[0].address.version if plan.addresses else 4
