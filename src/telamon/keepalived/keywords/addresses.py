"""The entries of `virtual_ipaddress` and its kin, of `virtual_routes` and `virtual_rules`.

They are ip(8)'s words with few of Keepalived's own among them (keepalived.conf(5), "Static
routes/addresses/rules").
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from telamon.base.address import IPInterface, ip_or_none
from telamon.keepalived import codes
from telamon.keepalived.keywords.readers import parse_int
from telamon.keepalived.keywords.row import Reader
from telamon.keepalived.model import Placed
from telamon.keepalived.syntax import Statement, Word
from telamon.plan.route_words import WordsError, read_route, read_rule
from telamon.plan.router import RoutePlan, RulePlan, VirtualAddress

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

SCOPES = ("global", "site", "link", "host", "nowhere")
MAX_LABEL = 15
"""IFNAMSIZ less its NUL."""

_FLAGS = {
    "home": {"home": True},
    "-nodad": {"no_dad": True},
    "nodad": {"no_dad": True},
    "mngtmpaddr": {"manage_temporary": True},
    "noprefixroute": {"no_prefix_route": True},
    "autojoin": {"autojoin": True},
    "no_track": {"track": False},
    "use_vmac": {"vmac": True},
}


class _BadEntry(Exception):
    """The entry cannot be used; was reported."""


def virtual_addresses(field: str) -> Reader:
    """A block of addresses, one a line."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        entries = getattr(node, field)
        for entry in statement.entries:
            try:
                entries.append(Placed(parse_entry(reading, entry), entry))
            except _BadEntry:
                continue
        _note_place(node, field, statement)

    return read


def parse_interface(text: str) -> IPInterface | None:
    """An address with or without a prefix length (none: all bits)."""
    host, slash, length = text.partition("/")
    if ip_or_none(host) is None or (slash and not length.isdigit()):
        return None
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None


def parse_entry(reading: Reading, entry: Statement) -> VirtualAddress:
    first = entry.words[0]
    address = parse_interface(first.text) or _without_bad_prefix(reading, first)
    if address is None:
        reading.bad(
            first.span, f"'{first.text}' is not an address",
            "it is left out, as Keepalived does: write an address, with /prefix or without",
        )  # fmt: skip
        raise _BadEntry
    result = VirtualAddress(address, source_line=entry.place)
    rest = list(entry.words[1:])
    while rest:
        word = rest.pop(0)
        if word.text in _FLAGS:
            result = dataclasses.replace(result, **_FLAGS[word.text])  # type: ignore[arg-type]
            continue
        option = _OPTIONS.get(word.text)
        if option is None:
            reading.bad(
                word.span, f"unknown option '{word.text}' of the address {address.ip}",
                "it is ignored" if parse_interface(word.text) is None
                else "it is ignored: each address stands on a line of its own",
            )  # fmt: skip
            continue
        if not rest:
            reading.bad(word.span, f"'{word.text}' needs a value", "it is ignored")
            break
        result = option(reading, rest.pop(0), result)
    return result


def _without_bad_prefix(reading: Reading, word: Word) -> IPInterface | None:
    """`10.0.0.2/255.255.255.0`: Keepalived takes no netmask here and uses all bits."""
    host, slash, prefix = word.text.partition("/")
    address = parse_interface(host)
    if address is None or not slash:
        return None
    try:
        meant = f"write '{ipaddress.ip_interface(word.text)}'"
    except ValueError:
        meant = f"write a number from 0 to {address.network.prefixlen}"
    reading.report.warning(
        codes.PREFIX, f"'{prefix}' is not a prefix length", word.span,
        help=f"/{address.network.prefixlen} is used, as Keepalived does: {meant}",
    )  # fmt: skip
    return address


def _device(_reading: Reading, word: Word, into: VirtualAddress) -> VirtualAddress:
    return dataclasses.replace(into, device=word.text)


def _label(reading: Reading, word: Word, into: VirtualAddress) -> VirtualAddress:
    label = word.text
    if len(label) > MAX_LABEL:
        label = label[:MAX_LABEL]
        reading.bad(
            word.span, f"label '{word.text}' is longer than {MAX_LABEL}", f"cut to '{label}'"
        )
    return dataclasses.replace(into, label=label)


def _scope(reading: Reading, word: Word, into: VirtualAddress) -> VirtualAddress:
    number = parse_int(word.text)
    if word.text not in SCOPES and not (number is not None and 0 <= number <= 255):
        reading.bad(
            word.span, f"scope '{word.text}' is none of {', '.join(SCOPES)}", "it is ignored"
        )
        return into
    return dataclasses.replace(into, scope=word.text)


