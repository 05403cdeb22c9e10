"""The same configuration, client and server with HAProxy and with our engine: what each does.

A case is a configuration's lines, what clients say, and what servers say; each side is a script
of steps. What is compared: the bytes that each client got and how its connection ended, the bytes
that each connection to the server brought, and the log lines without what differs from run to run.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from telamon.engine import Engine, IoEngine, ListenerDescriptor
from telamon.haproxy.load import load
from tests.engine.rig import PATIENCE, TestServer, closed_port, inet, until

CONFIG = """
global
    log {log} local3
    nbthread 1
{tune}
defaults
    mode http
    log global
    option httplog
    timeout client 650
    timeout server 950
    timeout connect 350
    retries 1
listen front
    bind {front} {bind}
{lines}
{servers}
listen sentinel
    bind {sentinel}
"""

needs_haproxy = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed"
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Until:
    """Reads on until these bytes have come."""

    needle: bytes = b"\r\n\r\n"


@dataclass(frozen=True)
class Pour:
    """Sends so many bytes of a pattern."""

    count: int


@dataclass(frozen=True)
class Do:
    """One word of a script.

    `end` reads until the peer closes, `eof` ends the own words, `close` and `reset` go away, `stay`
    does nothing until the case is over and `nap` for a moment; `wait` goes on when another script
    has come to its `mark`.
    """

    what: str


END, EOF, CLOSE, RESET, STAY = Do("end"), Do("eof"), Do("close"), Do("reset"), Do("stay")
MARK, WAIT, NAP = Do("mark"), Do("wait"), Do("nap")

Step = bytes | Until | Pour | Do
Script = tuple[Step, ...]


@dataclass(frozen=True)
class Case:
    """`clients` come one after the other; `servers` are the scripts of the server's connections in
    their order, the last one again for all that follow. None: nothing listens. `lines`: so many
    log lines are awaited. `tune`: lines of `global`; `bind`: words
    behind the frontend's address.
    """

    name: str
    clients: tuple[Script, ...]
    servers: tuple[Script, ...] | None = ((Until(), OK),)
    config: str = ""
    options: str = ""
    lines: int = 1
    together: bool = False
    tune: str = ""
    bind: str = ""


@dataclass
class Outcome:
    clients: list[tuple[bytes, str]] = field(default_factory=list)
    servers: list[bytes] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


def pattern(count: int) -> bytes:
    block = bytes(range(256))
    return (block * (count // 256 + 1))[:count]


class Player:
    """One end of a connection that follows its script."""

    def __init__(self, sock: socket.socket, over: threading.Event, mark: threading.Event) -> None:
        self.sock, self.over, self.mark = sock, over, mark
        self.got = b""
        self.end = "open"
        self._seen = 0

    def play(self, script: Script) -> None:
        try:
            for step in script:
                self._step(step)
        except (ConnectionError, BrokenPipeError):
            self.end = "broken"
        except TimeoutError:
            self.end = "stuck"

    def _step(self, step: Step) -> None:
        match step:
            case bytes():
                self.sock.sendall(step)
            case Pour(count):
                self.sock.sendall(pattern(count))
            case Until(needle):
                while (at := self.got.find(needle, self._seen)) < 0:
                    if not self._receive():
                        self.end = "closed"
                        return
                self._seen = at + len(needle)
            case Do("end"):
                while self._receive():
                    pass
                self.end = "closed"
            case Do("eof"):
                self.sock.shutdown(socket.SHUT_WR)
            case Do("close"):
                self.sock.close()
                self.end = "left"
            case Do("reset"):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.sock.close()
                self.end = "left"
            case Do("nap"):
                self.over.wait(0.3)
            case Do("stay"):
                self.over.wait(PATIENCE)
            case Do("mark"):
                self.mark.set()
            case Do("wait"):
                assert self.mark.wait(PATIENCE)
            case _:
                raise AssertionError(step)

    def _receive(self) -> bool:
        data = self.sock.recv(1 << 18)
        self.got += data
        return bool(data)


class Stage:
    """The server side of a case, the log's receiver, and where both are."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.over, self.mark = threading.Event(), threading.Event()
        self.players: list[Player] = []
        self._lock = threading.Lock()
        self.server = TestServer(self._serve) if case.servers is not None else None
        self.log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.log.bind(("127.0.0.1", 0))
        self.log.settimeout(PATIENCE)
        self.front, self.sentinel = closed_port(), closed_port()
        address = self.server.address if self.server else closed_port()
        config = case.config or f"    server s1 {{server}} {case.options}"
        self.text = CONFIG.format(
            log=inet(self.log),
            front=self.front,
            sentinel=self.sentinel,
            lines="",
            tune=case.tune,
            bind=case.bind,
            servers=config.format(server=address, dead=closed_port()),
        )

    def _serve(self, sock: socket.socket) -> None:
        assert self.case.servers is not None
        with self._lock:
            script = self.case.servers[min(len(self.players), len(self.case.servers) - 1)]
            player = Player(sock, self.over, self.mark)
            self.players.append(player)
        sock.settimeout(PATIENCE)
        player.play(script)
        if player.end != "left":
            with contextlib.suppress(OSError):
                while player._receive():
                    pass

    def heard(self) -> str:
        return self.log.recv(65536).decode("latin-1")

    def knock(self) -> list[str]:
        """A request to the sentinel; the lines that came before its own."""
        with socket.create_connection(("127.0.0.1", self.sentinel.port), PATIENCE) as sock:
            sock.sendall(b"GET /sentinel HTTP/1.1\r\nConnection: close\r\n\r\n")
            while sock.recv(65536):
                pass
        before = []
        while " sentinel " not in (line := self.heard()):
            before.append(line)
        return before

    def play(self) -> Outcome:
        """All clients with what listens at `front`."""
        outcome = Outcome()
        players = []
        threads = []
        for script in self.case.clients:
            sock = socket.create_connection(("127.0.0.1", self.front.port), PATIENCE)
            sock.settimeout(PATIENCE)
            player = Player(sock, self.over, self.mark)
            players.append(player)
            if self.case.together:
                thread = threading.Thread(target=player.play, args=(script,))
                thread.start()
                threads.append(thread)
            else:
                player.play(script)
                sock.close()
        for thread in threads:
            thread.join(PATIENCE)
        for player in players:
            player.sock.close()
            outcome.clients.append((player.got, player.end))
        raw: list[str] = []
        while len(raw) < self.case.lines:
            try:
                line = self.heard()
            except TimeoutError:
                raise AssertionError(f"{len(raw)} of {self.case.lines} lines came: {raw}") from None
            if " sentinel " not in line:
                raw.append(line)
        raw += self.knock()
        outcome.log = [bare(line) for line in raw]
        self.over.set()
        return outcome

    def close(self, outcome: Outcome) -> Outcome:
        """After the proxy's end: all that the server's connections brought."""
        if self.server:
            until(lambda: all(not one.is_alive() for one in self._threads()), "servers are through")
            outcome.servers = [unannounced(player.got) for player in self.players]
            self.server.close()
        self.log.close()
        return outcome

    def _threads(self) -> list[threading.Thread]:
        return [
            one
            for one in threading.enumerate()
            if one.name.startswith("Thread") and getattr(one, "_target", None) == self._serve
        ]


