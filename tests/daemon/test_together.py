"""Proxy and router under one supervisor, in a network namespace with an interface of its own."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telamon.kernel.netlink import Monitor
from telamon.kernel.rtnetlink import AddressRemoved
from telamon.testing import leftovers
from tests.daemon.harness import Telamon, alive, eventually, telamon
from tests.interop.lan import inside

VIP = "192.168.10.99"

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs the ip command (iproute2)"),
]


class Node(Telamon):
    """A run with both files inside the namespace `name`."""

    name = ""

    def ip(self, *words: str) -> str:
        command = ["ip", "-n", self.name, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def arguments(self, *more: str) -> list[str]:
        plain = super().arguments("-k", str(self.folder / "keepalived.conf"), *more)
        return ["ip", "netns", "exec", self.name, *plain]

    def write_both(self) -> None:
        self.write(bind=f"bind {VIP}:{self.port.number}")
        (self.folder / "keepalived.conf").write_text(
            f"""global_defs {{
  vrrp_version 3
}}
vrrp_instance VI_TEST {{
  state BACKUP
  interface em1
  virtual_router_id 51
  priority 100
  nopreempt
  advert_int 0.1
  virtual_ipaddress {{
    {VIP}
  }}
}}
"""
        )

    @property
    def has_vip(self) -> bool:
        shown: list[dict[str, Any]] = json.loads(self.ip("-j", "addr", "show", "dev", "em1"))
        return any(item.get("local") == VIP for item in shown[0]["addr_info"])

    def leftovers(self) -> list[str]:
        return [name for name in super().leftovers() if name != "keepalived.conf"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    leftovers.sweep()
    name = leftovers.name(f"{time.monotonic_ns() % 10**9}")
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"cannot make a network namespace: {made.stderr.strip()}")
    try:
        with telamon(tmp_path, Node) as run:
            assert isinstance(run, Node)
            run.name = name
            run.ip("link", "add", "em1", "type", "veth", "peer", "name", "cable")
            for link in ("lo", "em1", "cable"):
                run.ip("link", "set", link, "up")
            run.ip("addr", "add", "192.168.10.80/24", "dev", "em1")
            run.write_both()
            yield run
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def test_the_address_follows_the_proxy(node: Node) -> None:
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    old = node.proxy
    # The restart is quick too, so the change itself must be watched, not the state. The socket is
    # open, and so hears everything, before the proxy dies.
    monitor = inside(node.name, Monitor)
    try:
        os.kill(old, signal.SIGKILL)
        begun = time.monotonic()
        gone: list[str] = []
        while VIP not in gone and time.monotonic() - begun < 5:
            select.select([monitor], [], [], 0.1)
            changes = monitor.changes() or []
            gone += [str(c.address.interface.ip) for c in changes if isinstance(c, AddressRemoved)]
        assert VIP in gone
        assert time.monotonic() - begun < 0.5
    finally:
        monitor.close()
    eventually(lambda: node.proxy not in (0, old), "a new proxy")
    eventually(lambda: node.has_vip, "the node is eligible again")


def test_a_stopped_proxy_leaves_the_node_without_the_address(node: Node) -> None:
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    assert node.ctl("ctl", "stop", "proxy").returncode == 0
    eventually(lambda: not node.has_vip, "the VIP is away")
    assert node.status()["proxy"] == {"state": "stopped", "pid": None}
    assert node.status()["router"]["state"] == "running"
    assert node.ctl("ctl", "start", "proxy").returncode == 0
    eventually(lambda: node.has_vip, "the VIP is back")


def test_a_proxy_ended_by_its_pidfile_stays_stopped(node: Node) -> None:
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    os.kill(int((node.folder / "proxy.pid").read_text()), signal.SIGTERM)
    eventually(lambda: not node.has_vip, "the VIP is away")
    eventually(lambda: node.status()["proxy"]["state"] == "stopped", "it stays stopped")
    assert not (node.folder / "proxy.pid").exists()


def stats(node: Node, command: str) -> None:
    """A command for the stats socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(node.folder / "stats.sock"))
        sock.sendall(command.encode() + b"\n")
        assert sock.recv(4096).strip() == b""


def follow_backend(node: Node, words: str = "") -> None:
    file = node.folder / "keepalived.conf"
    file.write_text(file.read_text().replace("priority 100", f"priority 100\n  {words}"))


def test_the_address_follows_the_servers_of_a_backend(node: Node) -> None:
    node.write(bind=f"bind {VIP}:{node.port.number}", check="")
    follow_backend(node, "track_backend web { min 1 }")
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    stats(node, "set server web/one state maint")
    eventually(lambda: not node.has_vip, "the VIP is away", limit=2.0)
    reason = node.status()["router"]["instances"][0]["reason"]
    assert "backend web has 0 of 1 servers up" in reason
    stats(node, "set server web/one state ready")
    eventually(lambda: node.has_vip, "the VIP is back")

    # A restarted proxy tells anew, and its death counts as no server.
    old = node.proxy
    os.kill(old, signal.SIGKILL)
    eventually(lambda: node.proxy not in (0, old), "a new proxy")
    eventually(lambda: node.has_vip, "the VIP is back")
    stats(node, "set server web/one state drain")
    eventually(lambda: not node.has_vip, "the VIP is away")


