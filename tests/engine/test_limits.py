"""Timeouts, queues, retries, redispatch, limits, backups, switches."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import textwrap
import time

import pytest

from telamon.engine import IoEngine, ServerState
from telamon.plan.balance import Algorithm
from telamon.plan.http import HttpSettings
from telamon.plan.process import ProcessPlan
from telamon.plan.proxy import Timeouts
from tests.engine.rig import (
    TestServer,
    closed_port,
    echo,
    inet,
    listening,
    named,
    plan,
    receive,
    receive_all,
    running,
    server,
    until,
)


def silent(client: socket.socket) -> None:
    receive_all(client)


def took(start: float) -> float:
    return time.monotonic() - start


def test_a_silent_client_is_left_after_its_timeout(io: IoEngine) -> None:
    timeouts = Timeouts(client=300, server=20_000, connect=5_000)
    with (
        TestServer(echo) as backend,
        running(plan((server(backend.address),), timeouts=timeouts), io) as rig,
        rig.connect() as client,
    ):
        start = time.monotonic()
        client.sendall(b"x")
        assert receive(client, 1) == b"x"
        assert client.recv(1) == b""
        assert 0.25 < took(start) < 5
        rig.idle()


def test_a_silent_server_is_left_after_its_timeout(io: IoEngine) -> None:
    timeouts = Timeouts(client=20_000, server=300, connect=5_000)
    with (
        TestServer(silent) as backend,
        running(plan((server(backend.address),), timeouts=timeouts), io) as rig,
        rig.connect() as client,
    ):
        start = time.monotonic()
        client.sendall(b"x")
        assert client.recv(1) == b""
        assert 0.25 < took(start) < 5


def test_activity_keeps_a_stream_alive(io: IoEngine) -> None:
    timeouts = Timeouts(client=400, server=400, connect=5_000)
    with (
        TestServer(echo) as backend,
        running(plan((server(backend.address),), timeouts=timeouts), io) as rig,
        rig.connect() as client,
    ):
        start = time.monotonic()
        while took(start) < 1.2:
            client.sendall(b"x")
            assert receive(client, 1) == b"x"
            time.sleep(0.1)


def test_client_fin_shortens_the_wait_after_our_end(io: IoEngine) -> None:
    """The server has ended; a client that never does is left after `timeout client-fin`."""

    def serve(client: socket.socket) -> None:
        client.sendall(b"bye")
        client.shutdown(socket.SHUT_WR)
        receive_all(client)

    timeouts = Timeouts(client=20_000, server=20_000, connect=5_000, client_fin=300)
    with (
        TestServer(serve) as backend,
        running(plan((server(backend.address),), timeouts=timeouts), io) as rig,
        rig.connect() as client,
    ):
        assert receive_all(client) == b"bye"
        rig.idle()


def test_a_refused_connect_is_retried_and_given_up(io: IoEngine) -> None:
    timeouts = Timeouts(client=20_000, server=20_000, connect=200)
    the_plan = plan((server(closed_port()),), timeouts=timeouts, backend={"retries": 2})
    with running(the_plan, io) as rig, rig.connect() as client:
        start = time.monotonic()
        client.sendall(b"x")
        assert client.recv(1) == b""
        assert took(start) > 0.35, "there is a pause before the same server is tried again"
        assert (rig.server("wretr"), rig.server("econ"), rig.backend("econ")) == (2, 1, 1)
        rig.idle()


def test_redispatch_finds_the_server_that_lives(io: IoEngine) -> None:
    with TestServer(named(b"2")) as alive:
        the_plan = plan(
            (server(closed_port()), server(alive.address, 2)), backend={"redispatch": -1}
        )
        with running(the_plan, io, threads=1) as rig:
            for _ in range(4):
                with rig.connect() as client:
                    assert receive(client, 1) == b"2"
            assert rig.server("wredis", 1) >= 1
            assert rig.backend("wredis") == rig.server("wredis", 1)
            assert rig.backend("econ") == 0


def test_a_connect_that_hangs_is_cut(io: IoEngine) -> None:
    full = listening(backlog=0)
    held = [socket.socket() for _ in range(4)]
    for sock in held:
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
    timeouts = Timeouts(client=20_000, server=20_000, connect=200)
    with (
        running(plan((server(inet(full)),), timeouts=timeouts, backend={"retries": 1}), io) as rig,
        rig.connect() as client,
    ):
        start = time.monotonic()
        client.sendall(b"x")
        assert client.recv(1) == b""
        assert 0.35 < took(start) < 5
        rig.idle()
        assert rig.server("econ") == 1
    for sock in [full, *held]:
        sock.close()


def test_streams_queue_for_a_full_server_in_order(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as backend,
        running(plan((server(backend.address, maxconn=1),)), io) as rig,
    ):
        first = rig.connect()
        assert receive(first, 1) == b"1"
        waiting = []
        for length in range(1, 4):
            waiting.append(rig.connect())
            until(lambda: rig.backend("qcur") == length)  # noqa: B023
        assert rig.backend("qmax") == 3 and backend.accepted == 1
        first.close()
        for client in waiting:
            assert receive(client, 1) == b"1"
            assert rig.server("scur") == 1
            client.close()
        rig.idle()
        assert rig.server("smax") == 1 and rig.backend("qcur") == 0


def test_the_queue_has_a_timeout(io: IoEngine) -> None:
    timeouts = Timeouts(client=20_000, server=20_000, connect=5_000, queue=200)
    with (
        TestServer(named(b"1")) as backend,
        running(plan((server(backend.address, maxconn=1),), timeouts=timeouts), io) as rig,
        rig.connect() as first,
    ):
        assert receive(first, 1) == b"1"
        with rig.connect() as second:
            start = time.monotonic()
            assert second.recv(1) == b""
            assert took(start) > 0.15
        until(lambda: rig.backend("qcur") == 0)
        assert rig.backend("econ") == 1


def test_a_client_that_gives_up_leaves_the_queue(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as backend,
        running(plan((server(backend.address, maxconn=1),)), io) as rig,
        rig.connect() as first,
    ):
        assert receive(first, 1) == b"1"
        rig.connect().close()
        until(lambda: rig.snapshot().process["CumConns"] == 2)
        until(lambda: rig.engine.active() == 1 and rig.backend("qcur") == 0)


def test_the_frontend_limit_holds_and_lets_go(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as backend,
        running(plan((server(backend.address),), maxconn=2), io) as rig,
    ):
        inside = [rig.connect(), rig.connect()]
        for client in inside:
            assert receive(client, 1) == b"1"
        outside = rig.connect(timeout=0.3)
        try:
            outside.recv(1)
            raise AssertionError("a third connection was served")
        except TimeoutError:
            pass
        assert rig.frontend("scur") == rig.frontend("slim") == 2
        inside.pop().close()
        outside.settimeout(5)
        assert receive(outside, 1) == b"1"
        for client in [*inside, outside]:
            client.close()
        rig.idle()
        assert rig.frontend("smax") == 2


def test_the_process_limit_holds(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as backend,
        running(plan((server(backend.address),), process=ProcessPlan(maxconn=1)), io) as rig,
        rig.connect() as first,
        rig.connect(timeout=0.3) as second,
    ):
        assert receive(first, 1) == b"1"
        try:
            second.recv(1)
            raise AssertionError("a second connection was served")
        except TimeoutError:
            pass
        rig.engine.set_process_maxconn(2)
        second.settimeout(5)
        assert receive(second, 1) == b"1"


def test_backups_serve_when_all_others_are_down(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"b")) as backup,
        running(plan((server(one.address), server(backup.address, 2, backup=True))), io) as rig,
    ):
        for state, name in ((ServerState.UP, b"1"), (ServerState.DOWN, b"b")):
            rig.engine.set_server_state(1, 1, state)
            for _ in range(2):
                with rig.connect() as client:
                    assert receive(client, 1) == name


def test_source_binds_a_client_to_its_server(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"2")) as two,
        running(
            plan(
                (server(one.address), server(two.address, 2)),
                backend={"algorithm": Algorithm.SOURCE},
            ),
            io,
        ) as rig,
    ):
        seen = set()
        for _ in range(5):
            with rig.connect() as client:
                seen.add(receive(client, 1))
        assert len(seen) == 1


def test_shutdown_sessions_ends_a_servers_streams(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as backend,
        running(plan((server(backend.address),)), io) as rig,
    ):
        clients = [rig.connect() for _ in range(5)]
        for client in clients:
            assert receive(client, 1) == b"1"
        assert rig.engine.shutdown_sessions(1, 1) == 5
        for client in clients:
            assert client.recv(1) == b""
            client.close()
        rig.idle()


def test_a_paused_frontend_accepts_again(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as backend,
        running(plan((server(backend.address),)), io) as rig,
    ):
        rig.engine.set_frontend_enabled(1, False)
        until(lambda: rig.frontend("enabled") == 0)
        time.sleep(0.1)
        with rig.connect(timeout=0.3) as client:
            try:
                client.recv(1)
                raise AssertionError("a paused frontend served")
            except TimeoutError:
                pass
            rig.engine.set_frontend_enabled(1, True)
            client.settimeout(5)
            assert receive(client, 1) == b"1"


def test_soft_stop_closes_the_door_and_lets_streams_end(io: IoEngine) -> None:
    with TestServer(echo) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as client:
            client.sendall(b"a")
            assert receive(client, 1) == b"a"
            rig.engine.soft_stop()
            address = rig.listeners[0].getsockname()
            rig.listeners[0].close()

            def refused() -> bool:
                with socket.socket() as probe:
                    return probe.connect_ex(address) != 0

            until(refused, "the port is closed")
            client.sendall(b"b")
            assert receive(client, 1) == b"b"
        rig.idle()


EXHAUSTED = """
    import os, resource, socket, sys
    from telamon.engine import EngineMessage, IoEngine
    from tests.engine.rig import *

    with TestServer(named(b"1")) as backend:
        with running(plan((server(backend.address),)), IoEngine(sys.argv[1]), threads=1) as rig:
            with rig.connect() as client:
                assert receive(client, 1) == b"1"
            rig.idle()
            used = len(os.listdir("/proc/self/fd"))
            clients = [socket.socket() for _ in range(30)]
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, used + 40))
            for client in clients:
                client.connect(rig.address)
            messages = []
            def told():
                messages.extend(e for e in rig.engine.events() if isinstance(e, EngineMessage))
                return any("out of resources" in m.text for m in messages)
            until(told, "the operator is told")
            for client in clients:
                client.close()
            rig.idle()
            def serves():
                with rig.connect() as client:
                    return client.recv(1) == b"1"
            until(serves, "it accepts again")
    print("fine")
