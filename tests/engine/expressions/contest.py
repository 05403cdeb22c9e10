"""Questions put to HAProxy and to Telamon: which they refuse, and what the others are worth.

One file asks all questions. Each handful has a backend of its own, chosen by a header, that
answers with the values, before its server is asked or afterwards; conditions set a variable, which
is answered.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from telamon.base.diagnostic import Severity
from telamon.engine import Engine, IoEngine, ListenerDescriptor
from telamon.haproxy.load import load
from tests.engine.expressions.grammar import RESPONSE, Question, Side
from tests.engine.expressions.messages import HEADS, request, response
from tests.engine.rig import PATIENCE, TestServer, until
from tests.support.peers import need
from tests.support.ports import free_port

GROUP = 10

_HEAD = """global
    nbthread 1
    tune.maxrewrite 1024
defaults
    mode http
    timeout client 20s
    timeout server 20s
    timeout connect 5s
"""
_FRONT = """frontend fe
    bind 127.0.0.1:{port}
    http-request wait-for-body time 5s
    http-request capture req.hdr(x-n) len 20
    http-request set-var(txn.v) str(txv)
    http-request set-var(txn.n) int(5)
    http-request set-var(txn.ip) ipv4(10.1.2.3)
    http-request set-var(txn.bin) bin(4180ff)
    http-request set-var(sess.n) int(-3)
    http-request set-var(req.b) bool(true)
    http-request set-var(proc.p) str(pv)
    use_backend g%[req.hdr(x-group)]
"""
_KEYS = {
    "text": ("a", "ab", "/a", "example.com", "5", "12", "A", "10.1.2.3", "^(.)b", "a"),
    "int": ("1", "5:10", "12", "7", ":0", "64:", "1:300"),
    "ip": (
        "10.0.0.0/8",
        "10.1.0.0/16",
        "::1",
        "10.1.2.3",
        "0.0.0.0/0",
        "::ffff:0:0/96",
        "10.1.2.0/24",
    ),
}
_VALUES = {
    "text": ("one", "two words", "-", r"<\1\0>", "five"),
    "int": ("1", "-5", "9223372036854775807", "007"),
    "ip": ("10.0.0.8", "0.0.0.0", "255.255.255.255"),
}


@dataclass(frozen=True)
class Scene:
    """Which rules ask, of which server; and a folder with the maps that expressions name as
    `{maps}`."""

    side: Side
    server: str
    folder: Path

    def write_maps(self) -> None:
        for (kind, keys), (output, values) in product(_KEYS.items(), _VALUES.items()):
            lines = [f"{key} {values[at % len(values)]}\n" for at, key in enumerate(keys)]
            (self.folder / f"{kind}-{output}.map").write_text("".join(lines))

    def put(self, text: str) -> str:
        return text.replace("{maps}", str(self.folder))


@contextlib.contextmanager
def scene(side: Side, folder: Path) -> Iterator[Scene]:
    with TestServer(_serve) as server:
        made = Scene(side, f"{server.address.host}:{server.address.port}", folder)
        made.write_maps()
        yield made


def _serve(client: socket.socket) -> None:
    """The response of the number that the request tells."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = client.recv(1 << 16)
        if not part:
            return
        got += part
    number = re.search(rb"x-number: (\d+)", got)
    client.sendall(response(int(number[1]) if number else 0))
    while client.recv(1 << 16):
        pass


def _checking(items: Sequence[tuple[int, Question]], the: Scene) -> tuple[str, dict[int, int]]:
    """A file with one question a line, and which line asks which."""
    lines = (_HEAD + _FRONT.format(port=1)).splitlines()[:-1]
    places = {}
    for number, question in items:
        if question.match:
            condition = the.put(question.condition)
            lines.append(f"    {the.side.rule} set-var(txn.x) bool(true) if {condition}")
        else:
            lines.append(f'    {the.side.rule} set-header x "%[{the.put(question.text)}]"')
        places[len(lines)] = number
    return "\n".join(lines) + "\n", places


def refused_by_haproxy(questions: Sequence[Question], the: Scene) -> dict[int, str]:
    """The questions that HAProxy does not take, each with what it says."""
    program, path = need("haproxy"), the.folder / "check.cfg"
    left = list(enumerate(questions))
    refused: dict[int, str] = {}
    while True:
        text, places = _checking(left, the)
        path.write_text(text)
        run = subprocess.run([program, "-c", "-f", path], capture_output=True)
        if run.returncode == 0:
            return refused
        found = {}
        for line, what in re.findall(
            rf"{re.escape(str(path))}:(\d+)\]? ?(.*)",
            _alerts(run.stderr.decode("utf-8", "replace")),
        ):
            if int(line) in places:
                found[places[int(line)]] = what
        assert found, run.stderr[:2000]
        refused |= found
        left = [item for item in left if item[0] not in refused]


