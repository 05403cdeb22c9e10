"""`make bench`: CPU per request beside HAProxy and nginx.

Every round measures every balancer once per row, one straight after the other, and compares
within the round; what is told is the median of those ratios. Absolute figures of a shared machine
move by 20 to 40 %, ratios within a round by 5 to 10 %.

The balancer has CPU 0, generator and backend the last CPU. CPU time is that of the balancer's
whole process tree, from the kernel's process clocks. A sample in which other processes took more
than 35 % of a CPU is taken once more and the quieter one kept; if that was not quiet either, the
row is marked.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import fixed
from balancers import ALL, HAPROXY, Balancer, Running
from clock import cpu_ns, machine_busy_ns
from load import backend, build, generate, many_descriptors
from table import Row, render, write_between

NOISY = 0.35


@dataclass(frozen=True)
class Job:
    """One load. `by_bytes` rows tell bytes per CPU second instead of CPU per request."""

    title: str
    mode: str
    path: str
    connections: int
    by_bytes: bool = False


JOBS = (
    Job("TCP, kept alive, 50 B", "keep", "/", 64),
    Job("TCP, new connection", "new", "/", 64),
    Job("64 KiB bodies", "keep", "/64k", 16, by_bytes=True),
    Job("1 MiB bodies", "keep", "/1m", 16, by_bytes=True),
)


@dataclass(frozen=True)
class Sample:
    """`value` is CPU microseconds per request, or megabytes per CPU second."""

    value: float
    load_use: float
    balancer_use: float
    foreign: float
    errors: int


@dataclass
class Series:
    """All samples of one job: a list per balancer, by round."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def add(self, name: str, sample: Sample) -> None:
        self.samples.setdefault(name, []).append(sample)

    def median(self, name: str) -> float:
        return statistics.median(sample.value for sample in self.samples[name])

    def ratio(self, name: str, to: str) -> float | None:
        if to not in self.samples:
            return None
        pairs = zip(self.samples[name], self.samples[to], strict=True)
        return statistics.median(ours.value / theirs.value for ours, theirs in pairs)


def measure(tool: Path, job: Job, running: Running, backend_pid: int, seconds: float) -> Sample:
    pids = running.pids()
    ours = cpu_ns(pids)
    behind = cpu_ns([backend_pid])
    busy = machine_busy_ns()
    begin = time.monotonic_ns()
    result = generate(tool, running.address, job.mode, job.path, job.connections, seconds)
    wall = time.monotonic_ns() - begin
    ours = cpu_ns(pids) - ours
    behind = cpu_ns([backend_pid]) - behind
    foreign = machine_busy_ns() - busy - ours - behind - result.generator_ns
    if result.requests == 0:
        raise RuntimeError(f"{running.process.args!r}: no request of '{job.title}' was answered")
    value = result.bytes * 1e3 / ours if job.by_bytes else ours / 1e3 / result.requests
    return Sample(
        value,
        (behind + result.generator_ns) / wall,
        ours / wall,
        max(0.0, foreign / wall),
        result.errors,
    )


def quiet_sample(
    tool: Path, job: Job, running: Running, backend_pid: int, seconds: float
) -> Sample:
    first = measure(tool, job, running, backend_pid, seconds)
    if first.foreign <= NOISY:
        return first
    second = measure(tool, job, running, backend_pid, seconds)
    return min(first, second, key=lambda sample: sample.foreign)


def loads(
    tool: Path, balancers: Sequence[Balancer], rounds: int, seconds: float, jobs: Sequence[Job]
) -> dict[Job, Series]:
    series = {job: Series() for job in jobs}
    with ExitStack() as stack:
        backend_pid, servers = stack.enter_context(backend(tool, 2))
        running: dict[str, Running] = {}
        for balancer in balancers:
            running[balancer.name] = balancer.start(servers)
            stack.callback(running[balancer.name].stop)
            running[balancer.name].wait_ready()
        for number in range(rounds):
            for job in jobs:
                # Rotated, so that nobody always follows the same neighbour.
                turn = number % len(balancers)
                for balancer in [*balancers[turn:], *balancers[:turn]]:
                    one = running[balancer.name]
                    sample = quiet_sample(tool, job, one, backend_pid, seconds)
                    series[job].add(balancer.name, sample)
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return series


def load_row(job: Job, series: Series, balancers: Sequence[Balancer]) -> Row:
    cells: dict[str, str] = {}
    for balancer in balancers:
        name = balancer.name
        shown = f"{series.median(name):,.0f}" if job.by_bytes else f"{series.median(name):.1f}"
        ratio = None if balancer is HAPROXY else series.ratio(name, HAPROXY.name)
        cells[name] = shown if ratio is None else f"{shown} (**{ratio:.2f}**)"
    every = [sample for samples in series.samples.values() for sample in samples]
    notes = []
    if noisy := sum(sample.foreign > NOISY for sample in every):
        notes.append(f"{noisy} of {len(every)} samples noisy")
    if errors := sum(sample.errors for sample in every):
        notes.append(f"{errors} errors")
    unit = "MB per CPU second" if job.by_bytes else "CPU µs per request"
    use = statistics.median(sample.load_use for sample in every)
    return Row(job.title, unit, cells, f"{use:.0%}", "; ".join(notes))


def versions() -> str:
    found = [f"Linux {platform.release()}", f"{os.cpu_count()} CPUs"]
    for command in (["haproxy", "-v"], ["nginx", "-v"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        first = (done.stdout or done.stderr).split("\n")[0]
        found.append(first.replace("nginx version: ", "").split(" 20")[0].replace(" version", ""))
    return ", ".join(found)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU per request beside HAProxy and nginx.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="of one sample")
    parser.add_argument("--quick", action="store_true", help="3 rounds of half a second")
    parser.add_argument("--only", choices=["loads", "fixed"], help="a part of the rows")
    parser.add_argument("--job", type=int, help="one of the loads, by number from 1")
    parser.add_argument("--write", type=Path, help="put the table between this file's markers")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 3, 0.5
    return options


def main() -> int:
    options = arguments()
    many_descriptors()
    tool = build()
    balancers = []
    for balancer in ALL:
        if reason := balancer.missing():
            print(f"left out: {balancer.name}: {reason}", file=sys.stderr)
        else:
            balancers.append(balancer)
    rows: list[Row] = []
    if options.only != "fixed":
        jobs = JOBS if options.job is None else JOBS[options.job - 1 : options.job]
        series = loads(tool, balancers, options.rounds, options.seconds, jobs)
        rows += [load_row(job, one, balancers) for job, one in series.items()]
    if options.only != "loads" and options.job is None:
        rows += fixed.rows(tool, balancers, repeats=3 if options.quick else 5)
    text = render(
        rows,
        [balancer.name for balancer in balancers],
        f"{options.rounds} rounds of {options.seconds} s; in brackets the median of the rounds' "
        f"ratios to HAProxy (of CPU: lower is better; of MB: higher is better). {versions()}. "
        f"Made by `make bench` on {time.strftime('%d %B %Y')}.",
    )
    print(text)
    if options.write:
        write_between(options.write, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
