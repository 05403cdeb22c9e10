"""Real `telamon run` processes for tests, with an echo server behind and a pidfile, all in one
temporary directory. Nothing sleeps to synchronise: `eventually` polls with a deadline.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from telamon.daemon.control import ControlError, request

SOURCE = Path(__file__).resolve().parents[2] / "src"
COMMAND = [sys.executable, "-c", "from telamon.cli import main; main()"]
LIMIT = 15.0

T = TypeVar("T")


def eventually(probe: Callable[[], T], what: str, limit: float = LIMIT) -> T:
    """The first true value of `probe`."""
    until = time.monotonic() + limit
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)


class Port:
    """A port that nobody else is given: bound, but not listening, while this lives."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()


class Echo:
    """Sends back what it gets, each connection in a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._closing:
                sock.close()
                return
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := sock.recv(65536):
                sock.sendall(data)
        self._open.discard(sock)
        sock.close()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._thread.join(5)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def ask(port: int, text: bytes = b"hello", timeout: float = 5.0) -> bytes:
    """One connection, one echo."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(text)
        return sock.recv(65536)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Telamon:
    """One `telamon run`. `config` holds lines for the global section and the binds."""

    def __init__(self, folder: Path, echo: Echo) -> None:
        self.folder, self.echo = folder, echo
        self.port = Port()
        self.file = folder / "haproxy.cfg"
        self.run_dir = folder / "run"
        self.stderr = folder / "stderr"
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: set[int] = set()

    def write(self, *, extra_global: str = "", bind: str = "", check: str = "check") -> None:
        where = bind or f"bind 127.0.0.1:{self.port.number}"
        self.file.write_text(
            f"""global
    maxconn 500
    pidfile {self.folder}/proxy.pid
    stats socket {self.folder}/stats.sock level admin
{extra_global}
defaults
    mode tcp
    timeout connect 2s
    timeout client 1m
    timeout server 1m

listen web
    {where}
    server one 127.0.0.1:{self.echo.port} {check} inter 200
"""
        )

    def arguments(self, *more: str) -> list[str]:
        files = ["run", "-f", str(self.file), "--run-dir", str(self.run_dir), "--threads", "1"]
        return [*COMMAND, *files, *more]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}

    def start(
        self, *more: str, ready: bool = True, pass_fds: tuple[int, ...] = (), **environment: str
    ) -> None:
        with self.stderr.open("ab") as errors:
            self.process = subprocess.Popen(
                self.arguments(*more),
                env={**self.environment, **environment},
                stderr=errors,
                stdout=errors,
                pass_fds=pass_fds,
            )
        if ready:
            eventually(self._is_ready, "the proxy runs")

    def _is_ready(self) -> bool:
        if self.process is not None and self.process.poll() not in (None, 0):
            raise AssertionError(f"it ended: {self.stderr.read_text()}")
        with contextlib.suppress(ControlError):
            return bool(self.status()["proxy"]["state"] == "running")
        return False

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        """`telamon run` to its end (a start that fails, or goes to the background)."""
        return subprocess.run(
            self.arguments(*more),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words, "--run-dir", str(self.run_dir)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        document = request(self.run_dir, {"command": "status"}, timeout=5.0)
        pids = [document["pid"], *document["draining"]]
        pids += [document[role]["pid"] for role in ("proxy", "router") if role in document]
        self._seen |= {pid for pid in pids if pid}
        return document

    @property
    def supervisor(self) -> int:
        return int(self.status()["pid"])

    @property
    def proxy(self) -> int:
        return int(self.status()["proxy"]["pid"] or 0)

    def signal(self, signum: signal.Signals) -> None:
        os.kill(self.supervisor, signum)

    def wait(self, limit: float = LIMIT) -> int:
        """The exit status of the process that was started."""
        assert self.process is not None
        return self.process.wait(limit)

    def log(self) -> str:
        return self.stderr.read_text() if self.stderr.exists() else ""

    def leftovers(self) -> list[str]:
        """Files that a run may not leave behind."""
        own = {"haproxy.cfg", "stderr", "run", "jail"}
        files = [p.name for p in self.folder.iterdir() if p.name not in own]
        if self.run_dir.exists():
            files += [p.name for p in self.run_dir.iterdir()]
        return files

    def close(self) -> None:
        with contextlib.suppress(ControlError):
            self.status()
        for pid in self._seen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.port.close()


@contextlib.contextmanager
def telamon(folder: Path, kind: type[Telamon] = Telamon) -> Iterator[Telamon]:
    """A `Telamon` that is surely gone at the end."""
    echo = Echo()
    run = kind(folder, echo)
    try:
        yield run
    finally:
        run.close()
        echo.close()
