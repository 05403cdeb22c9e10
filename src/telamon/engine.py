"""The typed face of the Rust data plane.

`Engine` wraps the extension module `telamon._engine`: it translates and decides nothing.

Contract with the engine:

- It is made in the proxy process after privileges were dropped or before; `start()` spawns the
  data threads. They never take the GIL.
- The listening descriptors come from the supervisor; the engine owns its duplicates and closes
  them on `soft_stop()`.
- What Python must answer or know arrives as events: watch `event_fd()` for readability, then
  call `events()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from telamon import _engine
from telamon.checks.observe import ServerError
from telamon.plan.codec import to_json
from telamon.plan.proxy import ProxyPlan
from telamon.plan.rules import Rule
from telamon.script.calls import Outcome
from telamon.script.registry import Kind
from telamon.script.transaction import Edit, Request, Response, Transaction
from telamon.script.values import Value


class IoEngine(StrEnum):
    """How the data plane talks to the kernel; `AUTO` probes for io_uring."""

    AUTO = "auto"
    URING = "uring"
    EPOLL = "epoll"


class ServerState(StrEnum):
    """What the balancer may do with a server.

    `UP` takes new streams; `DRAIN` only what sticks to it; `DOWN` and `MAINT` nothing.
    """

    UP = "up"
    DRAIN = "drain"
    DOWN = "down"
    MAINT = "maint"


class ServerSide(StrEnum):
    """Where a stream's way to its server stands."""

    NONE = "none"
    QUEUED = "queued"
    CONNECTING = "connecting"
    ESTABLISHED = "established"


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
class ListenerDescriptor:
    """A bound, listening socket for one `plan.proxy.Listener`."""

    proxy_id: int
    listener_id: int
    fd: int


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for a page that Python makes (the stats page).

    `head` is the request head as received (request line, header lines, empty line), `body` at
    most the engine's buffer size. Answer with `Engine.respond(token, ...)`.
    """

    token: int
    proxy_id: int
    client: str
    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class EngineMessage:
    """Something the operator should read: descriptors ran out, a log target failed, ..."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class ServerErrors:
    """A server with `observe` has erred as often in a row as its `error-limit` says."""

    proxy_id: int
    server_id: int
    last: ServerError


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A rule calls a Python function. Answer with `Engine.answer(token, ...)`.

    `value` is a converter's input; only others see a `transaction` that is more than empty.
    """

    token: int
    kind: Kind
    name: str
    arguments: tuple[Value, ...]
    value: Value | None
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class ScriptCallOver:
    """The request of a `ScriptCall` waits no longer: its time limit has passed."""

    token: int


EngineEvent = PageRequest | EngineMessage | ServerErrors | ScriptCall | ScriptCallOver

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


class Holder(StrEnum):
    """Whose a descriptor of the data plane is."""

    LISTENER = "listener"
    CLIENT = "client"
    SERVER = "server"
    MAILBOX = "mailbox"


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


@dataclass(frozen=True, slots=True)
class PatternSetState:
    """A set of patterns, `#number` on the stats socket; `path` is empty for an ACL's own line.

    `description` says who uses it. `current` is the version that is looked at, `next` the newest
    one that was prepared; `count` has the entries of all, times the ways they are looked up.
    """

    number: int
    path: str
    is_acl: bool
    is_map: bool
    description: str
    current: int
    next: int
    count: int


@dataclass(frozen=True, slots=True)
class PatternEntry:
    """One line of a set; `id` is unique in the process. A plain pattern's value is None."""

    id: int
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class PatternHit:
    """What one way of looking up found: the entry's key, its value as (text, type)."""

    method: str
    ignore_case: bool
    tree: bool
    key: bytes | None
    value: tuple[bytes, str] | None


