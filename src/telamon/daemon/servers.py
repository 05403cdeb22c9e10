"""What the control loop knows of every server, and what it tells the engine and the log.

A server's place in the balancer follows from two things: its health (checks) and its admin
state (the operator). `Servers` holds both, tells the engine when the outcome changes, counts
what the stats page shows, and logs each change in HAProxy's words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from telamon.base.address import SocketAddress
from telamon.checks import observe
from telamon.checks.health import Health
from telamon.checks.observe import ServerError, after_errors
from telamon.checks.outcome import Outcome
from telamon.engine import Engine, ServerState
from telamon.plan.process import Level
from telamon.plan.proxy import Backend, OnError, Proxy, ProxyPlan, Server
from telamon.runtime.ports import AdminState, CheckStatus, ServerHealth

LOG = logging.getLogger("telamon.proxy")

MAINT = AdminState.FORCED_MAINT | AdminState.INHERITED_MAINT | AdminState.CONFIG_MAINT
DRAIN = AdminState.FORCED_DRAIN | AdminState.INHERITED_DRAIN

Seconds = float


@dataclass(slots=True, eq=False)
class ServerRecord:
    """One server's running state. Times are monotonic seconds."""

    proxy: Proxy
    server: Server
    address: SocketAddress
    health: Health
    last_change: Seconds
    admin: AdminState = AdminState.READY
    weight: int = 1
    checks_enabled: bool = True
    outcome: Outcome | None = None
    checks_failed: int = 0
    observed_failures: int = 0
    went_down: int = 0
    down_time: Seconds = 0.0
    told: ServerState = ServerState.UP
    check_running: Callable[[], bool] = field(default=lambda: False)

    @property
    def name(self) -> str:
        kind = "Backup Server" if self.server.backup else "Server"
        return f"{kind} {self.proxy.name}/{self.server.name}"

    @property
    def state(self) -> ServerState:
        if self.admin & MAINT:
            return ServerState.MAINT
        if not self.health.up:
            return ServerState.DOWN
        return ServerState.DRAIN if self.admin & DRAIN else ServerState.UP

    @property
    def usable(self) -> bool:
        """Whether the balancer may give it new streams."""
        return self.state is ServerState.UP and self.weight > 0


@dataclass(slots=True, eq=False)
class BackendRecord:
    """One backend's running state: down while no server is usable."""

    proxy: Proxy
    servers: list[ServerRecord]
    last_change: Seconds
    went_down: int = 0
    down_time: Seconds = 0.0
    down_since: Seconds | None = None

    def usable(self) -> tuple[int, int]:
        """How many active and how many backup servers take streams."""
        active = sum(1 for s in self.servers if s.usable and not s.server.backup)
        backup = sum(1 for s in self.servers if s.usable and s.server.backup)
        return active, backup


