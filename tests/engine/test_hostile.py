"""Peers that leave, die, drip or never end, at every point: others are served, nothing leaks.

Each test ends with `unharmed`: a request goes through as before, all gauges are zero and the
process has as many descriptors as before.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telamon.engine import IoEngine
from telamon.plan.http import HttpSettings
from telamon.plan.proxy import Mode, Timeouts
from tests.engine.rig import (
    PATIENCE,
    Rig,
    TestServer,
    plan,
    receive,
    receive_all,
    running,
    server,
    until,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
REQUEST = HEAD + b"5;x\r\nhello\r\n0\r\nT: t\r\n\r\n"
ANSWER = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n"
)
MANY = 16 << 20
"""More than any buffer may take in."""

LONG = 20_000
"""Timeouts that do not help: who waits for one is not over in time."""

Way = Callable[[socket.socket], None]


def close(sock: socket.socket) -> None:
    sock.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def half(sock: socket.socket) -> None:
    """Ends its own words and listens to the end."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        receive_all(sock)
    sock.close()


WAYS: list[Way] = [close, reset, half]
ways = pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])


def polite(client: socket.socket) -> None:
    """Answers each head; what belongs to a body does not matter to it."""
    seen = b""
    while data := client.recv(1 << 16):
        seen += data
        while b"\r\n\r\n" in seen:
            head, _, seen = seen.partition(b"\r\n\r\n")
            if head.startswith((b"GET", b"POST")):
                client.sendall(OK)


def patient(client: socket.socket) -> None:
    """Answers a GET, and hears others out."""
    data = client.recv(1 << 16)
    if data.startswith(b"GET"):
        client.sendall(OK)
    receive_all(client)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextlib.contextmanager
def proxy(
    io: IoEngine, serve: Callable[[socket.socket], None] = polite, **fields: object
) -> Iterator[tuple[Rig, TestServer]]:
    timeouts = Timeouts(
        client=LONG,
        server=LONG,
        connect=LONG,
        http_request=fields.pop("http_request", None),  # type: ignore[arg-type]
    )
    with TestServer(serve) as backend:
        made = plan(
            (server(backend.address),),
            mode=Mode.HTTP,
            timeouts=timeouts,
            http=HttpSettings(),
            **fields,  # type: ignore[arg-type]
        )
        with running(made, io, threads=1) as rig:
            yield rig, backend


def serves(rig: Rig) -> None:
    with rig.connect() as client:
        client.sendall(LAST)
        assert receive_all(client).endswith(b"\r\n\r\nok")


def unharmed(rig: Rig, backend: TestServer, before: int, *, served: bool = True) -> None:
    if served:
        serves(rig)
    rig.idle()
    backend.drop()
    until(lambda: descriptors() <= before, "all descriptors are closed")
    for name in ("scur", "qcur"):
        assert rig.backend(name) == 0
        assert rig.server(name) == 0
    assert rig.frontend("scur") == 0


@ways
def test_clients_that_leave_at_every_byte_of_a_request(io: IoEngine, way: Way) -> None:
    with proxy(io) as (rig, backend):
        before = descriptors()
        for cut in range(len(REQUEST) + 1):
            client = rig.connect()
            client.sendall(REQUEST[:cut])
            way(client)
        unharmed(rig, backend, before)


@ways
def test_clients_that_leave_at_every_byte_of_an_answer(io: IoEngine, way: Way) -> None:
    """The server says a part and waits; the client leaves; the server must hear of it, unless the
    client has only ended its words."""
    cuts = iter(range(len(ANSWER)))
    said = threading.Semaphore(0)

    def serve(sock: socket.socket) -> None:
        seen = receive(sock, 1)
        while b"\r\n\r\n" not in seen:
            seen += sock.recv(1 << 16)
        if seen.startswith(b"GET"):
            sock.sendall(OK)
            return
        sock.sendall(ANSWER[: next(cuts)])
        said.release()
        if way is half:
            sock.shutdown(socket.SHUT_WR)
        receive_all(sock)

    with proxy(io, serve) as (rig, backend):
        before = descriptors()
        for _ in range(len(ANSWER)):
            client = rig.connect()
            client.sendall(REQUEST)
            assert said.acquire(timeout=PATIENCE)
            way(client)
            if way is close:
                # A client that has closed looks like one that has ended its words, until it
                # answers our bytes with a reset: the exchange is the server's to end.
                backend.drop()
        unharmed(rig, backend, before)


