"""The same file, the same clients: the log lines of HAProxy and of both our engines.

What differs from run to run is masked (times of day, the pid, the client's port, durations above
zero); all else must be the same to the byte, the connection counts and the way it ended included.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.peers import need, program_running
from tests.support.ports import free_port

# One worker, so that the three programs are started once.
pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("logs")]

PROXIES = ("plain", "tcpl", "asap", "empty", "dead", "nulls", "http", "page", "plainhttp")


class Bench:
    """A log receiver, a backend, and a port for each proxy of the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink.bind(("127.0.0.1", 0))
        self.backend = socket.create_server(("127.0.0.1", 0))
        self.backend.settimeout(10)
        # Bound and never listening: connections are refused, and nobody else gets the port.
        self.refusing = socket.socket()
        self.refusing.bind(("127.0.0.1", 0))
        self.ports = {name: free_port() for name in PROXIES}

    def close(self) -> None:
        for one in (self.sink, self.backend, self.refusing):
            one.close()

    def text(self) -> str:
        def port(one: socket.socket) -> int:
            number: int = one.getsockname()[1]
            return number

        server = f"    server s1 127.0.0.1:{port(self.backend)}\n"
        body = {
            "plain": "    mode tcp\n    option dontlognull\n" + server,
            "tcpl": "    mode tcp\n    option tcplog\n    option dontlognull\n" + server,
            "asap": "    mode tcp\n    option tcplog\n    option logasap\n" + server,
            "empty": "    mode tcp\n    option tcplog\n",
            "dead": "    mode tcp\n    option tcplog\n    retries 0\n"
            f"    server s1 127.0.0.1:{port(self.refusing)}\n",
            "nulls": "    mode tcp\n    option tcplog\n" + server,
            "http": "    mode http\n    option httplog\n",
            "page": "    mode http\n    option httplog\n    stats uri /st\n",
            "plainhttp": "    mode http\n",
        }
        listens = "".join(
            f"listen {name}\n    bind 127.0.0.1:{number}\n{body[name]}"
            for name, number in self.ports.items()
        )
        return (
            "global\n    nbthread 1\n    log-tag peer\n"
            f"defaults\n    log 127.0.0.1:{port(self.sink)} local3\n"
            "    timeout client 900ms\n    timeout server 300ms\n    timeout connect 2s\n"
            f"    timeout http-request 300ms\n{listens}"
        )

    def line(self) -> str:
        self.sink.settimeout(10)
        return masked(self.sink.recv(65536).decode())

    def silence(self) -> str:
        """Nothing may have been said by the time that the next connection's line comes."""
        with self.client("plain") as client:
            client.sendall(b"x")
            accepted, _ = self.backend.accept()
            accepted.close()
        return self.line()

    @contextlib.contextmanager
    def client(self, proxy: str) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.ports[proxy]), timeout=10) as client:
            yield client

    def served(self, proxy: str) -> None:
        with self.client(proxy) as client:
            client.sendall(b"hello")
            accepted, _ = self.backend.accept()
            with accepted:
                assert accepted.recv(100) == b"hello"
                accepted.sendall(b"world!")
                assert client.recv(100) == b"world!"

    def asked(self, proxy: str, request: bytes) -> None:
        with self.client(proxy) as client:
            client.sendall(request)
            while client.recv(65536):
                pass


def masked(line: str) -> str:
    line = re.sub(r"\w{3} [ \d]\d \d\d:\d\d:\d\d ", "DATE ", line)
    line = re.sub(r"peer\[\d+\]", "peer[PID]", line)
    line = re.sub(r"127\.0\.0\.1:\d+ \[[^]]+\]", "CLIENT [DATE]", line)
    line = re.sub(r"from 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+", "from CLIENT to US", line)
    line = re.sub(r"(?<= )[-+\d]+(/[-+\d]+){2,4}(?= \d|\s\+)", _durations, line, count=1)
    # The process's count may still hold the connection before.
    line = re.sub(r" \d+(/\d+/\d+/\d+/\+?\d+ \d+/\d+)", r" N\1", line)
    # The page's own size is not HAProxy's.
    return re.sub(r"(<STATS> \S+ 200) \d+", r"\1 SIZE", line)


def _durations(match: re.Match[str]) -> str:
    return re.sub(r"(?<![-\d])\d+", "N", match[0])


def plain(bench: Bench) -> str:
    bench.served("plain")
    return bench.line()


def plain_without_data(bench: Bench) -> str:
    with bench.client("plain"):
        accepted, _ = bench.backend.accept()
        accepted.close()
        return bench.line()


def tcplog(bench: Bench) -> str:
    bench.served("tcpl")
    return bench.line()


def tcplog_server_ends_first(bench: Bench) -> str:
    with bench.client("tcpl") as client:
        client.sendall(b"hello")
        accepted, _ = bench.backend.accept()
        accepted.recv(100)
        accepted.close()
        client.recv(100)
    return bench.line()


