"""Real HAProxy as a judge: start it on sockets of its own, ask it, stop it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def need(program: str) -> str:
    """The path of a peer program; skips the test with the reason where there is none."""
    for folder in ("", "/usr/sbin/", "/sbin/"):
        found = shutil.which(folder + program)
        if found:
            return found
    pytest.skip(f"{program} is not installed: the comparison with it cannot be made")


def udp_receiver() -> socket.socket:
    """For log lines: it has a port, and does not wait for ever."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(10)
    return made


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Poll until `condition` holds; fails the test with `what` if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


def ask_socket(path: Path, command: str) -> str:
    """One command to a stats socket; the whole answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


@contextlib.contextmanager
def program_running(
    command: list[str], log: Path, up: Callable[[], bool], *, folder: Path | None = None
) -> Iterator[None]:
    """Runs a program that serves until it is told to stop, from when it is `up`; what it says goes
    to `log`."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=folder, stdout=output, stderr=output) as process,
    ):
        try:
            wait_for(lambda: process.poll() is not None or up(), f"{command[0]} (its log: {log})")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def haproxy(folder: Path, configuration: str) -> Iterator[Path]:
    """Run the real HAProxy with `configuration`; gives the path of an admin stats socket."""
    program = need("haproxy")
    stats = folder / "peer.sock"
    file = folder / "peer.cfg"
    file.write_text(f"global\n    stats socket {stats} level admin\n{configuration}")
    with program_running(
        [program, "-db", "-f", str(file)], folder / "peer.log", lambda: answers(stats)
    ):
        yield stats


def answers(stats: Path) -> bool:
    """Is there a proxy behind this stats socket?"""
    if not stats.exists():
        return False
    try:
        return "Name" in ask_socket(stats, "show info")
    except OSError:
        return False
