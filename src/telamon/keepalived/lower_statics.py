"""What goes with the VIPs or stays beside them: static addresses, routes and rules of all kinds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from telamon.base.diagnostic import Report
from telamon.keepalived import codes
from telamon.keepalived.model import Configuration, Placed
from telamon.plan.route_words import read_route, read_rule, with_priority
from telamon.plan.router import (
    InstancePlan,
    RoutePlan,
    RulePlan,
    StaticPlan,
    TrackInterface,
    VirtualAddress,
)

_FIRST_PRIORITY = 16384
"""Keepalived gives rules without a preference this one and those before it, by family."""


def lower_statics(
    configuration: Configuration, instances: list[InstancePlan], report: Report
) -> tuple[StaticPlan, list[InstancePlan]]:
    """The statics, and the instances with their rules ordered and their routes' links tracked."""
    numbers = {4: _FIRST_PRIORITY, 6: _FIRST_PRIORITY}

    def numbered(items: Iterable[Placed[RulePlan]]) -> Iterator[RulePlan]:
        for item in items:
            rule = item.value
            if read_rule(rule.arguments, rule.family).priority is None:
                number = numbers[rule.family]
                numbers[rule.family] -= 1
                report.warning(
                    codes.ADJUSTED, "the rule has no preference", item.span,
                    help=f"{number} is used, as Keepalived does: write 'preference {number}'",
                )  # fmt: skip
                rule = dataclasses.replace(rule, arguments=with_priority(rule.arguments, number))
            yield rule

    statics = StaticPlan(
        tuple(_addresses(configuration, report)),
        tuple(item.value for item in configuration.static_routes),
        tuple(numbered(configuration.static_rules)),
    )
    rules = {node.name: node.rules for node in configuration.instances}
    followed = _followed(configuration, statics)
    done = []
    for plan in instances:
        devices = dict.fromkeys((*_devices(plan.routes), *followed.get(plan.name, ())))
        tracked = {entry.interface for entry in plan.track_interfaces} | {plan.interface}
        extra = tuple(TrackInterface(name, implied=True) for name in devices if name not in tracked)
        done.append(
            dataclasses.replace(
                plan,
                rules=tuple(numbered(rules.get(plan.name, ()))),
                track_interfaces=(*plan.track_interfaces, *extra),
            )
        )
    return statics, done


def _addresses(configuration: Configuration, report: Report) -> Iterator[VirtualAddress]:
    default = configuration.globals.default_interface
    seen: set[tuple[str, str]] = set()
    for item in configuration.static_addresses:
        device = item.value.device or default
        if device is None:
            report.warning(
                codes.INCOMPLETE, f"the static address {item.value.address} has no interface",
                item.span,
                help="it is left out: write 'dev NAME', or default_interface in global_defs",
            )  # fmt: skip
            continue
        key = (str(item.value.address), device)
        if key in seen:
            report.warning(
                codes.ADJUSTED, f"{item.value.address} stands twice in static_ipaddress",
                item.span, help="one is used",
            )  # fmt: skip
            continue
        seen.add(key)
        yield dataclasses.replace(item.value, device=device)


def _devices(routes: Iterable[RoutePlan]) -> Iterator[str]:
    for route in routes:
        if route.track:
            yield from read_route(route.arguments, route.family).devices


def _followed(configuration: Configuration, statics: StaticPlan) -> dict[str, list[str]]:
    """`track_group`: by instance, the interfaces of the statics that it follows."""
    by_group: dict[str, list[str]] = {}
    for address in statics.addresses:
        if address.track_group and address.device:
            by_group.setdefault(address.track_group, []).append(address.device)
    for route in statics.routes:
        if route.track_group:
            by_group.setdefault(route.track_group, []).extend(_devices((route,)))
    found: dict[str, list[str]] = {}
    for group in configuration.track_groups:
        for member in group.members:
            found.setdefault(member.value, []).extend(by_group.get(group.name, ()))
    return found
