"""`show activity`, `show pools`, `show fd`, `show info` of a process that carries load; `shutdown
frontend`, `set var` as its clients see them."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from telamon.daemon.plans import Files, load
from tests.runtime.support import STANDIN, serving
from tests.support.peers import ask_socket, wait_for
from tests.support.ports import free_port

BODY = b"x" * (4 << 20)

CONFIGURATION = """global
    stats socket {stats} level admin
    nbthread 2
    set-var proc.word str(one)
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend first
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain lf-string "%[var(proc.word)]" if { path /word }
    default_backend back
frontend second
    bind 127.0.0.1:{second}
    default_backend back
backend back
    server s 127.0.0.1:{server}
"""  # noqa: E501


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Page) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield made.server_port
        finally:
            made.shutdown()
            thread.join()


def get(port: int, path: str = "/") -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        body: bytes = answer.read()
        return body


def values(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.strip().split("\n"))


def test_a_process_that_works_tells_what_it_does() -> None:
    port, second = free_port(), free_port()
    with server() as behind:
        text = CONFIGURATION.replace("{port}", str(port)).replace("{second}", str(second))
        with serving(STANDIN, text.replace("{server}", str(behind))) as stats:
            idle = socket.create_connection(("127.0.0.1", port), 10)
            assert get(second) == BODY

            activity = values(ask_socket(stats, "show activity"))
            assert activity["thread_id"] == "2 (1..2)"
            accepted, each = activity["accepted"].split(" [ ")
            assert int(accepted) == sum(int(one) for one in each[:-2].split()) == 2
            assert int(activity["loops"].split()[0]) > 0

            info = values(ask_socket(stats, "show info"))
            assert int(info["Maxpipes"]) > 0
            assert int(info["PipesUsed"]) == 0
            assert int(info["TotalSplicedBytesOut"]) > 0

            fds = ask_socket(stats, "show fd").split("\n")
            assert sum("iocb=accept l.st=RDY" in line for line in fds) == 2
            assert any(f"fe=first fam=ipv4 lport={port}" in line for line in fds)
            assert sum("iocb=client fe=first" in line for line in fds) == 1
            assert any("iocb=server sv=s/back" in line for line in fds)
            pools = ask_socket(stats, "show pools")
            assert "Pool connection" in pools
            assert " 0 used, 2 users" not in pools.split("Pool connection")[1]
            idle.close()

            assert get(port, "/word") == b"one"
            assert ask_socket(stats, "experimental-mode on; set var proc.word str(two)") == "\n\n"
            assert get(port, "/word") == b"two"

            assert ask_socket(stats, "shutdown frontend second") == "\n"
            wait_for(lambda: refused(second), "the port of the second frontend to close")
            assert get(port, "/word") == b"two"
            assert "second,FRONTEND" in ask_socket(stats, "show stat")
            assert sum("iocb=accept" in x for x in ask_socket(stats, "show fd").split("\n")) == 1


ODD = """global
    stats socket {stats} level admin
    maxconn 10
defaults
    mode http
listen odd
    bind 127.0.0.1:{port}
"""


def test_warnings_of_the_start_can_be_asked_for(tmp_path: Path) -> None:
    text = ODD.replace("{port}", str(free_port()))
    with serving(STANDIN, text) as stats:
        said = ask_socket(stats, "show startup-logs")
    assert "[WARNING]" in said
    assert "timeout" in said
    file = tmp_path / "h.cfg"
    file.write_text(text.replace("{stats}", str(tmp_path / "s")))
    loaded, _ = load(Files((file,)))
    assert loaded is not None
    assert "timeout" in loaded.said


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionRefusedError:
        return True
    return False
