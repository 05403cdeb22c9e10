"""`mode http` under load and ill will; pools, PROXY headers, counters."""

from __future__ import annotations

import contextlib
import ipaddress
import random
import socket
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from telamon.base.address import InetAddress
from telamon.engine import IoEngine
from telamon.plan.http import AddressHeader, HttpSettings, PoolLimits, Reuse
from telamon.plan.proxy import Listener, Mode, ProxyPlan, Server, Timeouts
from tests.engine.duel import pattern
from tests.engine.rig import Rig, TestServer, plan, receive_all, running, server, until

LOOPBACK = ipaddress.ip_address("127.0.0.1")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SHORT = Timeouts(client=400, server=400, connect=400, http_request=400, queue=400)


def http_plan(*servers: Server, timeouts: Timeouts | None = None, **fields: object) -> ProxyPlan:
    return plan(servers, mode=Mode.HTTP, timeouts=timeouts, **fields)  # type: ignore[arg-type]


def head_of(sock: socket.socket, data: bytes = b"") -> bytes:
    """One head, and what came with it; empty at the end."""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            return b""
        data += part
    return data


def polite(sock: socket.socket) -> None:
    """Answers all requests without bodies."""
    data = b""
    while data := head_of(sock, data):
        _, _, data = data.partition(b"\r\n\r\n")
        sock.sendall(OK)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def served(rig: Rig) -> bool:
    with rig.connect() as client:
        client.sendall(LAST)
        return receive_all(client).endswith(b"\r\n\r\nok")


def everything_given_back(rig: Rig) -> None:
    rig.idle()
    until(lambda: not places_taken(rig), "all places are free")


def places_taken(rig: Rig) -> list[int]:
    servers = rig.snapshot().proxies[1].servers.values()
    counts = [rig.frontend("scur"), rig.backend("scur"), rig.backend("qcur")]
    counts += [one[name] for one in servers for name in ("scur", "qcur")]
    return [count for count in counts if count]


class Moody:
    """A server that does right or wrong by chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.good = False

    def serve(self, sock: socket.socket) -> None:
        # Bodies, and what came pipelined, are not worth an answer.
        while head_of(sock):
            match 0 if self.good else self.random.randrange(9):
                case 0 | 1:
                    sock.sendall(OK)
                case 2:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b"x" * 999)
                    reset(sock)
                case 3:
                    reset(sock)
                case 4:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc")
                    sock.close()
                case 5:
                    sock.sendall(b"\x16\x03\x01 no http")
                case 6:
                    sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + OK)
                case 7:
                    body = pattern(200_000)
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + body)
                case _:
                    pass  # until a timeout


def misbehave(rig: Rig, chance: random.Random) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = chance.choice(
        [
            b"",
            GET[:9],
            GET,
            GET * 40,
            LAST,
            b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /" + b"a" * 20_000,
            b"\0\1\2\3",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n" + b"b" * 50_000,
            chunked + b"5\r\nhello\r\n",
            chunked + b"5\r\nhello\r\n0\r\n\r\n" + GET,
            chunked + b"ffffffffffffffffff\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nbytes",
            b"CONNECT a:8443 HTTP/1.1\r\nHost: a:8443\r\n\r\nbytes",
        ]
    )
    with rig.connect() as client, contextlib.suppress(OSError):
        client.sendall(said)
        match chance.randrange(5):
            case 0:
                client.shutdown(socket.SHUT_WR)
                receive_all(client)
            case 1:
                receive_all(client)
            case 2:
                reset(client)
            case 3:
                client.recv(10)


@pytest.mark.parametrize("settings", [HttpSettings(), HttpSettings(reuse=Reuse.ALWAYS)])
def test_nothing_leaks_from_misbehaviour(io: IoEngine, settings: HttpSettings) -> None:
    """Whatever both sides do, all places, queues and descriptors are given back."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moody = Moody(seed)
    with TestServer(moody.serve) as backend:
        the_plan = http_plan(
            server(backend.address, maxconn=8),
            timeouts=SHORT,
            http=settings,
            backend={"retries": 1},
        )
        with running(the_plan, io) as rig:
            before = descriptors()

            def client(number: int) -> None:
                chance = random.Random(seed + number)
                for _ in range(15):
                    misbehave(rig, chance)

            threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive()
            everything_given_back(rig)
            moody.good = True
            assert served(rig)
            everything_given_back(rig)
            backend.close()
            until(lambda: descriptors() <= before, "descriptors are closed")


def test_a_flood_of_pipelined_requests_is_answered_in_order(io: IoEngine) -> None:
    count = 2000

    def numbered(sock: socket.socket) -> None:
        data = b""
        while data := head_of(sock, data):
            line, _, data = data.partition(b"\r\n\r\n")
            path = line.split()[1]
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)
            sock.sendall(answer)

    with (
        TestServer(numbered) as backend,
        running(http_plan(server(backend.address)), io) as rig,
        rig.connect() as client,
    ):
        requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % at for at in range(count)]
        sender = threading.Thread(target=client.sendall, args=(b"".join(requests),))
        sender.start()
        data = b""
        for at in range(count):
            data = head_of(client, data)
            path = b"/%d" % at
            _, _, data = data.partition(b"\r\n\r\n")
            while len(data) < len(path):
                data += client.recv(65536)
            assert data.startswith(path)
            data = data[len(path) :]
        sender.join()
        assert backend.accepted == 1
        assert rig.frontend("req_tot") == count
        assert rig.server("reuse") == count - 1


