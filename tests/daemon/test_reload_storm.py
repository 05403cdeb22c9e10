"""Reloads one after the other, good and broken, while clients ask all the time over HTTP."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from telamon.daemon.control import request
from tests.daemon.harness import Telamon, alive, eventually

RELOADS = int(os.environ.get("RELOADS", "25"))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

FILE = """
global
    maxconn 500
    stats socket {folder}/stats.sock level admin
defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen web
    bind 127.0.0.1:{port}
    http-request set-header X-Reload {number}
    server one 127.0.0.1:{server}
"""


class Origin:
    """Answers each request, on connections that it keeps."""

    def __init__(self) -> None:
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._sock.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            seen = b""
            while data := sock.recv(65536):
                seen += data
                while b"\r\n\r\n" in seen:
                    seen = seen.partition(b"\r\n\r\n")[2]
                    sock.sendall(OK)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class Clients:
    """One asks on new connections, one keeps its own until the proxy says that it closes."""

    def __init__(self, port: int) -> None:
        self.served = 0
        self.failure: BaseException | None = None
        self._port, self._over = port, threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(kept,), daemon=True) for kept in (False, True)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, kept: bool) -> None:
        try:
            while not self._over.is_set():
                self._connection(kept)
        except BaseException as error:
            self.failure = self.failure or error

    def _connection(self, kept: bool) -> None:
        ask = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"Connection: close\r\n" * (not kept) + b"\r\n"
        with socket.create_connection(("127.0.0.1", self._port), timeout=15) as sock:
            first = True
            while not self._over.is_set():
                try:
                    sock.sendall(ask)
                    got = self._answer(sock)
                except ConnectionError:
                    got = b""
                if not got and not first:
                    return  # an idle connection may end at any time (RFC 9112 9.3.1)
                assert got.startswith(b"HTTP/1.1 200 "), got
                self.served += 1
                first = False
                if b"connection: close" in got or not kept:
                    return

    @staticmethod
    def _answer(sock: socket.socket) -> bytes:
        got = b""
        while not got.endswith(b"\r\n\r\nok"):
            data = sock.recv(65536)
            if not data:
                assert not got, got
                return b""
            got += data
        return got

    def finish(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)
        assert self.failure is None, repr(self.failure)
        assert self.served > 0


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def write(run: Telamon, origin: Origin, number: int, extra: str = "") -> None:
    run.file.write_text(
        FILE.format(
            folder=run.folder, port=run.port.number, server=origin.port, number=number
        )
        + extra
    )  # fmt: skip


def reload(run: Telamon) -> dict[str, Any]:
    return request(run.run_dir, {"command": "reload"}, timeout=30.0)


@pytest.mark.xdist_group("storm")
def test_many_reloads_lose_no_request_and_leak_nothing(run: Telamon) -> None:
    """`RELOADS=200` for a longer look."""
    origin = Origin()
    write(run, origin, 0)
    run.start()
    clients = Clients(run.port.number)
    supervisor = run.supervisor
    first = 0
    for number in range(1, RELOADS + 1):
        if number % 5 == 0:
            write(run, origin, number, "    no-such-word\n")
            assert not reload(run)["ok"]
            continue
        write(run, origin, number)
        old = run.proxy
        assert reload(run)["ok"]
        assert run.proxy != old
        seen = clients.served
        eventually(lambda seen=seen: clients.served > seen + 2, "clients are served")  # type: ignore[misc]
        eventually(lambda old=old: not alive(old), "the old proxy leaves")  # type: ignore[misc]
        first = first or descriptors(supervisor)
    clients.finish()
    origin.close()
    eventually(lambda: descriptors(supervisor) <= first, f"no more than {first} descriptors")
    assert run.supervisor == supervisor
