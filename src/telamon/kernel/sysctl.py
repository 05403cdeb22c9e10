"""Kernel settings under /proc/sys. A name is given in parts, since interfaces hold dots."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/proc/sys")


def read(*name: str) -> str | None:
    """The value of `net.ipv6.conf.eth0.forwarding`, given as its parts; None if it is not there."""
    try:
        return _ROOT.joinpath(*name).read_text().strip()
    except OSError:
        return None


def write(value: str, *name: str) -> None:
    """Set it. OSError if it is not there or may not be written (a container's read-only /proc)."""
    _ROOT.joinpath(*name).write_text(value)


def ipv6_forwarding(interface: str) -> bool:
    """Does this host route IPv6 that comes in by `interface`?"""
    return read("net", "ipv6", "conf", interface, "forwarding") == "1"
