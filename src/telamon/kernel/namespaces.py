"""Namespaces and mounts: the system calls that Python 3.11 has no name for (namespaces(7)).

Errors come back as `OSError` with the kernel's errno and the call's name.
"""

from __future__ import annotations

import ctypes
import os
import signal
from enum import IntFlag

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)

_PR_SET_PDEATHSIG = 1


class Namespaces(IntFlag):
    """Kinds of namespaces: the CLONE_NEW… flags of clone(2)."""

    MOUNT = 0x00020000
    UTS = 0x04000000
    IPC = 0x08000000
    USER = 0x10000000
    PID = 0x20000000
    NET = 0x40000000


class MountFlags(IntFlag):
    """The MS_… flags of mount(2) that are used here."""

    NONE = 0
    NOSUID = 0x2
    NODEV = 0x4
    NOEXEC = 0x8
    BIND = 0x1000
    MOVE = 0x2000
    REC = 0x4000
    PRIVATE = 0x40000


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(kinds: Namespaces) -> None:
    """Move this process into new namespaces; of PID only its later children (unshare(2))."""
    _checked(_libc.unshare(kinds.value), f"unshare({_names(kinds)})")


def join(pidfd: int, kinds: Namespaces) -> None:
    """Move this process into the namespaces of another one (setns(2) with a pidfd, Linux 5.8).

    Of PID only its later children. USER needs a process of one thread.
    """
    _checked(_libc.setns(pidfd, kinds.value), f"setns({_names(kinds)})")


def join_named(name: str) -> None:
    """Move this process into the network namespace that ip-netns(8) calls `name`."""
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(fd, Namespaces.NET.value), f"setns({name})")
    finally:
        os.close(fd)


def mount(
    source: str, target: str, kind: str = "", flags: MountFlags = MountFlags.NONE, options: str = ""
) -> None:
    """mount(2)."""
    result = _libc.mount(
        source.encode(),
        os.fsencode(target),
        kind.encode() or None,
        flags.value,
        options.encode() or None,
    )
    _checked(result, f"mount {kind or source} on {target}")


def die_with_parent() -> None:
    """Ask for SIGKILL when the parent ends, from whichever PID namespace it is.

    `telamon.kernel.process.die_with_parent` compares parents' numbers, which mean nothing across
    a PID namespace's border (the parent is 0 there); who calls this checks in another way.
    """
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL.value, 0, 0, 0), "prctl(PDEATHSIG)")


def _names(kinds: Namespaces) -> str:
    return "|".join(kind.name or "?" for kind in Namespaces if kind in kinds)
