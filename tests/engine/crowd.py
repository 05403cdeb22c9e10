"""A crowd with the descriptor limit near, and many requests: run by test_crowd.py in a process of
its own, whose limit it may lower and whose memory it may measure.

    python -m tests.engine.crowd full uring 9000
    python -m tests.engine.crowd flat epoll 200000
"""

from __future__ import annotations

import resource
import socket
import sys
import threading
from pathlib import Path

from telamon.engine import EngineMessage, IoEngine
from telamon.plan.http import HttpSettings, Reuse
from telamon.plan.process import ProcessPlan
from telamon.plan.proxy import Mode, ProxyPlan, Timeouts
from tests.engine.rig import PATIENCE, Rig, TestServer, plan, receive_all, running, server, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET /%d HTTP/1.1\r\nHost: a\r\nX-Padding: pppppppppppppppppppp\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n"
BAD = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"
SPARE = 60
"""Descriptors that are left when the crowd has come."""
LATE = 100
"""Clients for whom there is no room."""
KIB_EACH = 8
"""What an idle connection may cost in this process, in Python, too."""


def polite(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    seen = b""
    while data := client.recv(1 << 16):
        seen += data
        answers = seen.count(b"HTTP/1.1\r\n")
        seen = seen.rpartition(b"HTTP/1.1\r\n")[2][-9:] if answers else seen[-9:]
        client.sendall(OK * answers)


def proxy(address: TestServer) -> ProxyPlan:
    return plan(
        (server(address.address),),
        mode=Mode.HTTP,
        timeouts=Timeouts(client=60_000, server=60_000, connect=60_000),
        http=HttpSettings(reuse=Reuse.ALWAYS),
        process=ProcessPlan(maxconn=20_000),
    )


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def rss() -> int:
    """KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def full(io: IoEngine, crowd: int) -> None:
    clients = [socket.socket() for _ in range(crowd)]
    late = [socket.socket() for _ in range(LATE)]
    # Before the start: an accept that is under way in the kernel keeps the limit of its beginning.
    limit = descriptors() + crowd + SPARE
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with TestServer(polite) as backend, running(proxy(backend), io, threads=1) as rig:
        before = descriptors() - crowd - LATE
        memory = rss()
        for client in clients:
            client.settimeout(PATIENCE)
            client.connect(rig.address)
        until(lambda: rig.engine.active() == crowd, "all are there")
        each = (rss() - memory) / crowd
        assert each < KIB_EACH, f"{each} KiB for each connection"
        for client in late:
            client.settimeout(PATIENCE)
            client.connect(rig.address)
        until(lambda: told(rig), "the operator is told")
        # No descriptor is left: who is there is still served once a server's connection is.
        for client in clients[: crowd // 2]:
            client.close()
        for client in [*late, *clients[crowd // 2 : crowd // 2 + 200]]:
            client.sendall(LAST)
            assert receive_all(client).endswith(b"ok")
        for client in [*late, *clients]:
            client.close()
        rig.idle()
        backend.drop()
        until(lambda: descriptors() <= before, "all descriptors are closed")
        assert (rig.backend("scur"), rig.backend("qcur"), rig.frontend("scur")) == (0, 0, 0)


def told(rig: Rig) -> bool:
    messages = [event for event in rig.engine.events() if isinstance(event, EngineMessage)]
    return any("out of resources" in message.text for message in messages)


def flat(io: IoEngine, requests: int) -> None:
    with TestServer(polite) as backend, running(proxy(backend), io, threads=1) as rig:
        work(rig, requests // 10)
        before = rss()
        work(rig, requests)
        rig.idle()
        grown = rss() - before
        assert grown < 4096, f"{grown} KiB more after {requests} requests"


def work(rig: Rig, requests: int) -> None:
    """Some clients at a time, each with many requests on many connections."""
    threads = [threading.Thread(target=some, args=(rig, requests // 4)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def some(rig: Rig, requests: int) -> None:
    batch = b"".join(GET % n for n in range(40)) + POST * 5 + BAD
    for _ in range(requests // 46):
        with rig.connect() as client:
            client.sendall(batch)
            got = receive_all(client)
        assert got.count(b" 200 ") == 45, got[-300:]
        assert got.count(b" 400 ") == 1, got[-300:]


if __name__ == "__main__":
    what = {"full": full, "flat": flat}[sys.argv[1]]
    what(IoEngine(sys.argv[2]), int(sys.argv[3]))
    print("fine")
