"""Binding the listening sockets of a plan, and telling well why one cannot be had.

The supervisor binds and holds every listening socket; proxies come and go and inherit them, so
no connection in an accept queue is lost. A `SocketPool` holds what is bound now. A reload opens
a `Change` on it: sockets that stay are shared, new ones are bound, and only `commit` closes
what is no longer wanted; `abandon` closes what was new. Nothing is left behind in either case.

Unix sockets are bound under a name of their own beside the wanted one and renamed over it on
`commit`, so that no client ever finds the path missing and an abandoned change has not touched
it.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from telamon.base.address import FdAddress, InetAddress, SocketAddress, UnixAddress
from telamon.kernel.portholder import find_holder

IP_FREEBIND = 15
IPV6_FREEBIND = 78
IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75

DEFAULT_BACKLOG = 4096

_MARK = os.getpid()
"""In the names of drafts: one for this run, also after it has gone to the background."""


class BindError(Exception):
    """A listening socket cannot be had; `str()` begins with the bind line's place."""


@dataclass(frozen=True, slots=True)
class SocketWish:
    """One listening socket that the plan asks for.

    Two wishes that are equal are the same socket before and after a reload. `place` (where the
    line stands) and `backlog` do not count. `occurrence` tells apart the same address asked
    for twice; `shared` asks for SO_REUSEPORT, which such sockets need. `joins` asks for it too, to
    stand beside another process that has the same port in that way.
    """

    address: SocketAddress
    interface: str | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    v6only: bool = False
    v4v6: bool = False
    mss: int | None = None
    fast_open: bool = False
    transparent: bool = False
    occurrence: int = 0
    shared: bool = False
    joins: bool = field(default=False, compare=False)
    backlog: int = field(default=DEFAULT_BACKLOG, compare=False)
    place: str = field(default="", compare=False)


def number_wishes(wishes: Iterable[SocketWish]) -> list[SocketWish]:
    """Mark the wishes that take one port together, as several binds of one file may.

    HAProxy lets `bind :80` stand twice, or beside `bind 10.0.0.1:80`; the kernel then spreads
    connections, provided that each socket has SO_REUSEPORT.
    """
    listed = list(wishes)
    ports = Counter(w.address.port for w in listed if isinstance(w.address, InetAddress))
    seen: Counter[SocketWish] = Counter()
    out = []
    for wish in listed:
        occurrence = seen[wish]
        seen[wish] += 1
        shared = isinstance(wish.address, InetAddress) and ports[wish.address.port] > 1
        out.append(replace(wish, occurrence=occurrence, shared=shared))
    return out


class SocketPool:
    """The listening sockets that the supervisor holds. Not for more than one thread."""

    def __init__(self) -> None:
        self._held: dict[SocketWish, socket.socket] = {}

    def change(self, wishes: Iterable[SocketWish]) -> Change:
        """Bind what is wished for and not held yet.

        Raises BindError, after closing all that this call had bound.
        """
        change = Change(self, number_wishes(wishes))
        try:
            change.bind()
        except BaseException:
            change.abandon()
            raise
        return change

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return tuple(self._held.values())

    @property
    def held(self) -> tuple[tuple[SocketWish, socket.socket], ...]:
        return tuple(self._held.items())

    def adopt(self, wishes: Iterable[SocketWish], sockets: Iterable[socket.socket]) -> None:
        """Hold those of `sockets` (another process's, say) that are what is wished for; close the
        others."""
        free = {_local(sock): sock for sock in sockets}
        for wish in number_wishes(wishes):
            sock = free.pop(str(wish.address), None)
            if sock is not None:
                sock.setblocking(False)
                self._held[wish] = sock
        for sock in free.values():
            sock.close()

    def detach(self) -> None:
        """Let go of all without closing: the process that holds them serves them itself now."""
        for sock in self._held.values():
            sock.detach()
        self._held.clear()

    def close(self) -> None:
        """Close all, and remove the paths of unix sockets. Inherited descriptors stay open."""
        for wish, sock in self._held.items():
            _release(wish, sock)
        self._held.clear()


class Change:
    """A new set of sockets beside the one that is held: `commit` it or `abandon` it."""

    def __init__(self, pool: SocketPool, wishes: list[SocketWish]) -> None:
        self._pool = pool
        self._wishes = wishes
        self._new: dict[SocketWish, socket.socket] = {}

    def bind(self) -> None:
        held = self._pool._held
        for wish in self._wishes:
            if wish not in held and wish not in self._new:
                self._new[wish] = open_listener(wish)

    @property
    def descriptors(self) -> list[int]:
        """One descriptor for each wish, in the order of the wishes."""
        held = self._pool._held
        return [(self._new.get(w) or held[w]).fileno() for w in self._wishes]

    def commit(self) -> None:
        """Hold the new set and close what is not in it."""
        held = self._pool._held
        wanted = set(self._wishes)
        for wish in self._new:
            path = _path(wish)
            if path is not None:
                _draft(path).rename(path)
        kept_paths = {_path(w) for w in wanted}
        for wish in [w for w in held if w not in wanted]:
            _release(wish, held.pop(wish), keep_path=_path(wish) in kept_paths)
        held.update(self._new)
        self._new = {}

    def abandon(self) -> None:
        """Close what is new; what is held and its paths are as they were."""
        for wish, sock in self._new.items():
            sock.close()
            path = _path(wish)
            if path is not None:
                with contextlib.suppress(OSError):
                    _draft(path).unlink()
        self._new = {}


