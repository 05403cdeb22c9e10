"""Trackers and mail at work in a router, in a namespace, beside real keepalived where it can."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from telamon.keepalived.load import load
from telamon.plan.router import RouterPlan
from tests.daemon.test_router_mail import Sink
from tests.interop.lan import VIP, Lan, Node, eventually, inside, lan, quickest

pytestmark = pytest.mark.netns

HEAD = """
global_defs {
  vrrp_version 3
  router_id R1
  script_user root
  %s
}
%s
vrrp_instance V {
  interface em1
  virtual_router_id 51
  priority 100
  advert_int 0.1
  %s
  virtual_ipaddress {
    10.77.0.100
  }
}
"""


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 1) as made:
        yield made


def plan(folder: Path, defs: str, blocks: str, words: str) -> RouterPlan:
    path = folder / "k.conf"
    path.write_text(HEAD % (defs, blocks, words))
    loaded = load(str(path), config_id="x")
    assert loaded.router is not None, [d.message for d in loaded.report]
    return loaded.router


def stays_away(node: Node, seconds: float = 0.6) -> None:
    """Longer than a down interval."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not node.holds()
        time.sleep(0.02)


def test_a_tracked_process(one: Lan, tmp_path: Path) -> None:
    (node,) = one.nodes
    name = f"tp{os.getpid()}"
    shutil.copy("/bin/sleep", tmp_path / name)
    block = f"vrrp_track_process P {{\n process {name}\n weight 0\n}}"
    router = node.telamon(plan(tmp_path, "", block, "track_process {\n P\n}"))
    eventually(lambda: "Entering FAULT STATE" in router.text(), "nothing runs")
    assert "Quorum lost for tracked process P" in router.text()
    # Only the initial namespace hears of processes: elsewhere the router says what it does.
    assert router.text().count("/proc is read each") == 1

    def away_after() -> float:
        with subprocess.Popen([tmp_path / name, "1000"]) as process:
            one.master(node)
            process.kill()
            killed = time.monotonic()
            eventually(lambda: not node.holds(), "the VIP is away")
            return time.monotonic() - killed

    took = quickest(away_after, 0.2)
    print(f"the address was away {took * 1000:.1f} ms after the process's death")
    assert took < 0.2, "told by the kernel, not found out"
    stays_away(node)


def test_a_helper_that_is_killed_takes_up_its_watch_again(one: Lan, tmp_path: Path) -> None:
    (node,) = one.nodes
    value = tmp_path / "value"
    value.write_text("0")
    block = f"track_file F {{\n file {value}\n weight 1\n}}"
    router = node.telamon(plan(tmp_path, "", block, "track_file {\n F\n}"))
    one.master(node)
    children = Path(f"/proc/{router.process.pid}/task/{router.process.pid}/children")
    helper = children.read_text().split()[0]
    os.kill(int(helper), 9)
    value.write_text("-254")
    eventually(lambda: not node.holds(), "the new helper reads the file")
    value.write_text("3")
    one.master(node)


def test_a_backend_without_a_proxy_has_no_server(one: Lan, tmp_path: Path) -> None:
    (node,) = one.nodes
    router = node.telamon(plan(tmp_path, "", "", "track_backend web"))
    eventually(lambda: "Entering FAULT STATE" in router.text(), "nobody serves")
    assert "backend web has 0 of 1 servers up" in router.text()


FILE_STEPS = ("20", "abc", "7", "12abc", "8", "  9", None, "3")


def priorities(one: Lan, tmp_path: Path, theirs: bool) -> list[str]:
    """The FIFO's words on the way through `FILE_STEPS`."""
    (node,) = one.nodes
    folder = tmp_path / ("theirs" if theirs else "ours")
    folder.mkdir()
    value, fifo = folder / "value", folder / "fifo"
    value.write_text("10\n")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    defs = f"vrrp_notify_fifo {fifo}\n vrrp_notify_priority_changes on"
    block = f"track_file F {{\n file {value}\n weight 1\n}}"
    made = plan(folder, defs, block, "track_file {\n F\n}")
    if theirs:
        program = node.keepalived((folder / "k.conf").read_text())
    else:
        program = node.telamon(made)
    one.master(node)
    text = ""

    def ends_with(wanted: str) -> bool:
        nonlocal text
        with contextlib.suppress(BlockingIOError):
            text += os.read(reader, 65536).decode()
        return text.endswith(wanted)

    for step in FILE_STEPS:
        if step is None:
            value.unlink()
        else:
            value.write_text(f"{step}\n")
        number = {"abc": 0, "12abc": 12, None: 0}.get(step)
        number = int(step or 0) if number is None else number
        wanted = f"_PRIORITY {100 + number}\n"
        eventually(partial(ends_with, wanted), f"{wanted!r} after {step!r}")
    program.stop()
    os.close(reader)
    lines = [line for line in text.splitlines() if "_PRIORITY" in line]
    return lines[-len(FILE_STEPS) :]


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed")
def test_a_file_moves_the_priority_as_keepalived_s_does(one: Lan, tmp_path: Path) -> None:
    theirs = priorities(one, tmp_path, theirs=True)
    ours = priorities(one, tmp_path, theirs=False)
    assert ours == theirs
    assert ours[0] == 'INSTANCE "V" MASTER_PRIORITY 120'


def test_mail_from_a_running_router(one: Lan, tmp_path: Path) -> None:
    (node,) = one.nodes
    sink = inside(node.namespace, Sink)
    defs = (
        f"smtp_server 127.0.0.1 {sink.plan.port}\n notification_email {{\n a@x.org\n }}\n"
        "smtp_connect_timeout 5"
    )
    router = node.telamon(plan(tmp_path, defs, "", "smtp_alert"))
    one.master(node)
    node.cable(plugged=False)
    eventually(lambda: len(sink.subjects) == 3, "three mails")
    sink.close()
    node.cable(plugged=True)
    one.master(node)
    failure = "is not sent by 127.0.0.1:"
    eventually(lambda: router.text().count(failure) == 2, "a line for each mail that failed")
    router.stop()
    assert sink.subjects == [
        f"[R1] VRRP Instance V - Entering {state} state" for state in ("BACKUP", "MASTER", "FAULT")
    ]


def test_notify_scripts_that_misbehave_delay_nothing(one: Lan, tmp_path: Path) -> None:
    """They hang, leave children, and write without end: adverts go on, and the log says so."""
    (node,) = one.nodes
    script = tmp_path / "bad.sh"
    leader = tmp_path / "leader"
    script.write_text(
        f"#!/bin/sh\necho $$ > {leader}\nsleep 1000 &\nyes &\nyes >&2 &\nsleep 1000\n"
    )
    script.chmod(0o755)
    fails = tmp_path / "fails.sh"
    fails.write_text("#!/bin/sh\nexit 7\n")
    fails.chmod(0o755)
    words = f"notify_backup {fails}\n notify_master {script}"
    router = node.telamon(plan(tmp_path, "", "", words))
    one.master(node)
    wire = one.wire()
    eventually(lambda: len(wire.adverts(node)) > 20, "adverts")
    times = [frame.at for frame in wire.adverts(node)]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert max(gaps) < 0.25, "the script delays no advert"
    assert f"notify script {fails}: exit status 7" in router.text()
    began = time.monotonic()
    router.stop()
    assert time.monotonic() - began < 5.0
    assert not node.holds(VIP)
    os.killpg(int(leader.read_text()), signal.SIGKILL)
