"""A proxy that is not there: `ProxyControl` in memory, for tests of commands and pages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from telamon.base.address import InetAddress
from telamon.engine import (
    Counters,
    Descriptor,
    Patterns,
    ProxySnapshot,
    RingState,
    Session,
    Snapshot,
    ThreadState,
)
from telamon.plan.proxy import ProxyPlan
from telamon.plan.rules import Rule
from telamon.runtime.ports import AdminState, CheckStatus, CommandError, ServerHealth
from telamon.script.values import Value


@dataclass
class FakeControl:
    """Set what it shall show; read what was done. Time stands still unless `time` is moved."""

    plan: ProxyPlan
    pid: int = 4242
    threads: int = 2
    started_wall: float = 1_700_000_000.25
    started: float = 100.0
    time: float = 165.0
    stopping: bool = False
    memory_bytes: int = 12 << 20
    max_descriptors: int = 833
    max_connections: int = 400
    counters: dict[tuple[str, int, int], Counters] = field(default_factory=dict)
    ring_lines: dict[str, list[bytes]] = field(default_factory=dict)
    variables: dict[str, Value] = field(default_factory=dict)
    streams: list[Session] = field(default_factory=list)
    states: list[ThreadState] = field(default_factory=list)
    open: list[Descriptor] = field(default_factory=list)
    startup_logs: str = ""
    process: Counters = field(default_factory=dict)
    healths: dict[tuple[int, int], ServerHealth] = field(default_factory=dict)
    addresses: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    patterns: Patterns = field(default_factory=Patterns)
    done: list[tuple[object, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for proxy in self.plan.proxies:
            for server in proxy.backend.servers if proxy.backend else ():
                check = server.check
                rise, fall = (check.rise, check.fall) if check else (2, 3)
                self.healths[proxy.id, server.id] = ServerHealth(
                    up=True,
                    admin=AdminState.CONFIG_MAINT if server.disabled else AdminState.READY,
                    weight=server.weight,
                    initial_weight=server.weight,
                    health=rise + fall - 1 if check else rise,
                    rise=rise,
                    fall=fall,
                    check_enabled=check is not None,
                    check_status=CheckStatus.L4_OK if check else CheckStatus.UNKNOWN,
                    check_code=None,
                    check_duration_ms=0 if check else None,
                    check_description="",
                    check_running=False,
                    checks_failed=0,
                    observed_failures=0,
                    went_down=0,
                    down_time=0.0,
                    last_change=self.started,
                )
                if isinstance(server.address, InetAddress):
                    where = (str(server.address.host), server.address.port)
                    self.addresses[proxy.id, server.id] = where

    def now(self) -> float:
        return self.time

    def rings(self) -> list[RingState]:
        return [RingState(name, name, 0) for name in self.ring_lines]

    def ring_events(self, name: str, start: int = 0) -> tuple[int, list[bytes]] | None:
        lines = self.ring_lines.get(name)
        return None if lines is None else (len(lines), lines[start:])

    def snapshot(self) -> Snapshot:
        def of(kind: str, proxy: int, item: int = 0) -> Counters:
            return self.counters.get((kind, proxy, item), {})

        return Snapshot(
            process=self.process,
            proxies={
                p.id: ProxySnapshot(
                    id=p.id,
                    frontend=of("frontend", p.id) if p.frontend else None,
                    backend=of("backend", p.id) if p.backend else None,
                    servers={
                        s.id: of("server", p.id, s.id)
                        for s in (p.backend.servers if p.backend else ())
                    },
                    listeners={},
                )
                for p in self.plan.proxies
            },
        )

    def health(self, proxy_id: int, server_id: int) -> ServerHealth:
        return self.healths[proxy_id, server_id]

    def change(self, proxy_id: int, server_id: int, **what: object) -> None:
        """Set fields of a server's health."""
        old = self.healths[proxy_id, server_id]
        self.healths[proxy_id, server_id] = replace(old, **what)  # type: ignore[arg-type]

    def backend_last_change(self, proxy_id: int) -> float:
        return self.started

    def backend_down_time(self, proxy_id: int) -> float:
        return 0.0

    def backend_went_down(self, proxy_id: int) -> int:
        return 0

    def set_admin(self, proxy_id: int, server_id: int, admin: AdminState) -> None:
        self.change(proxy_id, server_id, admin=admin)

    def set_weight(self, proxy_id: int, server_id: int, weight: int) -> None:
        self.change(proxy_id, server_id, weight=weight)

    def set_server_maxconn(self, proxy_id: int, server_id: int, maxconn: int) -> None:
        self.counters.setdefault(("server", proxy_id, server_id), {})["slim"] = maxconn

    def set_server_address(self, proxy_id: int, server_id: int, host: str, port: int) -> None:
        self.addresses[proxy_id, server_id] = (host, port)

    def server_address(self, proxy_id: int, server_id: int) -> tuple[str, int]:
        return self.addresses[proxy_id, server_id]

    def set_health_up(self, proxy_id: int, server_id: int, up: bool) -> None:
        health = self.healths[proxy_id, server_id]
        full = health.rise + health.fall - 1 if up else 0
        self.change(proxy_id, server_id, up=up, health=full)

    def set_checks_enabled(self, proxy_id: int, server_id: int, enabled: bool) -> None:
        self.change(proxy_id, server_id, check_enabled=enabled)

    def set_frontend_enabled(self, proxy_id: int, enabled: bool) -> None:
        self.done.append(("frontend", proxy_id, enabled))

    def shutdown_frontend(self, proxy_id: int) -> bool:
        counters = self.counters.setdefault(("frontend", proxy_id, 0), {})
        first = not counters.get("closed", 0)
        counters["closed"] = 1
        return first

    def set_frontend_maxconn(self, proxy_id: int, maxconn: int) -> None:
        self.counters.setdefault(("frontend", proxy_id, 0), {})["slim"] = maxconn

    def set_process_maxconn(self, maxconn: int) -> None:
        if maxconn > self.max_descriptors:
            raise CommandError("Value out of range.")
        self.max_connections = maxconn

    def shutdown_sessions(self, proxy_id: int, server_id: int) -> int:
        self.done.append(("shutdown", proxy_id, server_id))
        return 0

    def set_connection_rate(self, limit: int) -> None:
        self.process["ConnRateLimit"] = limit

    def set_session_rate(self, limit: int) -> None:
        self.process["SessRateLimit"] = limit

    def process_variable(self, name: str) -> Value | None:
        return self.variables.get(name)

    def set_variable(self, rule: Rule) -> None:
        self.done.append(("set variable", rule))

    def thread_states(self) -> list[ThreadState]:
        return self.states

    def descriptors(self) -> list[Descriptor]:
        return self.open

    def other_descriptors(self, known: frozenset[int]) -> list[int]:
        return []

    def local_address(self, fd: int) -> tuple[str, int] | None:
        return None

    def sessions(self) -> list[Session]:
        return self.streams

    def shutdown_session(self, id: int) -> bool:
        self.done.append(("shutdown session", id))
        return any(stream.id == id for stream in self.streams)

    def clear_counters(self, everything: bool) -> None:
        self.done.append(("clear", everything))
