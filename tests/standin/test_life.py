"""Processes, pid files, signals, reloads: the stand-in as scripts and operators meet it."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from telamon.daemon.standalone_signals import Function
from tests.interop.lan import VIP, Lan, eventually
from tests.standin.conftest import Standin, start
from tests.standin.probe import Probe

pytestmark = pytest.mark.netns


def config(priority: int = 150, *vips: str, extra: str = "") -> str:
    lines = "\n    ".join(f"{vip}/24" for vip in (VIP, *vips))
    return f"""
vrrp_instance VI_1 {{
  interface em1
  virtual_router_id 51
  version 3
  priority {priority}
  advert_int 0.1
  {extra}
  virtual_ipaddress {{
    {lines}
  }}
}}
"""


@pytest.fixture
def master(network: Lan, tmp_path: Path) -> Standin:
    made = start(network.nodes[0], tmp_path / "a", config())
    network.master(network.nodes[0])
    made.says("Entering MASTER STATE")
    return made


def test_parent_and_router_are_there_and_go(master: Standin, network: Lan) -> None:
    for pid in (master.pid, master.vrrp_pid):
        assert Path(f"/proc/{pid}/comm").read_text() == "keepalived\n"
        assert Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0") == b"keepalived"
    stat = Path(f"/proc/{master.vrrp_pid}/stat").read_text()
    assert int(stat.rpartition(")")[2].split()[1]) == master.pid
    os.kill(master.pid, signal.SIGTERM)
    assert master.program.process.wait(10) == 0
    assert not (master.folder / "parent.pid").exists()
    assert not (master.folder / "vrrp.pid").exists()
    eventually(lambda: not network.nodes[0].holds(), "the VIP's removal")


def test_a_second_start_refuses_as_keepalived_does(master: Standin, network: Lan) -> None:
    folder = master.folder
    second = network.nodes[0].start(
        [*_command(folder), "-n", "-l", "-f", str(master.config), "-p", str(folder / "parent.pid")],
        folder / "second",
    )
    assert second.process.wait(10) == 0
    assert "daemon is already running" in second.text()
    assert network.nodes[0].holds()


def _command(folder: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("run_keepalived.py")), str(folder)]


def test_it_goes_to_the_background_and_returns_when_it_is_ready(
    network: Lan, tmp_path: Path
) -> None:
    file, pid, vrrp = (tmp_path / name for name in ("k.conf", "p.pid", "v.pid"))
    file.write_text(config())
    launcher = network.nodes[0].start(
        [*_command(tmp_path), "-f", str(file), "-p", str(pid), "-r", str(vrrp)], tmp_path / "log"
    )
    assert launcher.process.wait(10) == 0
    try:
        assert Path(f"/proc/{int(pid.read_text())}/comm").read_text() == "keepalived\n"
        network.master(network.nodes[0])
    finally:
        number = int(pid.read_text())
        pidfd = os.pidfd_open(number)
        os.kill(number, signal.SIGTERM)
        assert select.select([pidfd], [], [], 10)[0]
        os.close(pidfd)
    assert not pid.exists()


def test_the_router_that_dies_is_started_again(master: Standin, network: Lan) -> None:
    before = master.vrrp_pid
    os.kill(before, signal.SIGKILL)
    master.says("Respawning")
    eventually(lambda: master.vrrp_pid != before, "another router")
    network.master(network.nodes[0])


def test_the_router_leaves_with_its_parent(master: Standin, network: Lan) -> None:
    os.kill(master.pid, signal.SIGKILL)
    eventually(lambda: not network.nodes[0].holds(), "the VIP's removal", within=5.0)


def test_dump_files(master: Standin) -> None:
    trap = master.folder / "victim"
    trap.write_text("untouched")
    (master.folder / "keepalived.data").symlink_to(trap)
    wanted = {
        Function.DATA: "keepalived.data",
        Function.STATS: "keepalived.stats",
        Function.JSON: "keepalived.json",
    }
    for function, name in wanted.items():
        master.signal(function)
        path = master.folder / name
        eventually(lambda path=path: path.exists() and not path.is_symlink(), name)  # type: ignore[misc]
        assert path.stat().st_mode & 0o777 == 0o600
    assert trap.read_text() == "untouched"
    data = (master.folder / "keepalived.data").read_text()
    assert " VRRP Instance = VI_1\n" in data
    assert "   State = MASTER\n" in data
    assert f"   Virtual IP (1):\n     {VIP}/24 dev em1 scope global set\n" in data
    stats = (master.folder / "keepalived.stats").read_text()
    assert stats.startswith("VRRP Instance: VI_1\n  Advertisements:\n    Received: 0\n    Sent: ")
    assert "  Became master: 1\n  Released master: 0\n" in stats
    (entry,) = json.loads((master.folder / "keepalived.json").read_text())
    assert entry["data"]["iname"] == "VI_1"
    assert entry["data"]["state"] == 2
    assert entry["stats"]["become_master"] == 1
    assert entry["stats"]["advert_sent"] > 0


def test_counters_can_be_cleared(master: Standin) -> None:
    path = master.folder / "keepalived.stats"
    master.signal(Function.STATS_CLEAR)
    eventually(path.exists, "the stats")
    assert "Became master: 1" in path.read_text()
    path.unlink()
    master.signal(Function.STATS)
    eventually(path.exists, "the stats")
    assert "Became master: 0" in path.read_text()


def test_a_bad_file_keeps_the_old_plan(master: Standin, network: Lan) -> None:
    master.config.write_text(config().replace("virtual_router_id 51", ""))
    master.signal(signal.SIGHUP)
    master.says("reload refused, nothing changed")
    assert network.nodes[0].holds()
    assert "Entering BACKUP" not in master.program.text().split("Entering MASTER")[1]


def test_a_reload_that_loses_the_vip_wants_force(master: Standin, network: Lan) -> None:
    other = "10.77.0.101"
    master.config.write_text(config().replace(VIP, other))
    master.signal(signal.SIGHUP)
    master.says("would lose it")
    assert network.nodes[0].holds()
    assert not network.nodes[0].holds(other)
    master.signal(Function.RELOAD_FORCE)
    eventually(lambda: network.nodes[0].holds(other), "the new address")
    eventually(lambda: not network.nodes[0].holds(), "the old address's removal")


def test_a_reload_leaves_no_gap(master: Standin, network: Lan, tmp_path: Path) -> None:
    """Several, as the machine may be busy during one: the best counts for the gap."""
    start(network.nodes[1], tmp_path / "b", config(100))
    gaps = []
    with Probe(network.nodes[2], network.nodes[:2]) as probe:
        eventually(lambda: probe.answers, "an answer")
        begin = time.monotonic()
        for count in range(1, 4):
            more = [f"10.77.0.{110 + n}" for n in range(count)]
            master.config.write_text(config(150 + count, *more))
            since = time.monotonic()
            master.signal(signal.SIGHUP)
            master.says("Configuration reloaded", times=count)
            eventually(lambda more=more: network.nodes[0].holds(more[-1]), "the new VIP")  # type: ignore[misc]
            gaps.append(probe.gap(since))
        assert probe.who(begin) == [1]
    assert min(gaps) <= 0.015, gaps


def test_the_addresses_may_stay(network: Lan, tmp_path: Path) -> None:
    made = start(network.nodes[0], tmp_path / "v", config(), "-V")
    network.master(network.nodes[0])
    made.program.stop()
    assert network.nodes[0].holds()


@pytest.mark.peer
@pytest.mark.parametrize("node", [0, 1], ids=["the master", "the backup"])
def test_swap_on_one_node_of_a_running_pair(node: int, network: Lan, tmp_path: Path) -> None:
    files = [config(150), config(100)]
    pair = [start(network.nodes[n], tmp_path / f"real{n}", files[n], real=True) for n in range(2)]
    network.master(network.nodes[0])
    with Probe(network.nodes[2], network.nodes[:2]) as probe:
        eventually(lambda: probe.who(0.0) == [1], "the master's answers")
        since = time.monotonic()
        pair[node].program.stop()
        ours = start(network.nodes[node], tmp_path / "ours", files[node])
        ours.says(f"Entering {('MASTER', 'BACKUP')[node]} STATE")
        network.master(network.nodes[0])
        # The master's swap costs one hand-over each way, the backup's nothing at all.
        eventually(lambda: probe.who(since)[-1:] == [1], "the master's answers")
        assert set(probe.who(since)) == ({1, 2} if node == 0 else {1})
        assert probe.gap(since) < (0.5 if node == 0 else 0.1)
        if node == 1:
            since = time.monotonic()
            pair[0].program.stop()
            network.master(network.nodes[1])
            eventually(lambda: probe.who(since)[-1:] == [2], "our answers")
            assert probe.gap(since) < 0.5


@pytest.mark.peer
@pytest.mark.parametrize("real", [False, True], ids=["ours", "real"])
def test_without_a_weight_a_missing_process_is_a_fault(
    real: bool, network: Lan, tmp_path: Path
) -> None:
    """The manual's default is 1; the program's is 0, and the VIP must not stay."""
    tracks = "vrrp_track_process P {\n process not-there\n}\n" + config().replace(
        "virtual_ipaddress", "track_process {\n P\n }\n virtual_ipaddress", 1
    )
    made = start(network.nodes[0], tmp_path / "run", tracks, real=real)
    eventually(lambda: "entering fault state" in made.program.text().lower(), "the fault")
    assert not network.nodes[0].holds()


def test_one_of_several_addresses_may_be_taken_out(network: Lan, tmp_path: Path) -> None:
    more = "10.77.0.101"
    made = start(network.nodes[0], tmp_path / "a", config(150, more))
    network.master(network.nodes[0], VIP, more)
    made.config.write_text(config())
    made.signal(signal.SIGHUP)
    eventually(lambda: not network.nodes[0].holds(more), "the address's removal")
    assert network.nodes[0].holds()
