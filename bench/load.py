"""The two ends of a measurement: the backend and the generator of `telamon-bench`."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from balancers import LOAD_CPU, on_cpu
from clock import cpu_ns

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Result:
    """What the generator counted. Latencies in microseconds."""

    requests: int
    bytes: int
    errors: int
    seconds: float
    p50_us: int
    p99_us: int
    generator_ns: int


def build() -> Path:
    """The tool, compiled if need be."""
    command = ["cargo", "build", "--release", "--quiet", "-p", "telamon-bench"]
    subprocess.run(command, cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release" / "telamon-bench"


def many_descriptors() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def backend(tool: Path, count: int) -> Iterator[tuple[int, list[int]]]:
    """Its process id and the ports of its servers."""
    with subprocess.Popen(
        [tool, "backend", str(count)], stdout=subprocess.PIPE, preexec_fn=on_cpu(LOAD_CPU)
    ) as process:
        try:
            assert process.stdout is not None
            yield process.pid, [int(word) for word in process.stdout.readline().split()]
        finally:
            process.kill()


def generate(
    tool: Path, address: str, mode: str, path: str, count: int, seconds: float, rate: int
) -> Result:
    """One job by a process of its own; its CPU time comes along."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            *(tool, "load", address, mode, path, str(count), str(seconds)),
            *([str(rate)] if mode == "open" else []),
        ],
        check=True,
        capture_output=True,
        timeout=seconds + 30,
        preexec_fn=on_cpu(LOAD_CPU),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Result(**json.loads(done.stdout), generator_ns=int(used * 1e9))


@dataclass(frozen=True)
class Pair:
    """Clients and servers of small messages in one process (`telamon-bench pair`)."""

    process: subprocess.Popen[str]
    ports: list[int]

    def generate(self, address: str, mode: str, path: str, count: int, seconds: float) -> Result:
        """One job; its CPU time is that of both ends."""
        assert self.process.stdin is not None and self.process.stdout is not None
        before = cpu_ns([self.process.pid])
        print(address, mode, path, count, seconds, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        used = cpu_ns([self.process.pid]) - before
        return Result(**json.loads(answer), generator_ns=used)


@contextmanager
def pair(tool: Path, count: int) -> Iterator[Pair]:
    with subprocess.Popen(
        [tool, "pair", str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=on_cpu(LOAD_CPU),
    ) as process:
        try:
            assert process.stdout is not None
            yield Pair(process, [int(word) for word in process.stdout.readline().split()])
        finally:
            process.kill()


@contextmanager
def log_receiver() -> Iterator[int]:
    """The port of a syslog receiver that never reads: the kernel drops what is too much."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port: int = receiver.getsockname()[1]
        yield port


@contextmanager
def idle_connections(tool: Path, address: str, count: int) -> Iterator[None]:
    """`count` connections that were used once and now only stay."""
    with subprocess.Popen(
        [tool, "idle", address, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=on_cpu(LOAD_CPU),
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"{count} connections through {address} cannot be had")
            yield
        finally:
            process.kill()