class Patterns:
    """The sets of patterns and maps of a running data plane; changes hold from the next look-up.

    `version` None means the one that is looked at. All raise KeyError for an unknown set.
    """

    def __init__(self, inner: _engine.PatternSets | None = None) -> None:
        """Without `inner`: no sets at all."""
        self._inner = inner or _engine.PatternSets()

    def sets(self) -> list[PatternSetState]:
        """Those that ACLs or maps use, by number."""
        return [PatternSetState(*state) for state in self._inner.sets()]

    def entries(self, number: int, version: int | None = None) -> list[PatternEntry]:
        """In the order in which they came."""
        return [PatternEntry(*entry) for entry in self._inner.entries(number, version)]

    def look_up(self, number: int, text: bytes) -> list[PatternHit]:
        """One for each way in which expressions look the set up."""
        return [PatternHit(*hit) for hit in self._inner.look_up(number, text)]

    def add(self, number: int, version: int | None, key: bytes, value: bytes | None) -> None:
        """IndexError: the version was not prepared. ValueError: an expression cannot take it."""
        self._inner.add(number, version, key, value)

    def change(self, number: int, key: bytes, id: int | None, value: bytes) -> int:
        """By key, or by id where there is one; how many were changed. ValueError as in `add`."""
        return self._inner.change(number, key, id, value)

    def remove(self, number: int, key: bytes, id: int | None) -> int:
        """By key, or by id where there is one; how many were removed."""
        return self._inner.remove(number, key, id)

    def clear(self, number: int, version: int | None) -> None:
        """Remove all entries of a version."""
        self._inner.clear(number, version)

    def prepare(self, number: int) -> int:
        """The number of a new version."""
        return self._inner.prepare(number)

    def commit(self, number: int, version: int) -> bool:
        """Look at this version from now on; False if it is not one to come."""
        return self._inner.commit(number, version)


