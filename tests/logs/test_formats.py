"""Ready-made lines, structured data and failed connections: the same file, the same clients, to
HAProxy and to both our engines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.logs.scene import REQUEST, Server, exchange, masked, port_of, running
from tests.logs.test_peer import _haproxy, _telamon
from tests.support.peers import udp_receiver
from tests.support.ports import free_port

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("logs")]

_CAPTURES = (
    "    capture request header User-Agent len 20\n    capture request header X-None len 20\n"
    "    capture response header X-S len 9\n    capture cookie SRV len 9\n"
)
SECTIONS = {
    "clf": "    option httplog clf\n" + _CAPTURES,
    "clf_tcp": "    mode tcp\n    option httplog clf\n",
    "https": "    option httpslog\n" + _CAPTURES,
    "data": '    option httplog\n    log-format-sd "%{+Q,+E}o [sd@1 ua=%[capture.req.hdr(0)] '
    'st=%ST f=%f]"\n' + _CAPTURES,
    "data_tcp": '    mode tcp\n    option tcplog\n    log-format-sd "[a b=\\"%B\\"]"\n',
    "plain": '    log-format-sd "[a b=\\"%B\\"]"\n',
    "own": '    log-format "  %{+Q}o %ci %ft %b %s %ST %TR %tsc %CC %hr %hs %hrl  %r "\n'
    + _CAPTURES,
    "bad": '    option httplog\n    error-log-format "E %ci %ST %r %ft"\n',
    "preface": '    mode tcp\n    option tcplog\n    error-log-format "E %ci %cp %ft %ac"\n',
    "named": "    mode tcp\n    option dontlognull\n    option tcplog\n"
    "    option log-separate-errors\n",
}
BIND = {"preface": " accept-proxy", "named": " accept-proxy name it"}
V2 = b"\r\n\r\n\0\r\nQUIT\n"
CLIENTS: tuple[tuple[str, bytes, bool], ...] = (
    *((name, REQUEST, True) for name in ("clf_tcp", "data_tcp")),
    *((name, REQUEST, False) for name in ("clf", "https", "data", "plain", "own", "bad")),
    *((name, b"GET /\r\n\r\n", False) for name in ("clf", "https", "data", "own", "bad")),
    ("clf", b"GET / HTTP/1.0\r\n\r\n", False),
    ("own", b"GET / HTTP/1.0\r\n\r\n", False),
    ("clf", b"BAD", False),
    ("bad", b"", False),
    *(
        (name, data, shut)
        for name in ("preface", "named")
        for data, shut in (
            (REQUEST, False),
            (b"PROXY foo\r\n", False),
            (b"PROX", True),
            (V2 + b"\x21\x11\0\x02ab", False),
            (V2 + b"\x31\x11\0\x02ab", False),
        )
    ),
    ("preface", b"", False),
    ("preface", b"", True),
)


class Bench:
    def __init__(self) -> None:
        self.server = Server()
        self.raw, self.rfc5424 = udp_receiver(), udp_receiver()
        self.ports = {name: free_port() for name in SECTIONS}

    def close(self) -> None:
        for one in (self.server, self.raw, self.rfc5424):
            one.close()

    def text(self) -> str:
        sections = "".join(
            f"listen {name}\n    bind 127.0.0.1:{self.ports[name]}{BIND.get(name, '')}\n{words}"
            f"    server s1 127.0.0.1:{self.server.port}\n"
            for name, words in SECTIONS.items()
        )
        return (
            "global\n    nbthread 1\n    log-tag peer\ndefaults\n    mode http\n"
            "    timeout client 600ms\n    timeout server 2s\n    timeout connect 2s\n"
            "    timeout http-request 300ms\n"
            f"    log 127.0.0.1:{port_of(self.raw)} format raw local3\n"
            f"    log 127.0.0.1:{port_of(self.rfc5424)} format rfc5424 local3\n{sections}"
        )

    def lines(self, name: str, data: bytes, shut: bool) -> list[str]:
        exchange(self.ports[name], data, shut=shut)
        return [masked(one.recv(65536)) for one in (self.raw, self.rfc5424)]


def told(folder: Path, command: Callable[[Path], list[str]]) -> list[list[str]]:
    with contextlib.closing(Bench()) as bench, running(folder, command, bench.text()):
        return [bench.lines(*client) for client in CLIENTS]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    return told(tmp_path_factory.mktemp("haproxy"), _haproxy)


@pytest.fixture(scope="module", params=["uring", "epoll"])
def ours(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[list[str]]]:
    yield told(tmp_path_factory.mktemp(request.param), _telamon(request.param))


@pytest.mark.parametrize("which", range(len(CLIENTS)), ids=lambda n: f"{CLIENTS[n][0]}-{n}")
def test_the_lines_are_haproxys(theirs: list[list[str]], ours: list[list[str]], which: int) -> None:
    assert ours[which] == theirs[which]