def _broadcast(reading: Reading, word: Word, into: VirtualAddress) -> VirtualAddress:
    network = into.address.network
    if word.text in ("+", "-"):
        value = network.broadcast_address if word.text == "+" else network.network_address
        return dataclasses.replace(into, broadcast=value)
    address = ip_or_none(word.text)
    if address is None or address.version != into.address.version:
        reading.bad(word.span, f"'{word.text}' is not a broadcast address", "it is ignored")
        return into
    return dataclasses.replace(into, broadcast=address)


def _peer(reading: Reading, word: Word, into: VirtualAddress) -> VirtualAddress:
    peer = parse_interface(word.text)
    if peer is None or peer.version != into.address.version:
        reading.bad(word.span, f"'{word.text}' is not a peer address", "it is ignored")
        return into
    return dataclasses.replace(into, peer=peer)


def _track_group(_reading: Reading, word: Word, into: VirtualAddress) -> VirtualAddress:
    return dataclasses.replace(into, track_group=word.text)


def _lifetime(reading: Reading, word: Word, into: VirtualAddress) -> VirtualAddress:
    forever = 0xFFFFFFFF
    value = forever if word.text == "forever" else parse_int(word.text)
    if value is None or not 0 <= value <= forever:
        reading.bad(word.span, f"preferred_lft '{word.text}' is not a time", "it is ignored")
        return into
    return dataclasses.replace(into, preferred_lifetime=value)


_OPTIONS: dict[str, Callable[[Any, Word, VirtualAddress], VirtualAddress]] = {
    "dev": _device,
    "label": _label,
    "scope": _scope,
    "brd": _broadcast,
    "broadcast": _broadcast,
    "peer": _peer,
    "track_group": _track_group,
    "preferred_lft": _lifetime,
}


def routes(field: str) -> Reader:
    """A block of routes, one a line."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        target = getattr(node, field)
        for entry in statement.entries:
            words, track, group = _own_words(entry)
            plan = RoutePlan(words, _family(words), track, group, entry.place)
            if _is_good(reading, entry, read_route, plan):
                _tell_untracked(reading, entry, plan)
                target.append(Placed(plan, entry))
        _note_place(node, field, statement)

    return read


def _tell_untracked(reading: Reading, entry: Statement, plan: RoutePlan) -> None:
    route = read_route(plan.arguments, plan.family)
    if plan.track and route.hop.device is None and not route.hops:
        reading.report.warning(
            codes.ADJUSTED, "a route without an interface is not lost with one", entry.whole,
            help="nothing is tracked, as under Keepalived: write 'dev NAME', or 'no_track'",
        )  # fmt: skip


def rules(field: str) -> Reader:
    """A block of policy rules, one a line."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        target = getattr(node, field)
        for entry in statement.entries:
            words, track, group = _own_words(entry)
            plan = RulePlan(words, _family(words), track, group, entry.place)
            if _is_good(reading, entry, read_rule, plan):
                target.append(Placed(plan, entry))
        _note_place(node, field, statement)

    return read


def _is_good(
    reading: Reading,
    entry: Statement,
    understand: Callable[[tuple[str, ...], int], object],
    plan: RoutePlan | RulePlan,
) -> bool:
    try:
        understand(plan.arguments, plan.family)
    except WordsError as error:
        if error.refused:
            reading.wrong(entry.whole, str(error), "set it up with ip(8) in a notify script")
        else:
            reading.bad(entry.whole, str(error), "this line is left out, as Keepalived does")
        return False
    return True


def _note_place(node: Any, field: str, statement: Statement) -> None:
    places = getattr(node, "places", None)
    if places is not None:
        places.setdefault(field, statement)


def _own_words(entry: Statement) -> tuple[tuple[str, ...], bool, str | None]:
    """ip(8)'s words, and Keepalived's own taken out of them."""
    words: list[str] = []
    track, group = True, None
    rest = [word.text for word in entry.words]
    while rest:
        word = rest.pop(0)
        if word == "no_track":
            track = False
        elif word == "track_group" and rest:
            group = rest.pop(0)
        else:
            words.append(word)
    return tuple(words), track, group


def _family(words: tuple[str, ...]) -> int:
    if "inet6" in words:
        return 6
    for word in words:
        interface = parse_interface(word)
        if interface is not None:
            return interface.version
    return 4
