"""The router's one place to wait: descriptors with their handlers, and a timer."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Protocol

from telamon.kernel import libc

Handler = Callable[[], None]


class Readable(Protocol):
    def fileno(self) -> int: ...


class RouterLoop:
    def __init__(self) -> None:
        self._handlers: dict[int, Handler] = {}
        self._epoll = select.epoll()
        self._timer = libc.Timer()
        self._due = False
        self.watch(self._timer, self._timer_fired)

    def watch(self, source: Readable | int, handler: Handler) -> None:
        fd = source if isinstance(source, int) else source.fileno()
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def wait(self, deadline: float | None) -> list[int]:
        """Until something arrives or it is time; the descriptors to handle."""
        self._timer.arm(deadline)
        return [fd for fd, _events in self._epoll.poll()]

    def handle(self, ready: list[int], first: int | None) -> bool:
        """Call the handlers, that of `first` before all others; whether it is time."""
        self._due = False
        for fd in sorted(ready, key=lambda fd: fd != first) if len(ready) > 1 else ready:
            # An earlier handler of this very round may have closed a later one's descriptor.
            handler = self._handlers.get(fd)
            if handler is not None:
                handler()
        return self._due

    def close(self) -> None:
        self._timer.close()
        self._epoll.close()

    def _timer_fired(self) -> None:
        # Only noted: what else has arrived goes first.
        self._timer.fired()
        self._due = True
