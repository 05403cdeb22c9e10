"""The dump's section of announcements' pauses, line by line as Keepalived 2.2.7."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from telamon.plan.router import GarpGroupPlan, RouterPlan
from telamon.runtime import keepalived_text as text
from telamon.vrrp.detail import RouterDetail


def garp_lines(detail: RouterDetail, interfaces: Iterable[str], now: float) -> Iterator[str]:
    """`interfaces`: this machine's, in the order of their numbers. `now`: since the epoch."""
    places = {name: place for place, name in enumerate(interfaces)}
    for number, group in _numbered(detail.plan):
        yield f"------< GARP delay group {number} >------"
        if group.interval is not None:
            yield f" GARP interval = {group.interval:g}"
            yield f" GARP next time {_next(detail, group, 4, now)}"
        if group.na_interval is not None:
            yield f" GNA interval = {group.na_interval:g}"
            yield f" GNA next time {_next(detail, group, 6, now)}"
        yield " Interfaces"
        for name in sorted(group.interfaces, key=lambda name: places.get(name, len(places))):
            yield f"  {name}"


def pause_lines(plan: RouterPlan, interface: str) -> Iterator[str]:
    """What the section of interfaces says about the one."""
    for number, group in _numbered(plan):
        if interface not in group.interfaces:
            continue
        if group.interval is not None:
            yield f"Gratuitous ARP interval {group.interval * 1000:.0f}ms"
        if group.na_interval is not None:
            yield f"Gratuitous NA interval {group.na_interval * 1000:.0f}ms"
        if number:
            yield f"Gratuitous ARP aggregation group {number}"
        return


def _numbered(plan: RouterPlan) -> Iterator[tuple[int, GarpGroupPlan]]:
    """Groups of one interface have no number there."""
    number = 0
    for group in plan.garp_groups:
        shared = len(group.interfaces) > 1
        number += shared
        yield (number if shared else 0), group


def _next(detail: RouterDetail, group: GarpGroupPlan, family: int, now: float) -> str:
    """When the next one may be sent at the earliest."""
    waits = [
        i.announces_in
        for i in detail.instances
        if i.plan.interface in group.interfaces and i.family == family
    ]
    last = max((wait for wait in waits if wait is not None), default=None)
    return text.moment(0.0 if last is None else now + last, year=False)
