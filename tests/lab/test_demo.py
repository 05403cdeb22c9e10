"""The commands as a user runs them: the demo, its interruption, and a kept cluster."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from telamon.lab.cluster import Cluster
from telamon.lab.demo import EVENTS, Demo
from telamon.lab.live import Lines
from telamon.lab.net import why_not
from telamon.lab.seed import VrrpVersion
from tests.lab.support import descendants_gone, lab_processes

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    # One lab at a time: several at once on a small machine would miss each other's deadlines.
    pytest.mark.xdist_group("lab"),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

_TELAMON = [sys.executable, "-c", "from telamon.cli import main; main(prog_name='telamon')"]


class Lab:
    """`telamon lab` with a run directory and a mark of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"LAB_TEST_{os.getpid()}_{time.monotonic_ns()}"
        self.environment = {**os.environ, self.mark: "1", "TELAMON_LAB_DIR": str(folder)}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*_TELAMON, "lab", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*_TELAMON, "lab", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    found = Lab(tmp_path / "lab")
    yield found
    for pid in lab_processes(found.mark):
        os.kill(pid, signal.SIGKILL)


def footprint() -> set[str]:
    """What a careless lab would leave on the host. Other tests' networks are not our business."""
    links = {f"link {name}" for _, name in socket.if_nameindex()}
    found = {link for link in links if link.startswith(("link em1", "link node", "link br0"))}
    for folder in ("/run/telamon", "/run/telamon-lab", "/run/lab", "/etc/haproxy"):
        path = Path(folder)
        if path.is_dir():
            found |= {str(path), *(str(entry) for entry in path.iterdir())}
    return found


@pytest.mark.parametrize("version", ["3", "2"])
def test_every_event_of_the_demo_ends_as_it_must(lab: Lab, version: str) -> None:
    before = footprint()
    done = lab.run("demo", "--vrrp", version, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = done.stdout.rsplit("─\n", 1)[-1].splitlines()
    assert len(rows) == 5, done.stdout
    assert all(row.endswith(" ok") for row in rows), done.stdout
    assert "\x1b" not in done.stdout
    descendants_gone(lab.mark)
    assert footprint() == before
    assert not lab.folder.exists()


@pytest.mark.peer
@pytest.mark.skipif(
    shutil.which("haproxy") is None or shutil.which("keepalived") is None,
    reason="haproxy and keepalived are not installed",
)
def test_the_demo_sees_that_the_originals_keep_the_vip_on_a_dead_proxy() -> None:
    with Cluster(VrrpVersion.V3, original=True) as cluster:
        outcome = Demo(cluster, Lines(io.StringIO())).run(EVENTS[:1])[0]
    assert outcome.problem == f"the VIP stayed on {outcome.before}"
    assert outcome.outage > 10
    assert outcome.lost > 100


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_nothing(lab: Lab, signum: signal.Signals) -> None:
    before = footprint()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for delay in (chance.uniform(0, 1), chance.uniform(1, 6), chance.uniform(6, 14)):
        process = lab.start("demo")
        assert process.stdout is not None
        assert "VRRP version 3" in process.stdout.readline()
        time.sleep(delay)  # the moment is what is tested
        process.send_signal(signum)
        output, _ = process.communicate(timeout=30)
        descendants_gone(lab.mark)
        assert process.returncode in (-signum, 128 + signum), (delay, output)
        assert "Traceback" not in output, (delay, output)
    assert footprint() == before


def test_a_kept_cluster(lab: Lab) -> None:
    assert "no lab is up" in lab.run("down").stderr
    assert "no lab is up" in lab.run("status").stderr
    up = lab.run("up")
    assert up.returncode == 0, up.stdout + up.stderr
    try:
        again = lab.run("up")
        assert again.returncode == 1
        assert "is up already" in again.stderr
        status = lab.run("status").stdout
        assert status.count("◀ 192.168.10.99") == 1
        assert status.count("API server answers") == 3
        page = next(word for word in up.stdout.split() if word.startswith("http://127"))
        with urllib.request.urlopen(f"{page};csv", timeout=10) as answer:
            assert answer.read().startswith(b"# pxname,svname,")
        assert lab.run("exec", "node1", "--", "sh", "-c", "exit 5").returncode == 5
        assert lab.run("exec", "node2", "hostname").stdout == "node2\n"
        assert "there is no node nobody" in lab.run("exec", "nobody", "true").stderr
        assert lab.run("exec", "node1", "--", "pidof", "haproxy").returncode == 0
    finally:
        down = lab.run("down")
    assert down.returncode == 0, down.stderr
    descendants_gone(lab.mark)
    assert not lab.folder.exists()


def test_a_keeper_that_is_killed_leaves_no_cluster(lab: Lab) -> None:
    assert lab.run("up").returncode == 0
    keeper = json.loads((lab.folder / "lab.json").read_text())["keeper"]
    os.kill(keeper, signal.SIGKILL)
    descendants_gone(lab.mark)
    assert "no lab is up" in lab.run("status").stderr
    assert lab.run("down").returncode == 0
    assert not lab.folder.exists()
    assert "no lab is up" in lab.run("down").stderr
    assert lab.run("up").returncode == 0
    assert lab.run("down").returncode == 0
