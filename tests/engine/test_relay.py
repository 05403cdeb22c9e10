"""The relay: bytes, half-closes, resets, large transfers, many connections."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
from pathlib import Path

from telamon.base.address import UnixAddress
from telamon.engine import IoEngine, ServerState
from tests.engine.rig import (
    TestServer,
    echo,
    listening,
    named,
    plan,
    receive,
    receive_all,
    running,
    server,
    until,
)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_bytes_go_both_ways_and_are_counted(io: IoEngine) -> None:
    with TestServer(echo) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as client:
            for size in (1, 100, 5000):
                data = os.urandom(size)
                client.sendall(data)
                assert receive(client, size) == data
            assert rig.server("scur") == rig.frontend("scur") == rig.engine.active() == 1
        rig.idle()
        for counters in (rig.frontend, rig.backend, rig.server):
            assert (counters("stot"), counters("bin"), counters("bout")) == (1, 5101, 5101)
            assert (counters("scur"), counters("smax")) == (0, 1)


def test_round_robin_takes_turns(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"2")) as two,
        running(plan((server(one.address), server(two.address, 2))), io, threads=1) as rig,
    ):
        seen = b""
        for _ in range(6):
            with rig.connect() as client:
                seen += receive(client, 1)
        assert seen == b"121212"


def test_half_close_by_the_client(io: IoEngine) -> None:
    """The server answers only when the client has ended, as `nc -N` and ftp data do."""

    def serve(client: socket.socket) -> None:
        client.sendall(b"got %d" % len(receive_all(client)))
        client.shutdown(socket.SHUT_WR)

    with TestServer(serve) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as client:
            client.sendall(b"x" * 70_000)
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"got 70000"
        rig.idle()


def test_half_close_by_the_server(io: IoEngine) -> None:
    got: list[bytes] = []

    def serve(client: socket.socket) -> None:
        client.sendall(b"all I say")
        client.shutdown(socket.SHUT_WR)
        got.append(receive_all(client))

    with TestServer(serve) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as client:
            assert receive_all(client) == b"all I say"
            client.sendall(b"and now I")
            client.shutdown(socket.SHUT_WR)
            until(lambda: got == [b"and now I"])
        rig.idle()


def test_a_reset_by_either_side_ends_both(io: IoEngine) -> None:
    peers: list[socket.socket] = []

    def serve(client: socket.socket) -> None:
        client.sendall(b"hi")
        peers.append(client)

    with TestServer(serve) as backend, running(plan((server(backend.address),)), io) as rig:
        client = rig.connect()
        assert receive(client, 2) == b"hi"
        reset(client)
        rig.idle()
        until(lambda: peers)
        peers[0].settimeout(5)
        assert peers[0].recv(1) == b""
        assert rig.backend("cli_abrt") == 1

        with rig.connect() as client:
            assert receive(client, 2) == b"hi"
            until(lambda: len(peers) == 2)
            reset(peers[1])
            assert client.recv(1) == b""
        rig.idle()
        assert rig.server("srv_abrt") == 1


def test_large_transfers_both_ways_at_once(io: IoEngine) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    size = 8 << 20
    data = random.Random(seed).randbytes(size)
    with TestServer(echo) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as client:

            def send() -> None:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            assert receive_all(client) == data
            sender.join()
        rig.idle()
        assert rig.frontend("bin") == rig.frontend("bout") == size


def test_a_reader_that_stops_holds_the_sender_not_the_proxy(io: IoEngine) -> None:
    size = 64 << 20
    sent = 0

    def serve(client: socket.socket) -> None:
        nonlocal sent
        block = b"z" * (1 << 20)
        while sent < size:
            client.sendall(block)
            sent += len(block)
        client.shutdown(socket.SHUT_WR)

    with (
        TestServer(serve) as backend,
        running(plan((server(backend.address),)), io) as rig,
        rig.connect() as slow,
        rig.connect() as other,
    ):
        last = -1
        while last != rig.frontend("bout"):
            last = rig.frontend("bout")
            threading.Event().wait(0.3)
        assert last < size, "the proxy must not swallow what the client does not read"
        assert other.recv(10)
        total = 0
        while data := slow.recv(1 << 20):
            total += len(data)
        assert total > 0


def test_ipv6_and_unix_servers(io: IoEngine, tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0telamon-{os.getpid()}-{io}")
    abstract.listen()
    with (
        TestServer(named(b"6"), listening("::1")) as six,
        TestServer(named(b"u"), sock),
        TestServer(named(b"a"), abstract),
        running(
            plan(
                (
                    server(six.address),
                    server(UnixAddress(str(path)), 2),
                    server(UnixAddress(f"telamon-{os.getpid()}-{io}", abstract=True), 3),
                )
            ),
            io,
            threads=1,
            sock=listening("::1"),
        ) as rig,
    ):
        seen = b""
        for _ in range(3):
            with rig.connect() as client:
                seen += receive(client, 1)
                client.sendall(b"ping")
                assert receive(client, 4) == b"ping"
        assert seen == b"6ua"


def test_a_unix_listener(io: IoEngine, tmp_path: Path) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "front.sock"))
    sock.listen()
    with (
        TestServer(echo) as backend,
        running(plan((server(backend.address),)), io, sock=sock) as rig,
        rig.connect() as client,
    ):
        client.sendall(b"ping")
        assert receive(client, 4) == b"ping"


def test_thousands_of_connections_leave_nothing_behind(io: IoEngine) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def serve(client: socket.socket) -> None:
        with client:
            client.sendall(client.recv(100))

    with TestServer(serve, listening(backlog=4096)) as backend:
        # The server's own list of sockets is not what this test is about.
        backend._open = type("Nothing", (list,), {"append": lambda *_: None})()
        with running(plan((server(backend.address),)), io, sock=listening(backlog=4096)) as rig:
            with rig.connect() as client:
                client.sendall(b"first")
                assert receive_all(client) == b"first"
            rig.idle()
            before = descriptors()
            for round in range(2000):
                client = rig.connect()
                if round % 3 == 0:
                    reset(client)
                    continue
                client.sendall(b"x")
                if round % 3 == 1:
                    assert receive_all(client) == b"x"
                client.close()
            rig.idle()
            until(lambda: descriptors() <= before, "descriptors are given back")
            assert rig.server("scur") == rig.backend("scur") == 0


def test_a_server_that_is_down_gets_nothing(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"2")) as two,
        running(plan((server(one.address), server(two.address, 2))), io) as rig,
    ):
        rig.engine.set_server_state(1, 1, ServerState.DOWN)
        for _ in range(4):
            with rig.connect() as client:
                assert receive(client, 1) == b"2"
        rig.engine.set_server_state(1, 1, ServerState.UP)
        rig.engine.set_server_state(1, 2, ServerState.MAINT)
        with rig.connect() as client:
            assert receive(client, 1) == b"1"
        rig.engine.set_server_state(1, 1, ServerState.DOWN)
        with rig.connect() as client:
            assert client.recv(1) == b""
        rig.idle()
        assert rig.backend("econ") == 1
