"""Long bodies that pass through a pipe: whole and in order, whatever the other side does."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from telamon.engine import IoEngine
from telamon.plan.http import HttpSettings, Reuse
from telamon.plan.proxy import ProxyPlan
from tests.engine.rig import Rig, TestServer, receive_all, running, server, until
from tests.engine.test_http_proxy import (
    GET,
    SHORT,
    descriptors,
    everything_given_back,
    head_of,
    http_plan,
    reset,
    served,
)

MIB = 1 << 20
LAST = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def sending(body: bytes, *, cut: int | None = None) -> Callable[[socket.socket], None]:
    """A server that answers each request with `body`, or closes after `cut` bytes of it."""

    def serve(sock: socket.socket) -> None:
        data = b""
        while data := head_of(sock, data):
            _, _, data = data.partition(b"\r\n\r\n")
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            sock.sendall(body[:cut])
            if cut is not None:
                sock.close()
                return

    return serve


def plan_for(address: object, **process: object) -> ProxyPlan:
    made = http_plan(server(address), http=HttpSettings(reuse=Reuse.ALWAYS))  # type: ignore[arg-type]
    return replace(made, process=replace(made.process, **process))  # type: ignore[arg-type]


def spliced(rig: Rig) -> int:
    return rig.snapshot().process["TotalSplicedBytesOut"]


def exactly(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (more := sock.recv(min(1 << 16, count - len(data)))):
        data += more
    return bytes(data)


def response_of(sock: socket.socket) -> bytes:
    """One response's body."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = sock.recv(1)
        assert more, head
        head += more
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return exactly(sock, length)


@pytest.mark.parametrize("size", [48 << 10, 64 << 10, MIB, 20 * MIB])
def test_bodies_come_whole_one_after_another(io: IoEngine, size: int) -> None:
    body = noise(size, size)
    with TestServer(sending(body)) as backend, running(plan_for(backend.address), io) as rig:
        with rig.connect() as client:
            for _ in range(3):
                client.sendall(GET)
                assert hashlib.sha256(response_of(client)).digest() == hashlib.sha256(body).digest()
        assert 0 < spliced(rig) <= 3 * size
        assert backend.accepted == 1, "the server's connection is used again"
        everything_given_back(rig)


@pytest.mark.parametrize("most", [0, 1])
def test_without_pipes_bodies_are_copied(io: IoEngine, most: int) -> None:
    body = noise(MIB, most)
    with (
        TestServer(sending(body)) as backend,
        running(plan_for(backend.address, max_pipes=most), io) as rig,
    ):
        clients = [rig.connect() for _ in range(4)]
        for client in clients:
            client.sendall(LAST)
        for client in clients:
            with client:
                assert response_of(client) == body
        assert (spliced(rig) > 0) == (most > 0)


def test_a_slow_client_gets_all_of_it(io: IoEngine) -> None:
    """Its socket and the pipe are full most of the time, and it reads by small steps."""
    body = noise(16 * MIB, 1)
    with TestServer(sending(body)) as backend, running(plan_for(backend.address), io) as rig:
        with rig.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.sendall(LAST)
            until(lambda: spliced(rig) > 0, "the pipe is in use")
            assert receive_all(client).endswith(body)
        everything_given_back(rig)


def test_a_server_that_dies_in_the_body_ends_it_there(io: IoEngine) -> None:
    body = noise(MIB, 2)
    cut = 700_001
    with (
        TestServer(sending(body, cut=cut)) as backend,
        running(plan_for(backend.address), io) as rig,
        rig.connect() as client,
    ):
        client.sendall(GET)
        head, _, got = receive_all(client).partition(b"\r\n\r\n")
        assert b"200" in head and got == body[:cut]
        everything_given_back(rig)


def test_a_client_that_goes_leaves_nothing(io: IoEngine) -> None:
    body = noise(8 * MIB, 3)
    with TestServer(sending(body)) as backend, running(plan_for(backend.address), io) as rig:
        before = descriptors()
        for leave in (reset, socket.socket.close):
            client = rig.connect()
            client.sendall(GET)
            exactly(client, 300_000)
            leave(client)
        everything_given_back(rig)
        backend.close()
        until(lambda: descriptors() <= before, "pipes and sockets are closed")


def test_silence_of_the_server_is_a_timeout(io: IoEngine) -> None:
    held = threading.Event()

    def serve(sock: socket.socket) -> None:
        head_of(sock, b"")
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + bytes(100_000))
        held.wait(30)

    with TestServer(serve) as backend:
        the_plan = http_plan(server(backend.address), timeouts=SHORT)
        with running(the_plan, io) as rig, rig.connect() as client:
            client.sendall(GET)
            assert receive_all(client).endswith(bytes(100_000))
            held.set()
            everything_given_back(rig)


def test_a_long_body_lets_others_through(io: IoEngine) -> None:
    def serve(sock: socket.socket) -> None:
        while head := head_of(sock):
            size = 300 * MIB if b"/long" in head else 2
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // MIB):
                sock.sendall(bytes(MIB))
            if size == 2:
                sock.sendall(b"ok")

    with TestServer(serve) as backend, running(plan_for(backend.address), io) as rig:
        long = rig.connect()
        got: list[int] = []

        def read() -> None:
            count = 0
            while more := long.recv(1 << 20):
                count += len(more)
            got.append(count)

        long.sendall(LAST.replace(b" / ", b" /long "))
        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(20):
            assert served(rig)
        reader.join(60)
        long.close()
        assert got and got[0] > 300 * MIB
