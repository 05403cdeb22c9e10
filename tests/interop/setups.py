"""One set-up in two languages: as a plan for our router and as a file for keepalived."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from telamon.plan.router import (
    Authentication,
    AuthKind,
    InstancePlan,
    RouterPlan,
    ScriptPlan,
    TrackScript,
    VirtualAddress,
)
from tests.interop.lan import VIP


@dataclass(frozen=True)
class Setup:
    """One instance on one node. `peers` not empty means unicast."""

    priority: int
    version: int = 3
    interval: float = 0.1
    vrid: int = 51
    password: str = ""
    preempt: bool = True
    source: str = ""
    peers: tuple[str, ...] = ()
    vips: tuple[str, ...] = (VIP,)
    script: ScriptPlan | None = None
    track_proxy: bool = False

    def plan(self) -> RouterPlan:
        kind = AuthKind.PASS if self.password else AuthKind.NONE
        instance = InstancePlan(
            name="VI_1",
            interface="em1",
            vrid=self.vrid,
            version=self.version,
            priority=self.priority,
            advert_interval=self.interval,
            preempt=self.preempt,
            authentication=Authentication(kind, self.password.encode()),
            source=ip_address(self.source) if self.source else None,
            unicast_peers=tuple(ip_address(peer) for peer in self.peers),
            addresses=tuple(VirtualAddress(ip_interface(vip)) for vip in self.vips),
            track_scripts=(TrackScript(self.script.name, self.script.weight),)
            if self.script
            else (),
            track_proxy=self.track_proxy,
        )
        return RouterPlan("test", (instance,), (self.script,) if self.script else ())

    def keepalived(self) -> str:
        lines = [
            "vrrp_instance VI_1 {",
            "state BACKUP",
            "interface em1",
            f"virtual_router_id {self.vrid}",
            f"version {self.version}",
            f"priority {self.priority}",
            f"advert_int {self.interval:g}",
        ]
        if not self.preempt:
            lines.append("nopreempt")
        if self.password:
            lines += ["authentication {", "auth_type PASS", f"auth_pass {self.password}", "}"]
        if self.source:
            lines.append(f"unicast_src_ip {self.source}")
        if self.peers:
            lines += ["unicast_peer {", *self.peers, "}"]
        lines += ["virtual_ipaddress {", *self.vips, "}", "}"]
        return "\n".join(lines) + "\n"
