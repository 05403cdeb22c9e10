"""What goes between rules and Python functions: HAProxy's sample types as Python's own."""

from __future__ import annotations

import ipaddress
import re
import types
import typing
from collections.abc import Callable

Value = bool | int | str | bytes | ipaddress.IPv4Address | ipaddress.IPv6Address
"""A sample. Text is UTF-8; bytes that are not come as `bytes`."""

SAMPLE_TYPES: dict[type, str] = {
    bool: "bool",
    int: "sint",
    str: "str",
    bytes: "bin",
    ipaddress.IPv4Address: "ipv4",
    ipaddress.IPv6Address: "ipv6",
}
"""The sample type (manual 7.3) of each Python type."""


def sample_type(annotation: object) -> str | None:
    """The sample type that a function's annotation promises; `X | None` counts as X.

    None if it names no type of a sample; "str" if there is no annotation, since every sample can
    be seen as text.
    """
    if annotation is None or annotation is typing.Any:
        return "str"
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [part for part in typing.get_args(annotation) if part is not type(None)]
        annotation = members[0] if len(members) == 1 else None
    return next((name for kind, name in SAMPLE_TYPES.items() if kind is annotation), None)


def cast(value: Value, wanted: str) -> Value | None:
    """`value` as a sample of the type `wanted` (manual 7.3); None if it has no such form."""
    if wanted == "any" or SAMPLE_TYPES[type(value)] == wanted:
        return value
    try:
        return _CASTS[wanted](value)
    except ValueError:
        return None


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return value.hex().upper()
    return str(int(value)) if isinstance(value, bool) else str(value)


def _number(value: Value) -> int:
    if isinstance(value, str):
        # As far as there are digits.
        found = re.match(r"[+-]?[0-9]+", value)
        value = found[0] if found else ""
    return int(value)


def _binary(value: Value) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, int):
        return value.to_bytes(8, "big", signed=True)
    return value if isinstance(value, bytes) else value.packed


_CASTS: dict[str, Callable[[Value], Value]] = {
    "bool": lambda value: bool(_number(value)),
    "sint": _number,
    "str": _text,
    "bin": _binary,
    "ipv4": lambda value: ipaddress.IPv4Address(_text(value)),
    "ipv6": lambda value: ipaddress.IPv6Address(_text(value)),
}
