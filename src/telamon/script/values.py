"""What goes between rules and Python functions: HAProxy's sample types as Python's own."""

from __future__ import annotations

import ipaddress
import types
import typing

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
