"""Routes, rules, statics and VMACs: one file, read by both programs, must come to the same."""

from __future__ import annotations

import pickle
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from telamon.keepalived.load import load
from telamon.plan.router import RouterPlan
from tests.interop.lan import (
    Lan,
    Node,
    Program,
    Wire,
    eventually,
    inside,
    lan,
    node_sysctl,
    plug,
    run,
)

pytestmark = [
    pytest.mark.netns,
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]

HEAD = "global_defs {\n  vrrp_version 3\n}\n"
INSTANCE = """vrrp_instance VI_1 {{
  interface em1
  virtual_router_id 51
  priority PRIORITY
  advert_int 0.1
{}
}}
"""

ROUTES = """
  virtual_ipaddress {
    10.77.0.100/24
  }
  virtual_routes {
    192.168.100.0/24 via 10.77.0.9 dev em1
    192.168.101.0/24 via 10.77.0.9 dev em1 src 10.77.0.100 metric 5
    10.50.0.0/24 dev em1 scope link table 200
    blackhole 10.60.0.0/16
    unreachable 10.61.0.0/16
    prohibit 10.62.0.0/16
    throw 10.63.0.0/16 table 200
    192.168.102.0/24 via 10.77.0.9 dev em1 mtu 1400 advmss 1300 no_track
    192.168.106.0/24 via 10.77.0.9 dev em1 mtu lock 1400 initcwnd 20 rto_min 300 hoplimit 9
    192.168.103.0/24 nexthop via 10.77.0.9 dev em1 weight 2 nexthop via 10.77.0.10 dev em1 weight 1
    default via 10.77.0.9 dev em1 table 300
    192.168.104.0/24 via 10.99.0.1 dev em1 onlink
    2001:db8:5::/64 dev em1
    2001:db8:6::/64 via fe80::9 dev em1 metric 70
    src 10.77.0.100 to 192.168.105.0/24 via 10.77.0.9 dev em1
  }
"""

RULES = """
  virtual_ipaddress {
    10.77.0.100/24
  }
  virtual_rules {
    from 192.168.28.0/24 to 10.28.0.0/26 table 77 iif em1 fwmark 1/255 preference 100
    from 192.168.29.0/24 lookup 200 priority 200
    to 192.168.30.0/24 blackhole preference 300
    from 2001:db8::/64 table 100 preference 400
    oif em1 fwmark 0x5 tos 16 lookup main preference 500
    from all goto 500 preference 450
    from 10.1.1.1 unreachable preference 460
    ipproto tcp dport 80-90 table 7 preference 461
    not from 10.2.0.0/16 table 9 suppress_prefixlength 0 preference 462
    uidrange 10-20 table 9 preference 463
    from 10.3.0.0/16 table 10
    from 10.4.0.0/16 table 11
    from 2001:db8:4::/64 table 11
  }
"""

FILES = {
    "routes": HEAD + INSTANCE.format(ROUTES),
    "rules": HEAD + INSTANCE.format(RULES),
    "statics": HEAD
    + """
track_group TG {
  group {
    VI_1
  }
}
static_ipaddress {
  10.90.0.1/24 dev em1 scope link
  2001:db8:9::1/64 dev em1
}
static_routes {
  10.91.0.0/24 via 10.77.0.9 dev em1 track_group TG
  blackhole 10.92.0.0/16
}
static_rules {
  from 10.91.0.0/24 table 100
}
"""
    + INSTANCE.format("  virtual_ipaddress {\n    10.77.0.100\n  }"),
    "a VMAC": HEAD + INSTANCE.format("  use_vmac\n  virtual_ipaddress {\n    10.77.0.100/24\n  }"),
    "a VMAC with a name, adverts from the base": HEAD
    + INSTANCE.format(
        "  use_vmac vip0\n  vmac_xmit_base\n  virtual_ipaddress {\n    10.77.0.100/24\n  }"
    ),
    "a VMAC with a prefix": HEAD
    + "global_defs {\n  vmac_prefix vr\n}\n"
    + INSTANCE.format("  use_vmac\n  virtual_ipaddress {\n    10.77.0.100/24\n  }"),
    "a VMAC for IPv6": HEAD
    + INSTANCE.format("  use_vmac\n  virtual_ipaddress {\n    fe80::5\n    2001:db8::5/64\n  }"),
    "a VMAC for one address": HEAD
    + INSTANCE.format(
        "  virtual_ipaddress {\n    10.77.0.100/24\n    10.77.0.101/24 use_vmac\n  }"
    ),
    "VMACs for other interfaces": HEAD
    + INSTANCE.format(
        "  use_vmac_addr\n"
        "  virtual_ipaddress {\n    10.77.0.100/24\n    10.88.0.100/24 dev em2\n  }"
    ),
    "VMACs for all": HEAD
    + INSTANCE.format(
        "  use_vmac\n  use_vmac_addr\n"
        "  virtual_ipaddress {\n    10.77.0.100/24\n    10.88.0.100/24 dev em2\n  }"
    ),
}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 2) as made:
        ours, theirs = made.nodes
        ours.ip("link", "add", "em2", "type", "veth", "peer", "name", "em2",
                "netns", theirs.namespace)  # fmt: skip
        for node in made.nodes:
            node_sysctl(node, "net.ipv6.conf.em2.accept_dad", "0")
            node.ip("link", "set", "em2", "up")
            node.ip("addr", "add", f"10.88.0.{node.number}/24", "dev", "em2")
        yield made


