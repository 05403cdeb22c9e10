"""Routes and policy rules as rtnetlink messages (rtnetlink(7)): values in, bytes out.

The same head as for links and addresses (`rtnetlink.py`), a 12-byte body (`rtmsg`, and for rules
`fib_rule_hdr` of the same shape) and attributes. Numbers are in host order.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from telamon.base.address import IPInterface
from telamon.kernel.rtnetlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    PROTOCOL_KEEPALIVED,
    attribute,
    message,
)
from telamon.plan.route_words import ROUTE_KINDS, RULE_ACTIONS, Metric, NextHop, Route, Rule

RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_NEWRULE = 32
RTM_DELRULE = 33

_BODY = struct.Struct("=BBBBBBBBI")
_HOP = struct.Struct("=HBBi")

_RTNH_F_ONLINK = 4
_FIB_RULE_INVERT = 2
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_HOST, _SCOPE_NOWHERE = 0, 253, 254, 255

_RTA_DST, _RTA_SRC, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC = 1, 2, 4, 5, 6, 7
_RTA_METRICS, _RTA_MULTIPATH, _RTA_TABLE, _RTA_PREF, _RTA_EXPIRES = 8, 9, 15, 20, 23
_RTAX_LOCK = 1

_FRA_DST, _FRA_SRC, _FRA_IIFNAME, _FRA_GOTO, _FRA_PRIORITY = 1, 2, 3, 4, 6
_FRA_FWMARK, _FRA_TUN_ID, _FRA_SUPPRESS_IFGROUP, _FRA_SUPPRESS_PREFIXLEN = 10, 12, 13, 14
_FRA_TABLE, _FRA_FWMASK, _FRA_OIFNAME, _FRA_L3MDEV, _FRA_UID_RANGE = 15, 16, 17, 19, 20
_FRA_PROTOCOL, _FRA_IP_PROTO, _FRA_SPORT_RANGE, _FRA_DPORT_RANGE = 21, 22, 23, 24

IndexOf = Callable[[str], int]
"""An interface's index by its name. KeyError if there is no such interface."""


def add_route_request(route: Route, index_of: IndexOf, sequence: int) -> bytes:
    """Add it, before others to the same destination; the very same one gives EEXIST."""
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE
    return message(RTM_NEWROUTE, flags, sequence, _route(route, index_of))


def remove_route_request(route: Route, index_of: IndexOf, sequence: int) -> bytes:
    """Remove it; one that is not there gives ESRCH."""
    return message(RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK, sequence, _route(route, index_of))


def add_rule_request(rule: Rule, sequence: int) -> bytes:
    """Add it; one that is there gives EEXIST."""
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
    return message(RTM_NEWRULE, flags, sequence, _rule(rule))


def remove_rule_request(rule: Rule, sequence: int) -> bytes:
    """Remove it; one that is not there gives ENOENT."""
    return message(RTM_DELRULE, NLM_F_REQUEST | NLM_F_ACK, sequence, _rule(rule))


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _length(prefix: IPInterface | None) -> int:
    return 0 if prefix is None else prefix.network.prefixlen


def _u32(kind: int, value: int | None) -> bytes:
    return b"" if value is None else attribute(kind, struct.pack("=I", value))


def _u8(kind: int, value: int | None) -> bytes:
    return b"" if value is None else attribute(kind, bytes([value]))


def _packed(kind: int, prefix: IPInterface | None) -> bytes:
    return b"" if prefix is None else attribute(kind, prefix.ip.packed)


def _name(kind: int, name: str | None) -> bytes:
    return b"" if name is None else attribute(kind, name.encode() + b"\0")


def _ports(kind: int, ports: tuple[int, int] | None) -> bytes:
    return b"" if ports is None else attribute(kind, struct.pack("=HH", *ports))


