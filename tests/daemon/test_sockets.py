"""Binding, sharing and giving back listening sockets."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from telamon.base.address import FdAddress, InetAddress, UnixAddress
from telamon.kernel.portholder import find_holder
from telamon.kernel.sockets import BindError, SocketPool, SocketWish, duplicate, number_wishes
from tests.support.ports import free_port


@pytest.fixture
def pool() -> Iterator[SocketPool]:
    made = SocketPool()
    yield made
    made.close()


def inet(host: str = "127.0.0.1", port: int = 0) -> InetAddress:
    return InetAddress(ipaddress.ip_address(host), port)


def listens(fd: int) -> bool:
    with duplicate(fd) as sock:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def test_a_socket_that_stays_is_the_same_socket(pool: SocketPool) -> None:
    first = SocketWish(inet(port=free_port()), backlog=10)
    change = pool.change([first])
    [before] = change.descriptors
    change.commit()
    # A new place in the file or a new backlog is no reason to lose the accept queue.
    again = pool.change([SocketWish(first.address, backlog=99, place="other:1")])
    assert again.descriptors == [before]
    again.commit()
    assert listens(before)


def test_commit_closes_what_is_gone(pool: SocketPool) -> None:
    port = free_port()
    pool.change([SocketWish(inet(port=port))]).commit()
    pool.change([]).commit()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def test_a_failed_change_leaves_nothing(pool: SocketPool, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        free = free_port()
        wishes = [
            SocketWish(inet(port=free)),
            SocketWish(UnixAddress(str(tmp_path / "a.sock"))),
            SocketWish(inet(port=taken), place="haproxy.cfg:7"),
        ]
        with pytest.raises(BindError) as caught:
            pool.change(wishes)
    text = str(caught.value)
    assert text.startswith("haproxy.cfg:7: ")
    assert f"pid {os.getpid()}" in text
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free), timeout=2)


def test_an_abandoned_change_does_not_touch_the_path(pool: SocketPool, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    pool.change([SocketWish(UnixAddress(str(path)), mode=0o600)]).commit()
    before = path.stat().st_ino
    pool.change([SocketWish(UnixAddress(str(path)), mode=0o666)]).abandon()
    assert path.stat().st_ino == before
    assert [item.name for item in tmp_path.iterdir()] == ["a.sock"]


def test_a_new_mode_takes_the_path_over(pool: SocketPool, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    pool.change([SocketWish(UnixAddress(str(path)), mode=0o600)]).commit()
    pool.change([SocketWish(UnixAddress(str(path)), mode=0o666)]).commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    pool.close()
    assert not path.exists()


def test_a_file_in_the_way_is_not_overwritten(pool: SocketPool, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(BindError, match="no socket"):
        pool.change([SocketWish(UnixAddress(str(path)))])
    assert path.read_text() == "data"


def test_a_stale_socket_is_replaced(pool: SocketPool, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    pool.change([SocketWish(UnixAddress(str(path)))]).commit()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_abstract_socket(pool: SocketPool) -> None:
    name = f"telamon-test-{os.getpid()}"
    pool.change([SocketWish(UnixAddress(name, abstract=True))]).commit()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(b"\0" + name.encode())


def test_an_address_that_is_not_local_yet(pool: SocketPool) -> None:
    change = pool.change([SocketWish(inet("192.0.2.77", free_port()))])
    assert listens(change.descriptors[0])
    change.commit()


def test_one_port_twice_is_spread(pool: SocketPool) -> None:
    port = free_port()
    wishes = [
        SocketWish(inet(port=port)),
        SocketWish(inet(port=port)),
        SocketWish(inet("0.0.0.0", port)),
    ]
    assert all(wish.shared for wish in number_wishes(wishes))
    change = pool.change(wishes)
    assert len(set(change.descriptors)) == 3
    assert all(map(listens, change.descriptors))
    change.commit()


def test_a_shared_port_of_somebody_else_is_refused(pool: SocketPool) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(BindError):
            pool.change([SocketWish(inet(port=port))])


def test_inherited_listener_is_shared_not_taken(pool: SocketPool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        pool.change([SocketWish(FdAddress(given.fileno()))]).commit()
        pool.close()
        assert listens(given.fileno())


@pytest.mark.parametrize("kind", ["closed", "datagram", "connected"])
def test_inherited_nonsense_is_refused(pool: SocketPool, kind: str) -> None:
    left, right = socket.socketpair(
        socket.AF_UNIX, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM
    )
    fd = left.fileno()
    if kind == "closed":
        left.close()
    with pytest.raises(BindError, match=f"fd@{fd}"):
        pool.change([SocketWish(FdAddress(fd), place="haproxy.cfg:3")])
    left.close()
    right.close()


def test_a_duplicate_of_what_is_no_socket_is_not_left_open() -> None:
    reader, writer = os.pipe()
    before = sorted(Path("/proc/self/fd").iterdir())
    for fd in (reader, writer):
        with pytest.raises(OSError, match="socket"):
            duplicate(fd)
    # The one of the listing itself is closed meanwhile, and its number is the same.
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    os.close(reader)
    os.close(writer)


def test_ipv6(pool: SocketPool) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    port = free_port()
    both = [SocketWish(inet("::", port), v6only=True), SocketWish(inet("0.0.0.0", port))]
    pool.change(both).commit()
    socket.create_connection(("::1", port), timeout=2).close()
    socket.create_connection(("127.0.0.1", port), timeout=2).close()


def test_the_holder_of_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        holder = find_holder(ipaddress.ip_address("0.0.0.0"), server.getsockname()[1])
    assert holder is not None
    assert holder.pid == os.getpid()
