"""The stand-in's log: to the console, to syslog, to a file, in keepalived's form.

Log searches and alerts know "Keepalived_vrrp[123]: (VI_1) Entering MASTER STATE" in syslog and
the date in front of it on the console. No destination may make the router wait: a line that a
destination does not take is kept for a moment or dropped there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

from telamon.daemon.standalone_options import Options
from telamon.kernel.steady_log import SteadyLog
from telamon.vrrp.effects import Urgency

_SYSLOG = "/dev/log"
_SEVERITY = {Urgency.INFO: 6, Urgency.WARNING: 4, Urgency.ERROR: 3}


class Log:
    """`name` is syslog's ident, `suffix` what -g's file gets before its last dot."""

    def __init__(self, options: Options, name: str, suffix: str = "") -> None:
        self._name, self._facility = name, options.facility
        self._lines: list[SteadyLog] = []
        self._files: list[int] = []
        self._socket: socket.socket | None = None
        if options.syslog:
            self._open_syslog()
        # Where nobody else would hear it the console does.
        unheard = options.foreground and self._socket is None and options.log_file is None
        if options.console or unheard:
            self._lines.append(SteadyLog(2))
        if options.log_file is not None:
            self._open_file(Path(options.log_file), suffix)

    def write(self, urgency: Urgency, text: str) -> None:
        now = time.localtime()
        dated = time.strftime("%a %b %e %H:%M:%S %Y", now)
        for line in self._lines:
            line.line(f"{dated}: {text}")
        if self._socket is not None:
            level = self._facility * 8 + _SEVERITY[urgency]
            stamp = time.strftime("%b %e %H:%M:%S", now)
            entry = f"<{level}>{stamp} {self._name}[{os.getpid()}]: {text}"
            # A full or restarted syslog must not stop a router: the line is lost.
            with contextlib.suppress(OSError):
                self._socket.send(entry.encode("utf-8", "backslashreplace"))

    def info(self, text: str) -> None:
        self.write(Urgency.INFO, text)

    def warn(self, text: str) -> None:
        self.write(Urgency.WARNING, text)

    def error(self, text: str) -> None:
        self.write(Urgency.ERROR, text)

    def close(self) -> None:
        for line in self._lines:
            line.flush()
        for fd in self._files:
            os.close(fd)
        if self._socket is not None:
            self._socket.close()
        self._lines, self._files, self._socket = [], [], None

    def _open_syslog(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            sock.connect(_SYSLOG)
        except OSError:
            sock.close()
            return
        sock.setblocking(False)
        self._socket = sock

    def _open_file(self, path: Path, suffix: str) -> None:
        path = path.with_name(path.stem + suffix + path.suffix)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o600)
        except OSError as error:
            self.warn(f"cannot write the log file {path}: {error.strerror}")
            return
        self._files.append(fd)
        self._lines.append(SteadyLog(fd))