def _route(route: Route, index_of: IndexOf) -> bytes:
    protocol = PROTOCOL_KEEPALIVED if route.protocol is None else route.protocol
    head = _BODY.pack(
        _family(route.family), _length(route.destination), _length(route.origin), route.tos,
        route.table if route.table < 256 else 0, protocol, _scope(route), route.kind,
        _RTNH_F_ONLINK if route.hop.onlink else 0,
    )  # fmt: skip
    parts = [
        head,
        _packed(_RTA_DST, route.destination),
        _packed(_RTA_SRC, route.origin),
        _u32(_RTA_TABLE, route.table),
        b"" if route.source is None else attribute(_RTA_PREFSRC, route.source.packed),
        _u32(_RTA_PRIORITY, route.priority),
        _u8(_RTA_PREF, route.preference),
        _u32(_RTA_EXPIRES, route.expires),
    ]
    if route.hop.gateway is not None:
        parts.append(attribute(_RTA_GATEWAY, route.hop.gateway.packed))
    if route.hop.device is not None:
        parts.append(_u32(_RTA_OIF, index_of(route.hop.device)))
    if route.hops:
        ways = b"".join(_way(hop, index_of) for hop in route.hops)
        parts.append(attribute(_RTA_MULTIPATH, ways))
    if route.metrics:
        parts.append(attribute(_RTA_METRICS, _metrics(route.metrics)))
    return b"".join(parts)


def _scope(route: Route) -> int:
    """What `ip route` implies where nothing is said."""
    if route.scope is not None:
        return route.scope
    if route.family == 6:
        return _SCOPE_UNIVERSE
    if route.kind == ROUTE_KINDS["local"]:
        return _SCOPE_HOST
    if route.kind in (ROUTE_KINDS["broadcast"], ROUTE_KINDS["multicast"]):
        return _SCOPE_LINK
    direct = route.kind == ROUTE_KINDS["unicast"] and not route.hops and not route.hop.gateway
    return _SCOPE_LINK if direct else _SCOPE_UNIVERSE


def _way(hop: NextHop, index_of: IndexOf) -> bytes:
    gateway = b"" if hop.gateway is None else attribute(_RTA_GATEWAY, hop.gateway.packed)
    index = 0 if hop.device is None else index_of(hop.device)
    flags = _RTNH_F_ONLINK if hop.onlink else 0
    return _HOP.pack(_HOP.size + len(gateway), flags, hop.weight - 1, index) + gateway


def _metrics(metrics: tuple[Metric, ...]) -> bytes:
    locked = sum(1 << metric.number for metric in metrics if metric.locked)
    parts = [_u32(_RTAX_LOCK, locked)] if locked else []
    for metric in metrics:
        if isinstance(metric.value, str):
            parts.append(_name(metric.number, metric.value))
        else:
            parts.append(_u32(metric.number, metric.value))
    return b"".join(parts)


def _rule(rule: Rule) -> bytes:
    table = rule.table or 0
    head = _BODY.pack(
        _family(rule.family), _length(rule.destination), _length(rule.origin), rule.tos,
        table if table < 256 else 0, 0, 0, rule.action,
        _FIB_RULE_INVERT if rule.inverted else 0,
    )  # fmt: skip
    protocol = PROTOCOL_KEEPALIVED if rule.protocol is None else rule.protocol
    parts = [
        head,
        _packed(_FRA_DST, rule.destination),
        _packed(_FRA_SRC, rule.origin),
        _u32(_FRA_PRIORITY, rule.priority),
        _u32(_FRA_TABLE, rule.table),
        _name(_FRA_IIFNAME, rule.incoming),
        _name(_FRA_OIFNAME, rule.outgoing),
        _u32(_FRA_SUPPRESS_PREFIXLEN, rule.suppress_prefix),
        _u32(_FRA_SUPPRESS_IFGROUP, rule.suppress_group),
        _u8(_FRA_PROTOCOL, protocol),
        _u8(_FRA_IP_PROTO, rule.ip_protocol),
        _ports(_FRA_SPORT_RANGE, rule.source_ports),
        _ports(_FRA_DPORT_RANGE, rule.destination_ports),
    ]
    if rule.action == RULE_ACTIONS["goto"]:
        parts.append(_u32(_FRA_GOTO, rule.target))
    if rule.mark is not None:
        parts += [_u32(_FRA_FWMARK, rule.mark[0]), _u32(_FRA_FWMASK, rule.mark[1])]
    if rule.users is not None:
        parts.append(attribute(_FRA_UID_RANGE, struct.pack("=II", *rule.users)))
    if rule.tunnel is not None:
        parts.append(attribute(_FRA_TUN_ID, struct.pack("!Q", rule.tunnel)))
    if rule.l3mdev:
        parts.append(_u8(_FRA_L3MDEV, 1))
    return b"".join(parts)
