"""The same signals and the same rule about reloads under `telamon run`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telamon.daemon.control import request
from telamon.daemon.standalone_signals import Function
from tests.interop.lan import VIP, Lan, Program, eventually
from tests.standin.test_life import config

pytestmark = pytest.mark.netns

_RUN = [sys.executable, str(Path(__file__).with_name("run_telamon.py"))]


@pytest.fixture
def telamon(network: Lan, tmp_path: Path) -> Program:
    (tmp_path / "keepalived.conf").write_text(config())
    command = [*_RUN, str(tmp_path), "run", "-k", str(tmp_path / "keepalived.conf")]
    program = network.nodes[0].start(
        [*command, "--run-dir", str(tmp_path / "run")], tmp_path / "log"
    )
    network.master(network.nodes[0])
    return program


def _ctl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.run(
        [*_RUN, str(folder), "ctl", *words, "--run-dir", str(folder / "run")],
        env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _router(folder: Path) -> int:
    pid = request(folder / "run", {"command": "status"})["router"]["pid"]
    assert isinstance(pid, int)
    return pid


def test_the_role_answers_keepalived_s_signals(telamon: Program, tmp_path: Path) -> None:
    pid = _router(tmp_path)
    for function, name in (
        (Function.DATA, "keepalived.data"),
        (Function.STATS, "keepalived.stats"),
        (Function.JSON, "keepalived.json"),
    ):
        os.kill(pid, function)
        eventually((tmp_path / name).exists, name)
    (entry,) = json.loads((tmp_path / "keepalived.json").read_text())
    assert entry["data"]["state"] == 2


def test_a_hup_to_the_role_reloads_all(telamon: Program, network: Lan, tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text(config(150, "10.77.0.101"))
    os.kill(_router(tmp_path), signal.SIGHUP)
    eventually(lambda: network.nodes[0].holds("10.77.0.101"), "the new VIP")


def test_ctl_reload_wants_force_to_lose_a_vip(
    telamon: Program, network: Lan, tmp_path: Path
) -> None:
    other = "10.77.0.101"
    (tmp_path / "keepalived.conf").write_text(config().replace(VIP, other))
    refused = _ctl(tmp_path, "reload")
    assert refused.returncode == 1
    assert f"holds {VIP} and would lose it" in refused.stderr
    assert network.nodes[0].holds()
    done = _ctl(tmp_path, "reload", "--force")
    assert done.returncode == 0, done.stderr
    eventually(lambda: network.nodes[0].holds(other), "the new VIP")
    eventually(lambda: not network.nodes[0].holds(), "the old VIP's removal")
