"""The proxy beside the router, as the supervisor told of it: a pidfd that tells its death."""

from __future__ import annotations

import os
from collections.abc import Callable

from telamon.daemon.router_loop import RouterLoop


class RouterProxy:
    """`died` is called in the loop, with the reason."""

    def __init__(self, loop: RouterLoop, died: Callable[[str], None]) -> None:
        self._loop = loop
        self._died = died
        self.pidfd: int | None = None
        """Readable once it has died; None: no proxy is known."""

    def watch(self, pid: int, descriptors: tuple[int, ...]) -> None:
        """In place of another one. The first descriptor is the pidfd; others are not wanted."""
        self.forget()
        for fd in descriptors[1:]:
            os.close(fd)
        if descriptors:
            self.pidfd = descriptors[0]
            self._loop.watch(self.pidfd, lambda: self._died(f"proxy died (pid {pid})"))

    def forget(self) -> None:
        if self.pidfd is not None:
            self._loop.unwatch(self.pidfd)
            os.close(self.pidfd)
            self.pidfd = None
