"""The listener of the stats page: requests for the page, others, bad ones, slow ones."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from telamon.engine import IoEngine, PageRequest
from telamon.plan.proxy import Mode, ProxyPlan, StatsPage, Timeouts
from tests.engine.rig import Rig, plan, receive_all, running, until

PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def stats_plan(timeouts: Timeouts | None = None) -> ProxyPlan:
    timeouts = timeouts or Timeouts(client=20_000, http_request=20_000, http_keep_alive=20_000)
    return plan((), mode=Mode.HTTP, stats=StatsPage(), timeouts=timeouts)


@contextmanager
def pages(rig: Rig, answer: bytes = PAGE) -> Iterator[list[PageRequest]]:
    """Answers page requests as the proxy's control loop does."""
    seen: list[PageRequest] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            if select.select([rig.engine.event_fd()], [], [], 0.05)[0]:
                for event in rig.engine.events():
                    if isinstance(event, PageRequest):
                        seen.append(event)
                        rig.engine.respond(event.token, answer, keep_alive=True)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def ask(client: socket.socket, request: bytes) -> bytes:
    client.sendall(request)
    return receive_all(client)


def test_a_page_is_made_by_python_and_the_connection_kept(io: IoEngine) -> None:
    with running(stats_plan(), io) as rig, pages(rig) as seen, rig.connect() as client:
        head = b"GET /haproxy?stats;csv HTTP/1.1\r\nHost: x\r\n\r\n"
        for _ in range(3):
            client.sendall(head)
            got = b""
            while len(got) < len(PAGE):
                got += client.recv(1000)
            assert got == PAGE
        assert [request.head for request in seen] == [head] * 3
        assert rig.frontend("req_tot") == 3 and rig.frontend("hrsp_2xx") == 3
        assert rig.frontend("scur") == 1


def test_pipelined_requests_and_a_body(io: IoEngine) -> None:
    with running(stats_plan(), io) as rig, pages(rig) as seen, rig.connect() as client:
        post = b"POST /haproxy?stats HTTP/1.1\r\nContent-Length: 9\r\n\r\ns=web&b=1"
        last = b"GET /haproxy?stats HTTP/1.1\r\nConnection: close\r\n\r\n"
        assert ask(client, post + last) == PAGE * 2
        assert [request.body for request in seen] == [b"s=web&b=1", b""]


def test_a_page_larger_than_any_buffer(io: IoEngine) -> None:
    body = bytes(range(256)) * 4000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with running(stats_plan(), io) as rig, pages(rig, answer), rig.connect() as client:
        request = b"GET /haproxy?stats HTTP/1.1\r\nConnection: close\r\n\r\n"
        assert ask(client, request) == answer


def test_other_paths_get_503(io: IoEngine) -> None:
    with running(stats_plan(), io) as rig, rig.connect() as client:
        answer = ask(client, b"GET / HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert answer.endswith(b"No server is available to handle this request.\n</body></html>\n")
        assert rig.frontend("hrsp_5xx") == 1


def test_bad_and_too_large_requests_get_400(io: IoEngine) -> None:
    with running(stats_plan(), io) as rig:
        huge = b"GET / HTTP/1.1\r\nA: " + b"a" * 20_000
        for number, request in enumerate((b"\x16\x03\x01\r\n\r\n", b"GET\r\n\r\n", huge), 1):
            with rig.connect() as client:
                assert ask(client, request).startswith(b"HTTP/1.1 400 Bad request\r\n")
            assert rig.frontend("ereq") == number
        rig.idle()


def test_a_client_that_says_nothing_gets_408(io: IoEngine) -> None:
    timeouts = Timeouts(client=20_000, http_request=200)
    with running(stats_plan(timeouts), io) as rig:
        for start in (b"", b"GET / HTTP/1.1\r\nHost:"):
            with rig.connect() as client:
                assert ask(client, start).startswith(b"HTTP/1.1 408 Request Time-out\r\n")
        rig.idle()


def test_an_answer_that_comes_too_late_is_dropped(io: IoEngine) -> None:
    with running(stats_plan(), io) as rig:
        with rig.connect() as client:
            client.sendall(b"GET /haproxy?stats HTTP/1.1\r\n\r\n")
            until(lambda: select.select([rig.engine.event_fd()], [], [], 0)[0])
            (event,) = rig.engine.events()
        assert isinstance(event, PageRequest)
        rig.engine.respond(event.token, PAGE, keep_alive=True)
        rig.engine.respond(event.token ^ (1 << 50), PAGE)
        with rig.connect() as client:
            assert ask(client, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 503")
        rig.idle()
