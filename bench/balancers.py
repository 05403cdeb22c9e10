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
from dataclasses import dataclass
from pathlib import Path

from clock import tree

BALANCER_CPU = 0
LOAD_CPU = max(os.sched_getaffinity(0))
NGINX_STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def on_cpu(cpu: int) -> Callable[[], None]:
    """For `preexec_fn`: the child and its children stay on this CPU."""
    return lambda: os.sched_setaffinity(0, {cpu})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def haproxy_text(port: int, servers: Sequence[int]) -> str:
    lines = [
        "global",
        "    maxconn 8000",
        "    nbthread 1",
        "defaults",
        "    mode tcp",
        "    timeout connect 5s",
        "    timeout client 1m",
        "    timeout server 1m",
        "listen bench",
        f"    bind 127.0.0.1:{port}",
        "    maxconn 8000",
        *(f"    server s{n} 127.0.0.1:{server}" for n, server in enumerate(servers, 1)),
    ]
    return "\n".join(lines) + "\n"


def nginx_text(port: int, servers: Sequence[int], directory: Path) -> str:
    upstream = " ".join(f"server 127.0.0.1:{server};" for server in servers)
    return (
        f"load_module {NGINX_STREAM};\n"
        f"daemon off; worker_processes 1; worker_rlimit_nofile 18000;\n"
        f"pid {directory}/nginx.pid; error_log {directory}/error.log;\n"
        f"events {{ worker_connections 18000; }}\n"
        f"stream {{ upstream u {{ {upstream} }} "
        f"server {{ listen 127.0.0.1:{port}; proxy_pass u; proxy_timeout 1m; }} }}\n"
    )


@dataclass
class Running:
    """A started balancer."""

    process: subprocess.Popen[bytes]
    port: int
    directory: Path
    started: float

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def pids(self) -> list[int]:
        return tree(self.process.pid)

    def wait_ready(self, limit: float = 20.0) -> float:
        """Seconds from the start to the first answered request; RuntimeError past `limit`."""
        while time.monotonic() < self.started + limit:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=2) as probe:
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
    text: Callable[[int, Sequence[int], Path], str]
    command: Callable[[Path, Path], list[str]]

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        if shutil.which(self.program) is None:
            return f"{self.program} is not installed"
        if self.program == "nginx" and not NGINX_STREAM.exists():
            return "nginx has no stream module (libnginx-mod-stream)"
        return None

    def start(self, servers: Sequence[int]) -> Running:
        directory = Path(tempfile.mkdtemp(prefix="telamon-bench-"))
        directory.chmod(0o755)
        port = free_port()
        file = directory / "balancer.cfg"
        file.write_text(self.text(port, servers, directory))
        with (directory / "log").open("wb") as log:
            started = time.monotonic()
            process = subprocess.Popen(
                self.command(file, directory),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=on_cpu(BALANCER_CPU),
            )
        return Running(process, port, directory, started)


def _haproxy(port: int, servers: Sequence[int], _directory: Path) -> str:
    return haproxy_text(port, servers)


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
    "nginx stream", "nginx", nginx_text, lambda file, d: ["nginx", "-p", str(d), "-c", str(file)]
)
ALL = (HAPROXY, URING, EPOLL, NGINX)
