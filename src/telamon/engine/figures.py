"""What can be read off a running data plane: counters, streams, threads, descriptors."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ServerSide(StrEnum):
    """Where a stream's way to its server stands."""

    NONE = "none"
    QUEUED = "queued"
    CONNECTING = "connecting"
    ESTABLISHED = "established"


class Holder(StrEnum):
    """Whose a descriptor of the data plane is."""

    LISTENER = "listener"
    CLIENT = "client"
    SERVER = "server"
    MAILBOX = "mailbox"


# Counter names are the stats page's own (management guide 9.1), so that the three views (CSV,
# JSON, HTML) and the engine speak one language: scur, smax, slim, stot, bin, bout, dreq, dresp,
# ereq, econ, eresp, wretr, wredis, ...
Counters = dict[str, int]


@dataclass(frozen=True, slots=True)
class ProxySnapshot:
    """One proxy's counters; `servers` by server id, `listeners` by listener id, `idle` by server id
    the idle connections of each thread."""

    id: int
    frontend: Counters | None
    backend: Counters | None
    servers: dict[int, Counters]
    listeners: dict[int, Counters]
    idle: dict[int, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All counters at one moment. `process` has what `show info` needs (CurrConns, ...)."""

    process: Counters
    proxies: dict[int, ProxySnapshot]


@dataclass(frozen=True, slots=True)
class RingState:
    """One ring; `dropped` counts lines that found no room."""

    name: str
    description: str
    dropped: int


@dataclass(frozen=True, slots=True)
class Session:
    """A stream as it was a moment ago. `accepted` is Unix time; `expires_ms` counts from that
    moment to its next timer; `client` is an address and a port, None over a Unix socket."""

    id: int
    client: tuple[str, int] | None
    proxy_id: int
    listener_id: int
    backend_id: int | None
    server_id: int | None
    accepted: float
    expires_ms: int | None
    client_fd: int | None
    server_fd: int | None
    server_side: ServerSide
    retries: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class PoolState:
    """One kind of memory of a thread: a piece's size, how many were made, how many are used."""

    name: str
    size: int
    made: int
    used: int


@dataclass(frozen=True, slots=True)
class ThreadState:
    """What one data thread has done and holds. `totals` are named as the process's are;
    `streams` are its client connections, `cpu_ns` the time that it has spent on a CPU."""

    thread: int
    cpu_ns: int
    totals: dict[str, int]
    streams: int
    pools: tuple[PoolState, ...]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of the data plane; each thread names the listeners, which they share."""

    fd: int
    thread: int
    holder: Holder
    proxy_id: int | None
    backend_id: int | None
    server_id: int | None
    receiving: bool
    sending: bool
    connecting: bool
