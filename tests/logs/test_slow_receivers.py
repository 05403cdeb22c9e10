"""A receiver of lines that is slow or dead costs the data path a counter, and nothing else."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path

import pytest

from tests.logs.scene import REQUEST, Server, exchange, port_of, running
from tests.logs.test_peer import _telamon
from tests.support.peers import ask_socket, udp_receiver, wait_for
from tests.support.ports import free_port

pytestmark = pytest.mark.xdist_group("logs")

REQUESTS = 600


def _dropped(stats: Path) -> int:
    found = re.search(r"(?m)^DroppedLogs: (\d+)$", ask_socket(stats, "show info"))
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("io", ["uring", "epoll"])
def test_a_receiver_that_does_not_read_costs_a_counter(tmp_path: Path, io: str) -> None:
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    full.bind(str(tmp_path / "full"))
    deaf = socket.create_server(("127.0.0.1", 0))
    gone = udp_receiver()
    nobody = port_of(gone)
    gone.close()
    server, port, stats = Server(), free_port(), tmp_path / "stats"
    text = (
        f"global\n    nbthread 1\n    stats socket {stats} level admin\n"
        "defaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n"
        "    timeout connect 5s\n    option httplog\n"
        f"    log {tmp_path}/full local0\n    log {tmp_path}/absent local0\n"
        f"    log 127.0.0.1:{nobody} local0\n    log tcp@127.0.0.1:{port_of(deaf)} local0\n"
        f"listen web\n    bind 127.0.0.1:{port}\n    server s1 127.0.0.1:{server.port}\n"
    )
    with contextlib.closing(server), running(tmp_path, _telamon(io), text):
        wait_for(stats.exists, "the stats socket")
        answers = {exchange(port, REQUEST)[:15] for _ in range(REQUESTS)}
        assert answers == {b"HTTP/1.1 200 OK"}
        # At the least those to the receiver that is not there, and those that found no room.
        assert _dropped(stats) > REQUESTS
    for one in (full, deaf):
        one.close()
