"""The gratuitous ARP schedule: Keepalived's defaults, `global_defs`, the instance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from telamon.keepalived.model import Configuration, Garp, GarpGroup, GlobalDefs
from telamon.plan.router import GarpGroupPlan, GarpPlan


def merge_garp(
    general: GlobalDefs, own: Garp, groups: Sequence[GarpGroup] = (), interface: str = ""
) -> GarpPlan:
    """What the instance says, else `global_defs`, else the defaults (keepalived.conf(5)).

    `vrrp_min_garp` changes only the defaults: one packet, no second burst. The lower-priority
    figures default to those of `global_defs` for becoming master. A `garp_group` that names the
    interface goes before `vrrp_garp_interval`.
    """

    def pick(field: str, default: float) -> float:
        for node in (own, general):
            value = getattr(node, field)
            if value is not None:
                return float(value)
        return float(default)

    pauses: GarpGroup | GlobalDefs = general
    for group in groups:
        if any(item.value == interface for item in group.interfaces):
            pauses = group
    least_repeat, least_delay = (1, 0) if general.min_garp else (5, 5)
    common_repeat, common_delay = general.garp_master_repeat, general.garp_master_delay
    return GarpPlan(
        repeat=int(pick("garp_master_repeat", least_repeat)),
        delay=pick("garp_master_delay", least_delay),
        refresh=pick("garp_master_refresh", 0),
        refresh_repeat=int(pick("garp_master_refresh_repeat", 1)),
        lower_priority_repeat=int(
            pick("garp_lower_prio_repeat", least_repeat if common_repeat is None else common_repeat)
        ),
        lower_priority_delay=pick(
            "garp_lower_prio_delay", least_delay if common_delay is None else common_delay
        ),
        interval=pauses.garp_interval or 0.0,
        na_interval=pauses.gna_interval or 0.0,
        extra_interfaces_every=pick("garp_extra_if", 0),
        extra_on_all=own.garp_extra_if_all or general.garp_extra_if_all,
    )


def lower_garp_groups(
    configuration: Configuration, interfaces: Iterable[str]
) -> tuple[GarpGroupPlan, ...]:
    """The `garp_group`s, and what `vrrp_garp_interval` makes of the other `interfaces`."""
    groups = [
        GarpGroupPlan(
            tuple(item.value for item in group.interfaces), group.garp_interval, group.gna_interval
        )
        for group in configuration.garp_groups
    ]
    grouped = {name for group in groups for name in group.interfaces}
    general = configuration.globals
    if general.garp_interval is not None or general.gna_interval is not None:
        groups += [
            GarpGroupPlan((name,), general.garp_interval, general.gna_interval)
            for name in dict.fromkeys(interfaces)
            if name not in grouped
        ]
    return tuple(groups)
