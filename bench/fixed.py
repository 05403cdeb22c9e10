"""Rows that are no loads: memory of idle connections, time to start, time to check a file."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from balancers import HAPROXY, URING, Balancer, haproxy_text
from clock import pss_bytes
from load import backend, idle_connections
from table import Row

PAIRS = 2000
SERVERS = 10_000


def rows(tool: Path, balancers: Sequence[Balancer], repeats: int) -> list[Row]:
    with backend(tool, 2) as (_pid, servers):
        memory = {b.name: f"{pair_kib(tool, b, servers):.2f}" for b in balancers}
        starts = {b.name: f"{start_seconds(b, servers, repeats):.3f}" for b in balancers}
    checks = {b.name: f"{check_seconds(b, repeats):.2f}" for b in balancers if b in _CHECKS}
    return [
        Row(f"memory of an idle TCP pair, {PAIRS} pairs", "KiB", memory),
        Row("start to the first answer", "s", starts),
        Row(f"check of a file with {SERVERS:,} servers", "s", checks),
    ]


def pair_kib(tool: Path, balancer: Balancer, servers: Sequence[int]) -> float:
    running = balancer.start(servers)
    try:
        running.wait_ready()
        with idle_connections(tool, running.address, 50):
            pass  # what is made once, at the first connections, does not count
        before = pss_bytes(running.pids())
        with idle_connections(tool, running.address, PAIRS):
            after = pss_bytes(running.pids())
        return (after - before) / 1024 / PAIRS
    finally:
        running.stop()


def start_seconds(balancer: Balancer, servers: Sequence[int], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        running = balancer.start(servers)
        try:
            times.append(running.wait_ready())
        finally:
            running.stop()
    return statistics.median(times)


_CHECKS = {
    HAPROXY: ["haproxy", "-c", "-q", "-f"],
    URING: [str(Path(sys.executable).with_name("telamon")), "check"],
}


def check_seconds(balancer: Balancer, repeats: int) -> float:
    """Names of our own making, one port each: what a service discovery would write."""
    with tempfile.TemporaryDirectory(prefix="telamon-bench-") as directory:
        file = Path(directory) / "haproxy.cfg"
        file.write_text(haproxy_text(8443, range(10_000, 10_000 + SERVERS)))
        times = []
        for _ in range(repeats):
            begin = time.monotonic()
            subprocess.run([*_CHECKS[balancer], str(file)], check=True, capture_output=True)
            times.append(time.monotonic() - begin)
        return statistics.median(times)
