"""A look at a kept cluster from another process, for `telamon lab status`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from telamon.lab import facts, topology
from telamon.lab.balancers import telamon_view
from telamon.lab.state import LabState


def lines(state: LabState) -> Iterator[str]:
    """What there is to say, a line each."""
    yield f"{state.title}, VRRP version {state.vrrp}, keeper {state.keeper}"
    yield f"stats page http://127.0.0.1:{state.stats_port}{topology.STATS_PATH}"
    for machine in topology.MACHINES:
        yield _node(machine, state.inits[machine.name])


def _node(machine: topology.Machine, init: int) -> str:
    process = Path(f"/proc/{init}")
    try:
        addresses = facts.local_addresses((process / "net/fib_trie").read_text())
        ports = facts.listening((process / "net/tcp").read_text())
    except OSError:
        return f"{machine.name}  {machine.address}  has ended"
    view = telamon_view(process / "root")
    told = f"  proxy {view.proxy or '-'}, router {view.router or '-'}" if view else ""
    api = "answers" if (machine.address, topology.API_PORT) in ports else "is down"
    proxy = "listens" if ("0.0.0.0", topology.PROXY_PORT) in ports else "is down"
    vip = f"  ◀ {topology.VIP}" if topology.VIP in addresses else ""
    return (
        f"{machine.name}  {machine.address}  port {topology.PROXY_PORT} {proxy}, "
        f"API server {api}{told}{vip}"
    )