class Engine:
    """One running data plane. Methods are safe to call from the control thread only."""

    def __init__(
        self,
        plan: ProxyPlan,
        listeners: Sequence[ListenerDescriptor],
        *,
        io: IoEngine = IoEngine.AUTO,
        threads: int = 1,
    ) -> None:
        """Compile `plan`. ValueError if the plan is not one; OSError if `io` cannot be had."""
        self._inner = _engine.Engine(
            to_json(plan),
            [(item.proxy_id, item.listener_id, item.fd) for item in listeners],
            io.value,
            threads,
        )

    def start(self) -> None:
        """Spawn the data threads; connections are accepted from now on."""
        self._inner.start()

    @property
    def io(self) -> IoEngine:
        """The engine that runs (never `AUTO`)."""
        return IoEngine(self._inner.io)

    @property
    def io_reason(self) -> str:
        """One line for the log: which engine was chosen and why."""
        return self._inner.io_reason

    def patterns(self) -> Patterns:
        """The sets of patterns and maps that the plan's rules look up."""
        return Patterns(self._inner.patterns())

    def rings(self) -> list[RingState]:
        """The rings, in the plan's order."""
        return [RingState(*state) for state in self._inner.rings()]

    def ring_events(self, name: str, start: int = 0) -> tuple[int, list[bytes]] | None:
        """The number of the next line to come, and what is in a ring from the number `start` on,
        the oldest first; None if there is none of this name."""
        return self._inner.ring_events(name, start)

    def write_ring(self, ring: int, line: bytes) -> None:
        """Puts a line, without its end, into a ring by its number."""
        self._inner.write_ring(ring, line)

    def event_fd(self) -> int:
        """A descriptor that is readable while events wait."""
        return self._inner.event_fd()

    def events(self) -> list[EngineEvent]:
        """Take all waiting events."""
        return [_event(raw) for raw in self._inner.events()]

    def respond(self, token: int, response: bytes, *, keep_alive: bool = False) -> None:
        """Answer a `PageRequest` with a whole HTTP response; late answers are dropped."""
        self._inner.respond(token, response, keep_alive)

    def answer(self, token: int, outcome: Outcome | None) -> None:
        """Answer a `ScriptCall`; None: it failed. Late answers are dropped. Any thread may do this.

        ValueError if the outcome has an edit that is none; the call counts as failed then."""
        if outcome is None:
            self._inner.answer(token, True, None, [], None, None)
            return
        edits, deny = _edits(outcome.edits)
        value = None if outcome.value is None else _sample(outcome.value)
        self._inner.answer(token, False, value, edits, outcome.message, deny)

    def snapshot(self) -> Snapshot:
        """Sum the threads' counters."""
        raw = self._inner.snapshot()
        return Snapshot(
            process=raw["process"],
            proxies={
                item["id"]: ProxySnapshot(
                    id=item["id"],
                    frontend=item["frontend"],
                    backend=item["backend"],
                    servers=item["servers"],
                    listeners=item["listeners"],
                    idle=item["idle"],
                )
                for item in raw["proxies"]
            },
        )

    def set_server_state(self, proxy_id: int, server_id: int, state: ServerState) -> None:
        """KeyError if there is no such server."""
        self._inner.set_server_state(proxy_id, server_id, state.value)

    def set_server_weight(self, proxy_id: int, server_id: int, weight: int) -> None:
        """`weight` 0 to 256. KeyError if there is no such server."""
        self._inner.set_server_weight(proxy_id, server_id, weight)

    def set_server_maxconn(self, proxy_id: int, server_id: int, maxconn: int) -> None:
        """`maxconn` 0 means no limit. KeyError if there is no such server."""
        self._inner.set_server_maxconn(proxy_id, server_id, maxconn)

    def set_server_address(self, proxy_id: int, server_id: int, host: str, port: int) -> None:
        """For new connections. KeyError if there is no such server, ValueError if no address."""
        self._inner.set_server_address(proxy_id, server_id, host, port)

    def set_frontend_maxconn(self, proxy_id: int, maxconn: int) -> None:
        """KeyError if there is no such frontend."""
        self._inner.set_frontend_maxconn(proxy_id, maxconn)

    def set_frontend_enabled(self, proxy_id: int, enabled: bool) -> None:
        """Pause or resume accepting. KeyError if there is no such frontend."""
        self._inner.set_frontend_enabled(proxy_id, enabled)

    def shutdown_frontend(self, proxy_id: int) -> bool:
        """Accept no more, for good; False if that was so. KeyError if there is no such frontend."""
        return self._inner.shutdown_frontend(proxy_id)

    def set_process_maxconn(self, maxconn: int) -> None:
        """The limit of client connections of the whole process, at least 1."""
        self._inner.set_process_maxconn(maxconn)

    @property
    def process_maxconn(self) -> int:
        """That limit: the plan's, or one chosen from the limit of open descriptors."""
        return self._inner.process_maxconn

    def shutdown_sessions(self, proxy_id: int, server_id: int) -> int:
        """Close all streams of a server; how many there were. KeyError if no such server."""
        return self._inner.shutdown_sessions(proxy_id, server_id)

    def set_connection_rate(self, limit: int) -> None:
        """The most new connections of the process in a second; 0: no limit."""
        self._inner.set_connection_rate(limit)

    def set_session_rate(self, limit: int) -> None:
        """The most new sessions of the process in a second; 0: no limit."""
        self._inner.set_session_rate(limit)

    def process_variable(self, name: str) -> Value | None:
        """A variable of the process (`proc.NAME`), None if it is not set."""
        value: Value | None = self._inner.process_variable(name)
        return value

    def set_variables(self, rules: Sequence[Rule]) -> None:
        """Runs rules that set variables of the process. ValueError if they cannot be compiled."""
        self._inner.set_variables(to_json(rules))

    def threads(self) -> list[ThreadState]:
        """The threads, in order. One that does not answer within half a second is left out."""
        return [
            ThreadState(**{**raw, "pools": tuple(PoolState(*pool) for pool in raw["pools"])})
            for raw in self._inner.threads()
        ]

    def descriptors(self) -> list[Descriptor]:
        """What the threads have open. Waits for them, but not longer than half a second."""
        return [
            Descriptor(**{**raw, "holder": Holder(raw["holder"])})
            for raw in self._inner.descriptors()
        ]

    def sessions(self) -> list[Session]:
        """The streams of all threads. Waits for them, but not longer than half a second."""
        return [
            Session(**{**raw, "server_side": ServerSide(raw["server_side"])})
            for raw in self._inner.sessions()
        ]

    def shutdown_session(self, id: int) -> bool:
        """Close a stream; False if there is none of this id (any more)."""
        return self._inner.shutdown_session(id)

    def clear_counters(self, everything: bool) -> None:
        """Reset maxima, and with `everything` all totals too (`clear counters [all]`)."""
        self._inner.clear_counters(everything)

    def soft_stop(self) -> None:
        """Close the listeners; streams that run go on."""
        self._inner.soft_stop()

    def active(self) -> int:
        """How many client connections are open."""
        return self._inner.active()

    def dead_threads(self) -> int:
        """How many data threads have died; more than 0 means: restart the process."""
        return self._inner.dead_threads()

    def stop(self) -> None:
        """Close everything and join the threads. May be called more than once."""
        self._inner.stop()


