"""What the words of a route or rule mean (ip-route(8), ip-rule(8), keepalived.conf(5)).

The plan keeps the words as the user wrote them; `read_route` and `read_rule` say what they come
to, for the front end, which refuses what cannot be carried out, and for the router, which tells
the kernel. Every word is one row of a table: how many values it takes, and what it sets.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from telamon.base.address import IPAddress, IPInterface
from telamon.base.frozen import frozen
from telamon.base.iproute_names import protocol_number, table_number

MAIN_TABLE = 254
ROUTE_KINDS = {
    "unicast": 1, "local": 2, "broadcast": 3, "multicast": 5, "blackhole": 6, "unreachable": 7,
    "prohibit": 8, "throw": 9,
}  # fmt: skip
"""Kinds of routes and the kernel's numbers for them (RTN_...)."""

RULE_ACTIONS = {"table": 1, "goto": 2, "nop": 3, "blackhole": 6, "unreachable": 7, "prohibit": 8}
"""What a rule does and the kernel's numbers for it (FR_ACT_...)."""

SCOPES = {"global": 0, "universe": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}

_METRICS = {
    "mtu": 2, "window": 3, "rtt": 4, "rttvar": 5, "ssthresh": 6, "cwnd": 7, "advmss": 8,
    "reordering": 9, "hoplimit": 10, "initcwnd": 11, "features": 12, "rto_min": 13,
    "initrwnd": 14, "quickack": 15, "fastopen_no_cookie": 17,
}  # fmt: skip
_IN_MILLISECONDS = {"rtt": 8, "rttvar": 4, "rto_min": 1}
"""Times, and the fraction of a millisecond that the kernel counts them in."""

_CONGESTION = 16
_EVERYTHING = ("default", "all", "any")


