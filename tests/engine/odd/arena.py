"""Both balancers on the same file, started once, and cases played on many lanes at a time.

A lane is a frontend, a backend and a server of its own. Lanes are taken in turns, so that what a
case leaves behind (an idle connection, a late log line) does not meet the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from telamon.engine import Engine, IoEngine, ListenerDescriptor
from telamon.haproxy.load import load
from tests.engine.odd.framing import split
from tests.engine.odd.grammar import KINDS, OK, Answer, Case
from tests.engine.rig import listening, until

LANES = 24
"""For each kind of proxy."""
PATIENCE = 2.5
"""Seconds that a connection may last; the file's timeouts are far shorter."""

LOG_FORMAT = "%ft %b/%s %ST %B %tsc %rc %TR/%Tw/%Tc/%Tr %{+Q}r"

FILE = """
global
    nbthread 1
    maxconn 2000
    log {log} local0
defaults
    mode http
    log global
    log-format "{format}"
    timeout connect 500
    timeout client 400
    timeout server 500
    timeout http-request 300
    timeout http-keep-alive 250
    timeout tunnel 250
    retries 0
"""

WORDS = {
    "plain": "",
    "ruled": """
    option forwardfor
    http-request set-header X-Path %[path]
    http-request add-header X-Host %[req.hdr(host)]
    http-request del-header X-B
    http-response set-header X-Status %[status]
""",
    "close": "    option http-server-close\n",
    "waits": "    http-request wait-for-body time 250ms\n",
    "lax": """
    option accept-unsafe-violations-in-http-request
    option accept-unsafe-violations-in-http-response
""",
    "closing": "    option httpclose\n",
    "buffered": """
    option http-buffer-request
    http-request set-header X-Body %[req.body,hex]
""",
    "pretending": "    option http-server-close\n    option http-pretend-keepalive\n",
}


def as_2_6(text: str) -> str:
    """The words of HAProxy 2.6 for what later versions call otherwise."""
    return text.replace("accept-unsafe-violations-in-http", "accept-invalid-http")


@dataclass
class Outcome:
    """What one balancer made of a case."""

    client: bytes = b""
    end: str = "open"
    server: list[bytes] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


