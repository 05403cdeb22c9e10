"""The PROXY protocol, in and out, and ports and sources of connections to servers."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import replace

import pytest

from telamon.base.address import InetAddress
from telamon.engine import IoEngine
from telamon.plan.process import Facility, LogTarget
from telamon.plan.proxy import Listener, LogFormat, Timeouts
from tests.engine.rig import (
    PATIENCE,
    TestServer,
    closed_port,
    echo,
    listening,
    plan,
    receive,
    receive_all,
    running,
    server,
    until,
)

LOOPBACK = ipaddress.ip_address("127.0.0.1")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ACCEPTING = Listener(id=1, name="", address=InetAddress(LOOPBACK, 0), accept_proxy=True)


def test_version_1_comes_before_all_bytes(io: IoEngine) -> None:
    with TestServer(echo) as backend:
        the_plan = plan((server(backend.address, send_proxy=1),))
        with running(the_plan, io) as rig, rig.connect() as client:
            source, port = client.getsockname()[1], rig.address[1]
            header = b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" % (source, port)
            assert receive(client, len(header)) == header
            data = b"x" * 200_000
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == data


def test_version_2_comes_before_all_bytes(io: IoEngine) -> None:
    with TestServer(echo) as backend:
        the_plan = plan((server(backend.address, send_proxy=2),))
        with running(the_plan, io) as rig, rig.connect() as client:
            client.sendall(b"after")
            client.shutdown(socket.SHUT_WR)
            ports = struct.pack(">HH", client.getsockname()[1], rig.address[1])
            header = SIGNATURE + b"\x21\x11\x00\x0c" + b"\x7f\0\0\1" * 2 + ports
            assert receive_all(client) == header + b"after"


@pytest.mark.parametrize("cut", [0, 1, 20, 42], ids=lambda cut: f"cut{cut}")
def test_a_header_that_came_in_is_passed_on(io: IoEngine, cut: int) -> None:
    """`accept-proxy` before `send-proxy`: the first client's addresses reach the server."""
    header = b"PROXY TCP4 192.0.2.7 198.51.100.9 40000 443\r\n"
    with TestServer(echo) as backend:
        the_plan = plan((server(backend.address, send_proxy=1),), listener=ACCEPTING)
        with running(the_plan, io) as rig, rig.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(header[:cut])
            until(lambda: rig.engine.active() == 1)
            client.sendall(header[cut:] + b"first bytes")
            expected = header + b"first bytes"
            assert receive(client, len(expected)) == expected
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b""
            assert rig.backend("bin") == len(b"first bytes")


def test_fields_of_version_2(io: IoEngine) -> None:
    """A checksum of its own, and the name that the header before it told."""
    name = b"\x02\x00\x06a.name"
    addresses = b"\xc0\x00\x02\x07\xc6\x33\x64\x09" + struct.pack(">HH", 40_000, 443)
    came = SIGNATURE + b"\x21\x11" + struct.pack(">H", len(addresses + name)) + addresses + name
    with TestServer(echo) as backend:
        target = server(backend.address, send_proxy=2, proxy_options=("crc32c", "authority"))
        with (
            running(plan((target,), listener=ACCEPTING), io) as rig,
            rig.connect() as client,
        ):
            client.sendall(came + b"!")
            client.shutdown(socket.SHUT_WR)
            went = receive_all(client)
            length = len(addresses) + 7 + len(name)
            assert went[:28] == SIGNATURE + b"\x21\x11" + struct.pack(">H", length) + addresses
            assert went[28:31] == b"\x03\x00\x04"
            assert went[35:] == name + b"!"
            assert int.from_bytes(went[31:35]) == crc32c(went[:31] + bytes(4) + name)


