"""Readers of arguments that many keywords share.

Each function makes a `Reader` that sets one field of the model's node. Values out of range are
met as Keepalived 2.2.7 meets them: a log line, and the field stays as it was (or takes the value
that the row names).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from telamon.base.address import ip_or_none
from telamon.base.span import Span
from telamon.keepalived.keywords.row import Reader
from telamon.keepalived.lexer import split_command
from telamon.keepalived.model import Command, Placed, Tracked
from telamon.keepalived.syntax import Statement, Word

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_TRUE = frozenset({"on", "true", "yes"})
_FALSE = frozenset({"off", "false", "no"})


def set_field(node: Any, field: str, value: Any, statement: Statement) -> None:
    """Set a field and remember who did."""
    setattr(node, field, value)
    node.places[field] = statement


def parse_int(text: str) -> int | None:
    """A whole number as strtol(3) takes it, base 10 only; None if it is none."""
    return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else None


def parse_seconds(text: str) -> float | None:
    """<TIMER>: seconds with fractions (resolution: microseconds); None if it is none."""
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text) is None:
        return None
    value = float(text)
    return round(value, 6) if math.isfinite(value) else None


def integer(field: str, low: int, high: int, *, instead: int | None = None) -> Reader:
    """A whole number; `instead` is set when it is out of range (None: the field stays)."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        word = statement.words[1]
        value = parse_int(word.text)
        if value is None or not low <= value <= high:
            done = "it is ignored" if instead is None else f"{instead} is used, as Keepalived does"
            what = "is not a whole number" if value is None else f"is outside {low} to {high}"
            reading.bad(word.span, f"{statement.name} '{word.text}' {what}", done)
            if instead is None:
                return
            value = instead
        set_field(node, field, value, statement)

    return read


def seconds(field: str, low: float, high: float, *, instead: float | None = None) -> Reader:
    """A <TIMER> within bounds; `instead` as in `integer`."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        word = statement.words[1]
        value = parse_seconds(word.text)
        if value is None or not low <= value <= high:
            done = (
                "it is ignored" if instead is None else f"{instead:g} is used, as Keepalived does"
            )
            what = (
                "is not a time in seconds"
                if value is None
                else f"is outside {_number(low)} to {_number(high)} seconds"
            )
            reading.bad(word.span, f"{statement.name} '{word.text}' {what}", done)
            if instead is None:
                return
            value = instead
        set_field(node, field, value, statement)

    return read


def _number(value: float) -> str:
    """Without an exponent and without zeros at the end."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def flag(field: str, value: Any = True) -> Reader:
    """A bare word."""

    def read(_reading: Reading, statement: Statement, node: Any) -> None:
        set_field(node, field, value, statement)

    return read


def boolean(field: str, *, true: Any = True, false: Any = False) -> Reader:
    """`[<BOOL>]`; the bare word means yes."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        if not statement.arguments:
            set_field(node, field, true, statement)
            return
        word = statement.arguments[0]
        if word.text in _TRUE or word.text in _FALSE:
            set_field(node, field, true if word.text in _TRUE else false, statement)
        else:
            reading.bad(
                word.span, f"{statement.name} '{word.text}' is not on or off", "it is ignored"
            )

    return read


def text(field: str) -> Reader:
    def read(reading: Reading, statement: Statement, node: Any) -> None:
        if not statement.arguments:
            reading.bad(statement.span, f"'{statement.name}' names nothing", "it is ignored")
            return
        set_field(node, field, statement.words[1].text, statement)

    return read


def address(field: str, *, multicast: bool = False, version: int | None = None) -> Reader:
    def read(reading: Reading, statement: Statement, node: Any) -> None:
        word = statement.words[1]
        value = ip_or_none(word.text)
        if value is None:
            reading.bad(
                word.span, f"{statement.name} '{word.text}' is not an address", "it is ignored"
            )
        elif multicast and not value.is_multicast:
            reading.bad(word.span, f"{value} is not a multicast address", "it is ignored")
        elif version is not None and value.version != version:
            reading.bad(word.span, f"{value} is not an IPv{version} address", "it is ignored")
        else:
            set_field(node, field, value, statement)

    return read


def command(field: str) -> Reader:
    """A script that may be quoted with its parameters, then `[user [group]]`."""

    def read(_reading: Reading, statement: Statement, node: Any) -> None:
        if statement.arguments:
            set_field(node, field, make_command(statement.arguments), statement)

    return read


def make_command(words: tuple[Word, ...]) -> Command:
    user = words[1].text if len(words) > 1 else None
    group = words[2].text.lstrip(":") or None if len(words) > 2 else None
    return Command(split_command(words[0].text), user, group)


def weight(field: str, limit: int) -> Reader:
    """`weight N [reverse]`; sets `reverse` too."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        word = statement.words[1]
        value = parse_int(word.text)
        if value is None or abs(value) > limit:
            reading.bad(
                word.span, f"weight '{word.text}' is outside -{limit} to {limit}", "it is ignored"
            )
            return
        set_field(node, field, value, statement)
        for extra in statement.words[2:]:
            if extra.text == "reverse":
                node.reverse = True
            else:
                reading.bad(extra.span, f"'{extra.text}' is not 'reverse'", "it is ignored")

    return read


def tracked(field: str, limit: int) -> Reader:
    """The entries of a `track_…` block: `NAME [weight N [reverse|noreverse]]`."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        entries = getattr(node, field)
        for entry in _entries(statement):
            value = _tracked_entry(reading, entry, limit)
            if value is not None:
                entries.append(Placed(value, entry))
        node.places.setdefault(field, statement)

    return read


def _entries(statement: Statement) -> list[Statement]:
    """The block's lines; arguments before the brace count as one line."""
    lines = [Statement(statement.arguments)] if statement.arguments else []
    return lines + statement.entries


def _tracked_entry(reading: Reading, entry: Statement, limit: int) -> Tracked | None:
    name, rest = entry.words[0].text, list(entry.words[1:])
    value: int | None = None
    reverse: bool | None = None
    while rest:
        word = rest.pop(0)
        if word.text == "weight" and not rest:
            reading.bad(word.span, f"'weight' of '{name}' needs a number", "it is ignored")
        elif word.text == "weight":
            number = rest.pop(0)
            value = parse_int(number.text)
            if value is not None and abs(value) == limit + 1 == _MOST_WEIGHT:
                value = limit if value > 0 else -limit
                reading.bad(
                    number.span, f"weight '{number.text}' is outside -{limit} to {limit}",
                    f"{value} is used, as Keepalived does",
                )  # fmt: skip
            elif value is None or abs(value) > limit:
                reading.bad(
                    number.span, f"weight '{number.text}' is outside -{limit} to {limit}",
                    f"'{name}' is not tracked, as Keepalived does",
                )  # fmt: skip
                return None
        elif word.text == "reverse":
            reverse = True
        elif word.text in ("noreverse", "no_reverse"):
            reverse = False
        else:
            reading.bad(word.span, f"unknown option '{word.text}' of '{name}'", "it is ignored")
    return Tracked(name, value, reverse)


_MOST_WEIGHT = 254
"""Files and processes may have it; Keepalived brings others back to 253."""


def names(field: str) -> Reader:
    """All words of a block, however they are put on lines."""

    def read(_reading: Reading, statement: Statement, node: Any) -> None:
        target = getattr(node, field)
        for entry in _entries(statement):
            for word in entry.words:
                target.append(Placed(word.text, Statement((word,))))
        node.places.setdefault(field, statement)

    return read


def span_of(words: tuple[Word, ...]) -> Span:
    return words[0].span.to(words[-1].span)
