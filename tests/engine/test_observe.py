"""`observe`: which of a server's deeds are errors, and when the control process hears of them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from telamon.checks.observe import ServerError
from telamon.engine import IoEngine, ServerErrors
from telamon.plan.proxy import Check, Layer, Mode, Observation, Timeouts
from tests.engine.rig import (
    Rig,
    TestServer,
    closed_port,
    plan,
    receive_all,
    running,
    server,
)

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
TIMEOUTS = Timeouts(client=20_000, server=20_000, connect=5_000)


def observing(layer: Layer, limit: int = 1) -> Check:
    return Check(observe=Observation(layer, limit))


def answering(*answers: bytes) -> Callable[[socket.socket], None]:
    """Each connection gets the next answer, the last one for ever."""
    left = list(answers)

    def serve(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(left.pop(0) if len(left) > 1 else left[0])
        client.shutdown(socket.SHUT_RDWR)

    return serve


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % code


def resetting(client: socket.socket) -> None:
    client.recv(4096)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def silent(client: socket.socket) -> None:
    while client.recv(4096):
        pass


def ask(rig: Rig, times: int = 1) -> None:
    for _ in range(times):
        with rig.connect() as client:
            client.sendall(REQUEST)
            receive_all(client)


def told(rig: Rig) -> list[ServerErrors]:
    """Streams end behind what they tell, so that nothing is on its way any more."""
    rig.idle()
    return [event for event in rig.engine.events() if isinstance(event, ServerErrors)]


SEEN = {
    "500": (answering(status(500)), ServerError.STATUS),
    "600": (answering(status(600)), ServerError.STATUS),
    "200": (answering(status(200)), None),
    "404": (answering(status(404)), None),
    "501": (answering(status(501)), None),
    "505": (answering(status(505)), None),
    "junk": (answering(b"junk\r\n\r\n"), ServerError.HEADERS),
    "close": (answering(b""), ServerError.CLOSED),
    "reset": (resetting, ServerError.BROKEN),
    "cut off": (answering(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nabc"), None),
    "silence": (silent, ServerError.SILENT),
}


@pytest.mark.parametrize("name", SEEN)
def test_layer_7_looks_at_answers(io: IoEngine, name: str) -> None:
    serve, error = SEEN[name]
    timeouts = replace(TIMEOUTS, server=100 if name == "silence" else 20_000)
    with TestServer(serve) as backend:
        servers = (server(backend.address, check=observing(Layer.LAYER7)),)
        with running(plan(servers, mode=Mode.HTTP, timeouts=timeouts), io) as rig:
            ask(rig)
            assert told(rig) == ([] if error is None else [ServerErrors(1, 1, error)])


@pytest.mark.parametrize("layer", Layer)
def test_a_refused_connection_counts_in_both(io: IoEngine, layer: Layer) -> None:
    servers = (server(closed_port(), check=observing(layer, 3)),)
    retries: dict[str, object] = {"retries": 2}
    with running(plan(servers, mode=Mode.HTTP, backend=retries), io) as rig:
        # A try and two retries: a second passes before each of these.
        ask(rig)
        assert told(rig) == [ServerErrors(1, 1, ServerError.CONNECT)]


def test_layer_4_looks_at_connections_alone(io: IoEngine) -> None:
    with TestServer(answering(status(500))) as backend:
        servers = (server(backend.address, check=observing(Layer.LAYER4)),)
        with running(plan(servers, mode=Mode.HTTP), io) as rig:
            ask(rig, 3)
            assert told(rig) == []


def test_in_mode_tcp(io: IoEngine) -> None:
    servers = (server(closed_port(), check=observing(Layer.LAYER4, 2)),)
    with running(plan(servers, backend={"retries": 0}), io) as rig:
        for expected in ([], [ServerErrors(1, 1, ServerError.CONNECT)]):
            with rig.connect() as client:
                receive_all(client)
            assert told(rig) == expected


def test_only_errors_in_a_row_count(io: IoEngine) -> None:
    codes = (500, 500, 200, 500, 500, 503, 502, 502, 502)
    with TestServer(answering(*map(status, codes))) as backend:
        servers = (server(backend.address, check=observing(Layer.LAYER7, 3)),)
        with running(plan(servers, mode=Mode.HTTP), io) as rig:
            ask(rig, 5)
            assert told(rig) == []
            ask(rig)
            assert len(told(rig)) == 1
            ask(rig, 2)
            assert told(rig) == []
            ask(rig)
            assert len(told(rig)) == 1


def test_nobody_hears_of_a_server_that_is_not_observed(io: IoEngine) -> None:
    with TestServer(answering(status(500))) as backend:
        servers = (server(backend.address, check=Check()),)
        with running(plan(servers, mode=Mode.HTTP), io) as rig:
            ask(rig, 3)
            assert told(rig) == []
