"""Being told of changes in directories (inotify(7))."""

from __future__ import annotations

import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)

_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_EVENT = struct.Struct("=iIII")

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _IGNORED, _ONLYDIR = 0x400, 0x800, 0x8000, 0x01000000
_OVERFLOW = 0x4000
_CONTENT = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_LOST = _DELETE_SELF | _MOVE_SELF | _IGNORED


class Inotify:
    """Watches directories: files written to their end, replaced, made and deleted."""

    def __init__(self) -> None:
        self._fd = _checked(_libc.inotify_init1(_FLAGS), "inotify_init1")
        self._names: dict[int, str] = {}

    def fileno(self) -> int:
        return self._fd

    def watch(self, directory: str) -> None:
        """OSError if there is no such directory, or too many are watched."""
        mask = _CONTENT | _ONLYDIR
        number = _libc.inotify_add_watch(self._fd, os.fsencode(directory), mask)
        self._names[_checked(number, directory)] = directory

    def changes(self) -> tuple[set[str], set[str]]:
        """Directories with a change since the last call, and those not watched any more."""
        changed: set[str] = set()
        lost: set[str] = set()
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return changed, lost
            at = 0
            while at < len(data):
                number, mask, _cookie, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size + length
                if mask & _OVERFLOW:
                    changed.update(self._names.values())
                name = self._names.get(number)
                if name is None:
                    continue
                changed.add(name)
                if mask & _LOST:
                    lost.add(name)
                    del self._names[number]
                    if not mask & _IGNORED:
                        _libc.inotify_rm_watch(self._fd, number)

    def close(self) -> None:
        os.close(self._fd)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
