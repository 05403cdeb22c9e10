"""Algorithms and limits of servers as the whole engine carries them out."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter

from telamon.engine import IoEngine
from telamon.plan.balance import Algorithm
from tests.engine.rig import (
    TestServer,
    echo,
    named,
    plan,
    receive,
    receive_all,
    running,
    server,
    until,
)


def test_leastconn_goes_where_fewer_are(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"2")) as two,
        running(
            plan(
                (server(one.address), server(two.address, 2)),
                backend={"algorithm": Algorithm.LEASTCONN},
            ),
            io,
        ) as rig,
        contextlib.ExitStack() as kept,
    ):
        held: dict[bytes, list[socket.socket]] = {b"1": [], b"2": []}
        for _ in range(6):
            client = kept.enter_context(rig.connect())
            held[receive(client, 1)].append(client)
        assert [len(clients) for clients in held.values()] == [3, 3]
        for client in held[b"1"]:
            client.close()
        until(lambda: rig.server("scur", 1) == 0)
        for _ in range(3):
            assert receive(kept.enter_context(rig.connect()), 1) == b"1"


def test_first_fills_one_server_after_the_other(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"2")) as two,
        running(
            plan(
                (server(one.address, maxconn=2), server(two.address, 2)),
                backend={"algorithm": Algorithm.FIRST},
            ),
            io,
        ) as rig,
        contextlib.ExitStack() as kept,
    ):
        clients = [kept.enter_context(rig.connect()) for _ in range(1)]
        seen = receive(clients[0], 1)
        for _ in range(4):
            seen += receive(kept.enter_context(rig.connect()), 1)
        assert seen == b"11222"


def test_random_serves_all_by_weight_and_survives_four_threads(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"2")) as two,
        running(
            plan(
                (server(one.address, weight=1), server(two.address, 2, weight=9)),
                backend={"algorithm": Algorithm.RANDOM, "random_draws": 1},
            ),
            io,
            threads=4,
        ) as rig,
    ):
        seen: Counter[bytes] = Counter()
        for _ in range(200):
            with rig.connect() as client:
                seen[receive(client, 1)] += 1
        assert seen.total() == 200
        assert seen[b"2"] > 4 * seen[b"1"] > 0
        rig.idle()
        assert rig.backend("stot") == rig.frontend("stot") == 200
        assert rig.backend("scur") == rig.server("scur") == rig.server("scur", 2) == 0


def test_a_full_queue_refuses_at_once(io: IoEngine) -> None:
    """With a server of its own (`source`) a stream waits for it alone; `maxqueue` bounds that."""
    with (
        TestServer(named(b"1")) as one,
        running(
            plan(
                (server(one.address, maxconn=1, maxqueue=1),),
                backend={"algorithm": Algorithm.SOURCE},
            ),
            io,
            threads=1,
        ) as rig,
        rig.connect() as first,
        contextlib.ExitStack() as kept,
    ):
        assert receive(first, 1) == b"1"
        waiting = kept.enter_context(rig.connect())
        until(lambda: rig.backend("qcur") == 1)
        if rig.server("qcur") == 1:
            with rig.connect() as refused:
                assert receive_all(refused) == b""
        first.close()
        assert receive(waiting, 1) == b"1"


def test_minconn_follows_the_load(io: IoEngine) -> None:
    """Few streams: `minconn` holds; at `fullconn` all of `maxconn` may be used (manual 5.2)."""
    with (
        TestServer(named(b"1")) as one,
        running(
            plan(
                (server(one.address, minconn=1, maxconn=10),),
                backend={"fullconn": 10},
            ),
            io,
            threads=1,
        ) as rig,
        contextlib.ExitStack() as kept,
    ):
        assert receive(kept.enter_context(rig.connect()), 1) == b"1"
        kept.enter_context(rig.connect())
        until(lambda: rig.backend("qcur") + rig.server("scur") == 2)
        few = rig.server("scur")
        for _ in range(10):
            kept.enter_context(rig.connect())
        until(lambda: rig.backend("scur") == 12)
        until(lambda: rig.server("scur") > few)
        assert rig.server("smax") <= 10


def test_clear_counters(io: IoEngine) -> None:
    with TestServer(echo) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as client, rig.connect() as other:
            for sock in (client, other):
                sock.sendall(b"four")
                assert receive(sock, 4) == b"four"
        rig.idle()
        assert (rig.server("smax"), rig.server("bin"), rig.frontend("stot")) == (2, 8, 2)
        rig.engine.clear_counters(everything=False)
        assert (rig.server("smax"), rig.server("bin"), rig.frontend("stot")) == (0, 8, 2)
        rig.engine.clear_counters(everything=True)
        for counters in (rig.frontend, rig.backend, rig.server):
            assert (counters("stot"), counters("bin"), counters("bout")) == (0, 0, 0)
        with rig.connect() as client:
            client.sendall(b"123")
            assert receive(client, 3) == b"123"
        rig.idle()
        for counters in (rig.frontend, rig.backend, rig.server):
            assert (counters("stot"), counters("bin"), counters("bout")) == (1, 3, 3)
