"""The files that each program gets for a scene, and how it is started with them."""

from __future__ import annotations

import sys
from pathlib import Path

from nodes import Recipe
from outages import Blow, Scene

_PROXY = """defaults
  mode tcp
  timeout connect 2s
  timeout client 10s
  timeout server 10s
listen service
  bind :8080
  server here 127.0.0.1:9000
"""

_INSTANCE = """vrrp_instance VI_1 {{
  state BACKUP
  interface em1
  virtual_router_id 51
  version {version}
  priority {priority}
  advert_int {interval:g}
  virtual_ipaddress {{
    {vip}/24
  }}
{more}}}
"""

# A process, as the manual has it; and the block of the kubeadm guide.
_PROCESS = """vrrp_track_process proxy {{
  process {name}
}}
"""
_TRACK_PROCESS = """  track_process {
    proxy weight 0
  }
"""
_SCRIPT = """global_defs {{
  script_user root
}}
vrrp_script proxy {{
  script "{path}"
  interval 3
  weight -2
  fall 10
  rise 2
}}
"""
_TRACK_SCRIPT = """  track_script {
    proxy
  }
"""


def recipe_of(
    telamon: bool, scene: Scene, number: int, namespace: str, folder: Path, vip: str
) -> Recipe:
    """Write the node's files; how to start its program with them."""
    config = folder / "keepalived.conf"
    proxy = folder / "haproxy.cfg"
    proxy.write_text(_PROXY)
    head, more = "", ""
    with_proxy = scene.blow is Blow.PROXY
    if with_proxy and not telamon:
        head, more = _watched(scene, namespace, folder)
    config.write_text(
        head
        + _INSTANCE.format(
            version=scene.version,
            priority=scene.priorities[number],
            interval=scene.interval,
            vip=vip,
            more=more,
        )
    )
    if telamon:
        files = ["-f", str(proxy)] if with_proxy else []
        own = ["--foreground", "--run-dir", str(folder / "run")]
        return Recipe([sys.executable, "-m", "telamon", "run", *files, "-k", str(config), *own])
    pids = [f"-{flag}{folder / flag}.pid" for flag in "prc"]
    beside = [str(_own_name(namespace, folder)), "-db", "-f", str(proxy)] if with_proxy else None
    command = ["keepalived", "-n", "-l", "-D", "-P", f"-f{config}", *pids]
    return Recipe(command, beside, enters=with_proxy and not scene.script)


def _watched(scene: Scene, namespace: str, folder: Path) -> tuple[str, str]:
    if scene.script:
        script = folder / "check.sh"
        script.write_text(f'#!/bin/sh\nkill -0 "$(cat {folder}/proxy.pid)"\n')
        script.chmod(0o755)
        return _SCRIPT.format(path=script), _TRACK_SCRIPT
    # Process events are told in the machine's own network namespace only, so keepalived starts
    # there and enters its own by itself.
    entered = f"net_namespace {namespace}\n"
    return entered + _PROCESS.format(name=_own_name(namespace, folder).name), _TRACK_PROCESS


def _own_name(namespace: str, folder: Path) -> Path:
    """haproxy under a name that no other process on the machine has."""
    link = folder / namespace[-15:]
    if not link.exists():
        link.symlink_to("/usr/sbin/haproxy")
    return link
