"""A proxy with log receivers, for tests that look at what it says."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.engine.rig import TestServer
from tests.support.peers import program_running
from tests.support.ports import free_port

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-S: yes\r\nSet-Cookie: SRV=abc; path=/\r\n\r\nhi"
REQUEST = (
    b'GET /a"b?c=d HTTP/1.1\r\nHost: h\r\nUser-Agent: a"b]c\\d\r\nCookie: SRV=xyz; o=1\r\n'
    b"Connection: close\r\n\r\n"
)


class Server(TestServer):
    """Answers each request with `REPLY`; closes with the client."""

    def __init__(self) -> None:
        super().__init__(_reply)
        self.port = self.address.port


def _reply(client: socket.socket) -> None:
    with client:
        while client.recv(65536):
            client.sendall(REPLY)


def port_of(one: socket.socket) -> int:
    number: int = one.getsockname()[1]
    return number


def exchange(port: int, data: bytes, *, shut: bool = False) -> bytes:
    """What comes back, up to the end; a client that is `shut` has no more to say.

    TimeoutError: the end does not come.
    """
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        try:
            client.sendall(data)
            if shut:
                client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65536):
                got += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # a reset is an end as well
    return got


@contextlib.contextmanager
def running(folder: Path, command: Callable[[Path], list[str]], text: str) -> Iterator[None]:
    """The proxy with a file; a section that listens for nothing else shows that it is there."""
    probe = free_port()
    file = folder / "haproxy.cfg"
    file.write_text(
        f"{text}\nfrontend probe\n    mode tcp\n    timeout client 1s\n    no log\n"
        f"    bind 127.0.0.1:{probe}\n"
    )
    with program_running(command(file), folder / "log", lambda: _listens(probe)):
        yield


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def masked(data: bytes) -> str:
    """Without what differs from run to run: dates, ports, pids, times."""
    line = data.decode()
    line = re.sub(r"\d\d/\w{3}/\d{4}:[\d:.]+( \+\d+)?", "DATE", line)
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+", "ISO", line)
    line = re.sub(r"127\.0\.0\.1:\d+", "CLIENT", line)
    line = re.sub(r"peer \d+|peer\[\d+\]", "peer PID", line)
    line = re.sub(r'"" "" \d+ \d{3} ', '"" "" PORT MS ', line)
    line = re.sub(r"(?<![\w/])-?\d+(/-?\d+){2,4} (?=\d+ )", _times, line, count=1)
    line = re.sub(r"( -?\d+){5} (?=\w\w--|----)", _times, line, count=1)
    return re.sub(r"E 127\.0\.0\.1 \d+", "E 127.0.0.1 PORT", line)


def _times(match: re.Match[str]) -> str:
    return re.sub(r"(?<!-)\b\d+", "N", match[0])
