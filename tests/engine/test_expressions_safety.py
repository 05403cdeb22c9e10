"""What rules must not let through, whatever a client sends; on both I/O engines."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from telamon.engine import Engine, IoEngine, ListenerDescriptor
from telamon.haproxy.load import load
from tests.engine.rig import PATIENCE, TestServer, named, receive_all

_DEFAULTS = """
defaults
    timeout client 20s
    timeout server 20s
    timeout connect 5s
"""


@contextlib.contextmanager
def running(
    folder: Path, io: IoEngine, mode: str, lines: str, bind: str = "", section: str = "listen"
) -> Iterator[int]:
    """One section with a port, and these lines; gives the port."""
    path = folder / "h.cfg"
    text = f"{_DEFAULTS}    mode {mode}\n{section} a\n    bind 127.0.0.1:1 {bind}\n{lines}\n"
    path.write_text(text)
    loaded = load([str(path)], environment={})
    assert loaded.plan is not None, [one.message for one in loaded.report]
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(16)
        proxy = next(one for one in loaded.plan.proxies if one.frontend is not None)
        engine = Engine(loaded.plan, [ListenerDescriptor(proxy.id, 1, sock.fileno())], io=io)
        try:
            engine.start()
            yield sock.getsockname()[1]
            assert engine.dead_threads() == 0
            assert engine.snapshot().process["Panics"] == 0
        finally:
            engine.stop()


def greeting(port: int, header: bytes = b"", source: str = "127.0.0.1") -> bytes:
    """What the server says first; nothing if the proxy refuses the connection."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)) as client:
        client.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionError):
            client.sendall(header)
            return client.recv(64)
    return b""


def get(port: int, target: str, headers: str = "") -> bytes:
    head = f"GET {target} HTTP/1.1\r\nHost: a\r\n{headers}Connection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.settimeout(PATIENCE)
        client.sendall(head.encode())
        return receive_all(client)


_HEADER = b"PROXY TCP4 %s 198.51.100.7 1111 8443\r\n"
# In mode tcp: the rules' list, and a condition that means the client 127.0.0.2.
_DIRECT = [
    ("connection", "{ src 127.0.0.2 }"),
    ("connection", "{ src 127.0.0.0/31 127.0.0.2 }"),
    ("session", "{ src 127.0.0.2 }"),
    ("content", "{ src 127.0.0.2 }"),
    ("content", "{ src -m str 127.0.0.2 }"),
]
# The same behind a PROXY header, of the client 192.0.2.1.
_PROXIED = [
    ("session", "{ src 192.0.2.0/24 }"),
    ("content", "{ src 192.0.2.0/24 }"),
    ("session", "{ src 192.0.2.1 } { dst 198.51.100.7 } { dst_port 8443 }"),
    ("content", "{ src 192.0.2.1 } { dst 198.51.100.7 } { dst_port 8443 }"),
]


@pytest.mark.parametrize("stage,condition", _DIRECT)
def test_clients_are_told_apart(stage: str, condition: str, tmp_path: Path, io: IoEngine) -> None:
    with rejecting(tmp_path, io, stage, condition) as port:
        assert greeting(port, source="127.0.0.2") == b""
        assert greeting(port, source="127.0.0.3") == b"hello"


@pytest.mark.parametrize("stage,condition", _PROXIED)
def test_clients_behind_a_proxy_are_told_apart(
    stage: str, condition: str, tmp_path: Path, io: IoEngine
) -> None:
    with rejecting(tmp_path, io, stage, condition, "accept-proxy") as port:
        assert greeting(port, _HEADER % b"192.0.2.1") == b""
        assert greeting(port, _HEADER % b"203.0.113.1") == b"hello"


@contextlib.contextmanager
def rejecting(
    folder: Path, io: IoEngine, stage: str, condition: str, bind: str = ""
) -> Iterator[int]:
    """Mode tcp, before a server that greets: whom the condition means is rejected."""
    with TestServer(named(b"hello")) as server:
        lines = (
            f"    tcp-request {stage} reject if {condition}\n"
            f"    server s {server.address.host}:{server.address.port}"
        )
        with running(folder, io, "tcp", lines, bind) as port:
            yield port


def test_variables_of_the_request_end_with_it(tmp_path: Path, io: IoEngine) -> None:
    def serve(client: socket.socket) -> None:
        while b"\r\n\r\n" not in client.recv(65536):
            pass
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with TestServer(serve) as server:
        lines = (
            "    http-request set-var(req.secret) hdr(x-secret)\n"
            "    http-request set-var(txn.kept) hdr(x-secret)\n"
            '    http-response set-header x-seen "<%[var(req.secret)]><%[var(txn.kept)]>"\n'
            f"    server s {server.address.host}:{server.address.port}"
        )
        with running(tmp_path, io, "http", lines) as port:
            answer = get(port, "/", "X-Secret: sesame\r\n")
    assert b"x-seen: <><sesame>\r\n" in answer


