"""Socket options that the plan asks for, and what a change of a server's state does to streams."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from telamon.base.address import InetAddress
from telamon.engine import IoEngine, ServerState
from telamon.plan.proxy import KeepAlive, Listener, Timeouts
from tests.engine.rig import (
    TestServer,
    echo,
    listening,
    named,
    plan,
    receive,
    receive_all,
    running,
    server,
)


def _own_sockets() -> Iterator[socket.socket]:
    """Duplicates of all TCP sockets of this process, the engine's among them."""
    for path in list(Path("/proc/self/fd").iterdir()):
        try:
            if not path.readlink().name.startswith("socket:"):
                continue
            copy = socket.socket(fileno=os.dup(int(path.name)))
        except OSError:
            continue  # closed meanwhile
        with copy:
            if copy.type == socket.SOCK_STREAM and copy.family == socket.AF_INET:
                yield copy


def _find(local: int | None = None, peer: int | None = None) -> list[tuple[int, int, int, int]]:
    """Keep-alive, idle, interval and count of the sockets with these ports."""
    found = []
    for sock in _own_sockets():
        try:
            remote = sock.getpeername()[1]
        except OSError:
            continue
        if local in (None, sock.getsockname()[1]) and peer in (None, remote):
            tcp = socket.IPPROTO_TCP
            found.append(
                (
                    sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                    sock.getsockopt(tcp, socket.TCP_KEEPIDLE),
                    sock.getsockopt(tcp, socket.TCP_KEEPINTVL),
                    sock.getsockopt(tcp, socket.TCP_KEEPCNT),
                )
            )
    return found


def test_keepalive_of_both_sides(io: IoEngine) -> None:
    with TestServer(echo) as backend:
        the_plan = plan(
            (server(backend.address),),
            client_keepalive=KeepAlive(count=4, idle=70_000, interval=5_000),
            server_keepalive=KeepAlive(idle=33_000),
        )
        with running(the_plan, io) as rig, rig.connect() as client:
            client.sendall(b"x")
            assert receive(client, 1) == b"x"
            ends = _find(local=rig.address[1], peer=client.getsockname()[1])
            assert ends == [(1, 70, 5, 4)]
            ((on, idle, _, _),) = _find(peer=backend.address.port)
            assert (on, idle) == (1, 33)


def test_nothing_is_probed_unasked(io: IoEngine) -> None:
    with (
        TestServer(echo) as backend,
        running(plan((server(backend.address),)), io) as rig,
        rig.connect() as client,
    ):
        client.sendall(b"x")
        assert receive(client, 1) == b"x"
        assert [found[0] for found in _find(local=rig.address[1])] == [0]
        assert [found[0] for found in _find(peer=backend.address.port)] == [0]


def test_user_timeout_and_deferred_accept(io: IoEngine) -> None:
    listener = Listener(
        id=1,
        name="",
        address=InetAddress(ipaddress.ip_address("127.0.0.1"), 0),
        tcp_ut=7_000,
        defer_accept=True,
    )
    with (
        TestServer(named(b"hello")) as backend,
        running(plan((server(backend.address, tcp_ut=9_000),), listener=listener), io) as rig,
        rig.connect() as client,
    ):
        sock = rig.listeners[0]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7_000
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) > 0
        # Nobody is told of a client that has said nothing.
        assert (rig.engine.active(), backend.accepted) == (0, 0)
        client.sendall(b"x")
        assert receive(client, 6) == b"hellox"
        timeouts = [
            found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            for found in _own_sockets()
            if _peer(found) == backend.address.port
        ]
        assert timeouts == [9_000]


def _peer(sock: socket.socket) -> int:
    try:
        port: int = sock.getpeername()[1]
    except OSError:
        return 0
    return port


def test_nolinger_closes_with_a_reset(io: IoEngine) -> None:
    """What the proxy closes, it resets, and no connection of it waits in the kernel."""
    with (
        TestServer(echo) as backend,
        running(
            plan((server(backend.address),), nolinger=True, timeouts=Timeouts(client=200)), io
        ) as rig,
        rig.connect() as client,
    ):
        client.sendall(b"x")
        assert receive(client, 1) == b"x"
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        rig.idle()


def test_a_server_that_goes_down_ends_its_streams_if_so_asked(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"2")) as two,
        running(
            plan((server(one.address, end_streams_on_down=True), server(two.address, 2))), io
        ) as rig,
        rig.connect() as first,
        rig.connect() as second,
    ):
        clients = {receive(client, 1): client for client in (first, second)}
        for number in (1, 2):
            rig.engine.set_server_state(1, number, ServerState.DOWN)
        assert receive_all(clients[b"1"]) == b""
        clients[b"2"].sendall(b"still here")
        assert receive(clients[b"2"], 10) == b"still here"


def test_a_server_that_comes_up_ends_the_backups_streams_if_so_asked(io: IoEngine) -> None:
    with (
        TestServer(named(b"1")) as one,
        TestServer(named(b"2")) as two,
        running(
            plan(
                (server(one.address, end_backups_on_up=True), server(two.address, 2, backup=True))
            ),
            io,
        ) as rig,
    ):
        rig.engine.set_server_state(1, 1, ServerState.DOWN)
        with rig.connect() as client:
            assert receive(client, 1) == b"2"
            rig.engine.set_server_state(1, 1, ServerState.UP)
            assert receive_all(client) == b""
        with rig.connect() as client:
            assert receive(client, 1) == b"1"


def test_a_listener_that_stays_over_a_reload_loses_what_is_not_asked_for(io: IoEngine) -> None:
    with TestServer(echo) as backend, listening() as sock:
        for keep, expected in ((KeepAlive(), 1), (None, 0)):
            the_plan = plan((server(backend.address),), client_keepalive=keep)
            with running(the_plan, io, sock=sock.dup()):
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == expected


def test_a_listener_is_for_its_threads(io: IoEngine) -> None:
    listeners = tuple(
        Listener(id=id, name="", address=InetAddress(ipaddress.ip_address("127.0.0.1"), 0),
                 threads=threads)
        for id, threads in ((1, 0b001), (2, 0b110), (3, 0b1000), (4, None))
    )  # fmt: skip
    with TestServer(echo) as backend:
        made = plan((server(backend.address),))
        front = made.proxies[0].frontend
        assert front is not None
        front = replace(front, listeners=listeners)
        made = replace(made, proxies=(replace(made.proxies[0], frontend=front),))
        with running(made, io, threads=3) as rig, contextlib.ExitStack() as stack:
            for listener, allowed in enumerate(({1}, {2, 3}, {1, 2, 3}, {1, 2, 3})):
                mine = [stack.enter_context(rig.connect(listener=listener)) for _ in range(6)]
                for client in mine:
                    client.sendall(b"x")
                    assert receive(client, 1) == b"x"
                names = {client.getsockname() for client in mine}
                threads = [one.id >> 56 for one in rig.engine.sessions() if one.client in names]
                assert len(threads) == 6
                assert set(threads) <= allowed


def test_segments_are_made_smaller(io: IoEngine) -> None:
    """The kernel keeps the wish to itself: what is shown is that streams live with it."""
    listener = Listener(
        id=1, name="", address=InetAddress(ipaddress.ip_address("127.0.0.1"), 0), mss=-100
    )
    with TestServer(echo) as backend:
        made = plan((server(backend.address),), listener=listener)
        with running(made, io) as rig, rig.connect() as client:
            client.sendall(b"hello")
            assert receive(client, 5) == b"hello"
