"""An engine whose rules call Python functions, with the pool that the control process has."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from telamon.base.diagnostic import render
from telamon.daemon.script_pool import ScriptPool
from telamon.engine import (
    Engine,
    IoEngine,
    ListenerDescriptor,
    ScriptCall,
    ScriptCallOver,
)
from telamon.haproxy.load import load
from telamon.script import registry
from tests.engine.rig import PATIENCE, Rig, TestServer, listening

CONFIG = """\
global
    telamon-python {script}
    telamon-python-timeout {limit}
defaults
    mode http
    timeout client 20s
    timeout connect 5s
    timeout server 20s
frontend front
    bind 127.0.0.1:1
    default_backend back
{lines}
backend back
    server s1 127.0.0.1:{port}
{behind}
backend other
    http-request return status 200 content-type text/plain string other
"""

HEAD = "from telamon.script import *\nimport threading\n"


class Control:
    """What the control process does with the engine's events, in a thread."""

    def __init__(self, engine: Engine, pool: ScriptPool) -> None:
        self._engine, self._pool = engine, pool
        self._over, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            over = self._over.fileno()
            ready, _, _ = select.select([self._engine.event_fd(), over], [], [])
            if over in ready:
                return
            for event in self._engine.events():
                match event:
                    case ScriptCall():
                        self._pool.take(event)
                    case ScriptCallOver(token):
                        self._pool.abandon(token)
                    case other:
                        print(other)

    def close(self) -> None:
        self._stop.send(b".")
        self._thread.join(PATIENCE)
        self._over.close()
        self._stop.close()


def seen(client: socket.socket) -> None:
    """A server that answers with the head that it got."""
    data = b""
    while part := client.recv(1 << 16):
        data += part
        while b"\r\n\r\n" in data:
            head, _, data = data.partition(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            while len(data) < length:
                data += client.recv(1 << 16)
            body, data = head + b"|" + data[:length], data[length:]
            client.sendall(
                b"HTTP/1.1 200 OK\r\nX-From: server\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )


@contextlib.contextmanager
def scripted(
    folder: Path,
    io: IoEngine,
    script: str,
    lines: str,
    *,
    behind: str = "",
    limit: str = "5s",
    threads: int = 2,
    serve: Callable[[socket.socket], None] = seen,
) -> Iterator[Rig]:
    """`lines` stand in the frontend, `behind` in the backend."""
    file = folder / "rules.py"
    file.write_text(HEAD + script)
    with TestServer(serve) as server, contextlib.ExitStack() as stack:
        config = folder / "haproxy.cfg"
        config.write_text(
            CONFIG.format(
                script=file, limit=limit, lines=lines, port=server.address.port, behind=behind
            )
        )
        loaded = load([str(config)])
        assert loaded.plan is not None, render(list(loaded.report))
        sock = stack.enter_context(listening())
        front = ListenerDescriptor(loaded.plan.proxies[0].id, 1, sock.fileno())
        engine = Engine(loaded.plan, [front], io=io, threads=threads)
        stack.callback(engine.stop)
        pool = ScriptPool(registry.load(loaded.plan.process.python_files), engine.answer)
        stack.callback(Control(engine, pool).close)
        engine.start()
        yield Rig(engine, [sock])
        assert engine.dead_threads() == 0
        assert engine.snapshot().process["Panics"] == 0


def ask(
    rig: Rig, path: str = "/", headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of one request on a connection of its own."""
    client = http.client.HTTPConnection(*rig.address, timeout=PATIENCE)
    try:
        client.request("POST" if body is not None else "GET", path, body, headers or {})
        answer = client.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode("latin-1")
    finally:
        client.close()


def calls(rig: Rig) -> int:
    return rig.snapshot().process["PythonCalls"]
