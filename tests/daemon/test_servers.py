"""Server states and HAProxy's words for their changes.

The sentences are what Debian's HAProxy 2.6 logs for the same events.
"""

from __future__ import annotations

import ipaddress
from typing import Any, cast

import pytest

from telamon.base.address import InetAddress
from telamon.checks.observe import ServerError
from telamon.checks.outcome import Outcome, Result
from telamon.daemon.servers import Servers
from telamon.engine import Engine, ServerState, Snapshot
from telamon.plan.process import Level
from telamon.plan.proxy import (
    Backend,
    Check,
    Frontend,
    Layer,
    Mode,
    Observation,
    OnError,
    Proxy,
    ProxyPlan,
    Server,
)
from telamon.runtime.ports import AdminState, CheckStatus

REFUSED = Outcome(Result.L4_CONNECTION_ERROR, 0, "Connection refused")
PASSED = Outcome(Result.L4_OK, 0)
NO_LOAD = "0 sessions active, 0 requeued, 0 remaining in queue."


class FakeEngine:
    """Remembers the last state it was told for each server."""

    def __init__(self) -> None:
        self.states: dict[tuple[int, int], ServerState] = {}
        self.weights: dict[tuple[int, int], int] = {}

    def set_server_state(self, proxy: int, server: int, state: ServerState) -> None:
        self.states[proxy, server] = state

    def set_server_weight(self, proxy: int, server: int, weight: int) -> None:
        self.weights[proxy, server] = weight

    def snapshot(self) -> Snapshot:
        return Snapshot({}, {})


class World:
    def __init__(
        self,
        *,
        backups: int = 0,
        active: int = 2,
        listen: bool = True,
        log_checks: bool = False,
        observe: OnError | None = None,
    ) -> None:
        watched = None if observe is None else Observation(Layer.LAYER7, action=observe)
        address = InetAddress(ipaddress.ip_address("127.0.0.1"), 80)
        servers = tuple(
            Server(n + 1, f"s{n + 1}", address, check=Check(observe=watched), backup=n >= active)
            for n in range(active + backups)
        )
        front = Frontend() if listen else None
        back = Backend(servers=servers)
        proxy = Proxy(
            1, "web", Mode.TCP, frontend=front, backend=back, log_health_checks=log_checks
        )
        self.now = 100.0
        self.lines: list[tuple[Level, str]] = []
        self.engine = FakeEngine()
        self.servers = Servers(
            ProxyPlan(proxies=(proxy,)),
            cast(Engine, cast(Any, self.engine)),
            lambda: self.now,
            lambda _proxy, level, text: self.lines.append((level, text)),
        )

    def told(self, server: int) -> ServerState:
        return self.engine.states[1, server]

    def check(self, server: int, outcome: Outcome, times: int = 1) -> None:
        for _ in range(times):
            self.servers.checked(self.servers.records[1, server], outcome)

    def admin(self, server: int, admin: AdminState) -> None:
        self.servers.set_admin(self.servers.records[1, server], admin)


def test_down_and_up_in_haproxys_words() -> None:
    world = World()
    world.check(1, REFUSED)
    assert world.lines == [
        (
            Level.ALERT,
            'Server web/s1 is DOWN, reason: Layer4 connection problem, info: "Connection refused",'
            " check duration: 0ms. 1 active and 0 backup servers left. " + NO_LOAD,
        )
    ]
    assert world.told(1) is ServerState.DOWN
    world.lines.clear()
    world.check(1, PASSED, times=2)
    assert world.lines == [
        (
            Level.NOTICE,
            "Server web/s1 is UP, reason: Layer4 check passed, check duration: 0ms. 2 active and "
            "0 backup servers online. 0 sessions requeued, 0 total in queue.",
        )
    ]
    assert world.told(1) is ServerState.UP


@pytest.mark.parametrize(("listen", "kind"), [(True, "proxy"), (False, "backend")])
def test_the_last_server_is_an_emergency(listen: bool, kind: str) -> None:
    world = World(active=1, listen=listen)
    world.check(1, REFUSED)
    assert world.lines[1] == (Level.EMERG, f"{kind} web has no server available!")
    assert world.servers.backends[1].went_down == 1
    world.now += 7.0
    world.check(1, PASSED, times=2)
    assert world.servers.backends[1].down_time == 7.0
    assert world.servers.describe(world.servers.records[1, 1]).down_time == 7.0


def test_running_on_backup() -> None:
    world = World(active=1, backups=1)
    world.check(1, REFUSED)
    assert "0 active and 1 backup servers left. Running on backup. 0 sessions" in world.lines[0][1]
    world.check(2, REFUSED)
    assert world.lines[1][1].startswith("Backup Server web/s2 is DOWN, reason: ")
    assert world.lines[2] == (Level.EMERG, "proxy web has no server available!")