def test_bodies_flow_both_ways_at_once(io: IoEngine) -> None:
    """The server sends back what it gets while it comes: nobody waits for anybody's end."""
    body = pattern(3_000_000)

    def mirror(sock: socket.socket) -> None:
        data = head_of(sock)
        _, _, data = data.partition(b"\r\n\r\n")
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        left = len(body)
        while left:
            sock.sendall(data)
            left -= len(data)
            data = sock.recv(65536) if left else b""

    with (
        TestServer(mirror) as backend,
        running(http_plan(server(backend.address)), io) as rig,
        rig.connect() as client,
    ):
        head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        sender = threading.Thread(target=client.sendall, args=(head % len(body) + body,))
        sender.start()
        got = receive_all(client)
        sender.join()
        assert got.partition(b"\r\n\r\n")[2] == body
        assert rig.backend("bin") >= len(body) and rig.backend("bout") >= len(body)
        everything_given_back(rig)


def test_a_client_that_does_not_read_holds_nobody_up(io: IoEngine) -> None:
    def endless(sock: socket.socket) -> None:
        if b"/slow" not in head_of(sock):
            sock.sendall(OK)
            return
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(b"x" * 65536)

    with (
        TestServer(endless) as backend,
        running(http_plan(server(backend.address), timeouts=SHORT), io) as rig,
        rig.connect() as client,
    ):
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert served(rig)
        rig.idle()  # `timeout client` has ended it


@pytest.mark.parametrize("limit,kept", [(None, 3), (1, 1), (0, 0)])
def test_idle_connections_are_kept_up_to_the_limit(
    io: IoEngine, limit: int | None, kept: int
) -> None:
    here = threading.Barrier(3, timeout=10)
    open_now: list[socket.socket] = []

    def serve(sock: socket.socket) -> None:
        open_now.append(sock)
        head_of(sock)
        here.wait()
        sock.sendall(OK)
        with contextlib.suppress(OSError):
            sock.recv(1)
        open_now.remove(sock)

    with TestServer(serve) as backend:
        one = server(backend.address, pool=PoolLimits(max_connections=limit))
        with running(http_plan(one), io, threads=1) as rig, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(rig.connect()) for _ in range(3)]
            for client in clients:
                client.sendall(GET)
            for client in clients:
                assert head_of(client).startswith(b"HTTP/1.1 200")
            until(lambda: len(open_now) == kept, f"{kept} connections idle")


def test_an_idle_connection_that_the_server_closes_is_not_used(io: IoEngine) -> None:
    gone = threading.Event()

    def once(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(OK)
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()
        gone.set()

    with TestServer(once) as backend:
        one = http_plan(server(backend.address), http=HttpSettings(reuse=Reuse.ALWAYS))
        with running(one, io, threads=1) as rig:
            for number in range(1, 6):
                assert served(rig)
                assert gone.wait(10)
                gone.clear()
                until(lambda: rig.server("idle_conn_cur") == 0, "the end was seen")
                assert backend.accepted == number


V1 = b"PROXY TCP4 192.0.2.7 198.51.100.9 40000 443\r\n"


@pytest.mark.parametrize("cut", [0, 10, len(V1), len(V1) + 5])
def test_a_proxy_header_comes_before_the_first_request(io: IoEngine, cut: int) -> None:
    seen: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        data = b""
        while data := head_of(sock, data):
            head, _, data = data.partition(b"\r\n\r\n")
            seen.append(head)
            sock.sendall(OK)

    settings = replace(HttpSettings(), forward_for=AddressHeader("X-Forwarded-For"))
    listener = Listener(id=1, name="", address=InetAddress(LOOPBACK, 0), accept_proxy=True)
    with TestServer(serve) as backend:
        the_plan = http_plan(server(backend.address), http=settings, listener=listener)
        with running(the_plan, io) as rig:
            with rig.connect() as client:
                text = V1 + GET + LAST
                client.sendall(text[:cut])
                until(lambda: rig.engine.active() == 1, "it is there")
                client.sendall(text[cut:])
                assert receive_all(client).count(b"200 OK") == 2
            assert [b"x-forwarded-for: 192.0.2.7" in head for head in seen] == [True, True]
            everything_given_back(rig)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY ", b""])
def test_without_a_proxy_header_nothing_is_answered(io: IoEngine, said: bytes) -> None:
    listener = Listener(id=1, name="", address=InetAddress(LOOPBACK, 0), accept_proxy=True)
    with TestServer(polite) as backend:
        the_plan = http_plan(server(backend.address), listener=listener, timeouts=SHORT)
        with running(the_plan, io) as rig, rig.connect() as client:
            client.sendall(said)
            with contextlib.suppress(ConnectionResetError):
                assert receive_all(client) == b""
            everything_given_back(rig)
            assert backend.accepted == 0


def test_no_more_idle_than_ever_served_at_once(io: IoEngine) -> None:
    """With `http-reuse safe` a client's first request has a connection of its own: clients of one
    request each would heap up idle ones for nobody."""
    with TestServer(polite) as backend:
        the_plan = http_plan(server(backend.address), http=HttpSettings(reuse=Reuse.SAFE))
        with running(the_plan, io, threads=1) as rig:
            for _ in range(20):
                assert served(rig)
            everything_given_back(rig)
            assert backend.accepted == 20
            # One, unless a client came before the last one's connection was given back.
            until(
                lambda: 1 <= rig.server("srv_icur") <= rig.server("smax") < 5, "others are closed"
            )
