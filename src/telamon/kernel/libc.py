"""The few C library calls that Python 3.11 has no name for. The timer and the memory lock.

Errors come back as `OSError` with the C library's errno.
"""

from __future__ import annotations

import ctypes
import os
import time

_libc = ctypes.CDLL(None, use_errno=True)

MCL_CURRENT = 1
MCL_FUTURE = 2
MCL_ONFAULT = 4

_CLOCK_BOOTTIME = 7
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1
_FIRED = -1.0
_ROUNDING = 1000
"""Nanoseconds added to a deadline, so that it is past, in floating point too, when it fires."""


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def lock_memory(flags: int) -> None:
    """mlockall(2)."""
    _checked(_libc.mlockall(flags), "mlockall")


class Timer:
    """A timerfd with one deadline on the clock of `now`, which also counts suspended time.

    epoll's own timeout counts whole milliseconds and rounds up, which at an interval of 10 ms is
    a tenth of it; a timerfd is exact to the microsecond.
    """

    def __init__(self) -> None:
        self._fd = _checked(_libc.timerfd_create(_CLOCK_BOOTTIME, _TFD_FLAGS), "timerfd_create")
        self._spec = _Itimerspec()
        self._pointer = ctypes.byref(self._spec)
        self._armed: float | None = None

    def fileno(self) -> int:
        return self._fd

    def arm(self, deadline: float | None) -> None:
        """Become readable at `deadline` (seconds of `now`), or never."""
        if deadline == self._armed:
            return
        self._armed = deadline
        # A value of zero disarms (timerfd_create(2)), so a deadline in the past is 1 ns.
        nanoseconds = 0 if deadline is None else max(1, int(deadline * 1e9) + _ROUNDING)
        self._spec.value.sec, self._spec.value.nsec = divmod(nanoseconds, 1_000_000_000)
        _checked(
            _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, self._pointer, None),
            "timerfd_settime",
        )

    def fired(self) -> None:
        """Take note that it was readable; it stays so until it is armed anew (`None` will do).

        Setting a timer clears its count of expirations (timerfd_create(2)), which spares a read.
        """
        self._armed = _FIRED

    def close(self) -> None:
        os.close(self._fd)


def now() -> float:
    """Seconds of CLOCK_BOOTTIME: monotonic, and it goes on while the machine sleeps."""
    return time.clock_gettime(_CLOCK_BOOTTIME)
