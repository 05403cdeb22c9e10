"""Hashing algorithms, slow starts and clients that stay, as the whole engine carries them out.

Which key goes to which server is compared with HAProxy in crates/telamon-balance/tests.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from telamon.engine import IoEngine, ServerState
from telamon.plan.balance import Algorithm, BalanceKey, Hashing, HashMethod
from telamon.plan.http import HttpSettings
from telamon.plan.proxy import Mode, ProxyPlan
from tests.engine.rig import Rig, TestServer, echo, plan, receive_all, running, server


def answering(name: bytes) -> Callable[[socket.socket], None]:
    """A server that answers each request with its name."""

    def serve(client: socket.socket) -> None:
        data = b""
        while part := client.recv(4096):
            data += part
            while b"\r\n\r\n" in data:
                data = data.partition(b"\r\n\r\n")[2]
                client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + name)

    return serve


@contextlib.contextmanager
def farm(io: IoEngine, count: int = 4, **backend: object) -> Iterator[Rig]:
    http = backend.pop("http", HttpSettings())
    with contextlib.ExitStack() as kept:
        servers = [
            kept.enter_context(TestServer(answering(str(number).encode())))
            for number in range(count)
        ]
        lines = tuple(server(one.address, number + 1) for number, one in enumerate(servers))
        the_plan: ProxyPlan = plan(lines, mode=Mode.HTTP, backend=backend, http=http)
        yield kept.enter_context(running(the_plan, io, threads=1))


def ask(rig: Rig, request: str, *lines: str) -> bytes:
    """The name of the server that answered."""
    with rig.connect() as client:
        text = "\r\n".join([request, "host: h", "connection: close", *lines, "", ""])
        client.sendall(text.encode())
        return receive_all(client)[-1:]


RING = Hashing(method=HashMethod.CONSISTENT, avalanche=True)
KEYED = {
    "uri": (Algorithm.URI, BalanceKey(), "GET /{key} HTTP/1.1", ""),
    "parameter": (Algorithm.URL_PARAM, BalanceKey(name="id"), "GET /?id={key} HTTP/1.1", ""),
    "header": (Algorithm.HDR, BalanceKey(name="X-Key"), "GET / HTTP/1.1", "x-kEy: {key}"),
}


@pytest.mark.parametrize("hashing", [Hashing(), RING], ids=["map", "ring"])
@pytest.mark.parametrize("name", KEYED)
def test_equal_keys_go_to_one_server(io: IoEngine, name: str, hashing: Hashing) -> None:
    algorithm, key, line, header = KEYED[name]
    with farm(io, algorithm=algorithm, key=key, hashing=hashing) as rig:
        seen = set()
        for number in range(12):
            value = f"key{number * 7}"
            lines = [header.format(key=value)] if header else []
            first = ask(rig, line.format(key=value), *lines)
            assert ask(rig, line.format(key=value), *lines) == first
            seen.add(first)
        assert len(seen) > 1


def test_a_request_without_the_key_is_served_in_turn(io: IoEngine) -> None:
    with farm(io, algorithm=Algorithm.HDR, key=BalanceKey(name="x-key")) as rig:
        assert {ask(rig, "GET / HTTP/1.1") for _ in range(4)} == {b"0", b"1", b"2", b"3"}


def test_a_server_that_comes_up_starts_slowly(io: IoEngine) -> None:
    with (
        TestServer(echo) as backend,
        running(plan((server(backend.address, slowstart=600_000),)), io) as rig,
    ):
        assert "throttle" not in rig.snapshot().proxies[1].servers[1]
        rig.engine.set_server_state(1, 1, ServerState.DOWN)
        rig.engine.set_server_state(1, 1, ServerState.UP)
        # A sixteenth of its weight, rounded up.
        assert rig.server("throttle") == 7
        rig.engine.set_server_state(1, 1, ServerState.DRAIN)
        rig.engine.set_server_state(1, 1, ServerState.UP)
        assert "throttle" not in rig.snapshot().proxies[1].servers[1]


@pytest.mark.parametrize("prefer", [False, True])
def test_a_client_stays_with_its_last_server(io: IoEngine, prefer: bool) -> None:
    http = HttpSettings(prefer_last_server=prefer)
    with farm(io, http=http) as rig, rig.connect() as client:
        names = []
        for _ in range(4):
            client.sendall(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
            data = b""
            while not data.partition(b"\r\n\r\n")[2]:
                data += client.recv(4096)
            names.append(data[-1:])
        assert len(set(names)) == (1 if prefer else 4)
