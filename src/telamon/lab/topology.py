"""The cluster of the guide: who has which address. Everything else asks here."""

from __future__ import annotations

from dataclasses import dataclass

INTERFACE = "em1"
PREFIX = 24
VIP = "192.168.10.99"
API_PORT = 6443
PROXY_PORT = 8443
STATS_PORT = 8888
STATS_PATH = "/haproxy?stats"
STATS_SOCKET = "/var/lib/haproxy/stats"
CLIENT = "client"
CLIENT_ADDRESS = "192.168.10.10"


@dataclass(frozen=True, slots=True)
class Machine:
    """One node: its name and its address on `INTERFACE`."""

    name: str
    address: str


MACHINES: tuple[Machine, ...] = (
    Machine("node1", "192.168.10.80"),
    Machine("node2", "192.168.10.81"),
    Machine("node3", "192.168.10.82"),
)