@ways
def test_servers_that_die_at_every_byte_of_an_answer(io: IoEngine, way: Way) -> None:
    cuts = iter(range(len(ANSWER)))

    def serve(sock: socket.socket) -> None:
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += sock.recv(1 << 16)
        if seen.startswith(b"GET"):
            sock.sendall(OK)
            return
        sock.sendall(ANSWER[: next(cuts)])
        way(sock)

    with proxy(io, serve) as (rig, backend):
        before = descriptors()
        for _ in range(len(ANSWER)):
            with rig.connect() as client:
                client.sendall(HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                client.sendall(b"0\r\n\r\n")
                got = receive_all(client)
            assert got.startswith(b"HTTP/1.1 "), got
            # Whole answers end; the others must not look whole.
            assert b" 502 " in got or not got.endswith(b"0\r\n\r\n"), got
        unharmed(rig, backend, before)


def test_slow_clients_are_left_and_others_served(io: IoEngine) -> None:
    """Slowloris: heads that never end."""
    with proxy(io, http_request=700) as (rig, backend):
        before = descriptors()
        slow = [rig.connect() for _ in range(300)]
        for byte in GET[:20]:
            for client in slow:
                with contextlib.suppress(ConnectionError):
                    client.sendall(bytes([byte]))
        serves(rig)
        for client in slow:
            assert b" 408 " in receive_all(client)
            client.close()
        unharmed(rig, backend, before)


ENDLESS = {
    "empty lines": (b"", b"\r\n"),
    "a method": (b"", b"G"),
    "a target": (b"GET /", b"a"),
    "a name": (b"GET / HTTP/1.1\r\n", b"a"),
    "a value": (b"GET / HTTP/1.1\r\nA: ", b"a"),
    "fields": (b"GET / HTTP/1.1\r\n", b"A: b\r\n"),
    "a folded value": (b"GET / HTTP/1.1\r\nA: b\r\n", b" \r\n"),
    "zeros of a size": (HEAD, b"0"),
    "blanks behind a size": (HEAD + b"5", b" "),
    "an extension": (HEAD + b"5;", b"a"),
    "trailers": (HEAD + b"0\r\n", b"A: b\r\n"),
    "a trailer": (HEAD + b"0\r\nA: ", b"b"),
}


@pytest.mark.parametrize("begin,more", ENDLESS.values(), ids=list(ENDLESS))
def test_what_never_ends_is_refused(io: IoEngine, begin: bytes, more: bytes) -> None:
    with proxy(io, patient) as (rig, backend):
        before = descriptors()
        with rig.connect() as client:
            client.sendall(begin)
            block, sent = more * (4096 // len(more)), 0
            with contextlib.suppress(ConnectionError):
                while sent < MANY and not select.select([client], [], [], 0)[0]:
                    client.sendall(block)
                    sent += len(block)
            assert receive_all(client).startswith(b"HTTP/1.1 400 "), f"{sent} bytes"
        unharmed(rig, backend, before)


@pytest.mark.parametrize(
    "begin", [HEAD, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"],
    ids=["chunks", "length"],
)  # fmt: skip
def test_a_body_is_not_read_ahead_of_its_server(io: IoEngine, begin: bytes) -> None:
    """A server that does not read stops the client, not the memory."""
    over = threading.Event()

    def serve(sock: socket.socket) -> None:
        over.wait(PATIENCE)

    with proxy(io, serve) as (rig, backend):
        before = descriptors()
        client = rig.connect()
        client.sendall(begin)
        assert fills_up(client, b"1000\r\n" + b"x" * 4096 + b"\r\n") < 4 * MANY
        reset(client)
        # Nothing is read from the client, so that its end is met when the server's comes.
        over.set()
        backend.drop()
        unharmed(rig, backend, before, served=False)


def test_an_answer_is_not_read_ahead_of_its_client(io: IoEngine) -> None:
    sent = []

    def serve(sock: socket.socket) -> None:
        receive(sock, len(GET))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        sent.append(fills_up(sock, b"x" * 65536))
        receive_all(sock)

    with proxy(io, serve) as (rig, backend):
        before = descriptors()
        client = rig.connect()
        client.sendall(GET)
        until(lambda: sent, "the server is stopped")
        assert sent[0] < 4 * MANY
        reset(client)
        unharmed(rig, backend, before, served=False)


def fills_up(sock: socket.socket, block: bytes) -> int:
    """How much a peer takes until it takes no more for a while."""
    sock.settimeout(0.7)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 8 * MANY:
            sent += sock.send(block)
    sock.settimeout(PATIENCE)
    return sent


def test_clients_that_leave_the_queue_in_any_order(io: IoEngine) -> None:
    """Places of a full server and of its queue come back, whoever leaves first."""
    gate = threading.Event()

    def serve(sock: socket.socket) -> None:
        gate.wait(PATIENCE)
        polite(sock)

    with TestServer(serve) as backend:
        made = plan(
            (server(backend.address, maxconn=2),),
            mode=Mode.HTTP,
            timeouts=Timeouts(client=LONG, server=LONG, connect=LONG),
            http=HttpSettings(),
        )
        with running(made, io, threads=1) as rig:
            before = descriptors()
            clients = [rig.connect() for _ in range(60)]
            for client in clients:
                client.sendall(LAST)
            until(lambda: rig.backend("qcur") == 58, "all others wait")
            for client in clients[::3]:
                reset(client)
            until(lambda: rig.backend("qcur") <= 40, "those who left are gone")
            gate.set()
            for client in [*clients[1::3], *clients[2::3]]:
                assert receive_all(client).endswith(b"ok")
                client.close()
            unharmed(rig, backend, before)
