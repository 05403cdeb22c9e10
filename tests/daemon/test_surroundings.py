"""VMACs arranged in a plan, link delays, and the filter's rules: all without a kernel."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface

from telamon.daemon.router_filter import ruleset
from telamon.daemon.router_surroundings import LinkDelays
from telamon.daemon.router_vmacs import arrange
from telamon.plan.router import (
    InstancePlan,
    InterfaceDelay,
    RouterPlan,
    VirtualAddress,
    VmacPlan,
)
from telamon.vrrp.wire import placed


def vip(text: str, device: str | None = None, *, vmac: bool = False) -> VirtualAddress:
    return VirtualAddress(ip_interface(text), device, vmac=vmac)


FOUR = InstancePlan("four", "em1", 51, addresses=(vip("10.0.0.9/24"),), vmac=VmacPlan())
SIX = InstancePlan("six", "em1", 51, 3, addresses=(vip("fe80::9"),), vmac=VmacPlan())


def arranged(*instances: InstancePlan) -> tuple[list[str], dict[str, tuple[str, str, bool, bool]]]:
    plan, vmacs = arrange(RouterPlan("r", instances))
    devices = [a.device or "" for i in plan.instances for a in placed(i)]
    return devices, {v.name: (v.parent, v.mac.hex(":"), v.speaks, v.sends) for v in vmacs}


def test_one_vrid_in_both_families_has_two() -> None:
    devices, vmacs = arranged(FOUR, SIX)
    assert devices == ["vrrp.51", "vrrp6.51"]
    assert vmacs == {
        "vrrp.51": ("em1", "00:00:5e:00:01:33", True, True),
        "vrrp6.51": ("em1", "00:00:5e:00:02:33", True, True),
    }


def test_an_address_of_the_other_family_joins_the_other_instance() -> None:
    devices, vmacs = arranged(replace(FOUR, excluded_addresses=(vip("2001:db8::7/64"),)), SIX)
    assert devices == ["vrrp.51", "vrrp6.51", "vrrp6.51"]
    assert len(vmacs) == 2


def test_one_address_and_other_interfaces() -> None:
    plain = replace(FOUR, vmac=None, excluded_addresses=(vip("10.0.0.8/24", vmac=True),))
    assert arranged(plain)[0] == ["em1", "vrrp.51"]
    away = vip("10.1.0.9/24", "em2")
    others = replace(FOUR, vmac=VmacPlan(for_other_interfaces=True), excluded_addresses=(away,))
    devices, vmacs = arranged(others)
    assert devices == ["vrrp.51", "vrrp1.51"]
    assert vmacs["vrrp1.51"] == ("em2", "00:00:5e:00:01:33", False, False)


def test_unicast_neither_speaks_nor_hears_by_it() -> None:
    unicast = replace(FOUR, unicast_peers=(ip_address("10.0.0.2"),))
    assert arranged(unicast)[1]["vrrp.51"][2:] == (False, False)


def test_a_mac_of_ones_own_and_adverts_from_the_base() -> None:
    asked = VmacPlan("v0", "02:00:5e:11:22", adverts_from_base=True)
    assert arranged(replace(FOUR, vmac=asked))[1] == {
        "v0": ("em1", "02:00:5e:11:22:33", True, False)
    }


def test_delays() -> None:
    delays = LinkDelays()
    delays.plan((InterfaceDelay("em1", down=2.0, up=1.0),))
    assert delays.seen("em1", True, 0.0)
    assert delays.seen("em1", False, 10.0)
    assert delays.deadline == 12.0
    assert delays.seen("em1", True, 11.0)
    assert delays.deadline is None
    assert delays.seen("em1", False, 20.0)
    assert delays.due(21.9) == []
    assert delays.due(22.0) == ["em1"]
    assert not delays.seen("em1", False, 22.0)
    assert not delays.seen("em1", True, 23.0)
    assert delays.seen("em1", True, 24.0)
    assert not delays.seen("em2", False, 24.0), "no delay for this one"


def test_only_those_who_ask_are_filtered_and_owners_never() -> None:
    asking = replace(FOUR, accept=False, excluded_addresses=(vip("2001:db8::7"),))
    assert ruleset(RouterPlan("r", (FOUR, SIX))) == ""
    assert ruleset(RouterPlan("r", (replace(asking, priority=255),))) == ""
    assert ruleset(RouterPlan("r", (replace(FOUR, strict=True),))) == ""
    rules = ruleset(RouterPlan("r", (asking,)))
    assert "ip daddr { 10.0.0.9 } drop" in rules
    assert rules.index("nd-neighbor-solicit") < rules.index("ip6 daddr { 2001:db8::7 } drop")
