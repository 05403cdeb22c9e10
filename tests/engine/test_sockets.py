"""Socket options that the plan asks for, and what a change of a server's state does to streams."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from telamon.base.address import InetAddress
from telamon.engine import IoEngine, ServerState
from telamon.kernel.sockets import duplicate
from telamon.plan.http import HttpSettings, Reuse
from telamon.plan.proxy import KeepAlive, Listener, Mode, Presented, Timeouts, UseSource
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
    until,
)


def _own_sockets() -> Iterator[socket.socket]:
    """Duplicates of all TCP sockets of this process, the engine's among them."""
    for path in list(Path("/proc/self/fd").iterdir()):
        try:
            copy = duplicate(int(path.name))
        except OSError:
            continue  # no socket, or closed meanwhile
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
                threads: dict[object, int] = {}

                def all_told(
                    names: set[object] = names, threads: dict[object, int] = threads
                ) -> bool:
                    """A busy thread may leave a question unanswered."""
                    told: dict[object, int] = {s.client: s.id >> 56 for s in rig.engine.sessions()}
                    threads.update((name, told[name]) for name in names & told.keys())
                    return len(threads) == 6

                until(all_told, "each thread has told of its streams")
                assert set(threads.values()) <= allowed


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


IP_TRANSPARENT = 19
ALONE = b"GET / HTTP/1.1\r\nHost: a\r\nX-For: 127.0.0.11, 127.0.0.12\r\nX-For: no\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SHOWN = [
    (
        UseSource(Presented.ADDRESS, InetAddress(ipaddress.ip_address("127.0.0.10"), 0)),
        "127.0.0.10",
    ),
    (UseSource(Presented.CLIENT), "127.0.0.9"),
    (UseSource(Presented.CLIENT_IP), "127.0.0.9"),
    (UseSource(Presented.HEADER, header="x-for", occurrence=1), "127.0.0.11"),
    (UseSource(Presented.HEADER, header="x-for", occurrence=-2), "127.0.0.12"),
    (UseSource(Presented.HEADER, header="x-for", occurrence=-1), "127.0.0.8"),
    (UseSource(Presented.HEADER, header="x-for", occurrence=4), "127.0.0.8"),
    (UseSource(Presented.HEADER, header="x-none"), "127.0.0.8"),
]


def _may_be_transparent() -> bool:
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
        except PermissionError:
            return False
        return True


@pytest.mark.parametrize("mode", [Mode.HTTP, Mode.TCP])
@pytest.mark.parametrize("usesrc,shown", SHOWN, ids=[f"{u.whose}{u.occurrence}" for u, _ in SHOWN])
def test_a_server_sees_a_foreign_address(
    io: IoEngine, mode: Mode, usesrc: UseSource, shown: str
) -> None:
    if not _may_be_transparent():
        pytest.skip("IP_TRANSPARENT needs CAP_NET_ADMIN")
    if mode is Mode.TCP and usesrc.whose is Presented.HEADER:
        shown = "127.0.0.8"
    seen: list[tuple[str, int]] = []

    def serve(sock: socket.socket) -> None:
        seen.append(sock.getpeername())
        while sock.recv(1 << 16):
            sock.sendall(OK)

    ours = InetAddress(ipaddress.ip_address("127.0.0.8"), 0)
    with TestServer(serve) as backend:
        one = server(backend.address, source=ours, usesrc=usesrc)
        made = plan((one,), mode=mode, http=HttpSettings(reuse=Reuse.ALWAYS))
        with running(made, io, threads=1) as rig:
            for number in (1, 2):
                with socket.socket() as client:
                    # With the client's own port both ends of this machine have it.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    client.settimeout(10)
                    client.bind(("127.0.0.9", 0))
                    client.connect(rig.address)
                    client.sendall(ALONE)
                    assert receive(client, len(OK)) == OK
                    assert seen[-1][0] == shown
                    if usesrc.whose is Presented.CLIENT:
                        assert seen[-1] == client.getsockname()
                # What is made for one client is not another's.
                alone = usesrc.whose is not Presented.ADDRESS or mode is Mode.TCP
                assert len(seen) == (number if alone else 1)


TCP_FASTOPEN_CONNECT = 30


@pytest.mark.parametrize("again", [True, False])
def test_fast_open_where_requests_are_sent_again(io: IoEngine, again: bool) -> None:
    retry_on = ("empty-response", "response-timeout") if again else ("conn-failure",)

    def serve(sock: socket.socket) -> None:
        while sock.recv(1 << 16):
            sock.sendall(OK)

    with TestServer(serve) as backend:
        backend.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        made = plan(
            (server(backend.address, fast_open=True),),
            mode=Mode.HTTP,
            http=HttpSettings(reuse=Reuse.NEVER, retry_on=retry_on),
        )
        with running(made, io) as rig:
            for _ in range(3):  # the first fetches the server's cookie
                with rig.connect() as client:
                    client.sendall(ALONE)
                    assert receive(client, len(OK)) == OK
                    wishes = [
                        found.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT)
                        for found in _own_sockets()
                        if _peer(found) == backend.address.port
                    ]
                    assert int(again) in wishes
