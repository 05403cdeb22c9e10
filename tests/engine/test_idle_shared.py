"""Idle connections to servers that change their thread (`tune.idle-pool.shared`)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from telamon.engine import IoEngine
from telamon.plan.http import HttpSettings, PoolLimits, Reuse
from telamon.plan.process import ProcessPlan
from telamon.plan.proxy import Mode, ProxyPlan, Server
from tests.engine.rig import PATIENCE, Rig, TestServer, plan, running, server, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LEND = 0.1
"""Seconds that a thread keeps a connection that it does not need (`LEND_EVERY`)."""


def http_plan(one: Server, *, shared: bool = True, reuse: Reuse = Reuse.ALWAYS) -> ProxyPlan:
    """With a listener for each of two threads."""
    process = ProcessPlan(maxconn=2000, idle_pool_shared=shared)
    made = plan((one,), mode=Mode.HTTP, http=HttpSettings(reuse=reuse), process=process)
    front = made.proxies[0].frontend
    assert front is not None
    first = replace(front.listeners[0], threads=0b01)
    front = replace(front, listeners=(first, replace(first, id=2, threads=0b10)))
    return replace(made, proxies=(replace(made.proxies[0], frontend=front),))


class Backend(TestServer):
    """Answers each request at once, and knows how many connections it has."""

    def __init__(self) -> None:
        self.now = 0
        self.change = threading.Lock()
        super().__init__(self._answer)

    def __enter__(self) -> Backend:
        return self

    def _answer(self, sock: socket.socket) -> None:
        with self.change:
            self.now += 1
        try:
            seen = b""
            while data := sock.recv(1 << 16):
                seen += data
                while b"\r\n\r\n" in seen:
                    seen = seen.partition(b"\r\n\r\n")[2]
                    sock.sendall(OK)
        finally:
            sock.close()
            with self.change:
                self.now -= 1


def ask(client: socket.socket) -> None:
    client.sendall(GET)
    got = b""
    while not got.endswith(b"ok"):
        part = client.recv(1 << 16)
        assert part, f"closed after {got!r}"
        got += part


@contextlib.contextmanager
def of_each_thread(rig: Rig) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client of each thread."""
    with rig.connect(listener=0) as one, rig.connect(listener=1) as other:
        yield one, other


def shared(rig: Rig) -> int:
    return rig.server("idle_shared")


def own(rig: Rig, *counts: int) -> None:
    """So many idle at each thread; a client may have its answer before its connection idles."""
    until(lambda: rig.snapshot().proxies[1].idle[1] == list(counts), f"{counts} idle")


def test_a_thread_takes_what_another_has_made(io: IoEngine) -> None:
    with Backend() as backend, running(http_plan(server(backend.address)), io) as rig:
        with of_each_thread(rig) as (one, other):
            for round in range(3):
                for client in (one, other):
                    ask(client)
                    assert backend.accepted == 1, f"round {round}"
                    until(lambda: shared(rig) == 1, "it is lent")
        assert rig.server("reuse") == 5
        own(rig, 0, 0)
        assert rig.server("srv_icur") == rig.server("safe_conn_cur") == 1
        assert backend.now == 1


def test_each_thread_keeps_what_it_needs(io: IoEngine) -> None:
    """Two busy threads have a connection each, and nothing goes to and fro."""
    with (
        Backend() as backend,
        running(http_plan(server(backend.address)), io) as rig,
        of_each_thread(rig) as (one, other),
    ):
        end = time.monotonic() + 3 * LEND
        while time.monotonic() < end:
            ask(one)
            ask(other)
        assert backend.accepted == 2


def test_threads_that_do_not_share_keep_their_own(io: IoEngine) -> None:
    with Backend() as backend:
        the_plan = http_plan(server(backend.address), shared=False)
        with running(the_plan, io) as rig, of_each_thread(rig) as (one, other):
            ask(one)
            end = time.monotonic() + 3 * LEND
            while time.monotonic() < end:
                ask(other)
                assert shared(rig) == 0
            assert backend.accepted == 2
            own(rig, 1, 1)


def test_a_connection_of_one_client_is_not_lent(io: IoEngine) -> None:
    with Backend() as backend:
        the_plan = http_plan(server(backend.address), reuse=Reuse.NEVER)
        with running(the_plan, io) as rig, of_each_thread(rig) as (one, other):
            ask(one)
            end = time.monotonic() + 3 * LEND
            while time.monotonic() < end:
                ask(other)
                assert shared(rig) == 0
            ask(one)
            assert backend.accepted == 2


def test_low_connections_stay_with_their_threads(io: IoEngine) -> None:
    """`pool-low-conn 2` with two threads: each keeps one."""
    with Backend() as backend:
        one = server(backend.address, pool=PoolLimits(low_connections=2))
        with running(http_plan(one), io) as rig, of_each_thread(rig) as (first, second):
            ask(first)
            end = time.monotonic() + 3 * LEND
            while time.monotonic() < end:
                ask(second)
                assert shared(rig) == 0
            own(rig, 1, 1)


def test_an_end_is_noticed_while_nobody_has_the_connection(io: IoEngine) -> None:
    with (
        Backend() as backend,
        running(http_plan(server(backend.address)), io) as rig,
        of_each_thread(rig) as (one, other),
    ):
        ask(one)
        until(lambda: shared(rig) == 1, "it is lent")
        backend.drop()
        ask(other)  # at once: it must not get the one that has ended
        assert backend.accepted == 2
        until(lambda: shared(rig) == 1, "the new one is lent")
        backend.drop()
        until(lambda: rig.server("srv_icur") == 0, "the end was seen")