class Servers:
    """All of them. `emit(proxy, level, text)` logs for a proxy.

    `changed` is called after each change of what a balancer may use; set it to hear of that.
    """

    changed: Callable[[], None]

    def __init__(
        self,
        plan: ProxyPlan,
        engine: Engine,
        clock: Callable[[], Seconds],
        emit: Callable[[Proxy, Level, str], None],
    ) -> None:
        self._engine, self._clock, self._emit = engine, clock, emit
        self.changed = lambda: None
        now = clock()
        self.backends: dict[int, BackendRecord] = {}
        self.records: dict[tuple[int, int], ServerRecord] = {}
        self._sessions: tuple[Seconds, dict[tuple[int, int], tuple[int, int]]] = (-1.0, {})
        for proxy in plan.proxies:
            if proxy.backend is not None:
                self._add(proxy, proxy.backend, now)

    def _add(self, proxy: Proxy, backend: Backend, now: Seconds) -> None:
        records = []
        for server in backend.servers:
            check = server.check
            health = Health.starting(check.rise, check.fall) if check else Health(1, 1, 1)
            record = ServerRecord(proxy, server, server.address, health, now)
            record.weight = server.weight
            if server.disabled:
                # What `disabled` in a file amounts to in HAProxy's `show servers state`: 5.
                record.admin = AdminState.FORCED_MAINT | AdminState.CONFIG_MAINT
                record.health = health.forced(False)
                record.told = ServerState.MAINT
                self._engine.set_server_state(proxy.id, server.id, ServerState.MAINT)
            self.records[proxy.id, server.id] = record
            records.append(record)
        entry = BackendRecord(proxy, records, now)
        if records and entry.usable() == (0, 0):
            entry.down_since = now
        self.backends[proxy.id] = entry

    # -- what changes a server ------------------------------------------------------------

    def checked(self, record: ServerRecord, outcome: Outcome) -> None:
        """A health check came back."""
        before = record.health
        self._judged(record, outcome, before.passed() if outcome.result.passed else before.failed())

    def observed(self, record: ServerRecord, error: ServerError) -> bool:
        """Errors in the traffic have reached their limit; true if that counts."""
        check = record.server.check
        if check is None or check.observe is None:
            return False
        if record.admin & MAINT or not record.checks_enabled:
            return False
        record.observed_failures += 1
        if check.observe.action is not OnError.FASTINTER:
            health = after_errors(check.observe.action, record.health)
            self._judged(record, observe.outcome(check.observe, error), health)
        return True

    def _judged(self, record: ServerRecord, outcome: Outcome, health: Health) -> None:
        """`outcome` makes `health` of the server's health."""
        before, last = record.health, record.outcome
        record.outcome, record.health = outcome, health
        record.checks_failed += int(before.up and not outcome.result.passed)
        reason = _reason(outcome)
        news = record.health != before or last is None or last.result is not outcome.result
        if record.proxy.log_health_checks and news:
            self._log_check(record, reason)
            # HAProxy has said why by then, and does not repeat it.
            reason = ""
        if record.health.up is not before.up:
            self._apply(record, reason)

    def set_admin(self, record: ServerRecord, admin: AdminState) -> None:
        old, record.admin = record.admin, admin
        if old & MAINT and not admin & MAINT:
            # HAProxy lets a server come back at once; its first failed check takes it down.
            record.health = (
                Health.starting(record.health.rise, record.health.fall)
                if record.server.check is not None
                else record.health.forced(True)
            )
            drains = bool(admin & DRAIN)
            text = f"UP/{'DRAIN' if drains else 'READY'} (leaving forced maintenance)."
            self._apply(record, text=f"{record.name} is {text}", level=Level.NOTICE)
        elif admin & MAINT and not old & MAINT:
            self._apply(record, entering="is going DOWN for maintenance")
        elif admin & DRAIN and not old & DRAIN:
            self._apply(record, entering="enters drain state")
        elif old & DRAIN and not admin & DRAIN:
            state = "UP" if record.health.up else "DOWN"
            text = f"{record.name} is {state} (leaving forced drain)."
            self._apply(record, text=text, level=Level.NOTICE)

    def set_health(self, record: ServerRecord, up: bool) -> None:
        was_up = record.health.up
        record.health = record.health.forced(up)
        if was_up is not up:
            self._apply(record, ", changed from CLI")

    def set_weight(self, record: ServerRecord, weight: int) -> None:
        before = self.backends[record.proxy.id].usable()
        record.weight = weight
        self._engine.set_server_weight(record.proxy.id, record.server.id, weight)
        self._follow_backend(record.proxy.id, before)

    def clear_counters(self) -> None:
        """`clear counters all`."""
        for record in self.records.values():
            record.checks_failed = record.observed_failures = record.went_down = 0
            record.down_time = 0.0
        for backend in self.backends.values():
            backend.went_down, backend.down_time = 0, 0.0

    def servers_up(self, backends: Iterable[str]) -> tuple[tuple[str, int], ...]:
        """How many servers take streams in each of these backends, backup servers too."""
        wanted = frozenset(backends)
        return tuple(
            (entry.proxy.name, sum(entry.usable()))
            for entry in self.backends.values()
            if entry.proxy.name in wanted
        )

    # -- what follows from a change -------------------------------------------------------

    def _apply(
        self,
        record: ServerRecord,
        reason: str = "",
        *,
        entering: str = "",
        text: str = "",
        level: Level | None = None,
    ) -> None:
        """Tell the engine and the log. One of `reason`, `entering`, `text` says why."""
        state, old, now = record.state, record.told, self._clock()
        before = self._before(record, old)
        if state is not old:
            self._engine.set_server_state(record.proxy.id, record.server.id, state)
            record.told = state
            self._count(record, old, state, now)
        if not text:
            went = state in (ServerState.DOWN, ServerState.MAINT)
            text = self._sentence(record, went, reason, entering)
            level = level or (Level.ALERT if went else Level.NOTICE)
        self._emit(record.proxy, level or Level.NOTICE, text)
        self._follow_backend(record.proxy.id, before)

    def _before(self, record: ServerRecord, old: ServerState) -> tuple[int, int]:
        """`usable()` as it was before `record` left the state `old`."""
        active, backup = self.backends[record.proxy.id].usable()
        moved = int(old is ServerState.UP and record.weight > 0) - int(record.usable)
        return (active, backup + moved) if record.server.backup else (active + moved, backup)

    def _count(
        self, record: ServerRecord, old: ServerState, new: ServerState, now: Seconds
    ) -> None:
        down = (ServerState.DOWN, ServerState.MAINT)
        if old in down and new not in down:
            record.down_time += now - record.last_change
        elif new in down and old not in down:
            record.went_down += 1
        record.last_change = now

    def _sentence(self, record: ServerRecord, went: bool, reason: str, entering: str) -> str:
        active, backup = self.backends[record.proxy.id].usable()
        head = f"{record.name} {entering or ('is DOWN' if went else 'is UP') + reason}."
        count = f"{active} active and {backup} backup servers {'left' if went else 'online'}."
        spare = " Running on backup." if backup and not active else ""
        current, queued = self._load(record)
        tail = (
            f"{current} sessions active, 0 requeued, {queued} remaining in queue."
            if went
            else f"0 sessions requeued, {queued} total in queue."
        )
        return f"{head} {count}{spare} {tail}"

    def _follow_backend(self, proxy_id: int, before: tuple[int, int]) -> None:
        entry, now = self.backends[proxy_id], self._clock()
        empty = entry.usable() == (0, 0)
        if empty and before != (0, 0):
            entry.down_since = entry.last_change = now
            entry.went_down += 1
            kind = "proxy" if entry.proxy.frontend is not None else "backend"
            text = f"{kind} {entry.proxy.name} has no server available!"
            self._emit(entry.proxy, Level.EMERG, text)
        elif not empty and entry.down_since is not None:
            entry.down_time += now - entry.down_since
            entry.down_since = None
            entry.last_change = now
        self.changed()

    def _load(self, record: ServerRecord) -> tuple[int, int]:
        """Sessions and queue of a server. The snapshot serves all changes of one moment."""
        now = self._clock()
        taken, loads = self._sessions
        if now - taken > 0.2:
            loads = {
                (proxy.id, number): (counters.get("scur", 0), counters.get("qcur", 0))
                for proxy in self._engine.snapshot().proxies.values()
                for number, counters in proxy.servers.items()
            }
            self._sessions = (now, loads)
        return loads.get((record.proxy.id, record.server.id), (0, 0))

    def _log_check(self, record: ServerRecord, reason: str) -> None:
        """`option log-health-checks`: each result that changes the status or the counter."""
        health = record.health
        assert record.outcome is not None
        verdict = "succeeded" if record.outcome.result.passed else "failed"
        place = (
            f"{health.value - health.rise + 1}/{health.fall} UP"
            if health.up
            else f"{health.value}/{health.rise} DOWN"
        )
        kind = "backup server" if record.server.backup else "server"
        text = (
            f"Health check for {kind} {record.proxy.name}/{record.server.name} {verdict}"
            f"{reason}, status: {place}."
        )
        self._emit(record.proxy, Level.NOTICE, text)

    # -- what others may see --------------------------------------------------------------

    def describe(self, record: ServerRecord) -> ServerHealth:
        outcome, health, server = record.outcome, record.health, record.server
        if outcome is not None:
            status = CheckStatus(outcome.result.code)
        else:
            status = CheckStatus.UNKNOWN if server.check is None else CheckStatus.INITIALISING
        return ServerHealth(
            up=record.health.up and not record.admin & MAINT,
            admin=record.admin,
            weight=record.weight,
            initial_weight=server.weight,
            health=health.value,
            rise=health.rise,
            fall=health.fall,
            check_enabled=server.check is not None and record.checks_enabled,
            check_status=status,
            check_code=None,
            check_duration_ms=outcome.duration if outcome else None,
            check_description=outcome.info if outcome else "",
            check_running=record.check_running(),
            checks_failed=record.checks_failed,
            observed_failures=record.observed_failures,
            went_down=record.went_down,
            down_time=record.down_time,
            last_change=record.last_change,
        )


def _reason(outcome: Outcome) -> str:
    info = f', info: "{outcome.info}"' if outcome.info else ""
    took = "" if outcome.duration is None else f", check duration: {outcome.duration}ms"
    return f", reason: {outcome.result.words}{info}{took}"