def test_a_reload_that_begins_to_follow_a_backend_moves_nothing(node: Node) -> None:
    node.write(bind=f"bind {VIP}:{node.port.number}", check="")
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    follow_backend(node, "track_backend web")
    before = node.stderr.read_text().count("Entering")
    assert node.ctl("ctl", "reload").returncode == 0
    assert node.has_vip
    assert node.stderr.read_text().count("Entering") == before
    stats(node, "set server web/one state maint")
    eventually(lambda: not node.has_vip, "the new plan holds")


def test_a_proxy_with_a_weight_or_none_keeps_the_address(node: Node) -> None:
    follow_backend(node, "track_proxy { off }")
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    assert node.ctl("ctl", "stop", "proxy").returncode == 0
    assert node.has_vip
    file = node.folder / "keepalived.conf"
    file.write_text(file.read_text().replace("{ off }", "{ weight -40 }"))
    assert node.ctl("ctl", "reload").returncode == 0
    eventually(lambda: node.status()["router"]["instances"][0]["priority"] == 60, "the weight")
    assert node.has_vip
    assert node.ctl("ctl", "start", "proxy").returncode == 0
    eventually(lambda: node.status()["router"]["instances"][0]["priority"] == 100, "all is well")


def test_sigterm_takes_the_address_away(node: Node) -> None:
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    node.signal(signal.SIGTERM)
    assert node.wait() == 0
    assert not node.has_vip
    assert node.leftovers() == []


def test_nothing_survives_the_supervisor(node: Node) -> None:
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    status = node.status()
    os.kill(status["pid"], signal.SIGKILL)
    pids = [status["proxy"]["pid"], status["router"]["pid"]]
    eventually(lambda: not any(map(alive, pids)), "both roles are gone")
    assert not node.has_vip


def test_a_killed_router_comes_back_and_knows_the_proxy(node: Node) -> None:
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    old = node.status()["router"]["pid"]
    os.kill(old, signal.SIGKILL)

    def master_again() -> bool:
        router = node.status()["router"]
        instances = router.get("instances", [])
        return router["pid"] != old and bool(instances) and instances[0]["state"] == "MASTER"

    eventually(master_again, "a new router is master")
    assert node.has_vip


def test_reload_keeps_the_address(node: Node) -> None:
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    old = node.proxy
    monitor = subprocess.Popen(
        ["ip", "-4", "-n", node.name, "monitor", "address"], stdout=subprocess.PIPE, text=True
    )
    assert node.ctl("ctl", "reload").returncode == 0
    assert node.proxy != old
    eventually(lambda: not alive(old), "the old proxy leaves")
    monitor.kill()
    assert VIP not in monitor.communicate()[0]
    assert node.status()["router"]["instances"][0]["state"] == "MASTER"


def test_a_missing_router_file_changes_nothing(node: Node) -> None:
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    old = node.proxy
    (node.folder / "keepalived.conf").unlink()
    result = node.ctl("ctl", "reload")
    assert result.returncode == 1
    assert "refused" in result.stderr
    assert node.proxy == old
    assert node.has_vip


def script(node: Node, name: str, text: str) -> Path:
    """A script that root may run: nobody else can write it."""
    path = node.folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_scripts_before_and_after_everything(node: Node) -> None:
    out = node.folder / "told"
    up = script(node, "up.sh", f"ip -br addr show dev em1 >> {out}; echo up $1 >> {out}; exit 3")
    down = script(node, "down.sh", f"ip -br addr show dev em1 >> {out}; echo down >> {out}")
    hangs = script(node, "hangs.sh", "sleep 1000 & sleep 1000")
    file = node.folder / "keepalived.conf"
    plain = file.read_text()
    word = f'script_user root\n  startup_script "{up} now"\n  shutdown_script {down}'
    file.write_text(plain.replace("vrrp_version 3", f"vrrp_version 3\n  {word}"))
    node.start()
    eventually(lambda: node.has_vip, "the VIP comes")
    assert f"startup_script {up}: exit status 3" in node.log(), "a failure is told, stops nothing"
    # A router that is started again has no startup any more.
    killed = node.status()["router"]["pid"]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: node.status()["router"]["pid"] not in (0, None, killed), "a new router")
    eventually(lambda: node.has_vip, "the VIP is back")
    word = f"script_user root\n  shutdown_script {hangs}\n  shutdown_script_timeout 1"
    file.write_text(plain.replace("vrrp_version 3", f"vrrp_version 3\n  {word}"))
    assert node.ctl("ctl", "reload").returncode == 0
    word = f"script_user root\n  shutdown_script {down}"
    file.write_text(plain.replace("vrrp_version 3", f"vrrp_version 3\n  {word}"))
    assert node.ctl("ctl", "stop", "router").returncode == 0
    assert f"shutdown_script {hangs}: no end within 1 s, it was killed" in node.log()
    assert node.ctl("ctl", "reload").returncode == 0
    assert node.ctl("ctl", "start", "router").returncode == 0
    eventually(lambda: node.has_vip, "the VIP is back")
    node.signal(signal.SIGTERM)
    assert node.wait() == 0
    before, _up, after, _down = out.read_text().splitlines()
    assert (_up, _down) == ("up now", "down")
    assert VIP not in before
    assert VIP not in after, "it runs when the addresses are gone"
