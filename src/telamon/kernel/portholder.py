"""Who listens on a port: `/proc/net/tcp` names the socket, `/proc/PID/fd` its owner."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from telamon.base.address import IPAddress

_LISTEN = "0A"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a port; pid None if it may not be looked at."""

    pid: int | None
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid else "another process"


def find_holder(host: IPAddress, port: int) -> Holder | None:
    """The process whose listening socket overlaps `host`:`port`; None if none is seen."""
    inodes = {
        inode
        for address, where, inode in _listening()
        if where == port and (address == host or address.is_unspecified or host.is_unspecified)
    }
    if not inodes:
        return None
    found = _owners(inodes)
    # Our own sockets on the port are never the reason why it cannot be had, if others exist.
    for pid in sorted(found, key=lambda pid: pid == os.getpid()):
        name = "?"
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        return Holder(pid, name)
    return Holder(None, "")


def _listening() -> Iterator[tuple[IPAddress, int, str]]:
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN:
                host, _, port = fields[1].partition(":")
                yield _address(host), int(port, 16), fields[9]


def _address(text: str) -> IPAddress:
    """The kernel prints addresses as 32-bit words in the machine's byte order."""
    words = bytes.fromhex(text)
    if sys.byteorder == "little":
        words = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    return ipaddress.ip_address(words)


_SOCKET = re.compile(r"socket:\[(\d+)\]")


def _owners(inodes: set[str]) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for fd in (entry / "fd").iterdir():
                with contextlib.suppress(OSError):
                    match = _SOCKET.match(str(fd.readlink()))
                    if match and match[1] in inodes:
                        found.add(int(entry.name))
                        break
    return found
