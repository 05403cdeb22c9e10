"""What rules and servers ask of the kernel, seen on the sockets: TOS, marks, source, interface."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from telamon.engine import IoEngine
from tests.engine.rig import PATIENCE, TestServer, receive
from tests.engine.rows.stage import Section, serve, stage
from tests.engine.test_sockets import _own_sockets

SO_MARK = 36
SO_BINDTODEVICE = 25
End = tuple[int, int, bytes, str]
"""TOS, mark, interface and own address."""
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="marks and interfaces need root")


def seen(io: IoEngine, folder: Path, lines: str, words: str = "") -> list[End]:
    """The client's and the server's connection: the server's while it is asked (a connection with
    marks of its own is nobody else's afterwards), the client's when it has its answer."""
    at_server: list[End] = []

    def watched(client: socket.socket) -> None:
        client.recv(1, socket.MSG_PEEK)
        at_server.append(found(None, client.getsockname()[1]))
        serve(client)

    with TestServer(watched) as server:
        lines += f"    server s1 127.0.0.1:{server.address.port} {words}\n"
        with stage([Section("marks", lines, GET)], io, folder) as playing:
            front = playing.fronts["marks"].getsockname()
            with socket.create_connection(front, PATIENCE) as client:
                client.settimeout(PATIENCE)
                client.sendall(GET)
                assert receive(client, 12) == b"HTTP/1.1 200"
                return [found(front[1], client.getsockname()[1]), *at_server]


def found(local: int | None, peer: int) -> End:
    for sock in _own_sockets():
        try:
            far = sock.getpeername()[1]
        except OSError:
            continue
        if far == peer and local in (None, sock.getsockname()[1]):
            return (
                sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS),
                sock.getsockopt(socket.SOL_SOCKET, SO_MARK),
                sock.getsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, 16).rstrip(b"\0"),
                sock.getsockname()[0],
            )
    raise AssertionError(f"no socket with {local} and {peer}")


def test_types_of_service(io: IoEngine, tmp_path: Path) -> None:
    lines = "    http-request set-fc-tos 32\n    http-request set-bc-tos 16\n"
    client, server = seen(io, tmp_path, lines)
    assert (client[0], server[0]) == (32, 16)


def test_old_words_are_for_the_client(io: IoEngine, tmp_path: Path) -> None:
    client, server = seen(io, tmp_path, "    http-response set-tos 8\n")
    assert (client[0], server[0]) == (8, 0)


@needs_root
def test_marks(io: IoEngine, tmp_path: Path) -> None:
    lines = "    http-request set-fc-mark 7\n    http-request set-bc-mark 0x9\n"
    client, server = seen(io, tmp_path, lines)
    assert (client[1], server[1]) == (7, 9)


@needs_root
def test_a_source_and_its_interface(io: IoEngine, tmp_path: Path) -> None:
    _, server = seen(io, tmp_path, "", "source 127.0.0.7 interface lo")
    assert server[2:] == (b"lo", "127.0.0.7")
