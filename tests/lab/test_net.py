"""Networks of namespaces against the real kernel: what they give, and that nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from telamon.lab.anchor import NodeFile
from telamon.lab.net import LabError, Network, Node, wait_until, why_not
from tests.lab.support import descendants_gone, lab_processes

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture
def net() -> Iterator[Network]:
    with Network() as network:
        yield network


def test_nodes_on_a_switch_reach_each_other(net: Network) -> None:
    lan = net.switch("lan")
    one, two = net.node("one"), net.node("two")
    one.connect(lan, "em1", "192.168.10.80/24", "fe80::80/64")
    two.connect(lan, "em1", "192.168.10.81/24", "fe80::81/64")
    assert ping(one, "192.168.10.81")
    assert ping(one, "fe80::81%em1")
    two.unplug("em1")
    assert "NO-CARRIER" in two.run(["ip", "link", "show", "em1"]).stdout
    assert not ping(one, "192.168.10.81")
    two.plug("em1")
    wait_until(lambda: ping(one, "192.168.10.81"), 5, "the cable to carry again")
    two.link_down("em1")
    assert not ping(one, "192.168.10.81")


def test_two_nodes_by_one_cable(net: Network) -> None:
    one, two = net.node("one"), net.node("two")
    one.connect(two, "eth0", "10.0.0.1/30", far="eth1")
    two.address("eth1", "10.0.0.2/30")
    assert ping(one, "10.0.0.2")


def ping(node: Node, address: str) -> bool:
    """One packet by Python: the command may be missing, or not be allowed to."""
    code = (
        "import socket, sys; host, _, zone = sys.argv[1].partition('%');"
        "s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET);"
        "s.settimeout(0.5);"
        "where = (host, 9, 0, socket.if_nametoindex(zone)) if zone else (host, 9);"
        "sys.exit(0 if s.connect_ex(where) == 111 else 1)"
    )
    command = [sys.executable, "-I", "-S", "-c", code, address]
    return node.run(command, check=False).returncode == 0


def test_a_node_has_files_and_a_name_of_its_own(net: Network) -> None:
    node = net.node(
        "one",
        empty=["/run"],
        covered=["/etc"],
        directories=["/run/new/deep"],
        files=[NodeFile("/etc/passwd", "root:x:0:0::/:/bin/sh\n", 0o600)],
    )
    assert node.run(["cat", "/etc/passwd"]).stdout == "root:x:0:0::/:/bin/sh\n"
    assert Path("/etc/passwd").read_text() != "root:x:0:0::/:/bin/sh\n"
    assert node.run(["ls", "/run"]).stdout.split() == ["new"]
    assert node.run(["cat", "/etc/group"]).stdout == Path("/etc/group").read_text()
    assert node.run(["hostname"]).stdout.strip() == "one"
    node.run(["sh", "-c", "echo mine >/etc/telamon-lab-test && echo too >/run/x"])
    assert node.path("/run/x").read_text() == "too\n"
    assert not Path("/etc/telamon-lab-test").exists()
    assert not Path("/run/x").exists()


def test_a_file_outside_the_nodes_own_directories_is_refused(net: Network) -> None:
    with pytest.raises(LabError, match="/etc/x is in no directory of the node's own"):
        net.node("one", empty=["/run"], files=[NodeFile("/etc/x", "")])


def test_commands_end_as_they_end(net: Network) -> None:
    node = net.node("one")
    assert node.run(["sh", "-c", "exit 7"], check=False).returncode == 7
    assert node.run(["sh", "-c", "kill -9 $$"], check=False).returncode == -signal.SIGKILL
    assert node.run(["/no/such/thing"], check=False).returncode == 127
    with pytest.raises(LabError, match="one: sh: mind the gap"):
        node.run(["sh", "-c", "echo mind the gap >&2; exit 1"])
    assert node.run(["cat"], input="through").stdout == "through"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
def test_signals_reach_the_command(net: Network, signum: signal.Signals) -> None:
    node = net.node("one")
    process = node.popen(["sleep", "1000"])
    wait_until(lambda: "sleep" in node.processes().values(), 5, "the command to run")
    process.send_signal(signum)
    assert process.wait(10) == -signum
    wait_until(lambda: not node.processes(), 5, "the command to end")


def test_a_node_sees_its_own_processes_only(net: Network) -> None:
    one, two = net.node("one"), net.node("two")
    processes = [one.popen(["sleep", "1000"]), two.popen(["sleep", "2000"])]
    for node in (one, two):
        wait_until(lambda node=node: node.processes(), 5, "the command to run")
    listing = one.run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).stdout
    assert "sleep 1000" in listing
    assert "sleep 2000" not in listing
    one.kill(signal.SIGKILL, "sleep")
    assert processes[0].wait(10) == -signal.SIGKILL
    assert processes[1].poll() is None
    two.kill(signal.SIGKILL)
    assert processes[1].wait(10) == -signal.SIGKILL


def test_the_end_of_a_network_ends_all_of_it() -> None:
    with Network() as network:
        node = network.node("one", empty=["/run"])
        process = node.popen(["sleep", "1000"])
        stubborn = node.popen(["sh", "-c", "trap '' TERM INT HUP; sleep 1001"])
        anchor = node.pid
    assert process.wait(10) != 0
    assert stubborn.wait(10) != 0
    assert not Path(f"/proc/{anchor}").exists()


_OWNER = """
import sys, time
from telamon.lab.net import Network
with Network() as network:
    lan = network.switch("lan")
    node = network.node("one", empty=["/run"])
    node.connect(lan, "em1", "192.168.10.80/24")
    node.popen(["sleep", "1000"])
    print("ready", flush=True)
    time.sleep(1000)
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_an_owner_that_is_killed(signum: signal.Signals) -> None:
    mark = f"LAB_TEST_{os.getpid()}_{time.monotonic_ns()}"
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, mark: "1"},
    ) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"ready\n"
            wait_until(lambda: len(lab_processes(mark)) > 5, 10, "all of the lab to run")
            owner.send_signal(signum)
            owner.wait(10)
        finally:
            owner.kill()
    descendants_gone(mark)


def test_a_network_without_root(tmp_path: Path) -> None:
    """As another user, by user namespaces; the same answers or the reason."""
    if os.geteuid() != 0:
        pytest.skip("the tests run without root already: the others are this test")
    setpriv = shutil.which("setpriv")
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if setpriv is None or python is None:
        pytest.skip("needs setpriv and a system Python to become another user")
    package = Path(__file__).parents[2] / "src"
    code = (
        "from telamon.lab.net import Network, why_not\n"
        "reason = why_not()\n"
        "if reason: print('cannot:', reason); raise SystemExit\n"
        "with Network() as network:\n"
        "    lan = network.switch('lan')\n"
        "    node = network.node('one', empty=['/run'])\n"
        "    node.connect(lan, 'em1', '192.168.10.80/24')\n"
        "    print('id', node.run(['id', '-u']).stdout.strip(), network.in_user_namespace)\n"
    )
    become = [setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    done = subprocess.run(
        [*become, python, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(package)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission denied" in done.stderr or "No module named" in done.stderr:
        pytest.skip("another user cannot read this checkout")
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("cannot: "):
        assert len(done.stdout.splitlines()) == 1
        pytest.skip(done.stdout.strip())
    assert done.stdout.strip() == "id 0 True"
