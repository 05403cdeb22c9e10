"""Rows that are no loads: memory of idle connections, time to start, time to check a file."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from balancers import HAPROXY, URING, Balancer, Ends
from clock import pss_bytes
from load import idle_connections
from services import Service, Setting, haproxy_text
from table import Row

PAIRS = 2000
SERVERS = 10_000


def rows(tool: Path, ends: Ends, balancers: Sequence[Balancer], repeats: int) -> list[Row]:
    def memory(service: Service) -> dict[str, str]:
        return {b.name: f"{idle_kib(tool, b, ends, service):.2f}" for b in balancers}

    starts = {b.name: f"{start_seconds(b, ends, repeats):.3f}" for b in balancers}
    checks = {b.name: f"{check_seconds(b, repeats):.2f}" for b in balancers if b in _CHECKS}
    return [
        Row(f"memory of an idle HTTP connection, {PAIRS} of them", "KiB", memory(Service.HTTP)),
        Row(f"memory of an idle TCP pair, {PAIRS} of them", "KiB", memory(Service.TCP)),
        Row("start to the first answer", "s", starts),
        Row(f"check of a file with {SERVERS:,} servers", "s", checks),
    ]


def idle_kib(tool: Path, balancer: Balancer, ends: Ends, service: Service) -> float:
    running = balancer.start(ends)
    try:
        running.wait_ready()
        with idle_connections(tool, running.address(service), 50):
            pass  # what is made once, at the first connections, does not count
        before = pss_bytes(running.pids())
        with idle_connections(tool, running.address(service), PAIRS):
            after = pss_bytes(running.pids())
        return (after - before) / 1024 / PAIRS
    finally:
        running.stop()


def start_seconds(balancer: Balancer, ends: Ends, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        running = balancer.start(ends)
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
        servers = range(10_000, 10_000 + SERVERS)
        file.write_text(haproxy_text(Setting({Service.TCP: 8443}, servers, servers, 514)))
        times = []
        for _ in range(repeats):
            begin = time.monotonic()
            subprocess.run([*_CHECKS[balancer], str(file)], check=True, capture_output=True)
            times.append(time.monotonic() - begin)
        return statistics.median(times)
