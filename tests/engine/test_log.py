"""Log lines: against Debian's haproxy in the same situations, and receivers that misbehave."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telamon.base.address import InetAddress, UnixAddress
from telamon.engine import IoEngine
from telamon.plan.process import Facility, LogTarget
from telamon.plan.proxy import LogFormat, Timeouts
from tests.engine.rig import (
    TestServer,
    closed_port,
    inet,
    plan,
    receive_all,
    running,
    server,
    until,
)
from tests.support.peers import udp_receiver

LOCAL = ipaddress.ip_address("127.0.0.1")
TIMEOUTS = Timeouts(client=500, server=900, connect=300)
CONFIG = """
global
    log {log} local3
defaults
    mode tcp
    log global
    option tcplog
    timeout client 500
    timeout server 900
    timeout connect 300
    retries 1
listen front
    bind {front}
    server s1 {server}
"""


def serve(client: socket.socket) -> None:
    said = client.recv(100)
    if said == b"hello":
        client.sendall(b"world")
        client.shutdown(socket.SHUT_WR)
    elif said == b"reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        return
    receive_all(client)
    client.shutdown(socket.SHUT_RDWR)


def talk(address: tuple[str, int], said: bytes) -> None:
    with socket.create_connection(address, 10) as client:
        client.sendall(said)
        with contextlib.suppress(ConnectionResetError):
            receive_all(client)


def lines(address: tuple[str, int], log: socket.socket) -> list[str]:
    found = []
    for said in (b"hello", b"reset", b"silence"):
        talk(address, said)
        found.append(log.recv(4096).decode())
    return found


def bare(line: str) -> str:
    """The line without what differs from run to run: dates, pids, ports, single milliseconds."""
    line = re.sub(r"\w{3} [ \d]\d \d\d:\d\d:\d\d haproxy\[\d+\]", "DATE haproxy[PID]", line)
    line = re.sub(r"127\.0\.0\.1:\d+ \[[^\]]+\]", "CLIENT [DATE]", line)

    def times(match: re.Match[str]) -> str:
        return (
            "/".join(
                "-1" if part == "-1" else str(int(part) // 100) for part in match[1].split("/")
            )
            + " "
        )

    return re.sub(r"(?<=front/s1 )([-\d/]+) ", times, line)


@contextlib.contextmanager
def haproxy(config: str, address: tuple[str, int], path: Path) -> Iterator[None]:
    path.write_text(config)
    process = subprocess.Popen(["haproxy", "-db", "-f", str(path)], stderr=subprocess.DEVNULL)

    def up() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(address) == 0

    try:
        until(up, "haproxy listens")
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
@pytest.mark.parametrize("refused", [False, True], ids=["served", "refused"])
def test_tcplog_is_what_haproxy_writes(io: IoEngine, tmp_path: Path, refused: bool) -> None:
    with contextlib.ExitStack() as stack:
        address = closed_port() if refused else stack.enter_context(TestServer(serve)).address
        say: Callable[[tuple[str, int], socket.socket], list[str]] = lines
        with udp_receiver() as log:
            front = closed_port()
            where = ("127.0.0.1", front.port)
            config = CONFIG.format(log=inet(log), front=front, server=address)
            with haproxy(config, where, tmp_path / "haproxy.cfg"):
                # The probe that found it listening has a line of its own, and so has the start.
                while "front/s1" not in log.recv(4096).decode():
                    pass
                theirs = say(where, log)
        with udp_receiver() as log:
            target = LogTarget(InetAddress(LOCAL, log.getsockname()[1]), Facility.LOCAL3)
            the_plan = plan(
                (server(address),),
                timeouts=TIMEOUTS,
                logs=(target,),
                log_format=LogFormat.TCP,
                backend={"retries": 1},
            )
            with running(the_plan, io, threads=1) as rig:
                ours = say(rig.address, log)
        assert [bare(line) for line in ours] == [bare(line) for line in theirs]


def test_null_connections_are_not_logged_if_so_asked(io: IoEngine) -> None:
    with udp_receiver() as log, TestServer(serve) as backend:
        target = LogTarget(inet(log), Facility.LOCAL0)
        the_plan = plan(
            (server(backend.address),), logs=(target,), log_format=LogFormat.TCP, dontlognull=True
        )
        with running(the_plan, io) as rig:
            rig.connect().close()
            rig.idle()
            talk(rig.address, b"hello")
            assert b" 5 -- " in log.recv(4096)
            until(lambda: rig.snapshot().process["SentLogs"] == 1)


def test_a_dead_receiver_costs_a_counter_and_comes_back(io: IoEngine, tmp_path: Path) -> None:
    path = tmp_path / "log"
    target = LogTarget(UnixAddress(str(path)), Facility.LOCAL0)
    with TestServer(serve) as backend:
        the_plan = plan((server(backend.address),), logs=(target,), log_format=LogFormat.TCP)
        with running(the_plan, io) as rig:
            talk(rig.address, b"hello")
            rig.idle()
            until(lambda: rig.snapshot().process["DroppedLogs"] == 1)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
                log.bind(str(path))
                log.setblocking(False)

                def arrives() -> bool:
                    talk(rig.address, b"hello")
                    with contextlib.suppress(BlockingIOError):
                        return b"front/s1" in log.recv(4096)
                    return False

                until(arrives, "a receiver that starts late is found")