def crc32c(data: bytes) -> int:
    """RFC 4960, appendix B."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_what_is_no_header_reaches_no_server(io: IoEngine) -> None:
    with TestServer(echo) as backend:
        the_plan = plan(
            (server(backend.address),),
            listener=ACCEPTING,
            timeouts=Timeouts(client=300, server=5_000, connect=5_000),
        )
        with running(the_plan, io) as rig:
            for wrong in (b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 nonsense\r\n"):
                with rig.connect() as client:
                    client.sendall(wrong)
                    assert receive_all_or_reset(client) == b""
            with rig.connect() as client:  # says nothing: `timeout client`
                assert receive_all_or_reset(client) == b""
            with rig.connect() as client:  # leaves in the middle
                client.sendall(b"PROXY TC")
            rig.idle()
            assert (backend.accepted, rig.backend("stot")) == (0, 0)


def receive_all_or_reset(sock: socket.socket) -> bytes:
    try:
        return receive_all(sock)
    except ConnectionResetError:
        return b""


def test_the_clients_port_and_an_offset(io: IoEngine) -> None:
    with TestServer(echo) as backend, listening("127.0.0.2") as entry:
        offset = backend.address.port - entry.getsockname()[1]
        target = server(InetAddress(LOOPBACK, 0), port_offset=offset)
        listener = entry.dup()
        with running(plan((target,)), io, sock=listener) as rig, rig.connect() as client:
            client.sendall(b"there")
            assert receive(client, 5) == b"there"


def test_a_source_address_is_what_the_server_sees(io: IoEngine) -> None:
    def serve(client: socket.socket) -> None:
        client.sendall(client.getpeername()[0].encode())
        client.shutdown(socket.SHUT_WR)

    source = InetAddress(ipaddress.ip_address("127.0.0.9"), 0)
    with TestServer(serve) as backend:
        the_plan = plan((server(backend.address, source=source),))
        with running(the_plan, io) as rig:
            for _ in range(3):
                with rig.connect() as client:
                    assert receive_all(client) == b"127.0.0.9"


def test_a_source_that_is_not_here_fails_the_connect(io: IoEngine) -> None:
    source = InetAddress(ipaddress.ip_address("192.0.2.1"), 0)
    the_plan = plan((server(closed_port(), source=source),))
    with running(the_plan, io) as rig:
        with rig.connect() as client:
            assert receive_all(client) == b""
        rig.idle()
        assert rig.backend("econ") == 1


def test_a_header_is_sent_anew_after_a_redispatch(io: IoEngine) -> None:
    with TestServer(echo) as backend:
        first = server(closed_port(), send_proxy=1)
        second = replace(server(backend.address, 2), send_proxy=1)
        with (
            running(plan((first, second), backend={"redispatch": 1}), io) as rig,
            rig.connect() as client,
        ):
            client.sendall(b"!")
            header = receive(client, 6)
            assert header == b"PROXY "
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client).endswith(b"\r\n!")


HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.9 40000 443\r\n"


def silent(client: socket.socket) -> None:
    """Says nothing, and does not end when the client does."""
    while client.recv(4096):
        pass


def logged_end(io: IoEngine, said: bytes, *, half_close: bool, timeouts: Timeouts) -> bytes:
    """How a stream ended that said this at once, in the letters of its log line."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log, TestServer(silent) as backend:
        log.bind(("127.0.0.1", 0))
        log.settimeout(PATIENCE)
        target = LogTarget(InetAddress(LOOPBACK, log.getsockname()[1]), Facility.LOCAL0)
        the_plan = plan(
            (server(backend.address),), listener=ACCEPTING, timeouts=timeouts,
            logs=(target,), log_format=LogFormat.TCP,
        )  # fmt: skip
        with running(the_plan, io) as rig, rig.connect() as client:
            client.sendall(said)
            if half_close:
                client.shutdown(socket.SHUT_WR)
            return log.recv(4096).split()[-3]


def test_data_behind_a_header_starts_the_clients_time(io: IoEngine) -> None:
    """As in HAProxy: a client that falls silent then is timed out."""
    timeouts = Timeouts(client=100, server=100, connect=5_000)
    assert logged_end(io, HEADER + b"x", half_close=False, timeouts=timeouts) == b"cD"


@pytest.mark.parametrize("data", [b"", b"x"], ids=["alone", "with data"])
def test_a_half_close_behind_a_header_leaves_the_server_its_say(io: IoEngine, data: bytes) -> None:
    timeouts = Timeouts(client=20_000, server=100, connect=5_000)
    assert logged_end(io, HEADER + data, half_close=True, timeouts=timeouts) == b"sD"
