"""Socket addresses that cannot hold nonsense.

Three kinds, told apart by type: internet, unix, inherited descriptor. The JSON form (see
`telamon.plan.codec`) carries the kind as `kind`.
"""

from __future__ import annotations

import ipaddress

from telamon.base.frozen import frozen

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPInterface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def ip_or_none(text: str) -> IPAddress | None:
    """The address that a text is, if it is one."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@frozen
class InetAddress:
    """An IPv4 or IPv6 address and a port (0 to 65535)."""

    host: IPAddress
    port: int

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is outside 0 to 65535")

    @property
    def is_ipv6(self) -> bool:
        return self.host.version == 6

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"


@frozen
class UnixAddress:
    """A unix socket: a path, or a name of the abstract space where `abstract` is set."""

    path: str
    abstract: bool = False

    def __str__(self) -> str:
        return f"{'abns' if self.abstract else 'unix'}@{self.path}"


@frozen
class FdAddress:
    """A descriptor that the parent process hands down, already bound (HAProxy's `fd@N`)."""

    fd: int

    def __str__(self) -> str:
        return f"fd@{self.fd}"


SocketAddress = InetAddress | UnixAddress | FdAddress
