"""Error files and redirections in place of errors: the bytes of HAProxy, from the same file."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.logs.test_peer import _haproxy, _telamon
from tests.support.peers import program_running
from tests.support.ports import free_port

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("error-files")]

PAGES = {
    "old": b"HTTP/1.0 503 Gone\r\nContent-Type: text/plain\r\nX-Foo: Bar\r\n\r\nhello",
    "old-sized": b"HTTP/1.0 503 Gone\r\nContent-Length: 5\r\n\r\nhello",
    "sized": b"HTTP/1.1 503 X\nCONTENT-Length: 5\nConnection: keep-alive\n\nhello",
    "unsized": b"HTTP/1.1 404 Other\r\nX-A: b\r\n\r\nbody",
    "closing": b"HTTP/1.1 503 X\r\nConnection: close\r\nX-A: b\r\nContent-Length: 0\r\n\r\n",
    "empty": b"",
}
LINES = {"moved": "errorloc 503 /x?a", "other": "errorloc303 503 http://h/y", "own": ""}
REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"GARBAGE\r\n\r\n",
    b"GET / HT",
)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.ports = {name: free_port() for name in (*PAGES, *LINES)}
        listens = []
        for name, port in self.ports.items():
            lines = [LINES[name]] if name in LINES else []
            if name in PAGES:
                page = folder / f"{name}.http"
                page.write_bytes(PAGES[name])
                lines += [f"errorfile {status} {page}" for status in (400, 408, 503)]
            body = "".join(f"    {line}\n" for line in lines)
            listens.append(f"listen {name}\n    bind 127.0.0.1:{port}\n{body}")
        self.text = (
            "defaults\n    mode http\n    timeout client 300\n    timeout server 1s\n"
            f"    timeout connect 1s\n    timeout http-request 300\n{''.join(listens)}"
        )

    def ask(self, name: str, request: bytes) -> bytes:
        """All that comes until the connection ends, be it after the timeout."""
        with socket.create_connection(("127.0.0.1", self.ports[name]), timeout=10) as client:
            client.sendall(request)
            data = b""
            while piece := client.recv(65536):
                data += piece
        return data

    def listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.ports["own"])).close()
            return True
        return False


@contextlib.contextmanager
def running(folder: Path, command: Callable[[Path], list[str]]) -> Iterator[Bench]:
    bench = Bench(folder)
    file = folder / "haproxy.cfg"
    file.write_text(bench.text)
    with program_running(command(file), folder / "log", bench.listens):
        yield bench


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("haproxy"), _haproxy) as bench:
        yield bench


@pytest.fixture(scope="module", params=["uring", "epoll"])
def ours(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp(request.param), _telamon(request.param)) as bench:
        yield bench


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("name", [*PAGES, *LINES])
def test_the_answer_is_haproxys(theirs: Bench, ours: Bench, name: str, request_: bytes) -> None:
    assert ours.ask(name, request_) == theirs.ask(name, request_)
