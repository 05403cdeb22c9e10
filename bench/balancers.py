"""The balancers that are compared, each on one thread, before the same two servers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from clock import tree
from services import NGINX_STREAM, Service, Setting, haproxy_text, nginx_text

BALANCER_CPU = 0
LOAD_CPU = max(os.sched_getaffinity(0))


def on_cpu(cpu: int) -> Callable[[], None]:
    """For `preexec_fn`: the child and its children stay on this CPU."""
    return lambda: os.sched_setaffinity(0, {cpu})


def free_ports(count: int) -> list[int]:
    """Ports that nobody had a moment ago, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@dataclass(frozen=True)
class Ends:
    """The ports behind the balancers: servers for small messages and for bulk, the log's."""

    small: Sequence[int]
    bulk: Sequence[int]
    syslog: int


@dataclass
class Running:
    """A started balancer."""

    process: subprocess.Popen[bytes]
    ports: dict[Service, int]
    directory: Path
    started: float

    def address(self, service: Service) -> str:
        return f"127.0.0.1:{self.ports[service]}"

    def pids(self) -> list[int]:
        return tree(self.process.pid)

    def wait_ready(self, limit: float = 20.0) -> float:
        """Seconds from the start to the first answered request; RuntimeError past `limit`."""
        while time.monotonic() < self.started + limit:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(
                    ("127.0.0.1", self.ports[Service.TCP]), timeout=2
                ) as probe:
                    probe.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
                    if probe.recv(100):
                        return time.monotonic() - self.started
            except OSError:
                pass
            time.sleep(0.002)
        log = (self.directory / "log").read_text(errors="replace")
        raise RuntimeError(f"{self.process.args!r} does not serve:\n{log}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                for pid in reversed(self.pids()):
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass(frozen=True)
class Balancer:
    """A name and how to start it. `command` takes the file and the scratch directory."""

    name: str
    program: str
    text: Callable[[Setting, Path], str]
    command: Callable[[Path, Path], list[str]]

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        if shutil.which(self.program) is None:
            return f"{self.program} is not installed"
        if self.program == "nginx" and not NGINX_STREAM.exists():
            return "nginx has no stream module (libnginx-mod-stream)"
        return None

    def start(self, ends: Ends, *, frontends: int = 0, servers: int = 0) -> Running:
        """With so many more frontends and servers in its file that nobody uses."""
        directory = Path(tempfile.mkdtemp(prefix="telamon-bench-"))
        directory.chmod(0o755)
        free = free_ports(len(Service) + frontends)
        ports = dict(zip(Service, free, strict=False))
        setting = Setting(
            ports, ends.small, ends.bulk, ends.syslog, frontends, servers, free[len(Service) :]
        )
        file = directory / "balancer.cfg"
        file.write_text(self.text(setting, directory))
        with (directory / "log").open("wb") as log:
            started = time.monotonic()
            process = subprocess.Popen(
                self.command(file, directory),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=on_cpu(BALANCER_CPU),
            )
        return Running(process, ports, directory, started)


def _haproxy(setting: Setting, _directory: Path) -> str:
    return haproxy_text(setting)


def _telamon(io: str) -> Balancer:
    program = str(Path(sys.executable).with_name("telamon"))
    return Balancer(
        f"Telamon {'io_uring' if io == 'uring' else io}",
        program,
        _haproxy,
        lambda file, directory: [
            *(program, "run", "-f", str(file), "--foreground"),
            *("--io", io, "--threads", "1", "--run-dir", str(directory)),
        ],
    )


HAPROXY = Balancer(
    "HAProxy", "haproxy", _haproxy, lambda file, _d: ["haproxy", "-db", "-f", str(file)]
)
URING = _telamon("uring")
EPOLL = _telamon("epoll")
NGINX = Balancer(
    "nginx", "nginx", nginx_text, lambda file, d: ["nginx", "-p", str(d), "-c", str(file)]
)
ALL = (HAPROXY, URING, EPOLL, NGINX)