def unannounced(got: bytes) -> bytes:
    """Without the ports of a PROXY line."""
    return re.sub(rb"(?<=PROXY TCP4 127.0.0.1 127.0.0.1 )\d+ \d+", b"PORTS", got)


def bare(line: str) -> str:
    """The line without what differs from run to run: dates, pids, ports, single milliseconds."""
    line = re.sub(r"^.*?haproxy\[\d+\]: ", "", line)
    line = re.sub(r"^[\d.:]+ \[[^\]]+\]", "CLIENT [DATE]", line)
    # How much has come when a line is written early is chance.
    line = re.sub(r"/\+\d+ (-?\d+) \+\d+ ", r"/+ \1 + ", line)

    def times(match: re.Match[str]) -> str:
        parts = match[1].split("/")
        return "/".join(part if part in ("-1", "+") else tenths(int(part)) for part in parts)

    def tenths(value: int) -> str:
        # Below are delays of the kernel, such as that of a segment that waits to be filled.
        return "0" if value < 240 else str(value // 100)

    return re.sub(r"(?<= )([-\d]+(?:/[-+\d]+){2,4})(?= )", times, line, count=1)


@cache
def theirs(case: Case) -> Outcome:
    """What HAProxy does."""
    stage = Stage(case)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "haproxy.cfg"
        path.write_text(stage.text)
        process = subprocess.Popen(["haproxy", "-db", "-f", str(path)], stderr=subprocess.DEVNULL)

        def up() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", stage.sentinel.port)) == 0

        try:
            until(lambda: process.poll() is not None or up(), "haproxy listens")
            assert process.poll() is None, f"haproxy refuses:\n{stage.text}"
            until(lambda: "<NOSRV>" in stage.heard(), "haproxy logs")
            stage.knock()
            outcome = stage.play()
        finally:
            process.kill()
            process.wait()
    return stage.close(outcome)


def ours(case: Case, io: IoEngine) -> Outcome:
    """What our engine does."""
    stage = Stage(case)
    with running_text(stage, io) as engine:
        stage.knock()
        until(lambda: engine.active() == 0, "the knock is over")
        outcome = stage.play()
        until(lambda: engine.active() == 0, "all client connections are over")
        snapshot = engine.snapshot()
        assert engine.dead_threads() == 0
        assert snapshot.process["Panics"] == 0
        for proxy in snapshot.proxies.values():
            backend = proxy.backend
            assert backend is None or (backend["qcur"], backend["scur"]) == (0, 0)
            assert all(one["scur"] == 0 for one in proxy.servers.values())
    return stage.close(outcome)


@contextlib.contextmanager
def running_text(stage: Stage, io: IoEngine) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "haproxy.cfg"
        path.write_text(stage.text)
        loaded = load([str(path)])
    assert loaded.plan is not None, [d.message for d in loaded.report]
    places = {"front": stage.front.port, "sentinel": stage.sentinel.port}
    with contextlib.ExitStack() as stack:
        descriptors = []
        for proxy in loaded.plan.proxies:
            if proxy.frontend is None:
                continue
            sock = stack.enter_context(bound(places[proxy.name]))
            descriptors.append(ListenerDescriptor(proxy.id, 1, sock.fileno()))
        engine = Engine(loaded.plan, descriptors, io=io, threads=1)
        stack.callback(engine.stop)
        engine.start()
        yield engine


def bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(64)
    return sock


def fight(case: Case, io: IoEngine) -> None:
    """Ours must do what theirs does."""
    expected, got = theirs(case), ours(case, io)
    for what in ("clients", "servers", "log"):
        one, other = getattr(got, what), getattr(expected, what)
        if what == "log" and len(case.clients) > 1:
            # Whose line comes first is chance.
            one, other = sorted(one), sorted(other)
        assert one == other, f"{what}, ours and theirs:\n  {short(one)}\n  {short(other)}"


def short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 4000 else f"{text[:2000]} ... {text[-500:]}"
