"""What streams run, and the end of one of them: the others live."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time

import pytest

from telamon.engine import IoEngine, ServerSide, Session
from telamon.plan.proxy import Mode
from tests.engine.rig import (
    Rig,
    TestServer,
    echo,
    inet,
    listening,
    plan,
    receive,
    receive_all,
    running,
    server,
    until,
)

REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def of(rig: Rig, client: socket.socket) -> Session | None:
    address = client.getsockname()[:2]
    return next((one for one in rig.engine.sessions() if one.client == address), None)


def shown(rig: Rig, client: socket.socket) -> Session:
    until(lambda: of(rig, client), "the session")
    found = of(rig, client)
    assert found is not None
    return found


def is_cut(client: socket.socket) -> bool:
    try:
        return receive_all(client) == b""
    except ConnectionResetError:
        return True


def test_one_of_two_streams_is_ended(io: IoEngine) -> None:
    with TestServer(echo) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as first, rig.connect() as second:
            for client in (first, second):
                client.sendall(b"ping")
                assert receive(client, 4) == b"ping"
            session = shown(rig, first)
            assert (session.proxy_id, session.backend_id, session.server_id) == (1, 1, 1)
            assert session.server_side is ServerSide.ESTABLISHED
            assert session.bytes_in == session.bytes_out == 4
            assert session.client_fd is not None and session.server_fd is not None
            assert abs(time.time() - session.accepted) < 60
            assert rig.engine.shutdown_session(session.id)
            assert is_cut(first)
            until(lambda: of(rig, first) is None, "its end")
            assert not rig.engine.shutdown_session(session.id)
            second.sendall(b"pong")
            assert receive(second, 4) == b"pong"
        rig.idle()


def test_one_of_two_requests_is_ended(io: IoEngine) -> None:
    with (
        listening() as silent,
        running(plan((server(inet(silent)),), mode=Mode.HTTP), io) as rig,
        rig.connect() as first,
        rig.connect() as second,
    ):
        first.sendall(REQUEST)
        upstream, _ = silent.accept()
        second.sendall(REQUEST)
        other, _ = silent.accept()
        with upstream, other:
            session = shown(rig, first)
            assert session.server_side is ServerSide.ESTABLISHED
            assert session.server_fd is not None
            shown(rig, second)
            assert rig.engine.shutdown_session(session.id)
            assert receive(first, 12) == b"HTTP/1.1 502"
            assert receive(other, len(REQUEST)).startswith(b"GET / HTTP/1.1")
            other.sendall(ANSWER)
            assert receive(second, len(ANSWER)).startswith(b"HTTP/1.1 200 OK")
            # It waits for its next request: no stream any more, and none that could be ended.
            until(lambda: rig.engine.sessions() == [], "the end of both")
            other.close()


def test_a_response_is_cut(io: IoEngine) -> None:
    with (
        listening() as silent,
        running(plan((server(inet(silent)),), mode=Mode.HTTP), io) as rig,
        rig.connect() as client,
    ):
        client.sendall(REQUEST)
        upstream, _ = silent.accept()
        with upstream:
            upstream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
            received = b""
            while not received.endswith(b"half"):
                received += receive(client, 1)
            assert rig.engine.shutdown_session(shown(rig, client).id)
            assert is_cut(client)
            assert receive_all(upstream).startswith(b"GET /")
        rig.idle()


def test_a_request_that_waits_in_a_queue_is_ended(io: IoEngine) -> None:
    servers = (server(inet(silent := listening()), maxconn=1),)
    with (
        silent,
        running(plan(servers, mode=Mode.HTTP), io) as rig,
        rig.connect() as first,
        rig.connect() as second,
    ):
        first.sendall(REQUEST)
        upstream, _ = silent.accept()
        with upstream:
            second.sendall(REQUEST)
            until(lambda: shown(rig, second).server_side is ServerSide.QUEUED, "the queue")
            assert rig.engine.shutdown_session(shown(rig, second).id)
            assert receive(second, 12) == b"HTTP/1.1 502"
            until(lambda: rig.backend("qcur") == 0, "the queue's end")
            upstream.sendall(ANSWER)
            assert receive(first, 12) == b"HTTP/1.1 200"
            second.sendall(REQUEST)
            until(lambda: rig.server("stot") == 2, "its next request")


def test_one_that_waits_in_a_queue_is_ended(io: IoEngine) -> None:
    servers = (server(inet(silent := listening()), maxconn=1),)
    with silent, running(plan(servers), io) as rig, rig.connect() as first:
        upstream, _ = silent.accept()
        with upstream, rig.connect() as second:
            until(lambda: shown(rig, second).server_side is ServerSide.QUEUED, "the queue")
            assert rig.backend("qcur") == 1
            assert rig.engine.shutdown_session(shown(rig, second).id)
            assert is_cut(second)
            until(lambda: rig.backend("qcur") == 0, "the queue's end")
            upstream.sendall(b"still here")
            assert receive(first, 10) == b"still here"


def test_more_than_a_thread_looks_at_in_a_turn(io: IoEngine) -> None:
    count = 1200
    servers = (server(inet(silent := listening()), maxconn=1),)
    with silent, running(plan(servers), io, threads=1) as rig, contextlib.ExitStack() as clients:
        for _ in range(count):
            clients.enter_context(rig.connect())
        until(lambda: rig.engine.active() == count, "all clients")
        until(lambda: rig.backend("qcur") == count - 1, "the queue")
        assert len({one.id for one in rig.engine.sessions()}) == count


@pytest.mark.parametrize("mode", [Mode.TCP, Mode.HTTP])
def test_ends_at_any_moment_leave_nothing_behind(io: IoEngine, mode: Mode) -> None:
    """Streams that connect, queue, wait and answer are ended at random; all places come back."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    over = threading.Event()

    def answer(client: socket.socket) -> None:
        while client.recv(4096):
            client.sendall(ANSWER)
        client.shutdown(socket.SHUT_WR)

    def ask(rig: Rig) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), rig.connect() as client:
                for _ in range(20):
                    client.sendall(REQUEST)
                    if not client.recv(4096):
                        break

    with (
        TestServer(answer) as backend,
        running(plan((server(backend.address, maxconn=3),), mode=mode), io) as rig,
    ):
        clients = [threading.Thread(target=ask, args=(rig,)) for _ in range(12)]
        for client in clients:
            client.start()
        ended = 0
        try:
            while ended < 200:
                for one in rig.engine.sessions():
                    if chance.random() < 0.3:
                        ended += rig.engine.shutdown_session(one.id)
        finally:
            over.set()
            for client in clients:
                client.join()
        rig.idle()
        until(lambda: rig.server("scur") == rig.backend("qcur") == 0, "all places given back")


def test_what_is_no_session(io: IoEngine) -> None:
    with TestServer(echo) as backend, running(plan((server(backend.address),)), io) as rig:
        assert rig.engine.sessions() == []
        for number in (0, 1, 0x12, 1 << 56, (1 << 56) + 7, 9 << 56, (1 << 64) - 1):
            assert not rig.engine.shutdown_session(number)
