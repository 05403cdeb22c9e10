"""Routes and rules as Keepalived 2.2.7 writes them in its dumps.

The order and the words were compared with a real dump (`tests/standin/test_dumps.py`). What was
not compared, IPv6, several ways of one route or rarer words, is written as it stands in the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from telamon.plan.route_words import (
    MAIN_TABLE,
    ROUTE_KINDS,
    RULE_ACTIONS,
    Route,
    Rule,
    WordsError,
    read_route,
    read_rule,
)
from telamon.plan.router import RoutePlan, RulePlan

_PROTOCOL = 18
"""RTPROT_KEEPALIVED: what is tracked is marked with it, so that its loss can be told."""

_KINDS = {number: name for name, number in ROUTE_KINDS.items()}
_UNICAST = ROUTE_KINDS["unicast"]
_MTU = 2
_COMPARED_RULES = frozenset({"from", "to", "table", "lookup", "preference", "pref", "priority",
                             "order", "fwmark", "iif", "dev"})  # fmt: skip


def route_line(entry: RoutePlan) -> str:
    try:
        route = read_route(entry.arguments, entry.family)
    except WordsError:
        return " ".join(entry.arguments)
    if not _is_compared(route):
        return " ".join(entry.arguments)
    group = [f"track_group {entry.track_group}"] if entry.track_group else []
    return " ".join((*_route_words(route, entry.track), *group))


def rule_line(entry: RulePlan) -> str:
    try:
        rule = read_rule(entry.arguments, entry.family)
    except WordsError:
        return " ".join(entry.arguments)
    known = rule.action == RULE_ACTIONS["table"] and set(entry.arguments[::2]) <= _COMPARED_RULES
    compared = known and entry.family == 4
    return " ".join(_rule_words(rule, entry.track) if compared else entry.arguments)


def _is_compared(route: Route) -> bool:
    plain = not (route.hops or route.hop.onlink or route.origin or route.tos or route.expires)
    return (
        plain
        and route.family == 4
        and all(metric.number == _MTU and not metric.locked for metric in route.metrics)
    )


def _route_words(route: Route, track: bool) -> Iterator[str]:
    if route.kind == _UNICAST:
        yield "prepend"
    else:
        yield f"add {_KINDS[route.kind]}"
    yield "0.0.0.0/0" if route.destination is None else str(route.destination)
    if route.source is not None:
        yield f"src {route.source}"
    if route.hop.gateway is not None:
        yield f"via inet {route.hop.gateway}"
    if route.hop.device is not None:
        yield f"dev {route.hop.device}"
    if route.table != MAIN_TABLE:
        yield f"table {route.table}"
    if track:
        yield f"proto {_PROTOCOL if route.protocol is None else route.protocol}"
    if route.scope is not None:
        yield f"scope {route.scope}"
    if route.priority is not None:
        yield f"metric {route.priority}"
    yield from (f"mtu {metric.value}" for metric in route.metrics)
    # A route that needs no interface cannot be lost with one.
    if not track or route.hop.device is None:
        yield "no_track"


def _rule_words(rule: Rule, track: bool) -> Iterator[str]:
    yield f"from {'all' if rule.origin is None else rule.origin}"
    if rule.destination is not None:
        yield f"to {rule.destination}"
    yield f"priority {rule.priority}"
    yield f"tos {rule.tos:#x}"
    if rule.mark is not None:
        yield f"fwmark {rule.mark[0]:#x}"
    if rule.incoming is not None:
        yield f"iif {rule.incoming}"
    if track:
        yield f"protocol {_PROTOCOL}"
    yield f"lookup {rule.table}"
    if not track:
        yield "no_track"