"""


def test_running_out_of_descriptors_is_survived(io: IoEngine) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EXHAUSTED), io.value],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "fine\n", done.stderr


@pytest.mark.parametrize("where", ["connection_rate", "session_rate", "session_rate_limit"])
def test_a_rate_limit_makes_clients_wait(io: IoEngine, where: str) -> None:
    """`maxconnrate`, `maxsessrate`, `rate-limit sessions`: all are served, not all at once."""
    rate = {where: 10}
    process = ProcessPlan() if where == "session_rate_limit" else ProcessPlan(**rate)  # type: ignore[arg-type]
    http = HttpSettings(session_rate_limit=10 if where == "session_rate_limit" else None)
    with (
        TestServer(echo) as backend,
        running(plan((server(backend.address),), process=process, http=http), io) as rig,
        contextlib.ExitStack() as stack,
    ):
        start = time.monotonic()
        clients = [stack.enter_context(rig.connect()) for _ in range(25)]
        for client in clients:
            client.sendall(b"x")
        for client in clients:
            assert receive(client, 1) == b"x"
        # Two threads may both see the last free place.
        assert 1.0 < took(start) < 10


@pytest.mark.parametrize("where", ["connection_rate", "session_rate"])
def test_a_rate_limit_is_changed(io: IoEngine, where: str) -> None:
    process = ProcessPlan(**{where: 1})  # type: ignore[arg-type]
    with (
        TestServer(echo) as backend,
        running(plan((server(backend.address),), process=process), io) as rig,
        contextlib.ExitStack() as stack,
    ):
        change = getattr(rig.engine, f"set_{where}")
        name = "ConnRateLimit" if where == "connection_rate" else "SessRateLimit"
        assert rig.snapshot().process[name] == 1
        start = time.monotonic()
        clients = [stack.enter_context(rig.connect()) for _ in range(30)]
        change(0)
        for client in clients:
            client.sendall(b"x")
            assert receive(client, 1) == b"x"
        assert took(start) < 15  # at one a second they would take twice as long
        assert rig.snapshot().process[name] == 0