def tcplog_server_resets(bench: Bench) -> str:
    with bench.client("tcpl") as client:
        client.sendall(b"hello")
        accepted, _ = bench.backend.accept()
        accepted.recv(100)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        with contextlib.suppress(ConnectionResetError):
            client.recv(100)
    return bench.line()


def tcplog_client_resets(bench: Bench) -> str:
    with bench.client("tcpl") as client:
        client.sendall(b"hello")
        accepted, _ = bench.backend.accept()
        accepted.recv(100)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with accepted:
        return bench.line()


def tcplog_silent_both(bench: Bench) -> str:
    with bench.client("tcpl") as client:
        client.sendall(b"hello")
        accepted, _ = bench.backend.accept()
        with accepted:
            return bench.line()


def _greeted(bench: Bench, proxy: str) -> None:
    """A client that says nothing; the server's greeting proves that the relay stood."""
    with bench.client(proxy) as client:
        accepted, _ = bench.backend.accept()
        with accepted:
            accepted.sendall(b"hello")
            assert client.recv(100) == b"hello"
            client.shutdown(socket.SHUT_WR)
            assert accepted.recv(100) == b""


def tcplog_null_is_not_logged(bench: Bench) -> str:
    _greeted(bench, "tcpl")
    return bench.silence()


def null_is_logged(bench: Bench) -> str:
    _greeted(bench, "nulls")
    return bench.line()


def logasap(bench: Bench) -> str:
    bench.served("asap")
    return bench.line()


def no_server(bench: Bench) -> str:
    with bench.client("empty"):
        return bench.line()


def refused_server(bench: Bench) -> str:
    with bench.client("dead"):
        return bench.line()


def http_unavailable(bench: Bench) -> str:
    bench.asked("http", b'GET /a?"b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    return bench.line()


def http_page(bench: Bench) -> str:
    bench.asked("page", b"GET /st HTTP/1.0\r\n\r\n")
    return bench.line()


def http_not_the_page(bench: Bench) -> str:
    bench.asked("page", b"GET /other HTTP/1.0\r\n\r\n")
    return bench.line()


def http_bad(bench: Bench) -> str:
    bench.asked("page", b"GET /\r\n\r\n")
    return bench.line()


def http_late(bench: Bench) -> str:
    bench.asked("page", b"GET / HT")
    return bench.line()


def http_silent(bench: Bench) -> str:
    bench.asked("page", b"")
    return bench.line()


def http_gone(bench: Bench) -> str:
    with bench.client("page") as client:
        client.sendall(b"GET / HT")
    return bench.line()


def http_half_closed(bench: Bench) -> str:
    with bench.client("page") as client:
        client.sendall(b"GET / HT")
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass
    return bench.line()


def http_plain(bench: Bench) -> str:
    bench.asked("plainhttp", b"GET / HTTP/1.0\r\n\r\n")
    return bench.line()


SCENES: tuple[Callable[[Bench], str], ...] = (
    plain,
    plain_without_data,
    tcplog,
    tcplog_server_ends_first,
    tcplog_server_resets,
    tcplog_client_resets,
    tcplog_silent_both,
    tcplog_null_is_not_logged,
    null_is_logged,
    logasap,
    no_server,
    refused_server,
    http_unavailable,
    http_page,
    http_not_the_page,
    http_bad,
    http_late,
    http_silent,
    http_gone,
    http_half_closed,
    http_plain,
)


def _haproxy(file: Path) -> list[str]:
    return [need("haproxy"), "-db", "-q", "-f", str(file)]


def _telamon(io: str) -> Callable[[Path], list[str]]:
    start = "from telamon.cli.root import main; main()"
    return lambda file: [
        *(sys.executable, "-c", start, "run", "-f", str(file), "--foreground"),
        *("--io", io, "--threads", "1", "--run-dir", str(file.parent)),
    ]


@contextlib.contextmanager
def running(folder: Path, command: Callable[[Path], list[str]]) -> Iterator[Bench]:
    bench = Bench(folder)
    file = folder / "haproxy.cfg"
    file.write_text(bench.text())
    with (
        contextlib.closing(bench),
        program_running(command(file), folder / "log", lambda: _listens(bench)),
    ):
        bench.line()  # of the connection that found it listening
        yield bench


def _listens(bench: Bench) -> bool:
    try:
        with bench.client("plain"):
            bench.backend.accept()[0].close()
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    with running(tmp_path_factory.mktemp("haproxy"), _haproxy) as bench:
        return {scene.__name__: scene(bench) for scene in SCENES}


@pytest.fixture(scope="module", params=["uring", "epoll"])
def ours(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp(request.param), _telamon(request.param)) as bench:
        yield bench


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_the_line_is_haproxys(
    theirs: dict[str, str], ours: Bench, scene: Callable[[Bench], str]
) -> None:
    assert scene(ours) == theirs[scene.__name__]
