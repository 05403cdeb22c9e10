"""Plans as JSON: the form in which they cross to the Rust engine and stand in golden files.

Enums become their values, addresses strings, bytes hex digits, tuples arrays; a union member of
`SocketAddress` becomes an object with a `kind`. Only writing is needed in Python: processes of
ours hand each other the objects themselves.
"""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import json
from typing import Any

from telamon.base.address import FdAddress, InetAddress, UnixAddress

_KINDS: dict[type, str] = {InetAddress: "inet", UnixAddress: "unix", FdAddress: "fd"}


def to_document(value: Any) -> Any:
    """`value` as plain JSON types (dict, list, str, int, float, bool, None)."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        document = {f.name: to_document(getattr(value, f.name)) for f in dataclasses.fields(value)}
        kind = _KINDS.get(type(value))
        return {"kind": kind, **document} if kind else document
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (tuple, list)):
        return [to_document(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_document(item) for key, item in value.items()}
    if isinstance(
        value,
        (
            ipaddress.IPv4Address,
            ipaddress.IPv6Address,
            ipaddress.IPv4Interface,
            ipaddress.IPv6Interface,
        ),
    ):
        return str(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """`value` as a JSON text."""
    return json.dumps(to_document(value), indent=indent, ensure_ascii=False)
