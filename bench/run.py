"""`make bench`: CPU per request beside HAProxy and nginx.

Every round measures every balancer once per row, one straight after the other, and compares
within the round; what is told is the median of those ratios. Absolute figures of a shared machine
move by 20 to 40 %, ratios within a round by 5 to 10 %.

The balancer has CPU 0, clients and servers the last CPU. CPU time is that of the balancer's
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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import fixed
from balancers import ALL, HAPROXY, Balancer, Ends, Running
from clock import cpu_ns, machine_busy_ns
from load import Pair, backend, build, generate, log_receiver, many_descriptors, pair
from services import Service
from table import Row, render, write_between

NOISY = 0.35


class Unit(StrEnum):
    """What a row tells of each balancer."""

    CPU = "CPU µs per request"
    BULK = "MB per CPU second"
    LATENCY = "p50 latency, µs"


@dataclass(frozen=True)
class Job:
    """One load. `keep` and `new` on small messages saturate the balancer (`Pair`); `open` sends at
    a fixed rate; bulk has an epoll loop at each end."""

    title: str
    service: Service
    mode: str
    path: str
    connections: int
    unit: Unit = Unit.CPU
    rate: int = 0

    @property
    def is_small(self) -> bool:
        return self.mode != "open" and self.path == "/"


JOBS = (
    Job("HTTP, kept alive, 50 B, saturated", Service.HTTP, "keep", "/", 128),
    Job("HTTP at 5,000 requests/s", Service.HTTP, "open", "/", 64, rate=5000),
    Job("HTTP at 5,000 requests/s", Service.HTTP, "open", "/", 64, Unit.LATENCY, rate=5000),
    Job("HTTP, new client connection", Service.HTTP, "new", "/", 128),
    Job("HTTP, a realistic file", Service.RICH, "keep", "/", 128),
    Job("HTTP, 64 KiB bodies", Service.HTTP_BULK, "keep", "/64k", 16, Unit.BULK),
    Job("HTTP, 1 MiB bodies", Service.HTTP_BULK, "keep", "/1m", 16, Unit.BULK),
    Job("TCP, kept alive, 50 B, saturated", Service.TCP, "keep", "/", 128),
    Job("TCP, new connection", Service.TCP, "new", "/", 128),
    Job("TCP, 64 KiB bodies", Service.TCP_BULK, "keep", "/64k", 16, Unit.BULK),
    Job("TCP, 1 MiB bodies", Service.TCP_BULK, "keep", "/1m", 16, Unit.BULK),
)


CROWDED = JOBS[0]
CROWDS = ((10, 100), (100, 1_000), (1_000, 10_000))


@dataclass(frozen=True)
class Behind:
    """What stands behind the balancers."""

    tool: Path
    pair: Pair
    bulk_pid: int
    ends: Ends


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


def measure(behind: Behind, job: Job, running: Running, seconds: float) -> Sample:
    pids = running.pids()
    served_by = [behind.bulk_pid, *([] if job.is_small else [behind.pair.process.pid])]
    ours, served, busy = cpu_ns(pids), cpu_ns(served_by), machine_busy_ns()
    begin = time.monotonic_ns()
    address = running.address(job.service)
    if job.is_small:
        result = behind.pair.generate(address, job.mode, job.path, job.connections, seconds)
    else:
        result = generate(
            behind.tool, address, job.mode, job.path, job.connections, seconds, job.rate
        )
    wall = time.monotonic_ns() - begin
    ours, served = cpu_ns(pids) - ours, cpu_ns(served_by) - served
    foreign = machine_busy_ns() - busy - ours - served - result.generator_ns
    if result.requests == 0:
        raise RuntimeError(f"{running.process.args!r}: no request of '{job.title}' was answered")
    match job.unit:
        case Unit.CPU:
            value = ours / 1e3 / result.requests
        case Unit.BULK:
            value = result.bytes * 1e3 / ours
        case Unit.LATENCY:
            value = float(result.p50_us)
    return Sample(
        value,
        (served + result.generator_ns) / wall,
        ours / wall,
        max(0.0, foreign / wall),
        result.errors,
    )


def quiet_sample(behind: Behind, job: Job, running: Running, seconds: float) -> Sample:
    first = measure(behind, job, running, seconds)
    if first.foreign <= NOISY:
        return first
    second = measure(behind, job, running, seconds)
    return min(first, second, key=lambda sample: sample.foreign)


@contextmanager
def all_behind(tool: Path) -> Iterator[Behind]:
    with pair(tool, 2) as small, backend(tool, 2) as (pid, bulk), log_receiver() as syslog:
        yield Behind(tool, small, pid, Ends(small.ports, bulk, syslog))


def crowded_rows(
    behind: Behind, balancers: Sequence[Balancer], rounds: int, seconds: float
) -> list[Row]:
    """What a small HTTP request costs when the file has many frontends and servers beside."""
    rows = []
    for frontends, servers in CROWDS:
        job = replace(
            CROWDED, title=f"the same beside {frontends:,} frontends and {servers:,} servers"
        )
        series = loads(behind, balancers, rounds, seconds, [job], frontends, servers)
        rows.append(load_row(job, series[job], balancers))
    return rows


def loads(
    behind: Behind,
    balancers: Sequence[Balancer],
    rounds: int,
    seconds: float,
    jobs: Sequence[Job],
    frontends: int = 0,
    servers: int = 0,
) -> dict[Job, Series]:
    series = {job: Series() for job in jobs}
    with ExitStack() as stack:
        running: dict[str, Running] = {}
        for balancer in balancers:
            running[balancer.name] = balancer.start(
                behind.ends, frontends=frontends, servers=servers
            )
            stack.callback(running[balancer.name].stop)
            running[balancer.name].wait_ready()
        for number in range(rounds):
            for job in jobs:
                # Rotated, so that nobody always follows the same neighbour.
                turn = number % len(balancers)
                for balancer in [*balancers[turn:], *balancers[:turn]]:
                    sample = quiet_sample(behind, job, running[balancer.name], seconds)
                    series[job].add(balancer.name, sample)
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return series


def load_row(job: Job, series: Series, balancers: Sequence[Balancer]) -> Row:
    cells: dict[str, str] = {}
    for balancer in balancers:
        name = balancer.name
        digits = 1 if job.unit is Unit.CPU else 0
        shown = f"{series.median(name):,.{digits}f}"
        ratio = None if balancer is HAPROXY else series.ratio(name, HAPROXY.name)
        cells[name] = shown if ratio is None else f"{shown} (**{ratio:.2f}**)"
    every = [sample for samples in series.samples.values() for sample in samples]
    notes = []
    if noisy := sum(sample.foreign > NOISY for sample in every):
        notes.append(f"{noisy} of {len(every)} samples noisy")
    if errors := sum(sample.errors for sample in every):
        notes.append(f"{errors} errors")
    use = statistics.median(sample.load_use for sample in every)
    balancer = statistics.median(sample.balancer_use for sample in every)
    shares = f"{use:.0%} / {balancer:.0%}"
    return Row(job.title, job.unit.value, cells, shares, "; ".join(notes))


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
    parser.add_argument("--only", choices=["loads", "crowds", "fixed"], help="a part of the rows")
    parser.add_argument("--job", help="the loads whose title has this text")
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
    with all_behind(tool) as behind:
        if options.only in (None, "loads"):
            jobs = [job for job in JOBS if options.job is None or options.job in job.title]
            series = loads(behind, balancers, options.rounds, options.seconds, jobs)
            rows += [load_row(job, one, balancers) for job, one in series.items()]
        if options.only in (None, "crowds") and options.job is None:
            rows += crowded_rows(behind, balancers[:3], min(options.rounds, 5), options.seconds)
        if options.only in (None, "fixed") and options.job is None:
            repeats = 3 if options.quick else 5
            rows += fixed.rows(tool, behind.ends, balancers, repeats)
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
