"""`observe` beside HAProxy: the same answers make the same of a server, in the same words."""

from __future__ import annotations

import contextlib
import csv
import io
import socket
from collections.abc import Iterator

import pytest

from tests.engine.rig import TestServer
from tests.interop.lan import eventually
from tests.standin.haproxy_program import Program
from tests.support.ports import free_port

pytestmark = pytest.mark.peer

FILE = """
global
    stats socket unix@stats.sock level admin
    log {log} local0
defaults
    timeout client 10s
    timeout server 10s
    timeout connect 5s
    retries 0
    option log-health-checks
listen web
    bind 127.0.0.1:{port}
    log global
    mode {mode}
    server s1 127.0.0.1:{behind} check inter 1000s rise 2 fall 3 {words}
"""
FIELDS = ("status", "chkfail", "chkdown", "hanafail", "check_status", "check_desc", "last_chk")


@contextlib.contextmanager
def answering(codes: list[int]) -> Iterator[int]:
    """The port of a server that gives these statuses in turn; checks do not count, and a 0 closes
    without a word."""
    left = list(codes)

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if client.recv(4096) and (code := left.pop(0)):
                head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                client.sendall(head % code)

    with TestServer(serve) as server:
        yield server.address.port


def ask(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while client.recv(4096):
                pass


def row(program: Program) -> dict[str, str]:
    text = program.ask("stats.sock", "show stat").removeprefix("# ")
    found = next(row for row in csv.DictReader(io.StringIO(text)) if row["svname"] == "s1")
    return {name: found[name] for name in FIELDS}


def about_health(log: socket.socket) -> list[str]:
    lines = []
    with contextlib.suppress(BlockingIOError):
        while True:
            line = log.recv(4096, socket.MSG_DONTWAIT).decode()
            if "Health" in line or "erver" in line:
                lines.append(line.split(": ", 1)[1].strip())
    return lines


LIMIT_2 = "Detected 2 consecutive errors, last one was: "
WRONG, CLOSED = LIMIT_2 + "Wrong http response", LIMIT_2 + "Close from server (http)"
CASES = {
    "fastinter": ([500, 500, 500, 500], "UP", "0", "2", ""),
    "fail-check": ([500, 500, 200, 500, 502, 503], "UP 1/3", "2", "2", WRONG),
    "sudden-death": ([500, 500], "UP 1/3", "1", "1", WRONG),
    "mark-down": ([500, 200, 500, 0], "DOWN", "1", "1", CLOSED),
}


@pytest.mark.parametrize("action", CASES)
def test_layer_7(either: Program, action: str) -> None:
    codes, status, failed, observed, last = CASES[action]
    words = f"observe layer7 error-limit 2 on-error {action}"
    port = free_port()
    with answering(codes) as behind, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        place = either.folder / "log"
        log.bind(str(place))
        text = FILE.format(log=place, port=port, mode="http", behind=behind, words=words)
        either.write("a.cfg", text)
        either.start("-db", "-f", "a.cfg")
        eventually(lambda: row(either)["check_status"] == "L4OK", "the first check")
        about_health(log)
        for _ in codes:
            ask(port)
        wanted = {"status": status, "chkfail": failed, "hanafail": observed, "last_chk": last}
        eventually(lambda: wanted.items() <= row(either).items(), f"{wanted}")
        assert row(either)["check_status"] == ("HANA" if last else "L4OK")
        lines = about_health(log)
    if last:
        state = "0/2 DOWN." if status == "DOWN" else f"{status.split()[1]} UP."
        words = f'failed, reason: Health analyze, info: "{last}", status: {state}'
        assert f"Health check for server web/s1 {words}" in lines
    else:
        assert lines == []
    down = [line for line in lines if line.startswith("Server web/s1 is DOWN. 0 active")]
    assert len(down) == int(status == "DOWN")


def test_layer_4(either: Program) -> None:
    """The server goes away: connections that fail count, two tries of a stream each for itself."""
    port = free_port()
    words = "observe layer4 error-limit 2 on-error mark-down"
    with answering([]) as behind:
        text = FILE.format(log="127.0.0.1", port=port, mode="tcp", behind=behind, words=words)
        either.write("a.cfg", text)
        either.start("-db", "-f", "a.cfg")
        eventually(lambda: row(either)["check_status"] == "L4OK", "the first check")
    ask(port)
    assert row(either)["hanafail"] == "0"
    ask(port)
    eventually(lambda: row(either)["status"] == "DOWN", "a server that is down")
    assert row(either)["last_chk"] == LIMIT_2 + "L4 unsuccessful connection"