class Lane:
    """A proxy of the balancer's file, and its server."""

    def __init__(self, name: str, front: socket.socket) -> None:
        self.name = name
        self.front = front
        self.address = front.getsockname()
        self.origin = listening(backlog=16)
        self.answers: tuple[Answer, ...] = ()
        self.asked = 0
        self.outcome = Outcome()
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Accepts from the balancer as long as the arena is open."""
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self.origin)
            sock.setblocking(False)
            task = asyncio.create_task(self._talk(sock))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _talk(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        outcome = self.outcome
        at = len(outcome.server)
        outcome.server.append(b"")
        waiting = b""
        with contextlib.suppress(OSError), sock:
            while data := await loop.sock_recv(sock, 1 << 16):
                outcome.server[at] += data
                waiting += data
                while (piece := split(waiting)) is not None and piece.whole:
                    waiting = piece.rest
                    if not await self._answer(sock):
                        sock.shutdown(socket.SHUT_WR)

    async def _answer(self, sock: socket.socket) -> bool:
        answer = self.answers[self.asked] if self.asked < len(self.answers) else OK
        self.asked += 1
        await pour(sock, answer.pieces)
        return not answer.closes


async def pour(sock: socket.socket, pieces: tuple[bytes, ...]) -> None:
    """The pieces as segments of their own: between them the peer gets the time to read."""
    loop = asyncio.get_running_loop()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for n, piece in enumerate(pieces):
        if n:
            await asyncio.sleep(0.002)
        await loop.sock_sendall(sock, piece)


class Balancer:
    """One of the two, running, with its lanes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.log.bind(("127.0.0.1", 0))
        self.log.setblocking(False)
        self.lanes = {
            kind: [Lane(f"{kind}{n}", listening()) for n in range(LANES)] for kind in KINDS
        }
        self._turn = dict.fromkeys(KINDS, 0)
        self._by_name = {lane.name: lane for lane in self._all()}

    def _all(self) -> Iterator[Lane]:
        for lanes in self.lanes.values():
            yield from lanes

    def text(self, *, inherited: bool) -> str:
        parts = [FILE.format(log=f"127.0.0.1:{self.log.getsockname()[1]}", format=LOG_FORMAT)]
        for kind, lanes in self.lanes.items():
            for lane in lanes:
                bind = f"fd@{lane.front.fileno()}" if inherited else f":{lane.address[1]}"
                server = f"127.0.0.1:{lane.origin.getsockname()[1]}"
                words = as_2_6(WORDS[kind]) if inherited else WORDS[kind]
                parts.append(f"listen {lane.name}\n    bind {bind}\n{words}    server s {server}\n")
        return "".join(parts)

    @contextlib.contextmanager
    def haproxy(self) -> Iterator[None]:
        fds = [lane.front.fileno() for lane in self._all()]
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "haproxy.cfg"
            path.write_text(self.text(inherited=True))
            process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(path)], pass_fds=fds, stderr=subprocess.PIPE
            )
            try:
                yield
                assert process.poll() is None, process.communicate()[1]
            finally:
                process.kill()
                process.communicate()

    @contextlib.contextmanager
    def telamon(self, io: IoEngine) -> Iterator[None]:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "haproxy.cfg"
            path.write_text(self.text(inherited=False))
            loaded = load([str(path)])
        assert loaded.plan is not None, [d.message for d in loaded.report]
        descriptors = [
            ListenerDescriptor(proxy.id, 1, self._by_name[proxy.name].front.fileno())
            for proxy in loaded.plan.proxies
        ]
        engine = Engine(loaded.plan, descriptors, io=io, threads=1)
        try:
            engine.start()
            yield
            until(lambda: engine.active() == 0, "all connections are over")
            assert engine.dead_threads() == 0
            snapshot = engine.snapshot()
            assert snapshot.process["Panics"] == 0
            for proxy in snapshot.proxies.values():
                assert proxy.backend is not None
                assert (proxy.backend["qcur"], proxy.backend["scur"]) == (0, 0)
                assert all(server["scur"] == 0 for server in proxy.servers.values())
        finally:
            engine.stop()

    def part(self, outcome: Outcome) -> None:
        """The case is over: its server closes what it still has open."""
        for lane in self._all():
            if lane.outcome is outcome:
                for task in lane.tasks:
                    task.cancel()

    def _take(self, kind: str) -> Lane:
        turn = self._turn[kind]
        self._turn[kind] = turn + 1
        return self.lanes[kind][turn % LANES]

    async def play(self, case: Case) -> Outcome:
        loop = asyncio.get_running_loop()
        lane = self._take(case.kind)
        lane.answers, lane.asked, lane.outcome = case.answers, 0, Outcome()
        outcome = lane.outcome
        with socket.socket() as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, lane.address)
            sender = asyncio.create_task(self._send(sock, case))
            try:
                async with asyncio.timeout(PATIENCE):
                    while data := await loop.sock_recv(sock, 1 << 16):
                        outcome.client += data
                outcome.end = "closed"
            except TimeoutError:
                outcome.end = "stuck"
            except OSError:
                outcome.end = "reset"
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
        return outcome

    async def _send(self, sock: socket.socket, case: Case) -> None:
        with contextlib.suppress(OSError):
            await pour(sock, case.sends)
            if case.ends:
                sock.shutdown(socket.SHUT_WR)

    async def _listen_to_logs(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            line = (await loop.sock_recv(self.log, 65536)).decode("latin-1").rstrip("\n")
            name, _, rest = line.partition("]: ")[2].partition(" ")
            if lane := self._by_name.get(name):
                lane.outcome.log.append(masked(rest.partition("/")[2]))

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Balancer]:
        """Its servers and its log's receiver, within a running loop."""
        tasks = [asyncio.create_task(lane.serve()) for lane in self._all()]
        tasks.append(asyncio.create_task(self._listen_to_logs()))
        for lane in self._all():
            lane.origin.setblocking(False)
        try:
            yield self
        finally:
            for task in [*tasks, *(task for lane in self._all() for task in lane.tasks)]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        self.log.close()
        for lane in self._all():
            lane.front.close()
            lane.origin.close()


def masked(line: str) -> str:
    """Times above -1 are chance."""
    return re.sub(
        r" (-?\d+)/(-?\d+)/(-?\d+)/(-?\d+) ",
        lambda found: " " + "/".join("-" if g == "-1" else "+" for g in found.groups()) + " ",
        line,
        count=1,
    )


async def settled(outcomes: list[Outcome]) -> None:
    """Waits until all have logged as many lines, or for as long as is reasonable."""
    for _ in range(200):
        if len({len(one.log) for one in outcomes}) == 1 and outcomes[0].log:
            return
        await asyncio.sleep(0.005)
