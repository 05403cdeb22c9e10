"""Runs the stand-in and the real HAProxy with the same words in a directory, for comparison."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.interop.lan import eventually

OURS = [sys.executable, "-c", "from telamon.cli import main; main()", "haproxy"]
DEADLINE = 20.0


def real() -> list[str]:
    """The command of Debian's HAProxy; skips the test where there is none."""
    found = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if found is None:
        pytest.skip("haproxy is not installed: the comparison with it cannot be made")
    return [found]


@dataclass
class Program:
    """One of the two programs, in a directory of its own."""

    command: list[str]
    folder: Path
    _running: list[subprocess.Popen[str]] = field(default_factory=list)
    _daemons: list[int] = field(default_factory=list)

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words], cwd=self.folder, env={**os.environ, **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE,
            check=False,
        )  # fmt: skip

    def start(self, *words: str, descriptors: Sequence[int] = ()) -> subprocess.Popen[str]:
        """In the foreground; what it says goes into the files `out` and `err`."""
        number = len(self._running)
        with (
            (self.folder / f"out{number}").open("w") as out,
            (self.folder / f"err{number}").open("w") as err,
        ):
            process = subprocess.Popen(
                [*self.command, *words], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, text=True, pass_fds=descriptors,
            )  # fmt: skip
        self._running.append(process)
        return process

    def said(self, number: int = 0) -> str:
        return (self.folder / f"err{number}").read_text()

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    def pid(self, name: str) -> int:
        """The pid in a file; a daemon that is ended with the test."""
        pid = eventually(lambda: _number(self.folder / name), f"a pid in {name}")
        self._daemons.append(pid)
        return pid

    def ask(self, name: str, command: str) -> str:
        """One command to a unix socket in the directory."""
        return ask(self.folder / name, command)

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.wait(DEADLINE)
        for pid in self._daemons:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _number(path: Path) -> int:
    text = path.read_text() if path.exists() else ""
    return int(text) if text.endswith("\n") else 0


def ask(path: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        eventually(lambda: _connected(client, path), f"somebody who listens on {path}")
        try:
            client.sendall(command.encode() + b"\n")
            # The real master waits for it.
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()
        except (ConnectionResetError, BrokenPipeError):
            # The real master cuts its clients off when it reloads.
            return ""


def _connected(client: socket.socket, path: Path) -> bool:
    try:
        client.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def gone(pid: int) -> bool:
    """Whether a process has ended; one that waits for its parent counts."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def holders(port: int) -> set[int]:
    """The processes that listen on a port of 127.0.0.1."""
    wanted = f"0100007F:{port:04X}"
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1] == wanted and line.split()[3] == "0A"
    }
    found = set()
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if entry.readlink().name.removeprefix("socket:[").removesuffix("]") in inodes:
                found.add(int(entry.parts[2]))
    return found


@contextlib.contextmanager
def server() -> Iterator[int]:
    """A port on which every connection gets "hello" and an end."""
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"hello")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(DEADLINE)


def answers(port: int) -> bytes:
    """What a client of the proxy gets."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as sock:
        return b"".join(iter(lambda: sock.recv(100), b""))
    return b""


def config(port: int | str, to: int = 9, *, extra: str = "") -> str:
    bind = port if isinstance(port, str) else f"127.0.0.1:{port}"
    return f"""
global
    stats socket unix@stats.sock level admin expose-fd listeners
    {extra}
defaults
    mode tcp
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen web
    bind {bind}
    server s1 127.0.0.1:{to}
"""


Make = Callable[[str], Program]