def _alerts(text: str) -> str:
    """Without warnings; an alert may have several lines."""
    return re.sub(r"(?m)^\[(?:WARNING|NOTICE)\].*\n", "", text)


def refused_by_us(questions: Sequence[Question], the: Scene) -> dict[int, str]:
    """The questions that Telamon does not take, each with what it says."""
    text, places = _checking(list(enumerate(questions)), the)
    path = the.folder / "check.cfg"
    path.write_text(text)
    refused = {}
    for diagnostic in load([str(path)], environment={}).report:
        if diagnostic.severity is Severity.ERROR and diagnostic.span is not None:
            number = places.get(diagnostic.span.line)
            assert number is not None, (diagnostic.message, diagnostic.span.line)
            refused[number] = diagnostic.message
    return refused


def serving(items: Sequence[Question], the: Scene, port: int) -> str:
    """The file that answers all questions."""
    lines = [_HEAD + _FRONT.format(port=port)]
    for start in range(0, len(items), GROUP):
        lines.append(f"backend g{start // GROUP}")
        answer = ""
        for at, question in enumerate(items[start : start + GROUP]):
            text = the.put(question.text)
            if question.match:
                condition = the.put(question.condition)
                lines.append(f"    {the.side.rule} set-var(txn.c{at}) str(yes) if {condition}")
                text = f"var(txn.c{at})"
            elif the.side is RESPONSE:
                # When an answer is made in its place, there is no response any more.
                lines.append(f'    http-response set-var-fmt(txn.c{at}) "%[{text}]"')
                text = f"var(txn.c{at})"
            answer += f"<|{at}|%[{text}]"
        lines.append(
            f"    {the.side.rule} return status 200 content-type text/plain"
            f' lf-string "{answer}<|end|"'
        )
        lines.append(f"    server s {the.server}")
    return "\n".join(lines) + "\n"


Answers = dict[tuple[int, int], bytes]
"""By question and request."""


def answers(proxy: Proxy, count: int) -> Answers:
    """What a proxy says to each request about each question."""
    found: Answers = {}
    for group in range((count + GROUP - 1) // GROUP):
        for number in range(len(HEADS)):
            body = proxy.ask(request(number, group))
            parts = re.split(rb"<\|(\d+|end)\|", body)
            for at, value in zip(parts[1::2], parts[2::2], strict=True):
                if at != b"end":
                    found[group * GROUP + int(at), number] = value
            if len(parts) < 2:
                for at in range(min(GROUP, count - group * GROUP)):
                    found[group * GROUP + at, number] = b"ANSWER " + body[:200]
    return found


class Proxy:
    """One that listens at `port`."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, message: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as client:
            client.settimeout(PATIENCE)
            client.sendall(message)
            got = b"".join(iter(lambda: client.recv(1 << 16), b""))
        head, _, body = got.partition(b"\r\n\r\n")
        return body if head.startswith(b"HTTP/1.1 200") else got


class Haproxy(Proxy):
    """HAProxy, started anew when a question has killed it."""

    def __init__(self, path: Path, port: int) -> None:
        super().__init__(port)
        self._path = path
        self._start()

    def _start(self) -> None:
        command = [need("haproxy"), "-db", "-f", str(self._path)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(self._is_up, "haproxy listens")

    def _is_up(self) -> bool:
        assert self._process.poll() is None, f"haproxy does not start with {self._path}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, message: bytes) -> bytes:
        try:
            return super().ask(message)
        except ConnectionError:
            self.close()
            self._start()
            return DIED

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


DIED = b"(died of it)"


@contextlib.contextmanager
def haproxy(items: Sequence[Question], the: Scene) -> Iterator[Proxy]:
    port, path = free_port(), the.folder / "peer.cfg"
    path.write_text(serving(items, the, port))
    with contextlib.closing(Haproxy(path, port)) as proxy:
        yield proxy


@contextlib.contextmanager
def telamon(items: Sequence[Question], the: Scene, io: IoEngine) -> Iterator[Proxy]:
    path = the.folder / "own.cfg"
    path.write_text(serving(items, the, 1))
    loaded = load([str(path)], environment={})
    assert loaded.plan is not None, [str(one.message) for one in loaded.report][:5]
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(64)
        front = next(proxy for proxy in loaded.plan.proxies if proxy.frontend is not None)
        engine = Engine(
            loaded.plan, [ListenerDescriptor(front.id, 1, sock.fileno())], io=io, threads=1
        )
        try:
            engine.start()
            yield Proxy(sock.getsockname()[1])
            assert engine.dead_threads() == 0
            assert engine.snapshot().process["Panics"] == 0
        finally:
            engine.stop()
