"""What goes wrong while rules wait for Python: clients and servers that leave, ends, kills.

Each test ends with nothing left: connections, places at servers, waiting calls.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from pathlib import Path

import pytest

from telamon.engine import IoEngine
from tests.engine.rig import Rig, receive, receive_all, until
from tests.engine.scripted import ask, calls, scripted

SLOW = """
GO = threading.Event()
@fetch("slow")
def slow(txn) -> str:
    GO.wait(30)
    return "done"
@service("page")
def page(request): return Reply(200, "page", "text/plain")
"""
ASKED = "    http-request set-header X-Slow %[python.slow]"
ANSWERED = "    http-response set-header X-Slow %[python.slow]"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def go() -> None:
    sys.modules["telamon_script.rules"].GO.set()


def settled(rig: Rig) -> None:
    """Nobody holds anything any more."""
    rig.idle()
    back = next(id for id, one in rig.snapshot().proxies.items() if one.servers)
    until(lambda: rig.backend("scur", back) == 0, "the backend has no stream")
    until(lambda: rig.server("scur", id=back) == 0, "the server has no stream")


def waiting(rig: Rig, data: bytes = GET, count: int = 1) -> socket.socket:
    client = rig.connect()
    client.sendall(data)
    until(lambda: calls(rig) >= count, "a call is made")
    return client


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("lines", [ASKED, ANSWERED], ids=["request", "response"])
def test_clients_leave(tmp_path: Path, io: IoEngine, lines: str) -> None:
    with scripted(tmp_path, io, SLOW, lines) as rig:
        reset(waiting(rig))
        waiting(rig, count=2).close()
        if lines is ANSWERED:
            back = next(id for id, one in rig.snapshot().proxies.items() if one.servers)
            until(lambda: rig.backend("cli_abrt", back) >= 1, "the abort is counted")
        go()
        settled(rig)
        assert ask(rig)[0] == 200


@pytest.mark.parametrize("lines", [ASKED, ANSWERED], ids=["request", "response"])
def test_half_closed_clients_are_answered(tmp_path: Path, io: IoEngine, lines: str) -> None:
    with scripted(tmp_path, io, SLOW, lines) as rig, waiting(rig) as client:
        client.shutdown(socket.SHUT_WR)
        go()
        assert b"x-slow: done" in receive_all(client)
        client.close()
        settled(rig)


@pytest.mark.parametrize("lines", [ASKED, ANSWERED], ids=["request", "response"])
def test_what_comes_behind_waits_its_turn(tmp_path: Path, io: IoEngine, lines: str) -> None:
    with scripted(tmp_path, io, SLOW, lines) as rig, waiting(rig, GET * 3) as client:
        go()
        data = b""
        while data.count(b"200 OK") < 3:
            data += client.recv(65536)
        assert calls(rig) == 3
        client.close()
        settled(rig)


def test_a_server_that_closes_has_said_all(tmp_path: Path, io: IoEngine) -> None:
    def serve(server: socket.socket) -> None:
        server.recv(65536)
        server.sendall(OK)
        server.close()

    with scripted(tmp_path, io, SLOW, ANSWERED, serve=serve) as rig, waiting(rig) as client:
        go()
        assert receive(client, 10).startswith(b"HTTP/1.1 2")
        client.close()
        settled(rig)


def test_a_server_that_breaks_off(tmp_path: Path, io: IoEngine) -> None:
    def serve(server: socket.socket) -> None:
        server.recv(65536)
        server.sendall(OK.replace(b"Length: 2", b"Length: 9"))
        reset(server)

    with scripted(tmp_path, io, SLOW, ANSWERED, serve=serve) as rig, waiting(rig) as client:
        go()
        data = receive_all(client)
        assert data.endswith(b"ok") or b"502" in data
        client.close()
        settled(rig)


def test_a_body_goes_on_after_an_early_response(tmp_path: Path, io: IoEngine) -> None:
    got: list[int] = []
    size = 500_000

    def serve(server: socket.socket) -> None:
        data = server.recv(65536)
        server.sendall(OK)
        count = len(data.partition(b"\r\n\r\n")[2])
        while count < size and (data := server.recv(65536)):
            count += len(data)
        got.append(count)

    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    with scripted(tmp_path, io, SLOW, ANSWERED, serve=serve) as rig:
        with waiting(rig, head + b"a" * 10) as client:
            sender = threading.Thread(target=client.sendall, args=(b"b" * (size - 10),))
            sender.start()
            go()
            assert b"x-slow: done" in receive(client, 54)
            sender.join(10)
            until(lambda: got == [size], "the whole body came")
        settled(rig)


@pytest.mark.parametrize("lines", [ASKED, ANSWERED], ids=["request", "response"])
def test_a_soft_stop_waits_for_them(tmp_path: Path, io: IoEngine, lines: str) -> None:
    with scripted(tmp_path, io, SLOW, lines) as rig, waiting(rig) as client:
        rig.engine.soft_stop()
        go()
        assert b"x-slow: done" in receive_all(client)
        client.close()
        rig.idle()


@pytest.mark.parametrize("lines", [ASKED, ANSWERED], ids=["request", "response"])
def test_an_end_ends_them(tmp_path: Path, io: IoEngine, lines: str) -> None:
    with scripted(tmp_path, io, SLOW, lines) as rig, waiting(rig) as client:
        rig.engine.stop()
        assert receive_all(client) == b""
        go()


def test_an_operator_ends_a_response_that_waits(tmp_path: Path, io: IoEngine) -> None:
    with scripted(tmp_path, io, SLOW, ANSWERED) as rig, waiting(rig) as client:
        back = next(id for id, one in rig.snapshot().proxies.items() if one.servers)
        assert rig.engine.shutdown_sessions(back, 1) == 1
        assert receive_all(client) == b""
        client.close()
        settled(rig)
        go()


def test_old_clients_and_heads(tmp_path: Path, io: IoEngine) -> None:
    lines = "    http-request use-service python.page"
    with scripted(tmp_path, io, SLOW, lines) as rig:
        with rig.connect() as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert receive_all(client).endswith(b"\r\n\r\npage")
        with rig.connect() as client:
            client.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            data = receive_all(client)
            assert b"content-length: 4\r\n" in data and data.endswith(b"\r\n\r\n")


def test_strict_mode_outlasts_a_wait(tmp_path: Path, io: IoEngine) -> None:
    """A head that grows too large is a failure in strict mode only."""
    lines = """
    http-request strict-mode off
    http-request set-var(txn.a) python.slow
    http-request set-header X-Slow %[var(txn.a)]
    """
    with scripted(tmp_path, io, SLOW, lines) as rig:
        go()
        assert "x-slow: done" in ask(rig)[2]
