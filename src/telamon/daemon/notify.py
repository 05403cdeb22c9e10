"""Words to systemd: readiness, reload, status, watchdog (sd_notify(3)), without its library."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping


class Systemd:
    """Silent where the environment names no socket. Takes the variables out of `environment`,
    so that scripts started later do not speak in our name.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._path = environment.pop("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        usec = environment.pop("WATCHDOG_USEC", "")
        pid = environment.pop("WATCHDOG_PID", "")
        mine = not pid or pid == str(os.getpid())
        self.watchdog_interval: float | None = (
            int(usec) / 2e6 if mine and usec.isdigit() and int(usec) > 0 else None
        )

    @property
    def present(self) -> bool:
        return bool(self._path)

    def send(self, *lines: str) -> None:
        """Each line as `NAME=value`. A receiver that is gone is no reason to stop."""
        if not self._path:
            return
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        # A leading @ means a name of the abstract space.
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), address)

    def reloading(self) -> None:
        """RELOADING must carry the time, so that systemd can tell reloads apart."""
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send("RELOADING=1", f"MONOTONIC_USEC={usec}")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
