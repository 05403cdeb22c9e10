"""`show sess` and `shutdown session`, against a proxy in memory and beside HAProxy's."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path

import pytest

from telamon.engine import ServerSide, Session
from telamon.plan.process import StatsLevel
from telamon.runtime.session import CommandSession
from telamon.testing.control import FakeControl
from tests.runtime.support import STANDIN, control, serving
from tests.support.peers import ask_socket, need, wait_for
from tests.support.ports import free_port

RELAYING = Session(
    0x100000200000003, ("10.0.0.9", 4711), 2, 1, 2, 2, 0.0, 3000, 12, 14, ServerSide.ESTABLISHED,
    1, 38, 120,
)  # fmt: skip
YOUNG = Session(
    0x200000000000001, ("2001:db8::1", 99), 3, 1, None, None, 4e9, None, 13, None, ServerSide.NONE,
    0, 0, 0,
)  # fmt: skip


def ask(line: str, level: StatsLevel = StatsLevel.ADMIN) -> tuple[FakeControl, str]:
    fake = control()
    fake.streams = [RELAYING, YOUNG]
    return fake, CommandSession(fake, level).feed(line.encode() + b"\n").decode()


def test_each_session_is_a_line() -> None:
    first, second, end, *_ = ask("show sess")[1].split("\n")
    assert first.startswith(
        "0x100000200000003: proto=tcpv4 src=10.0.0.9:4711 fe=kube-apiserver be=kube-apiserver "
        "srv=m2 ts=00 epoch=0 age="
    )
    assert first.endswith(" scf=[8,0h,fd=12] scb=[8,0h,fd=14] exp=3s rc=1 c_exp=")
    assert " proto=tcpv6 src=2001:db8::1:99 fe=fe be=<NONE> srv=<none> " in second
    assert second.endswith(" scb=[0,0h,fd=-1] exp= rc=0 c_exp=")
    assert end == ""


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("show sess older 5m", ["0x100000200000003"]),
        ("show sess older 0", ["0x100000200000003"]),
        ("show sess frontend fe", ["0x200000000000001"]),
        ("show sess backend kube-apiserver", ["0x100000200000003"]),
        ("show sess server kube-apiserver/m2", ["0x100000200000003"]),
        ("show sess server kube-apiserver/m1", []),
        ("show sess all", ["0x100000200000003", "0x200000000000001"]),
        ("show sess 0x200000000000001", ["0x200000000000001"]),
    ],
)
def test_some_are_chosen(line: str, numbers: list[str]) -> None:
    assert re.findall(r"^(0x\w+):", ask(line)[1], re.M) == numbers


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("show sess 0xdeadbeef", "Session not found.\n\n"),
        ("show sess older x", "Expects a duration, such as 30s or 5m.\n\n"),
        ("show sess server x", "Require 'backend/server'.\n\n"),
        ("show sess frontend nope", "No such frontend.\n\n"),
        ("show sess foo", "'foo' is no session: use 'all', one's number, or older, frontend, "
         "backend, server.\n\n"),
        ("shutdown session", "Session pointer expected (use 'show sess').\n\n"),
        ("shutdown session foo", "Session pointer expected (use 'show sess').\n\n"),
        ("shutdown session 0x12", "No such session (use 'show sess').\n\n"),
        ("shutdown session 0x100000200000003", "\n"),
    ],
)  # fmt: skip
def test_answers(line: str, answer: str) -> None:
    assert ask(line)[1] == answer


def test_an_operator_sees_and_an_admin_ends() -> None:
    assert "Permission denied" in ask("show sess", StatsLevel.USER)[1]
    fake, answer = ask("shutdown session 0x100000200000003", StatsLevel.OPERATOR)
    assert "Permission denied" in answer and fake.done == []


CONFIGURATION = """global
    stats socket {stats} level admin
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen web
    mode http
    bind 127.0.0.1:{web}
    server s1 127.0.0.1:{server}
listen relay
    bind 127.0.0.1:{relay}
    server t1 127.0.0.1:{server}
"""

VOLATILE = (
    (r"0x[0-9a-f]+", "ID"), (r"127\.0\.0\.1:\d+", "ADDRESS"), (r"fd=\d+", "fd=N"),
    (r"(calls|rate|cpu|lat)=\d+", r"\1=N"), (r"f=[0-9a-f]+h", "f=h"), (r"an=[0-9a-f]+h", "an=h"),
    (r"(rx|wx|ax|age|exp)=\w*", r"\1="), (r"(sc[fb]=\[\d+),\w+h", r"\1"),
    (r"[\d/]+\w+/\d+:[\d:.]+", "DATE"), (r"\bid=\d+ proto", "id=N proto"),
    (r"^  (task|txn|scf|scb|req|res)=.*|^      .*|^  flags=.*", r"  \1"),
    (r"^  backend=(.*) addr=.*", r"  backend=\1"),
)  # fmt: skip


def masked(text: str) -> list[str]:
    for pattern, instead in VOLATILE:
        text = re.sub(pattern, instead, text, flags=re.M)
    lines = [line for line in text.split("\n") if line.strip() and line != "  txn"]
    return sorted(line for line in lines if "fe=GLOBAL" not in line)


def conversation(program: list[str]) -> list[tuple[str, list[str]]]:
    web, relay = free_port(), free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        place = silent.getsockname()[1]
        text = CONFIGURATION.format(stats="{stats}", web=web, relay=relay, server=place)
        with serving(program, text) as stats:
            return _talk(stats, web, relay, silent)


def _talk(stats: Path, web: int, relay: int, silent: socket.socket) -> list[tuple[str, list[str]]]:
    found = []
    with (
        socket.create_connection(("127.0.0.1", web), 20) as asking,
        socket.create_connection(("127.0.0.1", relay), 20) as relayed,
        socket.create_connection(("127.0.0.1", web), 20),  # says nothing: no stream
        contextlib.ExitStack() as accepted,
    ):
        asking.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        servers = [accepted.enter_context(silent.accept()[0]) for _ in range(2)]
        wait_for(lambda: ask_socket(stats, "show sess").count("scb=[8") >= 2, "both streams")
        everything = ask_socket(stats, "show sess")
        number = next(line.split(":")[0] for line in everything.split("\n") if "fe=web" in line)
        found.append(("show sess", masked(everything)))
        for line in (f"show sess {number}", f"shutdown session {number}"):
            found.append((line.replace(number, "ID"), masked(ask_socket(stats, line))))
        assert asking.recv(12) == b"HTTP/1.1 502"
        wait_for(lambda: "fe=web" not in ask_socket(stats, "show sess"), "its end")
        # Not the same number: HAProxy's may be another session's by now, even the asker's own.
        for line in ("show sess", "show sess 0x12", "shutdown session 0x12", "shutdown session"):
            found.append((line, masked(ask_socket(stats, line))))
        relayed.sendall(b"alive")
        assert any(_heard(server) for server in servers)
    return found


def _heard(server: socket.socket) -> bool:
    server.settimeout(5)
    try:
        return server.recv(99).endswith(b"alive")
    except TimeoutError:
        return False


@pytest.mark.peer
def test_the_lines_are_haproxys() -> None:
    assert conversation(STANDIN) == conversation([need("haproxy")])
