"""Plans and little LANs for the tests of the router's core."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface

from telamon.base.address import IPAddress
from telamon.plan.router import InstancePlan, RouterPlan, ScriptPlan, VirtualAddress
from telamon.testing.lan import Lan, Node
from telamon.vrrp.effects import Effect, SendAdvert
from telamon.vrrp.packet import Advert

VIP: IPAddress = ip_address("10.77.0.100")


def vip(text: str = "10.77.0.100/32") -> VirtualAddress:
    return VirtualAddress(ip_interface(text))


def plan(name: str = "VI", **changes: object) -> InstancePlan:
    """A version 3 instance with one address, unless told otherwise."""
    base = InstancePlan(name, "eth0", 51, version=3, addresses=(vip(),))
    return replace(base, **changes)  # type: ignore[arg-type]


def router_plan(*instances: InstancePlan, scripts: tuple[ScriptPlan, ...] = ()) -> RouterPlan:
    return RouterPlan("test", instances, scripts)


def add(lan: Lan, number: int, instance: InstancePlan, **more: object) -> Node:
    """A node named `n<number>` with the address 10.77.0.<number> on eth0."""
    whole = replace(router_plan(instance), **more)  # type: ignore[arg-type]
    return lan.add(f"n{number}", whole, {"eth0": (ip_address(f"10.77.0.{number}"),)})


def lan_of(*priorities: int, seed: int = 0, **changes: object) -> Lan:
    """Nodes n1, n2, ... with these priorities, booted."""
    lan = Lan(seed)
    for number, priority in enumerate(priorities, start=1):
        add(lan, number, plan("VI", priority=priority, **changes))
    lan.boot()
    return lan


def decoded(effect: SendAdvert) -> Advert:
    return Advert.parse(effect.payload, effect.source, effect.destination)


def names(effects: list[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]
