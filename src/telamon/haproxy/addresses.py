"""Address words of haproxy.cfg (manual 11 in 3.x, "Address formats").

    [family@]host:port[-port]   family: ipv4, ipv6, tcp, tcp4, tcp6, udp, udp4, udp6
    /path  unix@path  uxst@path  uxdg@path  abns@name  fd@number

The host may be empty or `*` (any address), an IPv6 address with or without brackets, or a name,
which the system resolves once, when the file is read, as HAProxy does (`init-addr libc`).
"""

from __future__ import annotations

import functools
import ipaddress
import socket

from telamon.base.address import FdAddress, InetAddress, IPAddress, SocketAddress, UnixAddress
from telamon.base.frozen import frozen

_INET = {
    "ipv4": 4, "tcp4": 4, "udp4": 4, "ipv6": 6, "tcp6": 6, "udp6": 6, "tcp": None, "udp": None,
}  # fmt: skip
_UNIX = ("unix", "uxst", "uxdg")
NOT_YET = frozenset(
    "abnsz mptcp mptcp4 mptcp6 quic4 quic6 rhttp ring sockpair stcp stcp4 stcp6".split()
)
UNIX_PATH_MAX = 107
"""Bytes of `sun_path` without its closing zero (unix(7))."""


UNRESOLVED = "H053"
"""The code of a name that the system does not know."""


class AddressError(ValueError):
    """`str()` says what is wrong, `code` is the diagnostic's code, `help` what to write."""

    def __init__(self, message: str, *, code: str = "H050", help: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.help = help


@frozen
class PortRange:
    """First and last port of an address word."""

    first: int
    last: int


def parse_addresses(text: str) -> list[SocketAddress]:
    """The addresses of a `bind` or `stats socket` word: a list with commas, with port ranges."""
    found: list[SocketAddress] = []
    for item in text.split(","):
        _refuse_datagrams(item)
        if not item:
            raise AddressError("an address is missing beside the comma")
        if (plain := _without_host(item)) is not None:
            found.append(plain)
            continue
        host, ports = _inet(item, default_port=None)
        if ports.first == 0:
            raise AddressError("port 0 cannot be listened on", code="H051")
        found.extend(InetAddress(host, port) for port in range(ports.first, ports.last + 1))
    return found


def parse_server(text: str) -> SocketAddress:
    """A server's address. A missing port is 0, which HAProxy takes for the client's own."""
    _refuse_datagrams(text)
    if text.startswith("fd@"):
        raise AddressError("a server cannot be a descriptor")
    if ":+" in text or ":-" in text:
        raise AddressError(
            "ports relative to the client's are known to HAProxy, not yet to Telamon", code="H034"
        )
    return parse_address(text, default_port=0)


def _refuse_datagrams(text: str) -> None:
    if text.startswith(("udp@", "udp4@", "udp6@", "uxdg@")):
        raise AddressError("datagrams are not possible here: connections are needed")


def parse_address(text: str, *, default_port: int | None = None) -> SocketAddress:
    """One address without a range. `default_port` None: one is needed."""
    if (plain := _without_host(text)) is not None:
        return plain
    host, ports = _inet(text, default_port)
    if ports.first != ports.last:
        raise AddressError("a port range is not possible here", code="H052")
    return InetAddress(host, ports.first)


def _without_host(text: str) -> SocketAddress | None:
    """The address if it is a path or a descriptor, else None."""
    family, at, rest = text.partition("@")
    if text.startswith("/"):
        return _unix(text)
    if not at:
        return None
    if family in _UNIX:
        return _unix(rest)
    if family == "abns":
        if not rest or len(rest.encode()) > UNIX_PATH_MAX:
            raise AddressError(f"an abstract name has 1 to {UNIX_PATH_MAX} bytes")
        return UnixAddress(rest, abstract=True)
    if family == "fd":
        if not rest.isascii() or not rest.isdigit() or len(rest) > 9:
            raise AddressError(
                f"'{rest}' is not a descriptor's number", help='write fd@3 or "fd@${NAME}"'
            )
        return FdAddress(int(rest))
    if family in NOT_YET:
        raise AddressError(f"'{family}@' is known to HAProxy, not yet to Telamon", code="H034")
    if family not in _INET:
        raise AddressError(
            f"'{family}@' is not a kind of address",
            help=f"known are {', '.join(sorted((*_INET, *_UNIX, 'abns', 'fd')))}",
        )
    return None


def _unix(path: str) -> UnixAddress:
    if not path:
        raise AddressError("the path of the socket is missing")
    if len(path.encode()) > UNIX_PATH_MAX:
        raise AddressError(f"a socket's path has at most {UNIX_PATH_MAX} bytes")
    return UnixAddress(path)


def _inet(text: str, default_port: int | None) -> tuple[IPAddress, PortRange]:
    family, at, rest = text.partition("@")
    version = _INET[family] if at else None
    host, ports = _split_port(rest if at else text, default_port)
    return _resolve(host, version), ports


def _split_port(text: str, default_port: int | None) -> tuple[str, PortRange]:
    """Host and ports; the last colon outside brackets divides them."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise AddressError("the bracket around the IPv6 address is never closed")
        if rest and not rest.startswith(":"):
            raise AddressError(f"'{rest}' cannot follow the bracket")
        port = rest[1:]
    else:
        host, colon, port = text.rpartition(":")
        if not colon:
            host, port = port, ""
    if not port:
        if default_port is None:
            raise AddressError(
                "the port is missing", code="H051", help="write address:port, as in *:8443"
            )
        return host, PortRange(default_port, default_port)
    return host, _ports(port)


def _ports(text: str) -> PortRange:
    first, dash, last = text.partition("-")
    numbers = [first, last] if dash else [first]
    for number in numbers:
        if not (number.isascii() and number.isdigit()) or int(number[:6]) > 65535:
            raise AddressError(f"'{text}' is not a port", code="H052", help="ports are 1 to 65535")
    ports = PortRange(int(first), int(numbers[-1]))
    if ports.last < ports.first:
        raise AddressError(f"the port range '{text}' runs backwards", code="H052")
    return ports


@functools.lru_cache(maxsize=4096)
def _resolve(host: str, version: int | None) -> IPAddress:
    if host in ("", "*"):
        return ipaddress.ip_address("::" if version == 6 else "0.0.0.0")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _look_up(host, version)
    if version is not None and address.version != version:
        raise AddressError(f"'{host}' is not an IPv{version} address")
    return address


def _look_up(host: str, version: int | None) -> IPAddress:
    """The first address that the system knows for a name."""
    if host.replace(".", "").isdigit():
        raise AddressError(f"'{host}' is not an IPv4 address")
    family = {4: socket.AF_INET, 6: socket.AF_INET6, None: socket.AF_UNSPEC}[version]
    try:
        answers = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(
            f"the name '{host}' cannot be resolved", code=UNRESOLVED,
            help="check the name, or write the address itself",
        ) from None  # fmt: skip
    # HAProxy takes an IPv4 address where a name has both kinds.
    answers.sort(key=lambda answer: answer[0] != socket.AF_INET)
    return ipaddress.ip_address(str(answers[0][4][0]).partition("%")[0])
