"""What the stats socket and the stats page may see and do: `ProxyControl` carried out."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from telamon.base.address import InetAddress
from telamon.checks.health import Health
from telamon.daemon.checker import Target
from telamon.daemon.servers import MAINT, ServerRecord, Servers
from telamon.engine import Descriptor, Engine, RingState, Session, Snapshot, ThreadState
from telamon.kernel.sockets import duplicate
from telamon.plan.proxy import ProxyPlan
from telamon.plan.rules import Rule
from telamon.runtime.ports import AdminState, CommandError, ServerHealth
from telamon.script.values import Value

_PAGE = os.sysconf("SC_PAGE_SIZE")


class MemoryMeter:
    """This process's resident memory. Opened before `chroot`, where /proc cannot be reached."""

    def __init__(self) -> None:
        self._file = Path("/proc/self/statm").open("rb", buffering=0)  # noqa: SIM115

    def read(self) -> int:
        """Bytes."""
        self._file.seek(0)
        return int(self._file.read().split()[1]) * _PAGE


class IdleMeter:
    """What share of the data threads' time was not spent on a CPU (`Idle_pct`).

    Taken over the time since it was last asked, at least a second. `now` and `cpu` are seconds.
    """

    PERIOD = 1.0

    def __init__(self, threads: int, now: float, cpu: float) -> None:
        self._threads = threads
        self._since, self._cpu = now, cpu
        self._idle = 100

    def read(self, now: float, cpu: float) -> int:
        """0 to 100."""
        elapsed = now - self._since
        if elapsed >= self.PERIOD:
            busy = (cpu - self._cpu) / (elapsed * self._threads)
            self._idle = round(100 * max(0.0, 1.0 - busy))
            self._since, self._cpu = now, cpu
        return self._idle


@dataclass(frozen=True, slots=True)
class Limits:
    """What the process was given: threads, descriptors, connections."""

    threads: int
    descriptors: int
    connections: int