def test_what_nobody_needs_is_closed_by_and_by(io: IoEngine) -> None:
    with Backend() as backend:
        one = server(backend.address, pool=PoolLimits(purge_delay=1000))
        with running(http_plan(one), io) as rig, of_each_thread(rig) as clients:
            for client in clients:
                ask(client)
            until(lambda: backend.now == 0, "all are closed")
            until(lambda: rig.server("srv_icur") == 0, "none idles")


def test_the_limit_counts_what_is_lent(io: IoEngine) -> None:
    with Backend() as backend:
        one = server(backend.address, pool=PoolLimits(max_connections=1))
        with running(http_plan(one), io) as rig, of_each_thread(rig) as (first, second):
            ask(first)
            until(lambda: shared(rig) == 1, "it is lent")
            for client in (first, second) * 3:
                ask(client)
                until(lambda: shared(rig) == 1, "it is lent")
                own(rig, 0, 0)
            assert backend.accepted == 1


def test_an_unproven_one_is_not_for_first_requests(io: IoEngine) -> None:
    """`aggressive`: who has not shown that it can be reused is for later requests only."""
    with Backend() as backend:
        the_plan = http_plan(server(backend.address), reuse=Reuse.AGGRESSIVE)
        with running(the_plan, io) as rig, of_each_thread(rig) as (one, other):
            ask(one)
            until(lambda: shared(rig) == 1, "it is lent")
            ask(other)
            assert backend.accepted == 2
            until(lambda: shared(rig) == 2, "both are lent")
            ask(one)
            until(lambda: rig.server("safe_conn_cur") == 1, "one is proven")
            with rig.connect() as new:
                ask(new)
            assert backend.accepted == 2


def test_a_new_address_drops_what_idles(io: IoEngine) -> None:
    with (
        Backend() as before,
        Backend() as after,
        running(http_plan(server(before.address)), io) as rig,
        of_each_thread(rig) as (one, other),
    ):
        ask(one)
        until(lambda: shared(rig) == 1, "it is lent")
        ask(other)
        there = after.address
        rig.engine.set_server_address(1, 1, str(there.host), there.port)
        until(lambda: before.now == 0, "the old ones are closed")
        ask(one)
        assert after.accepted == 1
        until(lambda: rig.server("srv_icur") == 1, "the new one idles")


def test_a_crowd_leaves_nothing_behind(io: IoEngine) -> None:
    """Threads that lend and take without end; then a stop while all is lent."""
    with Backend() as backend:
        with running(http_plan(server(backend.address)), io) as rig:

            def work(seed: int) -> None:
                for number in range(60):
                    with rig.connect(listener=number % 2) as client:
                        for _ in range(1 + (number + seed) % 3):
                            ask(client)
                    if number % 20 == 19:
                        time.sleep(LEND * (1 + seed % 3))  # long enough to lend some

            crowd = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
            for thread in crowd:
                thread.start()
            for thread in crowd:
                thread.join(PATIENCE)
                assert not thread.is_alive()
            rig.idle()
            until(lambda: rig.server("srv_icur") == backend.now, "all are counted")
            assert backend.now <= 16, "no more than each thread had use of at once"
            until(lambda: rig.server("idle_shared") == backend.now, "all are lent")
        until(lambda: backend.now == 0, "none is left")


def test_a_soft_stop_closes_what_is_lent(io: IoEngine) -> None:
    with Backend() as backend, running(http_plan(server(backend.address)), io) as rig:
        with of_each_thread(rig) as (one, _):
            ask(one)
            until(lambda: shared(rig) == 1, "it is lent")
        rig.engine.soft_stop()
        until(lambda: backend.now == 0, "it is closed")


def test_a_client_never_gets_the_connection_of_another(io: IoEngine) -> None:
    """A connection of one client alone ends while it idles; another's takes its place in memory."""
    asked = threading.Event()
    go_on = threading.Event()

    def serve(sock: socket.socket) -> None:
        while head := sock.recv(1 << 16):
            if b"/held" in head:
                asked.set()
                assert go_on.wait(PATIENCE)
            name = head.split()[1]
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))

    def get(client: socket.socket, path: bytes) -> None:
        client.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)

    def body(client: socket.socket) -> bytes:
        return client.recv(1 << 16).rpartition(b"\r\n\r\n")[2]

    with TestServer(serve) as backend:
        the_plan = http_plan(server(backend.address), reuse=Reuse.NEVER)
        with running(the_plan, io, threads=1) as rig, rig.connect() as one, rig.connect() as other:
            get(one, b"/first")
            assert body(one) == b"/first"
            ended = rig.server("connect")
            backend.drop()
            # The proxy has read the end once a connect after it was made and answered.
            with rig.connect() as third:
                get(third, b"/third")
                assert body(third) == b"/third"
            until(lambda: rig.engine.active() == 2, "the third has gone")
            assert rig.server("connect") == ended + 1
            get(other, b"/held")
            assert asked.wait(PATIENCE)
            get(one, b"/second")
            assert body(one) == b"/second"
            go_on.set()
            assert body(other) == b"/held"
