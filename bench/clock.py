"""What processes have used: CPU time in nanoseconds, memory in bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

_CPU_CLOCK = 2  # CPUCLOCK_SCHED of the kernel's per-process clock ids (clock_getcpuclockid(3))


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for known in found:
        for path in Path(f"/proc/{known}/task").glob("*/children"):
            try:
                found += [int(word) for word in path.read_text().split()]
            except OSError:
                continue  # the thread ended while we looked
    return found


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU time of whole processes, threads that ended and io_uring's workers included."""
    total = 0
    for pid in pids:
        try:
            total += time.clock_gettime_ns((~pid << 3) | _CPU_CLOCK)
        except OSError:
            continue  # it has ended
    return total


def machine_busy_ns() -> int:
    """What all CPUs together have worked, for anybody."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = fields[:7]
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) * tick


def pss_bytes(pids: Iterable[int]) -> int:
    """Memory, each shared page divided among those who share it."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total