class EngineControl:
    """The `ProxyControl` of a real proxy process."""

    def __init__(
        self,
        plan: ProxyPlan,
        engine: Engine,
        servers: Servers,
        limits: Limits,
        memory: MemoryMeter,
    ) -> None:
        self.plan = plan
        self.pid = os.getpid()
        self.started_wall = time.time()
        self.started = time.monotonic()
        self.stopping = False
        self.startup_logs = ""
        self.closed_frontends: set[int] = set()
        self.patterns = engine.patterns()
        self.targets: dict[tuple[int, int], Target] = {}
        self._engine, self._servers = engine, servers
        self._limits, self._memory = limits, memory
        self._idle = IdleMeter(limits.threads, time.monotonic(), time.process_time())

    @property
    def threads(self) -> int:
        return self._limits.threads

    @property
    def max_descriptors(self) -> int:
        return self._limits.descriptors

    @property
    def max_connections(self) -> int:
        return self._engine.process_maxconn

    @property
    def memory_bytes(self) -> int:
        return self._memory.read()

    def now(self) -> float:
        return time.monotonic()

    def snapshot(self) -> Snapshot:
        snapshot = self._engine.snapshot()
        idle = self._idle.read(time.monotonic(), time.process_time())
        return replace(snapshot, process={**snapshot.process, "Idle_pct": idle})

    def rings(self) -> list[RingState]:
        return self._engine.rings()

    def ring_events(self, name: str, start: int = 0) -> tuple[int, list[bytes]] | None:
        return self._engine.ring_events(name, start)

    def _record(self, proxy_id: int, server_id: int) -> ServerRecord:
        record = self._servers.records.get((proxy_id, server_id))
        if record is None:
            raise CommandError("No such server.")
        return record

    def health(self, proxy_id: int, server_id: int) -> ServerHealth:
        return self._servers.describe(self._record(proxy_id, server_id))

    def backend_last_change(self, proxy_id: int) -> float:
        return self._servers.backends[proxy_id].last_change

    def backend_down_time(self, proxy_id: int) -> float:
        return self._servers.backends[proxy_id].down_time

    def backend_went_down(self, proxy_id: int) -> int:
        return self._servers.backends[proxy_id].went_down

    def set_admin(self, proxy_id: int, server_id: int, admin: AdminState) -> None:
        self._servers.set_admin(self._record(proxy_id, server_id), admin)
        self._settle_checks(proxy_id, server_id)

    def _settle_checks(self, proxy_id: int, server_id: int) -> None:
        """Servers in maintenance are not checked; nor are those whose checks were stopped."""
        target = self.targets.get((proxy_id, server_id))
        record = self._record(proxy_id, server_id)
        if target is not None:
            target.paused = bool(record.admin & MAINT) or not record.checks_enabled

    def set_weight(self, proxy_id: int, server_id: int, weight: int) -> None:
        self._servers.set_weight(self._record(proxy_id, server_id), weight)

    def set_server_maxconn(self, proxy_id: int, server_id: int, maxconn: int) -> None:
        self._record(proxy_id, server_id)
        self._engine.set_server_maxconn(proxy_id, server_id, maxconn)

    def set_server_address(self, proxy_id: int, server_id: int, host: str, port: int) -> None:
        record = self._record(proxy_id, server_id)
        try:
            address = InetAddress(ipaddress.ip_address(host), port)
        except ValueError as error:
            raise CommandError(f"Invalid address '{host}:{port}': {error}.") from error
        try:
            self._engine.set_server_address(proxy_id, server_id, host, port)
        except ValueError as error:
            raise CommandError(str(error)) from error
        record.address = address
        target = self.targets.get((proxy_id, server_id))
        if target is not None and target.check.address is None:
            target.address = address

    def server_address(self, proxy_id: int, server_id: int) -> tuple[str, int]:
        address = self._record(proxy_id, server_id).address
        if isinstance(address, InetAddress):
            return str(address.host), address.port
        return str(address), 0

    def set_health_up(self, proxy_id: int, server_id: int, up: bool) -> None:
        self._servers.set_health(self._record(proxy_id, server_id), up)

    def set_checks_enabled(self, proxy_id: int, server_id: int, enabled: bool) -> None:
        record = self._record(proxy_id, server_id)
        if record.server.check is None:
            raise CommandError("Health checks are not configured on this server.")
        record.checks_enabled = enabled
        self._settle_checks(proxy_id, server_id)

    def set_frontend_enabled(self, proxy_id: int, enabled: bool) -> None:
        self._engine.set_frontend_enabled(proxy_id, enabled)

    def shutdown_frontend(self, proxy_id: int) -> bool:
        first = self._engine.shutdown_frontend(proxy_id)
        self.closed_frontends.add(proxy_id)
        return first

    def set_frontend_maxconn(self, proxy_id: int, maxconn: int) -> None:
        self._engine.set_frontend_maxconn(proxy_id, maxconn)

    def set_process_maxconn(self, maxconn: int) -> None:
        most = self._limits.connections
        if not 1 <= maxconn <= most:
            raise CommandError(f"Value out of range: maxconn can be 1 to {most} in this process.")
        self._engine.set_process_maxconn(maxconn)

    def shutdown_sessions(self, proxy_id: int, server_id: int) -> int:
        self._record(proxy_id, server_id)
        return self._engine.shutdown_sessions(proxy_id, server_id)

    def set_connection_rate(self, limit: int) -> None:
        self._engine.set_connection_rate(limit)

    def set_session_rate(self, limit: int) -> None:
        self._engine.set_session_rate(limit)

    def process_variable(self, name: str) -> Value | None:
        return self._engine.process_variable(name)

    def set_variable(self, rule: Rule) -> None:
        try:
            self._engine.set_variables([rule])
        except ValueError as error:
            raise CommandError(str(error)) from error

    def thread_states(self) -> list[ThreadState]:
        return self._engine.threads()

    def descriptors(self) -> list[Descriptor]:
        return self._engine.descriptors()

    def other_descriptors(self, known: frozenset[int]) -> list[int]:
        try:
            found = {int(name) for name in os.listdir("/proc/self/fd")}  # noqa: PTH208
        except OSError:
            return []  # within a chroot
        return sorted(found - known)

    def local_address(self, fd: int) -> tuple[str, int] | None:
        try:
            with duplicate(fd) as sock:
                name = sock.getsockname()
                family = sock.family
        except OSError:
            return None
        if family is socket.AF_UNIX:
            return "unix", 0
        return ("ipv6" if family is socket.AF_INET6 else "ipv4"), name[1]

    def sessions(self) -> list[Session]:
        return self._engine.sessions()

    def shutdown_session(self, id: int) -> bool:
        return self._engine.shutdown_session(id)

    def clear_counters(self, everything: bool) -> None:
        self._engine.clear_counters(everything)
        if everything:
            self._servers.clear_counters()


def make_targets(servers: Servers, control: EngineControl) -> list[Target]:
    """The checks of all servers that have one, in file order; known to `control` from now on."""
    targets = []
    for key, record in servers.records.items():
        check = record.server.check
        if check is None:
            continue

        target = Target(
            check=check,
            timeouts=record.proxy.timeouts,
            address=check.address or record.address,
            health=partial(_health, record),
            report=partial(servers.checked, record),
            source=record.server.source,
            source_interface=record.server.source_interface,
            paused=bool(record.admin & MAINT),
        )
        record.check_running = partial(_running, target)
        control.targets[key] = target
        targets.append(target)
    return targets


def _health(record: ServerRecord) -> Health:
    return record.health


def _running(target: Target) -> bool:
    return target.running
