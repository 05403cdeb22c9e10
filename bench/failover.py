"""`make bench-failover`: how long nobody answers at the VIP, beside Debian's keepalived.

Each row has two clusters of two nodes, one of Telamon and one of keepalived, in namespaces of
their own (`nodes.py`). All clusters of a stage stand at the same time, but only one is ever struck
and measured; meanwhile the others settle after their last blow, so that a round of many rows takes
little longer than its blows. The programs take turns within a round, and so does who is first.

The client (`connects.py`) begins a connection every 2 ms. The gap is the largest distance between
the beginnings of two successive connections that were answered. The moment of a blow within the
advert interval is random; the seed is printed.

The row of the kubeadm guide's script takes half a minute a run: it runs beside the first stage,
with a client of 20 connections a second, as often as there is time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

import nodes
import verdicts
from outages import Blow, Outages, Scene, render
from setups import recipe_of
from table import write_between

from telamon import __version__

PACE = 0.002
_BLOW_WITHIN = 0.02
_MARK = "outages"

SECOND = (
    Scene(Blow.CRASH, 3, 1.0, (254, 251)),
    Scene(Blow.CRASH, 2, 1.0, (254, 251)),
    Scene(Blow.STOP, 3, 1.0, (254, 251)),
    Scene(Blow.STOP, 3, 1.0, (100, 100)),
    Scene(Blow.STOP, 2, 1.0, (101, 100)),
    Scene(Blow.PROXY, 3, 1.0, (254, 251)),
    Scene(Blow.PROXY, 3, 1.0, (101, 100)),
)
TENTH = (
    Scene(Blow.CRASH, 3, 0.1, (254, 251)),
    Scene(Blow.STOP, 3, 0.1, (254, 251)),
    Scene(Blow.STOP, 3, 0.1, (100, 100)),
)
HUNDREDTH = (Scene(Blow.CRASH, 3, 0.01, (254, 251)),)
SCRIPT = Scene(Blow.PROXY, 2, 1.0, (101, 100), script=True)
STAGES = (SECOND, TENTH, HUNDREDTH)


class Program(Enum):
    TELAMON = "Telamon"
    KEEPALIVED = "keepalived"


@dataclass(eq=False)
class Cluster:
    """Two nodes of one program, for one scene."""

    program: Program
    scene: Scene
    lan: nodes.Lan
    started: float = field(default_factory=time.monotonic)

    def settled(self) -> nodes.Machine:
        """Wait until the election is over and everybody has heard the master; the master."""
        second = self.lan.machines[1]
        equal = self.scene.priorities[0] == self.scene.priorities[1]

        def master() -> nodes.Machine | None:
            holders = self.lan.holders()
            if len(holders) != 1 or (holders[0] is second and not equal):
                return None
            return holders[0]

        # An equal pair is at rest as soon as it starts: the newcomer must have heard an advert.
        rest = 0.2 + 1.5 * self.scene.interval
        time.sleep(max(0.0, self.started + rest - time.monotonic()))
        what = f"{self.program.value}: {self.scene.title}: one master"
        while True:
            found = nodes.wait_for(master, what)
            time.sleep(min(rest, 0.2) / 2)
            if master() is found is not None:
                return found

    def outage(self, chance: random.Random, pace: float) -> float:
        """Strike the master; the gap in seconds. The node is on its way back afterwards.

        A blow that took long is struck anew: a kernel that is busy with other namespaces may
        leave the dead node's interface up for a while, and it goes on answering.
        """
        while True:
            gap, lasted = self._outage_once(chance, pace)
            if lasted < _BLOW_WITHIN:
                return gap
            print(f"a blow took {lasted * 1000:.0f} ms: once more", file=sys.stderr)

    def _outage_once(self, chance: random.Random, pace: float) -> tuple[float, float]:
        victim = self.settled()
        (other,) = (machine for machine in self.lan.machines if machine is not victim)
        client = self.lan.client_at(pace)
        with contextlib.closing(client):
            nodes.wait_for(lambda: len(client.answers) > 20, "the first answers")
            time.sleep(chance.uniform(0.0, self.scene.interval))
            struck = time.monotonic()
            self._strike(victim)
            lasted = time.monotonic() - struck

            def served() -> bool:
                by_other = [m for m, name in list(client.answers) if name == other.name]
                return len(by_other) > 15 and by_other[0] >= struck

            nodes.wait_for(served, f"{self.program.value}: the other node", limit=60)
            gap = client.gap(struck)
        self._mend(victim)
        self.started = time.monotonic()
        return gap, lasted

    def _strike(self, victim: nodes.Machine) -> None:
        match self.scene.blow:
            case Blow.CRASH:
                victim.crash()
            case Blow.STOP:
                victim.stop()
            case Blow.PROXY:
                victim.kill_proxy()

    def _mend(self, victim: nodes.Machine) -> None:
        match self.scene.blow:
            case Blow.CRASH:
                victim.boot()
                victim.start()
            case Blow.STOP:
                victim.gone()
                victim.start()
            case Blow.PROXY:
                victim.start_proxy()  # Telamon's supervisor does it itself


@contextlib.contextmanager
def standing(program: Program, scene: Scene, folder: Path) -> Iterator[Cluster]:
    """A cluster with both nodes running; ended and removed afterwards."""
    with ExitStack() as stack:
        lan, names = stack.enter_context(nodes.lan())
        proxied = scene.blow is Blow.PROXY
        for number, name in enumerate(names):
            place = folder / name
            place.mkdir()
            recipe = recipe_of(program is Program.TELAMON, scene, number, name, place, nodes.VIP)
            label = b"AB"[number : number + 1]
            machine = nodes.Machine(name, label, place, recipe, proxied)
            stack.callback(machine.close)
            lan.machines.append(machine)
        cluster = Cluster(program, scene, lan)
        for machine in lan.machines:
            machine.start()
        cluster.started = time.monotonic()
        yield cluster


def measure(
    stage: Sequence[Scene], runs: int, chance: random.Random, results: Outages, folder: Path
) -> None:
    with ExitStack() as stack:
        pairs = [
            [stack.enter_context(standing(program, scene, folder)) for program in Program]
            for scene in stage
        ]
        for number in range(runs):
            for pair in pairs:
                for cluster in pair if number % 2 else reversed(pair):
                    gap = cluster.outage(chance, PACE)
                    results.add(cluster.scene, cluster.program.value, gap)
            print(f"{stage[0].interval:g} s: round {number + 1} of {runs}", file=sys.stderr)


class Beside(threading.Thread):
    """The guide's script, again and again until told that this was the last time."""

    def __init__(self, most: int, seed: int, results: Outages, folder: Path) -> None:
        super().__init__()
        self._most, self._chance, self._results, self._folder = (
            most, random.Random(seed), results, folder,
        )  # fmt: skip
        self.last = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with standing(Program.KEEPALIVED, SCRIPT, self._folder) as cluster:
                for _ in range(self._most):
                    gap = cluster.outage(self._chance, 0.05)
                    self._results.add(SCRIPT, Program.KEEPALIVED.value, gap)
                    if self.last.is_set():
                        return
        except BaseException as error:
            self.failure = error


