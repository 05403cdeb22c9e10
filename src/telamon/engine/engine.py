"""`Engine`, and what can be asked of the extension without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from telamon import _engine
from telamon.engine.calls import edits_of, sample
from telamon.engine.events import EngineEvent, event
from telamon.engine.figures import (
    Descriptor,
    Holder,
    PoolState,
    ProxySnapshot,
    RingState,
    ServerSide,
    Session,
    Snapshot,
    ThreadState,
)
from telamon.engine.patterns import Patterns
from telamon.plan.codec import to_json
from telamon.plan.proxy import ProxyPlan
from telamon.plan.rules import Rule
from telamon.script.calls import Outcome
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


@dataclass(frozen=True, slots=True)
class ListenerDescriptor:
    """A bound, listening socket for one `plan.proxy.Listener`."""

    proxy_id: int
    listener_id: int
    fd: int


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
        return [event(raw) for raw in self._inner.events()]

    def respond(self, token: int, response: bytes, *, keep_alive: bool = False) -> None:
        """Answer a `PageRequest` with a whole HTTP response; late answers are dropped."""
        self._inner.respond(token, response, keep_alive)

    def answer(self, token: int, outcome: Outcome | None) -> None:
        """Answer a `ScriptCall`; None: it failed. Late answers are dropped. Any thread may do this.

        ValueError if the outcome has an edit that is none; the call counts as failed then."""
        if outcome is None:
            self._inner.answer(token, True, None, [], None, None)
            return
        edits, deny = edits_of(outcome.edits)
        value = None if outcome.value is None else sample(outcome.value)
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


def probe_io() -> tuple[bool, str]:
    """Can io_uring be had here, and why or why not (one line)."""
    return _engine.probe_io()


def known_words() -> dict[str, frozenset[str]]:
    """The words of the rule language that the engine carries out: fetches, converters, actions."""
    return {kind: frozenset(names) for kind, names in _engine.known_words()}


def check_rules(plan: ProxyPlan) -> list[str]:
    """What of a plan's rules cannot be compiled: each with its place, `file:line: ...`."""
    return _engine.check_rules(to_json(plan))