def test_maintenance_and_back() -> None:
    world = World()
    world.check(1, PASSED)
    world.admin(1, AdminState.FORCED_MAINT)
    assert world.told(1) is ServerState.MAINT
    assert world.lines == [
        (
            Level.ALERT,
            "Server web/s1 is going DOWN for maintenance. 1 active and 0 backup servers left. "
            + NO_LOAD,
        )
    ]
    world.lines.clear()
    world.admin(1, AdminState.READY)
    assert world.lines == [
        (Level.NOTICE, "Server web/s1 is UP/READY (leaving forced maintenance).")
    ]
    # It comes back on trust: one failed check is enough.
    world.check(1, REFUSED)
    assert world.told(1) is ServerState.DOWN


def test_drain_and_back() -> None:
    world = World(active=1)
    world.admin(1, AdminState.FORCED_DRAIN)
    assert world.told(1) is ServerState.DRAIN
    assert [text for _, text in world.lines] == [
        "Server web/s1 enters drain state. 0 active and 0 backup servers online. "
        "0 sessions requeued, 0 total in queue.",
        "proxy web has no server available!",
    ]
    world.lines.clear()
    world.admin(1, AdminState.READY)
    assert world.lines == [(Level.NOTICE, "Server web/s1 is UP (leaving forced drain).")]
    assert world.told(1) is ServerState.UP


def test_changed_from_cli() -> None:
    world = World()
    record = world.servers.records[1, 1]
    world.servers.set_health(record, False)
    assert world.lines[0][1].startswith("Server web/s1 is DOWN, changed from CLI. 1 active and")
    world.servers.set_health(record, True)
    assert world.lines[1][1].startswith("Server web/s1 is UP, changed from CLI. 2 active and")


def test_weight_zero_leaves_no_server() -> None:
    world = World(active=1)
    world.servers.set_weight(world.servers.records[1, 1], 0)
    assert world.lines == [(Level.EMERG, "proxy web has no server available!")]
    assert world.engine.weights[1, 1] == 0


def test_failures_count_only_while_up() -> None:
    world = World()
    world.check(1, REFUSED, times=5)
    health = world.servers.describe(world.servers.records[1, 1])
    assert health.checks_failed == 1
    assert health.went_down == 1
    assert health.check_description == "Connection refused"


def test_log_health_checks_tells_each_change_once() -> None:
    world = World(log_checks=True)
    world.check(1, PASSED, times=3)
    world.check(1, REFUSED, times=3)
    head = "Health check for server web/s1"
    refused = 'reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms'
    assert [text for _, text in world.lines] == [
        f"{head} succeeded, reason: Layer4 check passed, check duration: 0ms, status: 3/3 UP.",
        f"{head} failed, {refused}, status: 2/3 UP.",
        f"{head} failed, {refused}, status: 1/3 UP.",
        f"{head} failed, {refused}, status: 0/2 DOWN.",
        f"Server web/s1 is DOWN. 1 active and 0 backup servers left. {NO_LOAD}",
    ]


def test_errors_in_the_traffic_take_a_server_down() -> None:
    world = World(observe=OnError.MARK_DOWN)
    world.check(1, PASSED)
    record = world.servers.records[1, 1]
    assert world.servers.observed(record, ServerError.STATUS)
    assert [text for _, text in world.lines] == [
        'Server web/s1 is DOWN, reason: Health analyze, info: "Detected 10 consecutive errors, '
        'last one was: Wrong http response". 1 active and 0 backup servers left. ' + NO_LOAD
    ]
    health = world.servers.describe(record)
    assert (health.check_status, health.checks_failed) == (CheckStatus.HEALTH_ANALYZE, 1)
    assert health.observed_failures == 1


def test_observed_errors_only_hasten_checks() -> None:
    world = World(observe=OnError.FASTINTER)
    record = world.servers.records[1, 1]
    assert world.servers.observed(record, ServerError.CLOSED)
    assert world.lines == []
    assert world.servers.describe(record).observed_failures == 1


def test_errors_do_not_count_where_no_check_would() -> None:
    world = World(observe=OnError.MARK_DOWN)
    record = world.servers.records[1, 1]
    world.admin(1, AdminState.FORCED_MAINT)
    assert not world.servers.observed(record, ServerError.STATUS)
    world.admin(1, AdminState.READY)
    record.checks_enabled = False
    assert not world.servers.observed(record, ServerError.STATUS)
    assert record.health.up