def footer(runs: int, took: float) -> str:
    keepalived = subprocess.run(
        ["keepalived", "--version"], capture_output=True, text=True, check=False
    )
    version = keepalived.stderr.split("\n")[0].split(" (")[0].replace("Keepalived v", "")
    return (
        f"{runs} runs a row and program, interleaved ({took / 60:.0f} minutes in all). "
        f"Telamon {__version__}, keepalived {version} (Debian); Linux {platform.release()}, "
        f"{os.cpu_count()} CPUs shared with other work (load {os.getloadavg()[2]:.1f}); "
        "namespaces, veth and a bridge, no delay. "
        "A connection every 2 ms (50 ms for the guide's script)."
    )


def outages(options: argparse.Namespace) -> str:
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", file=sys.stderr)
    begun = time.monotonic()
    results = Outages()
    stages = STAGES if options.stage is None else STAGES[options.stage - 1 : options.stage]
    with TemporaryDirectory(prefix="failover") as name:
        folder = Path(name)
        beside = None
        if options.stage in (None, 1) and not options.no_script:
            beside = Beside(options.runs, seed + 1, results, folder)
            beside.start()
        try:
            for stage in stages:
                measure(stage, options.runs, random.Random(seed), results, folder)
                if beside is not None:
                    beside.last.set()
                    beside.join()
        finally:
            if beside is not None:
                beside.last.set()
                beside.join()
        if beside is not None and beside.failure is not None:
            raise beside.failure
    return render(results, footer(options.runs, time.monotonic() - begun))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Outages beside keepalived, in namespaces.")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="3 runs")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--stage", type=int, choices=(1, 2, 3), help="1 s, 0.1 s or 0.01 s only")
    parser.add_argument("--no-script", action="store_true", help="without the guide's script")
    parser.add_argument("--only", choices=("outages", "tests"), help="a part of the tables")
    parser.add_argument("--write", type=Path, help="put the tables between this file's markers")
    options = parser.parse_args()
    if options.quick:
        options.runs = 3
    return options


def main() -> int:
    options = arguments()
    if os.geteuid() != 0:
        print("network namespaces need root", file=sys.stderr)
        return 1
    texts = {}
    if options.only != "tests":
        texts[_MARK] = outages(options)
    if options.only != "outages":
        texts |= verdicts.tables()
    for mark, text in texts.items():
        print(text)
        if options.write:
            begin = f"<!-- {mark}:begin (written by make bench-failover) -->"
            write_between(options.write, text, begin, f"<!-- {mark}:end -->")
    return 0


if __name__ == "__main__":
    sys.exit(main())
