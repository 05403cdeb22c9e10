"""Ports for programs that cannot bind port 0 and tell.

A port that the kernel has just given out is soon given to somebody else: to a client's connection
or to the test next door. So these ports lie below the range that the kernel takes from, and each
process of tests claims a block of them for as long as it lives. The claim is the name of an
abstract unix socket (unix(7)), which the kernel takes back with the process.
"""

from __future__ import annotations

import functools
import itertools
import os
import socket
from collections.abc import Iterator
from pathlib import Path

FIRST, SIZE = 10_000, 200
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port of 127.0.0.1, for TCP and UDP, that nobody else is given."""
    _, ports = _block(os.getpid())
    for port in itertools.islice(ports, SIZE):
        if _is_free(port):
            return port
    raise OSError(f"all {SIZE} ports of this process are taken")


@functools.cache
def _block(_process: int) -> tuple[socket.socket, Iterator[int]]:
    """The claim on a block, and its ports over and over: the one used longest ago comes first."""
    end = int(EPHEMERAL.read_text().split()[0])
    for first in range(FIRST, end - SIZE, SIZE):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0telamon-tests-{first}")
        except OSError:
            claim.close()
            continue
        return claim, itertools.cycle(range(first, first + SIZE))
    raise OSError(f"no ports between {FIRST} and {end} are left for tests")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:
                # Connections of the test before that wait for late segments are no hindrance.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True
