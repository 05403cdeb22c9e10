"""The programs that may run on a node as its load balancer: Telamon, or the originals.

Both do the same for the demo, so that its story is told once.
"""

from __future__ import annotations

import csv
import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from telamon.daemon.control import ControlError, request
from telamon.lab import topology
from telamon.lab.net import LabError, Node
from telamon.lab.seed import VrrpVersion, haproxy_cfg, keepalived_conf, mended_haproxy_cfg

HAPROXY_CFG = "/etc/haproxy/haproxy.cfg"
KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf"
RUN_DIR = "/run/telamon"
LOG = "/run/lab/balancer.log"

_STOP_LIMIT = 15.0
_CONTROL_LIMIT = 15.0
_VIEW_LIMIT = 1.0


@dataclass(frozen=True, slots=True)
class View:
    """What a node's own programs say of themselves, in a word each; empty if not there."""

    proxy: str
    router: str


class Balancer(Protocol):
    """One node's load balancer."""

    title: str

    def start(self) -> None:
        """Start all of it, after the end of one that was told to stop."""
        ...

    def stop(self) -> None:
        """Tell all of it to stop in good order; returns at once."""
        ...

    def forget(self) -> None:
        """The node crashed: nothing of it runs any more."""
        ...

    def stop_proxy(self) -> None:
        """What an operator does who stops only the proxy."""
        ...

    def start_proxy(self) -> None: ...

    def restarts_proxy(self) -> bool:
        """Does it start a proxy that crashed again, of its own accord?"""
        ...

    def view(self) -> View: ...


def _logged(command: list[str]) -> list[str]:
    """`command`, with its output appended to the node's log."""
    return ["/bin/sh", "-c", f'exec "$@" >>{LOG} 2>&1', "sh", *command]


def log_tail(node: Node, lines: int = 15) -> list[str]:
    """The last words of the node's load balancer."""
    try:
        return node.path(LOG).read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


class Telamon:
    """`telamon run` with the guide's files unchanged."""

    title = "Telamon"

    def __init__(self, node: Node) -> None:
        self._node = node
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def files(version: VrrpVersion) -> dict[str, str]:
        return {HAPROXY_CFG: haproxy_cfg(), KEEPALIVED_CONF: keepalived_conf(version)}

    def start(self) -> None:
        self.forget()
        telamon = [sys.executable, "-c", "from telamon.cli import main; main(prog_name='telamon')"]
        words = ["run", "-f", HAPROXY_CFG, "-k", KEEPALIVED_CONF, "--foreground"]
        self._process = self._node.popen(_logged([*telamon, *words, "--run-dir", RUN_DIR]))

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def forget(self) -> None:
        if self._process is not None:
            self._process.wait(_STOP_LIMIT)
            self._process = None

    def stop_proxy(self) -> None:
        self._control("stop")

    def start_proxy(self) -> None:
        self._control("start")

    def restarts_proxy(self) -> bool:
        return True

    def view(self) -> View:
        return telamon_view(self._node.path("/")) or View("", "")

    def _control(self, command: str) -> None:
        try:
            answer = request(
                self._node.path(RUN_DIR), {"command": command, "role": "proxy"}, _CONTROL_LIMIT
            )
        except ControlError as error:
            raise LabError(f"{self._node.name}: {error}") from error
        if not answer["ok"]:
            raise LabError(
                f"{self._node.name}: {command} proxy: {answer.get('text', json.dumps(answer))}"
            )


class Originals:
    """HAProxy and Keepalived themselves. HAProxy needs the guide's file mended, see `seed`."""

    title = "HAProxy and Keepalived"

    def __init__(self, node: Node) -> None:
        self._node = node
        self._haproxy: subprocess.Popen[bytes] | None = None
        self._keepalived: subprocess.Popen[bytes] | None = None

    @staticmethod
    def files(version: VrrpVersion) -> dict[str, str]:
        return {HAPROXY_CFG: mended_haproxy_cfg(), KEEPALIVED_CONF: keepalived_conf(version)}

    def start(self) -> None:
        self.forget()
        self.start_proxy()
        words = ["keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp"]
        self._keepalived = self._node.popen(_logged([*words, "--use-file", KEEPALIVED_CONF]))

    def stop(self) -> None:
        for process in (self._keepalived, self._haproxy):
            if process is not None:
                process.terminate()

    def forget(self) -> None:
        for process in (self._haproxy, self._keepalived):
            if process is not None:
                process.wait(_STOP_LIMIT)
        self._haproxy = self._keepalived = None

    def stop_proxy(self) -> None:
        if self._haproxy is not None:
            self._haproxy.terminate()
            self._haproxy.wait(_STOP_LIMIT)
            self._haproxy = None

    def start_proxy(self) -> None:
        # Without -db the file's `daemon` would send it away from its keeper.
        self._haproxy = self._node.popen(_logged(["haproxy", "-db", "-f", HAPROXY_CFG]))

    def restarts_proxy(self) -> bool:
        return False

    def view(self) -> View:
        names = set(self._node.processes().values())
        proxy = "running" if "haproxy" in names else ""
        return View(proxy, "running" if "keepalived" in names else "")


def telamon_view(root: Path) -> View | None:
    """What the supervisor of a node says; None if none answers. `root` is the node's `/`."""
    try:
        document = request(root / RUN_DIR.lstrip("/"), {"command": "status"}, _VIEW_LIMIT)
    except (ControlError, OSError):
        return None
    router = document.get("router") or {}
    states = [str(item["state"]) for item in router.get("instances", [])]
    running = router.get("state") == "running"
    proxy = str((document.get("proxy") or {}).get("state", ""))
    return View(proxy, " ".join(states) if running else "")


def servers_up(node: Node) -> frozenset[str]:
    """The servers that this node's proxy takes for up, by its stats socket.

    Empty if there is no proxy to ask.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stats:
            stats.settimeout(2.0)
            stats.connect(str(node.path(topology.STATS_SOCKET)))
            stats.sendall(b"show stat\n")
            with stats.makefile("r") as answer:
                text = answer.read()
    except OSError:
        return frozenset()
    return parse_up(text)


def parse_up(text: str) -> frozenset[str]:
    """The servers with a status of UP in the CSV of `show stat`, as `backend/number`."""
    rows = csv.DictReader(text.removeprefix("# ").splitlines())
    return frozenset(
        f"{row['pxname']}/{row['sid']}"
        for row in rows
        if row.get("type") == "2" and (row.get("status") or "").startswith("UP")
    )
