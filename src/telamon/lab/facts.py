"""What /proc tells of a node's network, read from the host. Parsers of text; pure."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

_LISTEN = "0A"


def local_addresses(fib_trie: str) -> frozenset[str]:
    """The IPv4 addresses that a network answers for, of /proc/PID/net/fib_trie.

    An address of an interface that is down is not among them.
    """
    found: set[str] = set()
    leaf = ""
    for line in fib_trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            leaf = words[1]
        elif words == ["/32", "host", "LOCAL"]:
            found.add(leaf)
    return frozenset(found)


def listening(tcp: str) -> frozenset[tuple[str, int]]:
    """The IPv4 addresses and ports on which somebody listens, of /proc/PID/net/tcp."""
    found: set[tuple[str, int]] = set()
    for line in tcp.splitlines()[1:]:
        words = line.split()
        if len(words) > 3 and words[3] == _LISTEN:
            host, port = words[1].split(":")
            # The kernel prints the address as a number in the machine's own byte order.
            found.add((str(IPv4Address(struct.pack("=I", int(host, 16)))), int(port, 16)))
    return frozenset(found)
