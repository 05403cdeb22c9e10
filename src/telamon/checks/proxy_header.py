"""The PROXY protocol's header of a health check: the check's own ends, or in version 2 "local"
(the protocol's text, 2.2)."""

from __future__ import annotations

import ipaddress

Name = tuple[str, int]

_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def proxy_header(version: int, source: Name | None, destination: Name | None) -> bytes:
    """Without both ends, which only internet sockets have, version 1 says "unknown"."""
    if version == 2:
        return _LOCAL
    if source is None or destination is None:
        return b"PROXY UNKNOWN\r\n"
    family = ipaddress.ip_address(source[0]).version
    text = f"PROXY TCP{family} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n"
    return text.encode()