def _event(raw: tuple[Any, ...]) -> EngineEvent:
    kind, *fields = raw
    if kind == "page":
        return PageRequest(*fields)
    if kind == "call":
        return _script_call(*fields)
    if kind == "errors":
        proxy_id, server_id, last = fields
        return ServerErrors(proxy_id, server_id, ServerError(last))
    if kind == "over":
        return ScriptCallOver(*fields)
    return EngineMessage(*fields)


def _script_call(
    token: int,
    kind: str,
    name: str,
    arguments: list[Value],
    given: list[Value],
    view: tuple[Any, ...] | None,
) -> ScriptCall:
    converter = kind == Kind.CONVERTER
    return ScriptCall(
        token, Kind(kind), name, (*arguments, *(() if converter else given)),
        given[0] if converter else None,
        _transaction(*view) if view is not None else Transaction(Request("", "", "", ())),
    )  # fmt: skip


def _transaction(
    request: tuple[bytes, bytes, str, list[tuple[bytes, bytes]], bytes],
    response: tuple[int, bytes, list[tuple[bytes, bytes]], bytes] | None,
    client: str,
    frontend: str,
    backend: str,
    variables: list[tuple[str, Value]],
) -> Transaction:
    method, uri, version, headers, body = request
    answer = None
    if response is not None:
        status, reason, lines, written = response
        answer = Response(status, _text(reason), _headers(lines), written)
    return Transaction(
        Request(_text(method), _text(uri), version, _headers(headers), body),
        answer, client, frontend, backend, dict(variables),
    )  # fmt: skip


def _headers(lines: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((_text(name), _text(value)) for name, value in lines)


def _text(raw: bytes) -> str:
    """What is not UTF-8 comes back from `_sample` as it was."""
    return raw.decode("utf-8", "surrogateescape")


def _sample(value: Value) -> Value:
    """Text that is not UTF-8 crosses as bytes."""
    if isinstance(value, str) and not value.isascii():
        raw = value.encode("utf-8", "surrogateescape")
        return value if _is_text(raw) else raw
    return value


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _edits(edits: Sequence[Edit]) -> tuple[list[tuple[str, list[Value]]], int | None]:
    """The changes, and the status with which the request is denied, if it is."""
    changes: list[tuple[str, list[Value]]] = []
    deny: int | None = None
    for action, arguments in edits:
        if action == "deny":
            deny = int(str(arguments[0]))
        else:
            changes.append((action, [_sample(argument) for argument in arguments]))
    return changes, deny


def probe_io() -> tuple[bool, str]:
    """Can io_uring be had here, and why or why not (one line)."""
    return _engine.probe_io()


def known_words() -> dict[str, frozenset[str]]:
    """The words of the rule language that the engine carries out: fetches, converters, actions."""
    return {kind: frozenset(names) for kind, names in _engine.known_words()}


def check_rules(plan: ProxyPlan) -> list[str]:
    """What of a plan's rules cannot be compiled: each with its place, `file:line: ...`."""
    return _engine.check_rules(to_json(plan))