def _local(sock: socket.socket) -> str:
    """A listening socket's address, written as `SocketAddress` writes it."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        path = name if isinstance(name, str) else name.decode(errors="replace")
        abstract = path.startswith("\0")
        return str(UnixAddress(path[1:] if abstract else path, abstract))
    return str(InetAddress(ipaddress.ip_address(name[0]), name[1]))


def _path(wish: SocketWish) -> str | None:
    address = wish.address
    return address.path if isinstance(address, UnixAddress) and not address.abstract else None


def _draft(path: str) -> Path:
    """The name under which a unix socket waits for its commit."""
    return Path(f"{path}.{_MARK}.tmp")


def _release(wish: SocketWish, sock: socket.socket, *, keep_path: bool = False) -> None:
    path = _path(wish)
    if path is not None and not keep_path:
        with contextlib.suppress(OSError):
            Path(path).unlink()
    sock.close()


def open_listener(wish: SocketWish) -> socket.socket:
    """Bind and listen. Raises BindError; leaves nothing behind then.

    A unix socket is not under its path yet: see `Change.commit`.
    """
    address = wish.address
    if isinstance(address, FdAddress):
        return _inherited(address, wish)
    try:
        if isinstance(address, UnixAddress):
            return _listen_unix(address, wish)
        return _listen_inet(address, wish)
    except OSError as error:
        raise BindError(_explain(wish, error)) from error


def _listen_inet(address: InetAddress, wish: SocketWish) -> socket.socket:
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    if wish.shared and wish.occurrence == 0 and not wish.joins:
        _probe(address, wish)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        _prepare(sock, address, wish)
        if wish.shared or wish.joins:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((str(address.host), address.port))
        if wish.fast_open:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, wish.backlog)
        sock.listen(wish.backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _prepare(sock: socket.socket, address: InetAddress, wish: SocketWish) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # A VIP is bound before this node owns it: no sysctl (ip_nonlocal_bind) is needed.
    if address.is_ipv6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        if wish.v6only or wish.v4v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not wish.v4v6))
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    if wish.transparent:
        level, option = (
            (socket.IPPROTO_IPV6, IPV6_TRANSPARENT)
            if address.is_ipv6
            else (socket.IPPROTO_IP, IP_TRANSPARENT)
        )
        sock.setsockopt(level, option, 1)
    if wish.mss is not None and wish.mss > 0:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, wish.mss)
    if wish.interface is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, wish.interface.encode() + b"\0")


def _probe(address: InetAddress, wish: SocketWish) -> None:
    """Fail if somebody holds the address exclusively or by SO_REUSEPORT.

    With SO_REUSEPORT a second program of this user would share the port unnoticed. Sockets of
    ours on the same port would fail the probe too; they are told apart by their process.
    """
    if address.port == 0:
        return
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        _prepare(sock, address, wish)
        try:
            sock.bind((str(address.host), address.port))
            sock.listen(1)
        except OSError as error:
            holder = find_holder(address.host, address.port)
            if error.errno != errno.EADDRINUSE or (holder and holder.pid != os.getpid()):
                raise


def _listen_unix(address: UnixAddress, wish: SocketWish) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if address.abstract:
            sock.bind(b"\0" + address.path.encode())
        else:
            _bind_path(sock, address.path, wish)
        sock.listen(wish.backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_path(sock: socket.socket, path: str, wish: SocketWish) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            raise OSError(errno.EEXIST, "there is a file of that name that is no socket", path)
    draft = _draft(path)
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    sock.bind(str(draft))
    try:
        if wish.mode is not None:
            draft.chmod(wish.mode)
        if wish.uid is not None or wish.gid is not None:
            os.chown(
                draft,
                -1 if wish.uid is None else wish.uid,
                -1 if wish.gid is None else wish.gid,
            )
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def duplicate(fd: int) -> socket.socket:
    """A socket of its own for a descriptor. OSError: it is closed, or is no socket."""
    copy = os.dup(fd)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _inherited(address: FdAddress, wish: SocketWish) -> socket.socket:
    """A duplicate of the inherited descriptor, which stays open for a later start."""
    at = f"{wish.place}: " if wish.place else ""
    try:
        sock = duplicate(address.fd)
    except OSError as error:
        raise BindError(
            f"{at}cannot take over fd@{address.fd}: {error.strerror}; the program that starts "
            f"Telamon must leave descriptor {address.fd} open and bound"
        ) from error
    try:
        if sock.type != socket.SOCK_STREAM:
            raise BindError(f"{at}cannot take over fd@{address.fd}: it is not a stream socket")
        # Bound but not yet listening is fine for HAProxy as well: listen(2) again is harmless.
        sock.listen(wish.backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise BindError(
            f"{at}cannot take over fd@{address.fd}: {error.strerror}; it must be a bound socket"
        ) from error
    except BindError:
        sock.close()
        raise
    return sock


def _explain(wish: SocketWish, error: OSError) -> str:
    at = f"{wish.place}: " if wish.place else ""
    text = f"{at}cannot listen on {wish.address}: {error.strerror or error}"
    address = wish.address
    if error.errno == errno.EADDRINUSE and isinstance(address, InetAddress):
        holder = find_holder(address.host, address.port)
        if holder is not None:
            return f"{text}; {holder} holds the port: stop it or choose another port"
        return f"{text}; see who holds the port with: ss -ltnp 'sport = :{address.port}'"
    if error.errno in (errno.EACCES, errno.EPERM):
        if isinstance(address, InetAddress) and 0 < address.port < 1024:
            return (
                f"{text}; ports below 1024 need root, CAP_NET_BIND_SERVICE or a lower "
                "net.ipv4.ip_unprivileged_port_start"
            )
        if wish.interface is not None:
            return f"{text}; 'interface' needs root or CAP_NET_RAW"
    if error.errno == errno.ENODEV:
        return f"{text}; there is no interface {wish.interface}"
    if error.errno == errno.ENOENT and isinstance(address, UnixAddress):
        return f"{text}; make the directory first: mkdir -p {Path(address.path).parent}"
    return text