class WordsError(ValueError):
    """A word that cannot be used. `refused`: it has a meaning, but Telamon does not do it."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


@frozen
class NextHop:
    """One way of a route. `weight` 1 to 256 counts where there are several."""

    gateway: IPAddress | None = None
    device: str | None = None
    weight: int = 1
    onlink: bool = False


@frozen
class Metric:
    """One of the numbers that a route hints to TCP and IP (RTAX_...); a text for congctl."""

    number: int
    value: int | str
    locked: bool = False


@frozen
class Route:
    """A route. `destination` None is the default route; `scope` None: what its kind implies."""

    family: int
    kind: int = ROUTE_KINDS["unicast"]
    destination: IPInterface | None = None
    origin: IPInterface | None = None
    table: int = MAIN_TABLE
    protocol: int | None = None
    scope: int | None = None
    priority: int | None = None
    tos: int = 0
    source: IPAddress | None = None
    hop: NextHop = NextHop()
    hops: tuple[NextHop, ...] = ()
    metrics: tuple[Metric, ...] = ()
    preference: int | None = None
    expires: int | None = None

    @property
    def devices(self) -> tuple[str, ...]:
        hops = self.hops or (self.hop,)
        return tuple(hop.device for hop in hops if hop.device is not None)

    @property
    def name(self) -> str:
        return "default" if self.destination is None else str(self.destination)


@frozen
class Rule:
    """A policy rule. Ranges are first and last; `mark` is value and mask."""

    family: int
    action: int = RULE_ACTIONS["table"]
    origin: IPInterface | None = None
    destination: IPInterface | None = None
    table: int | None = None
    priority: int | None = None
    target: int | None = None
    inverted: bool = False
    tos: int = 0
    mark: tuple[int, int] | None = None
    incoming: str | None = None
    outgoing: str | None = None
    users: tuple[int, int] | None = None
    ip_protocol: int | None = None
    source_ports: tuple[int, int] | None = None
    destination_ports: tuple[int, int] | None = None
    tunnel: int | None = None
    suppress_prefix: int | None = None
    suppress_group: int | None = None
    l3mdev: bool = False
    protocol: int | None = None


def read_route(words: Sequence[str], family: int) -> Route:
    """WordsError says which word is wrong."""
    reading = _Words(words)
    found: dict[str, Any] = {}
    hop: dict[str, Any] = {}
    metrics: list[Metric] = []
    hops: list[NextHop] = []
    while (word := reading.take()) is not None:
        if word in ROUTE_KINDS and "destination" not in found:
            found["kind"] = ROUTE_KINDS[word]
        elif word == "nexthop":
            hops.append(_next_hop(reading, family))
        elif word in _HOP:
            _HOP[word](reading, word, hop, family)
        elif word in _METRICS:
            metrics.append(_metric(reading, word))
        elif word == "congctl":
            locked = reading.skip("lock")
            metrics.append(Metric(_CONGESTION, reading.value(word), locked))
        elif word in _ROUTE_REFUSED:
            raise WordsError(f"'{word}' of a route is not carried out by Telamon", refused=True)
        elif word in _ROUTE:
            field, convert = _ROUTE[word]
            found[field] = convert(reading.value(word), word, family)
        elif word not in ("inet", "inet6"):
            known = word in _EVERYTHING or _prefix_or_none(word) is not None
            if "destination" in found or not known:
                raise WordsError(f"unknown word '{word}' of a route")
            found["destination"] = _prefix(word, "to", family)
    if "destination" not in found:
        raise WordsError("the route has no destination")
    if hops and hop:
        raise WordsError("a route has either 'via' and 'dev' or nexthops")
    return Route(family, **found, hop=NextHop(**hop), hops=tuple(hops), metrics=tuple(metrics))


def read_rule(words: Sequence[str], family: int) -> Rule:
    """WordsError says which word is wrong."""
    reading = _Words(words)
    found: dict[str, Any] = {}
    while (word := reading.take()) is not None:
        if word in ("blackhole", "unreachable", "prohibit", "nop"):
            found["action"] = RULE_ACTIONS[word]
        elif word == "type":
            found["action"] = _choice(reading.value(word), word, RULE_ACTIONS)
        elif word == "goto":
            found["action"] = RULE_ACTIONS[word]
            found["target"] = _unsigned(reading.value(word), word, family)
        elif word in ("not", "l3mdev"):
            found["inverted" if word == "not" else "l3mdev"] = True
        elif word in _RULE_REFUSED:
            raise WordsError(f"'{word}' of a rule is not carried out by Telamon", refused=True)
        elif word in _RULE:
            field, convert = _RULE[word]
            found[field] = convert(reading.value(word), word, family)
        elif word not in ("inet", "inet6"):
            raise WordsError(f"unknown word '{word}' of a rule")
    rule = Rule(family, **found)
    if rule.action == RULE_ACTIONS["table"] and rule.table is None and not rule.l3mdev:
        raise WordsError("the rule has no table: write 'lookup TABLE'")
    return rule


class _Words:
    def __init__(self, words: Sequence[str]) -> None:
        self._rest = list(words)

    def take(self) -> str | None:
        return self._rest.pop(0) if self._rest else None

    def value(self, word: str) -> str:
        value = self.take()
        if value is None:
            raise WordsError(f"'{word}' needs a value")
        return value

    def skip(self, word: str) -> bool:
        if self._rest and self._rest[0] == word:
            del self._rest[0]
            return True
        return False

    def peek(self) -> str | None:
        return self._rest[0] if self._rest else None


def _prefix_or_none(text: str) -> IPInterface | None:
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None


def _prefix(text: str, word: str, family: int) -> IPInterface | None:
    """None is everything: `default`, `all`, `any`."""
    if text in _EVERYTHING:
        return None
    prefix = _prefix_or_none(text)
    if prefix is None or prefix.version != family:
        raise WordsError(f"'{word} {text}' is not an IPv{family} prefix")
    if prefix.network.prefixlen == 0:
        return None
    return ipaddress.ip_interface(prefix.network)


def _address(text: str, word: str, family: int) -> IPAddress:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise WordsError(f"'{word} {text}' is not an address") from None
    if address.version != family:
        raise WordsError(f"'{word} {text}' is not an IPv{family} address")
    return address


def _number(text: str, word: str, most: int) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise WordsError(f"'{word} {text}' is not a number from 0 to {most}")
    return number


def _unsigned(text: str, word: str, _family: int) -> int:
    return _number(text, word, 0xFFFFFFFF)


def _octet(text: str, word: str, _family: int) -> int:
    return _number(text, word, 255)


def _interface(text: str, word: str, _family: int) -> str:
    if not 0 < len(text) < 16:
        raise WordsError(f"'{word} {text}' is not an interface's name")
    return text


def _table(text: str, word: str, _family: int) -> int:
    number = table_number(text)
    if not number:
        raise WordsError(f"'{word} {text}' is not a routing table (see /etc/iproute2/rt_tables)")
    return number


def _protocol(text: str, word: str, _family: int) -> int:
    number = protocol_number(text)
    if number is None:
        raise WordsError(f"'{word} {text}' is not a routing protocol (see rt_protos)")
    return number


def _choice(text: str, word: str, choices: dict[str, int]) -> int:
    if text in choices:
        return choices[text]
    raise WordsError(f"'{word} {text}' is none of {', '.join(choices)}")


def _scope(text: str, word: str, _family: int) -> int:
    return SCOPES[text] if text in SCOPES else _number(text, word, 255)


def _preference(text: str, word: str, _family: int) -> int:
    return _choice(text, word, {"low": 3, "medium": 0, "high": 1})


def _range(text: str, word: str, most: int) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    low = _number(first, word, most)
    high = _number(last, word, most) if dash else low
    if high < low:
        raise WordsError(f"'{word} {text}' is not a range")
    return low, high


def _ports(text: str, word: str, _family: int) -> tuple[int, int]:
    return _range(text, word, 0xFFFF)


def _users(text: str, word: str, _family: int) -> tuple[int, int]:
    return _range(text, word, 0xFFFFFFFF)


def _mark(text: str, word: str, _family: int) -> tuple[int, int]:
    value, slash, mask = text.partition("/")
    bits = 0xFFFFFFFF
    return _number(value, word, bits), _number(mask, word, bits) if slash else bits


_IP_PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51,
    "ipv6-icmp": 58, "icmpv6": 58, "ospf": 89, "vrrp": 112, "sctp": 132,
}  # fmt: skip


def _ip_protocol(text: str, word: str, _family: int) -> int:
    return _IP_PROTOCOLS[text] if text in _IP_PROTOCOLS else _number(text, word, 255)


def _via(reading: _Words, word: str, hop: dict[str, Any], family: int) -> None:
    text = reading.value(word)
    if text in ("inet", "inet6"):
        if (text == "inet6") != (family == 6):
            raise WordsError("a gateway of the other family is not carried out", refused=True)
        text = reading.value(word)
    hop["gateway"] = _address(text, word, family)


def _dev(reading: _Words, word: str, hop: dict[str, Any], family: int) -> None:
    hop["device"] = _interface(reading.value(word), word, family)


def _onlink(_reading: _Words, _word: str, hop: dict[str, Any], _family: int) -> None:
    hop["onlink"] = True


_HOP: dict[str, Callable[[_Words, str, dict[str, Any], int], None]] = {
    "via": _via,
    "gw": _via,
    "dev": _dev,
    "oif": _dev,
    "onlink": _onlink,
}


def _next_hop(reading: _Words, family: int) -> NextHop:
    hop: dict[str, Any] = {}
    while (word := reading.peek()) is not None and (word in _HOP or word == "weight"):
        reading.take()
        if word == "weight":
            weight = _number(reading.value(word), word, 256)
            hop["weight"] = max(1, weight)
        else:
            _HOP[word](reading, word, hop, family)
    if not hop:
        raise WordsError("'nexthop' needs 'via ADDRESS' or 'dev NAME'")
    return NextHop(**hop)


def _metric(reading: _Words, word: str) -> Metric:
    if word == "fastopen_no_cookie" and reading.peek() not in ("0", "1"):
        return Metric(_METRICS[word], 1)
    locked = reading.skip("lock")
    text = reading.value(word)
    if word == "features":
        return Metric(_METRICS[word], _choice(text, word, {"ecn": 1}), locked)
    unit = _IN_MILLISECONDS.get(word)
    if unit is None:
        return Metric(_METRICS[word], _number(text, word, 0xFFFFFFFF), locked)
    digits = text.rstrip("ms")
    try:
        value = float(digits) * (1 if text != digits and text.endswith("ms") else 1000
                                 if text.endswith("s") else 1)  # fmt: skip
    except ValueError:
        value = -1.0
    if not 0 <= value * unit <= 0xFFFFFFFF:
        raise WordsError(f"'{word} {text}' is not a time")
    return Metric(_METRICS[word], round(value * unit), locked)


_Convert = Callable[[str, str, int], Any]

_ROUTE: dict[str, tuple[str, _Convert]] = {
    "to": ("destination", _prefix),
    "from": ("origin", _prefix),
    "src": ("source", _address),
    "table": ("table", _table),
    "proto": ("protocol", _protocol),
    "protocol": ("protocol", _protocol),
    "scope": ("scope", _scope),
    "metric": ("priority", _unsigned),
    "preference": ("priority", _unsigned),
    "priority": ("priority", _unsigned),
    "tos": ("tos", _octet),
    "dsfield": ("tos", _octet),
    "pref": ("preference", _preference),
    "expires": ("expires", _unsigned),
}
_ROUTE_REFUSED = frozenset({"encap", "or", "realms", "nhid", "ttl-propagate", "as", "hops"})

_RULE: dict[str, tuple[str, _Convert]] = {
    "from": ("origin", _prefix),
    "to": ("destination", _prefix),
    "table": ("table", _table),
    "lookup": ("table", _table),
    "preference": ("priority", _unsigned),
    "pref": ("priority", _unsigned),
    "priority": ("priority", _unsigned),
    "order": ("priority", _unsigned),
    "tos": ("tos", _octet),
    "dsfield": ("tos", _octet),
    "fwmark": ("mark", _mark),
    "iif": ("incoming", _interface),
    "dev": ("incoming", _interface),
    "oif": ("outgoing", _interface),
    "uidrange": ("users", _users),
    "ipproto": ("ip_protocol", _ip_protocol),
    "sport": ("source_ports", _ports),
    "dport": ("destination_ports", _ports),
    "tun_id": ("tunnel", lambda text, word, _family: _number(text, word, (1 << 64) - 1)),
    "suppress_prefixlength": ("suppress_prefix", _unsigned),
    "sup_pref": ("suppress_prefix", _unsigned),
    "suppress_ifgroup": ("suppress_group", _unsigned),
    "sup_group": ("suppress_group", _unsigned),
    "protocol": ("protocol", _protocol),
    "proto": ("protocol", _protocol),
}
_RULE_REFUSED = frozenset({"realms", "nat", "map-to"})


def with_priority(words: tuple[str, ...], priority: int) -> tuple[str, ...]:
    """The words of a rule that has no preference, with one."""
    return (*words, "preference", str(priority))


def on_device(route: Route, device: str) -> Route:
    """The route with its one way out of `device`."""
    return dataclasses.replace(route, hop=dataclasses.replace(route.hop, device=device))
