"""Where lines go: headers, samples, rings and connections, beside HAProxy with the same file."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.logs.test_peer import _haproxy, _telamon
from tests.support.peers import program_running, udp_receiver
from tests.support.ports import free_port

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("logs")]

REQUESTS = 7
DATAGRAMS = {
    "plain": "local0",
    "rfc3164": "format rfc3164 local0",
    "local": "format local local0",
    "rfc5424": "format rfc5424 local0",
    "priority": "format priority local0",
    "short": "len 80 format short local0",
    "raw": "format raw local0 err",
    "sampled": "sample 2-3,5:6 local0",
    "early": "sample 1:100 local0 notice",
}


class Bench:
    """Receivers of all kinds, and the file that names them."""

    def __init__(self, folder: Path) -> None:
        self.stats = folder / "stats"
        self.port, self.quiet = free_port(), free_port()
        self.plain: list[bytes] = []
        self.datagrams = {name: udp_receiver() for name in DATAGRAMS}
        self.streams = {name: self._stream() for name in ("octets", "lines", "own")}

    def _stream(self) -> socket.socket:
        receiver = socket.create_server(("127.0.0.1", 0))
        receiver.settimeout(10)
        return receiver

    def close(self) -> None:
        for receiver in (*self.datagrams.values(), *self.streams.values()):
            receiver.close()

    def text(self) -> str:
        at = {
            name: f"127.0.0.1:{receiver.getsockname()[1]}"
            for name, receiver in (self.datagrams | self.streams).items()
        }
        logs = "".join(f"    log {at[name]} {words}\n" for name, words in DATAGRAMS.items())
        return (
            f"global\n    nbthread 1\n    log-tag peer\n    stats socket {self.stats} level admin\n"
            'ring sent\n    description "all of it"\n'
            "    format rfc3164\n    size 32768\n"
            "    timeout connect 5s\n    timeout server 5s\n"
            f"    server a {at['octets']} log-proto octet-count\n    server b {at['lines']}\n"
            "ring kept\n    format timed\n    maxlen 60\n"
            "defaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n"
            "    timeout connect 5s\n"
            f"listen probe\n    bind 127.0.0.1:{self.quiet}\n"
            f"listen web\n    bind 127.0.0.1:{self.port}\n    option httplog\n"
            "    option log-separate-errors\n    monitor-uri /alive\n"
            f"{logs}    log ring@sent local0\n    log ring@kept local1\n"
            f"    log tcp@{at['own']} format rfc5424 local2\n"
        )

    def ask(self) -> None:
        for number in range(REQUESTS):
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
                client.sendall(f"GET /{number} HTTP/1.0\r\n\r\n".encode())
                while client.recv(65536):
                    pass
            # One after the other, as the order of lines is compared.
            self.plain.append(self.datagrams["plain"].recv(65536))

    def received(self, name: str, count: int) -> list[str]:
        return [masked(self.datagrams[name].recv(65536)) for _ in range(count)]

    def streamed(self, name: str) -> str:
        """What a connection brought, up to the last request's line."""
        accepted, _ = self.streams[name].accept()
        data = b""
        with accepted:
            accepted.settimeout(10)
            while b"/%d HTTP" % (REQUESTS - 1) not in data:
                data += accepted.recv(65536)
        return masked(data)

    def command(self, words: str) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.stats))
            client.sendall(words.encode() + b"\n")
            data = b""
            while piece := client.recv(65536):
                data += piece
        return masked(data)


def waited(bench: Bench) -> list[str]:
    """`show events -w`: what is there, then a line that comes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(bench.stats))
        client.sendall(b"show events kept -w\n")
        there = _lines(client, REQUESTS)
        with socket.create_connection(("127.0.0.1", bench.port), timeout=10) as one:
            one.sendall(b"GET /late HTTP/1.0\r\n\r\n")
            while one.recv(65536):
                pass
        came = _lines(client, 1)
    return [masked(data) for data in (there, came)]


def _lines(client: socket.socket, count: int) -> bytes:
    data = b""
    while data.count(b"\n") < count:
        data += client.recv(65536)
    return data


def masked(data: bytes) -> str:
    line = data.decode()
    line = re.sub(r"\w{3} [ \d]\d \d\d:\d\d:\d\d ", "DATE ", line)
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "ISO", line)
    line = re.sub(r"peer\[\d+\]|peer \d+", "peer PID", line)
    line = re.sub(r"127\.0\.0\.1:\d+ \[[^]]*", "CLIENT [DATE", line)
    line = re.sub(r"\d+(/-1/-1/-1/)\d+", r"N\1N", line)
    line = re.sub(r"-- \d+/\d+/\d+/\d+/\d+ ", "-- COUNTS ", line)
    return re.sub(r"\d+ <", "LENGTH <", line)


@contextlib.contextmanager
def running(folder: Path, command: Callable[[Path], list[str]]) -> Iterator[Bench]:
    bench = Bench(folder)
    file = folder / "haproxy.cfg"
    file.write_text(bench.text())

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", bench.quiet)):
            return bench.stats.exists()
        return False

    with (
        contextlib.closing(bench),
        program_running(command(file), folder / "log", listens),
    ):
        bench.ask()
        yield bench


SCENES: dict[str, Callable[[Bench], object]] = {
    "plain": lambda bench: [masked(line) for line in bench.plain],
    "rfc3164": lambda bench: bench.received("rfc3164", REQUESTS),
    "local": lambda bench: bench.received("local", REQUESTS),
    "rfc5424": lambda bench: bench.received("rfc5424", REQUESTS),
    "priority": lambda bench: bench.received("priority", REQUESTS),
    "short": lambda bench: [len(line) > 60 for line in bench.received("short", REQUESTS)],
    "raw": lambda bench: bench.received("raw", REQUESTS),
    "sampled": lambda bench: bench.received("sampled", 3),
    "early": lambda bench: bench.received("early", 1),
    "octets": lambda bench: bench.streamed("octets"),
    "lines": lambda bench: bench.streamed("lines"),
    "own": lambda bench: bench.streamed("own"),
    "show events sent": lambda bench: bench.command("show events sent"),
    "show events nothing": lambda bench: bench.command("show events nothing"),
    "show events new": lambda bench: bench.command("show events sent -n"),
    "show events wrong": lambda bench: bench.command("show events sent -x"),
    "kept": lambda bench: bench.command("show events kept").count("\n"),
    "waited": lambda bench: [text.count("\n") for text in waited(bench)],
    "listed": lambda bench: re.findall(r".*(?:sent|kept) .*", bench.command("show events")),
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    with running(tmp_path_factory.mktemp("haproxy"), _haproxy) as bench:
        return {name: scene(bench) for name, scene in SCENES.items()}


@pytest.fixture(scope="module", params=["uring", "epoll"])
def ours(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp(request.param), _telamon(request.param)) as bench:
        yield bench


@pytest.mark.parametrize("name", SCENES)
def test_lines_arrive_as_haproxys(theirs: dict[str, object], ours: Bench, name: str) -> None:
    assert SCENES[name](ours) == theirs[name]