def test_values_end_no_line_of_a_head(tmp_path: Path, io: IoEngine) -> None:
    lines = (
        "    http-request redirect location '/x?%[url_param(q),url_dec]' if { path /redirect }\n"
        "    http-request redirect prefix '/%[url_param(q),url_dec]' if { path /prefix }\n"
        "    http-request return status 200 hdr X-A '%[url_param(q),url_dec]' if { path /return }\n"
        "    http-request set-header X-B '%[url_param(q),url_dec]'\n"
        "    http-request return status 200 hdr X-A '%[req.hdr(x-b)]'"
    )
    with running(tmp_path, io, "http", lines) as port:
        for path in ("/redirect", "/prefix", "/return", "/set"):
            answer = get(port, f"{path}?q=a%0d%0aevil:%20b%00c")
            head = answer.partition(b"\r\n\r\n")[0]
            assert b"a%0D%0Aevil: b%00c" in head, path
            assert not any(line.startswith(b"evil") for line in head.split(b"\r\n")), path


@pytest.mark.parametrize("action", ["deny", "allow"])
def test_a_pattern_that_gives_up_fails_the_request(
    action: str, tmp_path: Path, io: IoEngine
) -> None:
    lines = (
        f"    http-request {action} if {{ path -m reg ^/(a+)+\\1$ }}\n"
        "    http-request deny if { path /denied }\n"
        "    http-request return status 200"
    )
    with running(tmp_path, io, "http", lines) as port:
        assert get(port, "/" + "a" * 40 + "b").startswith(b"HTTP/1.1 500 ")
        assert get(port, "/b").startswith(b"HTTP/1.1 200 ")
        assert get(port, "/denied").startswith(b"HTTP/1.1 403 ")


def test_a_pattern_that_gives_up_chooses_no_backend(tmp_path: Path, io: IoEngine) -> None:
    lines = (
        "    use_backend other if { path -m reg ^/(a+)+\\1$ }\n"
        "    http-response set-header x-a b\n"
        "backend other\n    http-request deny deny_status 429\n"
        "backend usual\n    http-request return status 200\n"
    )
    lines = "    default_backend usual\n" + lines
    with TestServer(named(b"HTTP/1.1 202 Seen\r\nContent-Length: 0\r\n\r\n")) as server:
        # It must not be led to the default's server past the default's rules.
        lines += f"    server s {server.address.host}:{server.address.port}"
        with running(tmp_path, io, "http", lines, section="frontend") as port:
            assert get(port, "/" + "a" * 40 + "b").startswith(b"HTTP/1.1 503 ")
            assert get(port, "/aa").startswith(b"HTTP/1.1 429 ")
            assert get(port, "/b").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("rule", ["use-server s", "force-persist", "ignore-persist"])
def test_a_pattern_that_gives_up_chooses_no_server(rule: str, tmp_path: Path, io: IoEngine) -> None:
    with TestServer(named(b"HTTP/1.1 202 Seen\r\nContent-Length: 0\r\n\r\n")) as server:
        lines = (
            f"    {rule} if {{ path -m reg ^/(a+)+\\1$ }}\n"
            f"    server s {server.address.host}:{server.address.port}"
        )
        with running(tmp_path, io, "http", lines) as port:
            assert get(port, "/" + "a" * 40 + "b").startswith(b"HTTP/1.1 503 ")
            assert get(port, "/aa").startswith(b"HTTP/1.1 202 ")


def test_texts_go_without_what_is_not_decided(tmp_path: Path, io: IoEngine) -> None:
    """And the next rule does not fail of what came before it."""
    lines = (
        "    monitor-uri /monitor\n"
        "    monitor fail if { req.hdr(x-a) -m reg ^(a+)+\\1$ }\n"
        "    acl worn path -m reg ^/(a+)+\\1$\n"
        "    unique-id-format <%[acl(worn)]>\n"
        '    http-request return status 200 hdr X-Id "%[unique-id]"'
    )
    with running(tmp_path, io, "http", lines) as port:
        answer = get(port, "/" + "a" * 40 + "b")
        assert answer.startswith(b"HTTP/1.1 200 ") and b"x-id: <0>\r\n" in answer
        assert b"x-id: <1>\r\n" in get(port, "/aa")
        assert get(port, "/monitor").startswith(b"HTTP/1.1 200 ")
        worn = f"X-A: {'a' * 40}b\r\n"
        assert get(port, "/monitor", worn).startswith(b"HTTP/1.1 503 ")


def test_what_a_rule_captures_the_next_one_sees(tmp_path: Path, io: IoEngine) -> None:
    lines = (
        "    http-request capture hdr(x-a) len 4\n"
        '    http-request return status 200 hdr X-A "%[capture.req.hdr(0)] %hr"'
    )
    with running(tmp_path, io, "http", lines) as port:
        assert b"x-a: abcd {abcd}\r\n" in get(port, "/", "X-A: abcdef\r\n")


def test_chance_repeats_nothing(tmp_path: Path, io: IoEngine) -> None:
    lines = '    http-request return status 200 hdr X-A "%[uuid] %[rand(1000000000)]"'
    with running(tmp_path, io, "http", lines) as port:
        answers = {get(port, "/") for _ in range(50)}
    assert len(answers) == 50
