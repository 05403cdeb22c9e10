"""Plays examples: each is a section of one configuration, asked once.

The server answers with the head that it got, so that the client sees both sides; what a section
logs is put behind what its client got.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from telamon.base.diagnostic import Severity
from telamon.engine import Engine, IoEngine, ListenerDescriptor
from telamon.haproxy.load import load
from tests.engine.rig import PATIENCE, TestServer, listening, receive_all, until
from tests.support.peers import udp_receiver

SILENCE = 0.2
"""Seconds after which one who hears nothing goes."""

HEAD = """
global
    nbthread 1
    maxconn 500
    tune.bufsize 32768
    tune.http.maxhdr 400
    log {log} local0
defaults
    log global
    timeout client 5s
    timeout server 4s
    timeout connect 3s
    timeout queue 6s
    timeout tarpit 100ms
    timeout tunnel 7s
    timeout client-fin 8s
userlist users
    group ops users alice
    user alice insecure-password open:sesame
backend spare
    mode http
    server s9 {server}
"""


@dataclass(frozen=True)
class Section:
    """A frontend and backend in one, and what its client says."""

    name: str
    lines: str
    sends: bytes
    mode: str = "http"
    bind: str = ""
    silent: bool = False
    """The client hears nothing, not even the end."""
    logs: bool = True
    """A line is awaited."""


@dataclass
class Stage:
    """All sections running on one engine."""

    engine: Engine
    fronts: dict[str, socket.socket]
    log: socket.socket
    heard: dict[str, str] = field(default_factory=dict)

    def ask(self, section: Section) -> str:
        """What the client got, then `LOG` and the line."""
        with socket.create_connection(self.fronts[section.name].getsockname(), PATIENCE) as client:
            client.settimeout(SILENCE if section.silent else PATIENCE)
            got = b""
            gone = (ConnectionError, TimeoutError) if section.silent else (ConnectionError,)
            with contextlib.suppress(*gone):
                client.sendall(section.sends)
                if section.mode == "tcp":
                    with contextlib.suppress(OSError):  # it was refused already
                        client.shutdown(socket.SHUT_WR)
                got = receive_all(client)
        if section.logs:
            until(lambda: self._heard(section.name), f"a log line of {section.name}")
        return f"{got.decode('latin-1')}\nLOG {self.heard.get(section.name, '')}"

    def _heard(self, name: str) -> bool:
        if name in self.heard:
            return True
        line = self.log.recv(65536).decode("latin-1")
        found = re.search(r"name=(\S+)", line)
        assert found, line
        self.heard[found[1]] = line
        return name in self.heard


def serve(client: socket.socket) -> None:
    """Answers a request with its own head as the body, anything else with itself."""
    got = b""
    while data := client.recv(1 << 16):
        got += data
        if not got.startswith((b"GET", b"POST", b"PUT")):
            client.sendall(data)
        elif b"\r\n\r\n" in got:
            head = got.partition(b"\r\n\r\n")[0] + b"\r\n"
            client.sendall(
                b"HTTP/1.1 200 OK\r\nX-Code: 7\r\nX-Ip: 10.9.8.7\r\nX-Gone: 1\r\n"
                b"Set-Cookie: s1=v1; Path=/\r\nX-List: a, b\r\nContent-Length: %d\r\n\r\n"
                % len(head)
                + head
            )
            got = b""
    client.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def stage(sections: list[Section], io: IoEngine, folder: Path) -> Iterator[Stage]:
    """The sections, on one engine of one thread. `FOLDER` in lines is where files are."""
    path = folder / "rows.cfg"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(TestServer(serve))
        log = stack.enter_context(udp_receiver())
        port = f"{server.address.host}:{server.address.port}"
        text = HEAD.format(log=f"127.0.0.1:{log.getsockname()[1]}", server=port)
        fronts = {one.name: stack.enter_context(listening()) for one in sections}
        for one in sections:
            lines = one.lines.replace("FOLDER", str(folder))
            bind = f"127.0.0.1:{fronts[one.name].getsockname()[1]} {one.bind}"
            text += f"listen {one.name}\n    mode {one.mode}\n    bind {bind}\n{lines}\n"
            text += "" if "server s1" in lines else f"    server s1 {port} weight 7\n"
        path.write_text(text)
        loaded = load([str(path)], environment={})
        errors = [one for one in loaded.report if one.severity is Severity.ERROR]
        assert loaded.plan is not None, [(one.message, one.span) for one in errors]
        engine = Engine(
            loaded.plan,
            [
                ListenerDescriptor(proxy.id, 1, fronts[proxy.name].fileno())
                for proxy in loaded.plan.proxies
                if proxy.frontend is not None
            ],
            io=io,
            threads=1,
        )
        stack.callback(engine.stop)
        engine.start()
        yield Stage(engine, fronts, log)
        assert engine.dead_threads() == 0
        assert engine.snapshot().process["Panics"] == 0


def table(text: str) -> list[tuple[str, str]]:
    """The lines of a table: left and right of the arrow. What ends in a semicolon goes on."""
    rows = []
    for line in re.sub(r" ;\n\s+", " ; ", text).strip().splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            left, arrow, right = line.partition(" =>")
            assert arrow, line
            rows.append((left.strip(), right.strip()))
    return rows


def words(expression: str) -> tuple[str, list[str]]:
    """The fetch and the converters that an expression names."""
    depth, names, begin = 0, [], 0
    for at, character in enumerate(expression + ","):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            names.append(expression[begin:at].partition("(")[0])
            begin = at + 1
    return names[0], names[1:]
