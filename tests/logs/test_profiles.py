"""Log profiles and steps (HAProxy 3.1 and later, which Debian's is not): what each target hears."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.logs.scene import REQUEST, Server, exchange, masked, port_of, running
from tests.logs.test_peer import _telamon
from tests.support.peers import udp_receiver
from tests.support.ports import free_port

pytestmark = pytest.mark.xdist_group("logs")


@pytest.mark.parametrize("io", ["uring", "epoll"])
def test_each_target_has_its_profile(tmp_path: Path, io: str) -> None:
    plain, other, quiet = udp_receiver(), udp_receiver(), udp_receiver()
    server, port = Server(), free_port()
    text = (
        "global\n    nbthread 1\n    log-tag peer\n"
        'log-profile mine\n    log-tag other\n    on error format "bad %ci"\n'
        '    on any format "%ST %HU" sd "[x st=\\"%ST\\"]"\n'
        "log-profile quiet\n    on close drop\n"
        "defaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n"
        "    timeout connect 5s\n"
        f"    log 127.0.0.1:{port_of(plain)} format raw local0\n"
        f"    log 127.0.0.1:{port_of(other)} format rfc5424 profile mine local0\n"
        f"    log 127.0.0.1:{port_of(quiet)} format raw profile quiet local0\n"
        f"listen web\n    bind 127.0.0.1:{port}\n    option httplog\n"
        f"    server s1 127.0.0.1:{server.port}\n"
    )
    with contextlib.closing(server), running(tmp_path, _telamon(io), text):
        exchange(port, REQUEST)
        exchange(port, b"GET /\r\n\r\n")
        assert masked(plain.recv(999)).endswith('"GET /a#22b?c=d HTTP/1.1"\n')
        tag = other.recv(999).decode().split(" ", 3)[3]
        assert tag.startswith("other ") and tag.endswith(' - [x st="200"] 200 /a#22b?c=d\n')
        assert plain.recv(999).endswith(b'"<BADREQ>"\n')
        assert other.recv(999).endswith(b" - - bad 127.0.0.1\n")
        # The first line was dropped, the second is another step's.
        assert quiet.recv(999).endswith(b'"<BADREQ>"\n')
    for one in (plain, other, quiet):
        one.close()


@pytest.mark.parametrize("io", ["uring", "epoll"])
def test_each_step_has_its_line(tmp_path: Path, io: str) -> None:
    heard, server = udp_receiver(), Server()
    http, tcp = free_port(), free_port()
    steps = " ".join(
        f'    on {step} format "{step} %ST"\n'
        for step in ("accept", "request", "connect", "response", "close")
    )
    text = (
        f"log-profile steps\n{steps}"
        "defaults\n    timeout client 5s\n    timeout server 5s\n    timeout connect 5s\n"
        f"    log 127.0.0.1:{port_of(heard)} format raw profile steps local0\n    log-steps all\n"
        f"listen web\n    mode http\n    bind 127.0.0.1:{http}\n    option httplog\n"
        f"    server s1 127.0.0.1:{server.port}\n"
        f"listen relay\n    mode tcp\n    bind 127.0.0.1:{tcp}\n    option tcplog\n"
        f"    log-steps accept,close\n    server s1 127.0.0.1:{server.port}\n"
    )
    with contextlib.closing(server), running(tmp_path, _telamon(io), text):
        exchange(http, REQUEST)
        lines = [heard.recv(999).decode().split()[0] for _ in range(5)]
        assert lines == ["accept", "request", "connect", "response", "close"]
        exchange(tcp, REQUEST, shut=True)
        assert [heard.recv(999).decode().split()[0] for _ in range(2)] == ["accept", "close"]
    heard.close()
