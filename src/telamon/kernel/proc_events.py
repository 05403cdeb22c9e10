"""The kernel's process connector: forks, execs, new names and exits, as they happen.

A netlink family of its own (Documentation/driver-api/connector.rst, linux/cn_proc.h). The kernel
serves it only in the initial network, user and PID namespaces, and to those with CAP_NET_ADMIN;
anywhere else it refuses, or says nothing at all: hence the wait for its acknowledgement.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass

_NETLINK_CONNECTOR = 11
_CN_IDX_PROC = 1
_CN_VAL_PROC = 1
_LISTEN = 1
_NLMSG_DONE = 3

_HEADER = struct.Struct("=IHHII")
_CN_MESSAGE = struct.Struct("=IIIIHH")
_EVENT = struct.Struct("=IIQ")
"""Of `struct proc_event`: what, cpu, time."""
_ONE, _TWO, _FOUR = struct.Struct("=I"), struct.Struct("=II"), struct.Struct("=IIII")

_NONE, _FORK, _EXEC, _COMM, _EXIT = 0, 0x1, 0x2, 0x200, 0x80000000

_DATAGRAM = 8192
_BUFFER = 4 << 20
_ACKNOWLEDGED_WITHIN = 0.2
_SO_RCVBUFFORCE = 33


@dataclass(frozen=True, slots=True)
class Forked:
    parent: int
    pid: int


@dataclass(frozen=True, slots=True)
class Changed:
    """It executed another program, or got another name."""

    pid: int


@dataclass(frozen=True, slots=True)
class Exited:
    pid: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The kernel's answer to who begins to listen; `errno` 0 is yes."""

    errno: int


ProcEvent = Forked | Changed | Exited | Acknowledged


def listen_request(pid: int) -> bytes:
    """The datagram that asks for events."""
    operation = _ONE.pack(_LISTEN)
    message = _CN_MESSAGE.pack(_CN_IDX_PROC, _CN_VAL_PROC, 0, 0, len(operation), 0) + operation
    return _HEADER.pack(_HEADER.size + len(message), _NLMSG_DONE, 0, 0, pid) + message


def parse(data: bytes) -> ProcEvent | None:
    """One datagram; None for what is of no interest (threads, changes of user)."""
    start = _HEADER.size + _CN_MESSAGE.size
    body = start + _EVENT.size
    if len(data) < body + _FOUR.size:
        return None
    if _CN_MESSAGE.unpack_from(data, _HEADER.size)[:2] != (_CN_IDX_PROC, _CN_VAL_PROC):
        return None
    what = _EVENT.unpack_from(data, start)[0]
    if what == _NONE:
        return Acknowledged(_ONE.unpack_from(data, body)[0])
    if what == _FORK:
        _parent, parent, child, group = _FOUR.unpack_from(data, body)
        return Forked(parent, child) if child == group else None
    if what not in (_EXEC, _COMM, _EXIT):
        return None
    pid, group = _TWO.unpack_from(data, body)
    if what == _EXIT:
        return Exited(pid) if pid == group else None
    # A thread's own name is not its process's.
    return Changed(group) if what == _EXEC or pid == group else None


class ProcEvents:
    """An open subscription. The constructor raises OSError where the kernel does not serve it."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_CONNECTOR
        )
        try:
            self._subscribe()
        except BaseException:
            self._socket.close()
            raise

    def _subscribe(self) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind((0, _CN_IDX_PROC))
        self._socket.settimeout(_ACKNOWLEDGED_WITHIN)
        self._socket.send(listen_request(self._socket.getsockname()[0]))
        while True:
            try:
                event = parse(self._socket.recv(_DATAGRAM))
            except TimeoutError:
                raise OSError(
                    errno.EOPNOTSUPP, "the kernel sends no process events to this namespace"
                ) from None
            if isinstance(event, Acknowledged):
                if event.errno:
                    raise OSError(event.errno, os.strerror(event.errno))
                self._socket.setblocking(False)
                return

    def fileno(self) -> int:
        return self._socket.fileno()

    def events(self) -> list[ProcEvent] | None:
        """What happened since the last call; None if the kernel had to drop some: look anew."""
        found: list[ProcEvent] = []
        while True:
            try:
                event = parse(self._socket.recv(_DATAGRAM))
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    return None
                raise
            if event is not None:
                found.append(event)

    def close(self) -> None:
        self._socket.close()
