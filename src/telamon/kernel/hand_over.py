"""Listening sockets from one process to its successor, as HAProxy's `-x` and `_getsocks` do it.

The successor asks over a stats socket. The answer is the number of sockets, then packets that
carry the descriptors, each followed by the successor's count so far. With each descriptor come a
name space, an interface and flags, which this program has no use for: what a socket is bound to,
the socket itself knows.
"""

from __future__ import annotations

import array
import contextlib
import socket
import struct
from collections.abc import Sequence

from telamon.kernel.sockets import IP_FREEBIND, IPV6_FREEBIND

REQUEST = b"_getsocks"

_ANSWER_WITHIN = 5.0
_MOST = 65536
_AT_ONCE = 252
"""Descriptors in one packet, less than the kernel's limit of 253 (SCM_MAX_FD)."""
_COUNT = struct.Struct("i")


class HandOverError(Exception):
    """The old process does not give its sockets; `str()` is the reason."""


def take_sockets(path: str) -> list[socket.socket]:
    """All listening sockets of the process behind the stats socket. Raises HandOverError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_ANSWER_WITHIN)
        try:
            sock.connect(path)
            sock.sendall(REQUEST + b"\n")
            descriptors = _receive(sock)
        except OSError as error:
            raise HandOverError(error.strerror or str(error)) from error
    return [socket.socket(fileno=fd) for fd in descriptors]


def _receive(sock: socket.socket) -> list[int]:
    raw = sock.recv(_COUNT.size)
    if len(raw) != _COUNT.size:
        raise HandOverError(
            "no sockets came: its line needs 'level admin' and 'expose-fd listeners'"
        )
    (wanted,) = _COUNT.unpack(raw)
    if not 0 <= wanted <= _MOST:
        # It is the text of an answer: the command is not known there.
        raise HandOverError("it does not hand sockets over")
    got = array.array("i")
    space = socket.CMSG_SPACE(_AT_ONCE * got.itemsize)
    while len(got) < wanted:
        data, ancillary, _flags, _address = sock.recvmsg(_MOST, space)
        if not data:
            break
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                got.frombytes(payload[: len(payload) - len(payload) % got.itemsize])
        # HAProxy does not wait for the answer to its last packet.
        with contextlib.suppress(BrokenPipeError):
            sock.sendall(_COUNT.pack(len(got)))
    return list(got)


def give_sockets(sock: socket.socket, descriptors: Sequence[int]) -> None:
    """The other side of `take_sockets`. OSError if the successor goes away."""
    sock.settimeout(_ANSWER_WITHIN)
    for fd in descriptors:
        _become_plain(fd)
    sock.sendall(_COUNT.pack(len(descriptors)))
    for first in range(0, len(descriptors), _AT_ONCE):
        part = array.array("i", descriptors[first : first + _AT_ONCE])
        # Two empty names and no flags for each.
        fields = (b"\0\0" + _COUNT.pack(0)) * len(part)
        sock.sendmsg([fields], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, part)])
        sock.recv(_COUNT.size)


def _become_plain(fd: int) -> None:
    """HAProxy takes a socket with IP_FREEBIND for another kind than its bind line asks for. Once
    it is bound the option has done its work."""
    sock = socket.socket(fileno=fd)
    try:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 0)
        elif sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 0)
    finally:
        sock.detach()
