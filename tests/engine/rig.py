"""A running engine with real sockets around it, for the data-plane tests."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from telamon.base.address import InetAddress, SocketAddress
from telamon.engine import Engine, IoEngine, ListenerDescriptor, Snapshot
from telamon.plan.process import ProcessPlan
from telamon.plan.proxy import (
    Backend,
    Frontend,
    Listener,
    Mode,
    Proxy,
    ProxyPlan,
    Server,
    Timeouts,
)
from tests.support.ports import free_port

PATIENCE = 10.0
"""Seconds until a condition that must come true counts as failed."""


def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Polls until `condition()` is true; AssertionError after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true in {PATIENCE} s"
        time.sleep(0.002)


def inet(sock: socket.socket) -> InetAddress:
    host, port = sock.getsockname()[:2]
    return InetAddress(ipaddress.ip_address(host), port)


def listening(host: str = "127.0.0.1", backlog: int = 256) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, 0))
    sock.listen(backlog)
    return sock


def closed_port() -> InetAddress:
    """An address of this machine that refuses connections."""
    return InetAddress(ipaddress.IPv4Address("127.0.0.1"), free_port())


class TestServer:
    """A threaded server: `serve` gets each accepted socket and closes nothing by itself."""

    __test__ = False

    def __init__(
        self, serve: Callable[[socket.socket], None], sock: socket.socket | None = None
    ) -> None:
        self.sock = sock or listening()
        self.accepted = 0
        self._serve = serve
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> InetAddress:
        return inet(self.sock)

    def _run(self) -> None:
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError as error:
                if error.errno == errno.EMFILE:  # a test takes all descriptors
                    time.sleep(0.01)
                    continue
                return
            with self._lock:
                self.accepted += 1
                self._open.append(client)
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._serve(client)

    def drop(self) -> None:
        """Ends all connections that it has."""
        with self._lock:
            for client in self._open:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                client.close()
            self._open.clear()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self._thread.join(PATIENCE)
        self.drop()

    def __enter__(self) -> TestServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def echo(client: socket.socket) -> None:
    while data := client.recv(1 << 16):
        client.sendall(data)
    client.shutdown(socket.SHUT_WR)


def named(name: bytes) -> Callable[[socket.socket], None]:
    """Says its name, then echoes."""

    def serve(client: socket.socket) -> None:
        client.sendall(name)
        echo(client)

    return serve


def server(address: SocketAddress, id: int = 1, **fields: object) -> Server:
    return replace(Server(id=id, name=f"s{id}", address=address), **fields)  # type: ignore[arg-type]


@dataclass
class Rig:
    """An engine with one listen section (proxy id 1) unless `proxies` says otherwise."""

    engine: Engine
    listeners: list[socket.socket] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.listeners[0].getsockname()[:2]
        return host, port

    def connect(self, timeout: float = PATIENCE, listener: int = 0) -> socket.socket:
        sock = self.listeners[listener]
        client = socket.socket(sock.family)
        client.settimeout(timeout)
        client.connect(sock.getsockname())
        return client

    def snapshot(self) -> Snapshot:
        return self.engine.snapshot()

    def frontend(self, name: str, id: int = 1) -> int:
        found = self.snapshot().proxies[id].frontend
        assert found is not None
        return found[name]

    def backend(self, name: str, id: int = 1) -> int:
        found = self.snapshot().proxies[id].backend
        assert found is not None
        return found[name]

    def server(self, name: str, server: int = 1, id: int = 1) -> int:
        return self.snapshot().proxies[id].servers[server][name]

    def idle(self) -> None:
        until(lambda: self.engine.active() == 0, "all connections closed")


def plan(
    servers: tuple[Server, ...],
    *,
    timeouts: Timeouts | None = None,
    mode: Mode = Mode.TCP,
    maxconn: int | None = None,
    process: ProcessPlan | None = None,
    listener: Listener | None = None,
    backend: dict[str, object] | None = None,
    **fields: object,
) -> ProxyPlan:
    proxy = Proxy(
        id=1,
        name="front",
        mode=mode,
        frontend=Frontend(
            listeners=(
                listener
                or Listener(
                    id=1, name="", address=InetAddress(ipaddress.ip_address("127.0.0.1"), 0)
                ),
            ),
            maxconn=maxconn,
            default_backend=1,
        ),
        backend=Backend(servers=servers, **(backend or {})),  # type: ignore[arg-type]
        timeouts=timeouts or Timeouts(client=20_000, server=20_000, connect=5_000),
    )
    return ProxyPlan(
        process=process or ProcessPlan(maxconn=2000),
        proxies=(replace(proxy, **fields),),  # type: ignore[arg-type]
    )


@contextlib.contextmanager
def running(
    the_plan: ProxyPlan,
    io: IoEngine,
    *,
    threads: int = 2,
    sock: socket.socket | None = None,
) -> Iterator[Rig]:
    front = the_plan.proxies[0].frontend
    ids = [one.id for one in front.listeners] if front is not None else [1]
    socks = [sock or listening(), *(listening() for _ in ids[1:])]
    given = [ListenerDescriptor(1, id, one.fileno()) for id, one in zip(ids, socks, strict=True)]
    engine = Engine(the_plan, given, io=io, threads=threads)
    try:
        engine.start()
        yield Rig(engine, socks)
        assert engine.dead_threads() == 0
        assert engine.snapshot().process["Panics"] == 0
    finally:
        engine.stop()
        for one in socks:
            one.close()


def receive_all(sock: socket.socket) -> bytes:
    parts = []
    while data := sock.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)


def receive(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        assert part, f"closed after {data!r}"
        data += part
    return data