@pytest.mark.parametrize("name", FILES)
def test_both_come_to_the_same(name: str, two: Lan, tmp_path: Path) -> None:
    ours, theirs = two.nodes
    before = _shown(ours)
    assert _shown(theirs) == before
    theirs.keepalived(FILES[name].replace("PRIORITY", "100"))
    eventually(lambda: _is_master(theirs), "keepalived as master")
    wanted = _settled(theirs)
    backup = wanted - _moving(theirs, wanted, before)

    program = ours.telamon(_plan(FILES[name], tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    eventually(lambda: not _is_master(theirs), "keepalived as backup")
    assert _settled(ours) - before == wanted - before
    program.stop()
    eventually(lambda: _is_master(theirs), "keepalived again")
    # The settings of the base interface stay, as with keepalived.
    assert _settled(ours) - before <= {x for x in backup if "sysctl em" in x}


def _moving(node: Node, wanted: set[str], before: set[str]) -> set[str]:
    return {line for line in wanted - before if "sysctl" not in line}


def _is_master(node: Node) -> bool:
    return any(
        str(found.interface.ip) in ("10.77.0.100", "2001:db8::5")
        for found in node.netlink.addresses()
    )


def _plan(text: str, folder: Path, priority: int = 200) -> RouterPlan:
    path = folder / "ours.conf"
    path.write_text(text.replace("PRIORITY", str(priority)))
    loaded = load(str(path))
    assert loaded.router is not None, [d.message for d in loaded.report]
    return loaded.router


def _settled(node: Node) -> set[str]:
    previous: list[set[str]] = []

    def same() -> bool:
        previous.append(_shown(node))
        return len(previous) > 4 and previous[-1] == previous[-4]

    eventually(same, "rest")
    return previous[-1]


_SETTINGS = ("accept_local", "arp_filter", "arp_ignore", "rp_filter", "promote_secondaries")
_SETTINGS6 = ("addr_gen_mode", "disable_ipv6")


def _shown(node: Node) -> set[str]:
    """What `ip` shows of links, addresses, routes and rules, without what tells the nodes apart."""
    found = set()
    for family in ("-4", "-6"):
        for what in (("route", "show", "table", "all"), ("rule",)):
            text = node.ip(family, *what).replace("\n\t", " ")
            found |= {f"{family} {what[0]} {line}" for line in text.splitlines()}
    links = re.sub(r"\n +", " ", node.ip("-d", "link", "show"))
    found |= {line for line in links.splitlines() if "macvlan" in line}
    found |= {f"addr {line}" for line in node.ip("-o", "addr", "show").splitlines()}
    for name in re.findall(r"^\d+: ([^:@]+)", links, re.MULTILINE):
        for version, settings in (("4", _SETTINGS), ("6", _SETTINGS6)):
            paths = [f"/proc/sys/net/ipv{version}/conf/{name}/{x}" for x in settings]
            values = run("ip", "netns", "exec", node.namespace, "cat", *paths).split()
            found |= {f"sysctl {name} {k} {v}" for k, v in zip(settings, values, strict=True)}
    return {_plain(line) for line in found}


def _plain(line: str) -> str:
    line = re.sub(r"10\.(77|88)\.0\.[12]\b", r"10.\1.0.N", line)
    line = re.sub(r"^(addr )?\d+: ", r"\1", line.split("\\")[0])
    line = re.sub(r"fe80::[0-9a-f:]*ff:fe[0-9a-f:]+|fe80::[0-9a-f]+:[0-9a-f:]+", "fe80::N", line)
    # keepalived 2.2.7 marks its addresses with no protocol yet; the later ones do.
    if line.startswith("addr"):
        line = re.sub(r" proto \S+", "", line)
    return " ".join(line.replace(" tentative", "").split())


# What somebody else does to them


def test_what_is_deleted_comes_back(two: Lan, tmp_path: Path) -> None:
    ours, _ = two.nodes
    ours.telamon(_plan(FILES["routes"], tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    whole = _settled(ours)
    for words in (
        ("route", "del", "192.168.100.0/24"),
        ("route", "del", "192.168.103.0/24"),
        ("route", "del", "blackhole", "10.60.0.0/16"),
        ("route", "flush", "table", "300"),
        ("-6", "route", "del", "2001:db8:6::/64"),
        ("addr", "del", "10.77.0.100/24", "dev", "em1"),
    ):
        ours.ip(*words)
        eventually(lambda: _shown(ours) == whole, f"what {' '.join(words)} took", within=3)
    ours.ip("route", "del", "192.168.102.0/24")  # no_track
    gone = _settled(ours)
    assert {line.split()[2] for line in whole - gone} == {"192.168.102.0/24"}


def test_rules_and_statics_come_back(two: Lan, tmp_path: Path) -> None:
    ours, _ = two.nodes
    ours.telamon(_plan(FILES["statics"], tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    whole = _settled(ours)
    for words in (
        ("rule", "del", "preference", "16384"),
        ("route", "del", "10.91.0.0/24"),
        ("addr", "del", "10.90.0.1/24", "dev", "em1"),
    ):
        ours.ip(*words)
        eventually(lambda: _shown(ours) == whole, f"what {' '.join(words)} took", within=3)


def test_a_refused_route_is_told_and_tried_again(two: Lan, tmp_path: Path) -> None:
    """Its gateway cannot be reached: the VIP serves, the log and the status say what lacks."""
    ours, _ = two.nodes
    text = FILES["routes"].replace(
        "192.168.100.0/24 via 10.77.0.9", "192.168.100.0/24 via 10.66.0.9"
    )
    program = ours.telamon(_plan(text, tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    eventually(lambda: "192.168.100.0/24 via 10.66.0.9 dev em1' cannot be added" in program.text(),
               "the message")  # fmt: skip
    assert "192.168.101.0/24" in ours.ip("route")
    ours.ip("addr", "add", "10.66.0.1/24", "dev", "em1")
    eventually(lambda: "192.168.100.0/24 via 10.66.0.9" in ours.ip("route"), "the route")


# VMAC


@pytest.mark.parametrize("peer_uses_vmac", [True, False])
def test_vmacs_hear_each_other(two: Lan, tmp_path: Path, peer_uses_vmac: bool) -> None:
    ours, theirs = two.nodes
    plain = HEAD + INSTANCE.format("  virtual_ipaddress {\n    10.77.0.100/24\n  }")
    other = FILES["a VMAC"] if peer_uses_vmac else plain
    wire = two.wire()
    theirs.keepalived(other.replace("PRIORITY", "150"))
    eventually(lambda: _is_master(theirs), "keepalived as master")
    ours.telamon(_plan(FILES["a VMAC"], tmp_path, 100))
    eventually(lambda: len(wire.adverts(theirs)) > 10, "some adverts")
    assert not _is_master(ours)
    assert not wire.adverts(ours)
    theirs.programs[-1].stop()
    eventually(lambda: _is_master(ours), "our node as master")
    eventually(lambda: wire.adverts(ours), "our advert")
    mac = bytes.fromhex("00005e000133")
    assert {frame.data[6:12] for frame in wire.adverts(ours)} == {mac}
    garps = [frame for frame in wire.arps() if frame.data[6:12] == mac]
    assert garps, "gratuitous ARP from the VMAC"
    theirs.keepalived(other.replace("PRIORITY", "150"))
    eventually(lambda: _is_master(theirs) and not _is_master(ours), "keepalived again")


def test_a_vmac_survives_a_crash_and_its_interface(two: Lan, tmp_path: Path) -> None:
    ours, _ = two.nodes
    plan = _plan(FILES["a VMAC"], tmp_path)
    program = ours.telamon(plan)
    eventually(lambda: _is_master(ours), "our node as master")
    assert "FAULT" not in program.text(), "that the VMAC was made is no fault"
    index = _index(ours, "vrrp.51")
    program.crash()
    assert _index(ours, "vrrp.51") == index
    program = ours.telamon(plan)
    eventually(lambda: "Entering MASTER" in program.text(), "our node as master again")
    assert _index(ours, "vrrp.51") == index, "it was adopted"
    ours.ip("link", "del", "em1")
    eventually(lambda: "Entering FAULT" in program.text(), "the fault")
    plug(ours)
    eventually(lambda: _is_master(ours), "our node as master on the new interface")
    assert "vrrp.51@em1" in ours.ip("link")
    program.stop()
    assert "vrrp.51" not in ours.ip("link")


def test_a_taken_name_is_told(two: Lan, tmp_path: Path) -> None:
    ours, _ = two.nodes
    ours.ip("link", "add", "vrrp.51", "type", "bridge")
    program = ours.telamon(_plan(FILES["a VMAC"], tmp_path))
    eventually(lambda: "the VMAC interface vrrp.51 cannot be made" in program.text(), "the message")
    program.stop()
    assert "vrrp.51" in ours.ip("link"), "the other interface is left alone"


def _index(node: Node, name: str) -> int:
    return next(link.index for link in node.netlink.links() if link.name == name)


# The rest


def test_no_accept_drops_and_cleans_up(two: Lan, tmp_path: Path) -> None:
    if shutil.which("nft") is None:
        pytest.skip("nft is not installed")
    ours, theirs = two.nodes
    vips = "  virtual_ipaddress {\n    10.77.0.100/24\n  }"
    program = ours.telamon(_plan(HEAD + INSTANCE.format("  no_accept\n" + vips), tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    assert not _answers(theirs, "10.77.0.100")
    assert _answers(theirs, "10.77.0.1")
    program.stop()
    assert "telamon" not in run("ip", "netns", "exec", ours.namespace, "nft", "list", "tables")
    strict = "  strict_mode on\n" + vips
    ours.telamon(_plan(HEAD + INSTANCE.format(strict), tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    assert _answers(theirs, "10.77.0.100")


def _answers(node: Node, address: str) -> bool:
    """Does a TCP connection get an answer, be it a refusal?"""

    def connect() -> bool:
        with socket.socket() as sock:
            sock.settimeout(0.5)
            try:
                return sock.connect_ex((address, 9)) == 111
            except TimeoutError:
                return False

    return inside(node.namespace, connect)


def test_a_short_flap_is_not_seen(two: Lan, tmp_path: Path) -> None:
    ours, _ = two.nodes
    text = "interface_up_down_delays {\n  em1 1.5 0.2\n}\n" + HEAD
    text += INSTANCE.format("  virtual_ipaddress {\n    10.77.0.100/24\n  }")
    program = ours.telamon(_plan(text, tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    ours.cable(plugged=False)
    ours.cable(plugged=True)
    eventually(lambda: "UP" in ours.ip("-br", "link", "show", "em1"), "the link")
    assert "FAULT" not in program.text()
    ours.cable(plugged=False)
    eventually(lambda: "Entering FAULT" in program.text(), "the fault")
    ours.cable(plugged=True)
    eventually(lambda: _is_master(ours), "our node as master again")


@pytest.mark.parametrize("extra", ["", "  use_vmac\n"])
def test_a_vip_outside_every_subnet_is_told(two: Lan, tmp_path: Path, extra: str) -> None:
    ours, _ = two.nodes
    vips = "  virtual_ipaddress {\n    10.77.0.100\n    10.99.0.1\n    10.98.0.1/24\n  }"
    program = ours.telamon(_plan(HEAD + INSTANCE.format(extra + vips), tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    text = "10.99.0.1/32 is in no subnet of em1: only who has a route"
    eventually(lambda: text in program.text(), "the warning")
    assert program.text().count("is in no subnet") == 1
    assert ours.holds("10.99.0.1")


def test_extra_interfaces_are_announced_again_and_again(two: Lan, tmp_path: Path) -> None:
    """`garp_extra_if`: no advert tells a switch where the MAC address of a second VMAC is."""
    ours, _ = two.nodes
    name = "VMACs for all"
    text = FILES[name].replace("use_vmac_addr", "use_vmac_addr\n  garp_extra_if 1", 1)
    text = text.replace("interface em1", "interface em1\n  garp_master_delay 0", 1)
    program = ours.telamon(_plan(text, tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    wire = Wire(two.nodes[1].namespace, "em2")
    two.wires.append(wire)
    vip = bytes((10, 88, 0, 100))
    eventually(lambda: [f for f in wire.arps() if f.data[28:32] == vip], "an announcement", 3)
    program.stop()


def test_a_reload_changes_routes_by_difference(two: Lan, tmp_path: Path) -> None:
    ours, _ = two.nodes
    program = ours.telamon(_plan(FILES["routes"], tmp_path))
    eventually(lambda: _is_master(ours), "our node as master")
    whole = _settled(ours)
    less = FILES["routes"].replace("    blackhole 10.60.0.0/16\n", "")
    rules = (
        less.rstrip().removesuffix("}")
        + "  virtual_rules {\n    from 10.3.0.0/16 table 10\n  }\n}\n"
    )
    _reload(program, _plan(rules, tmp_path))
    eventually(lambda: "10.3.0.0/16" in ours.ip("rule"), "the new rule")
    changed = _settled(ours)
    assert {line.split()[2:4] == ["blackhole", "10.60.0.0/16"] for line in whole - changed} == {
        True
    }
    _reload(program, _plan(FILES["routes"], tmp_path))
    eventually(lambda: _shown(ours) == whole, "the first ones")
    assert program.text().count("Entering MASTER") == 1


def _reload(program: Program, plan: RouterPlan) -> None:
    program.log.with_name("plan").write_bytes(pickle.dumps(plan))
    program.process.send_signal(signal.SIGHUP)
