"""One keepalived.conf, read by both programs: they must hold the same addresses, in one form."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from telamon.keepalived.load import load
from telamon.plan.router import RouterPlan
from tests.interop.lan import Node, eventually, lan, node_sysctl

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

FILES = {
    "labels, scopes, masks, broadcast": HEAD
    + INSTANCE.format("""
  virtual_ipaddress {
    10.77.0.100/24 dev em1 label em1:one
    10.77.0.101 brd 10.77.0.255 scope link
    10.78.0.1/16 brd + dev em2
  }
  virtual_ipaddress_excluded {
    10.79.0.1/24
    2001:db8:1::5/64
  }"""),
    "IPv6": HEAD
    + INSTANCE.format("""
  virtual_ipaddress {
    fe80::5
    2001:db8::5
    2001:db8:2::5/64
  }
  virtual_ipaddress_excluded {
    10.77.0.100
  }"""),
    "a sync group of two": HEAD
    + "vrrp_sync_group G {\n  group {\n    VI_1\n    VI_2\n  }\n}\n"
    + INSTANCE.format("  virtual_ipaddress {\n    10.77.0.100\n  }")
    + INSTANCE.format("  virtual_ipaddress {\n    10.77.0.101\n  }")
    .replace("VI_1", "VI_2")
    .replace("51", "52")
    .replace("em1", "em2"),
    "unicast between chosen addresses": HEAD
    + INSTANCE.format("""
  unicast_src_ip OWN
  unicast_peer {
    OTHER
  }
  virtual_ipaddress {
    10.77.0.100
  }"""),
    # What the sample file of many systems has; the password must not be sent.
    "strict mode with a password": "global_defs {\n  vrrp_strict\n}\n"
    + INSTANCE.replace("0.1", "1").format("""
  state MASTER
  authentication {
    auth_type PASS
    auth_pass 1111
  }
  virtual_ipaddress {
    10.77.0.100/24
  }"""),
    "a group of its own, and a source": HEAD
    + "global_defs {\n  vrrp_mcast_group4 224.0.0.77\n}\n"
    + INSTANCE.format("""
  mcast_src_ip OWN
  virtual_ipaddress {
    10.77.0.100
  }"""),
}


@pytest.mark.parametrize("name", FILES)
def test_both_hold_the_same(name: str, tmp_path: Path) -> None:
    with lan(tmp_path, 2) as made:
        ours, theirs = made.nodes
        ours.ip("link", "add", "em2", "type", "veth", "peer", "name", "em2",
                "netns", theirs.namespace)  # fmt: skip
        for node in made.nodes:
            node_sysctl(node, "net.ipv6.conf.em2.accept_dad", "0")
            node.ip("link", "set", "em2", "up")
            node.ip("addr", "add", f"10.88.0.{node.number}/24", "dev", "em2")
        before = _addresses(ours)

        theirs.keepalived(_text(FILES[name], theirs, 100))
        eventually(lambda: _addresses(theirs) - before, "keepalived as master")
        wanted = _settled(lambda: _addresses(theirs) - before)

        program = ours.telamon(_plan(FILES[name], ours, tmp_path))
        eventually(lambda: _addresses(ours) - before == wanted, f"our node with {wanted}")
        eventually(lambda: _addresses(theirs) == before, "keepalived as backup")
        program.stop()
        eventually(lambda: _addresses(theirs) - before == wanted, "keepalived again")
        assert _addresses(ours) == before


def _text(text: str, node: Node, priority: int) -> str:
    other = node.lan.nodes[2 - node.number]
    return (
        text.replace("PRIORITY", str(priority))
        .replace("OWN", str(node.address))
        .replace("OTHER", str(other.address))
    )


def _plan(text: str, node: Node, folder: Path) -> RouterPlan:
    path = folder / "ours.conf"
    path.write_text(_text(text, node, 200))
    loaded = load(str(path))
    assert loaded.router is not None, [d.message for d in loaded.report]
    return loaded.router


def _settled(look: Callable[[], set[str]]) -> set[str]:
    """The value once two looks in a row agree: a master adds its addresses one by one."""
    previous: list[set[str]] = []

    def same() -> bool:
        previous.append(look())
        return len(previous) > 20 and previous[-1] == previous[-20]

    eventually(same, "rest")
    return previous[-1]


def _addresses(node: Node) -> set[str]:
    """All addresses as `ip` shows them, without what says which node it is."""
    shown = node.ip("-o", "addr", "show")
    found = set()
    for line in shown.splitlines():
        text = re.sub(r"^\d+: ", "", line).split("\\")[0]
        # keepalived 2.2.7 marks its addresses with no protocol yet; the later ones do.
        text = re.sub(r" proto \S+", "", text).strip()
        if " fe80::" in text and "/64" in text:
            continue
        found.add(re.sub(r"10\.(77|88)\.0\.[12]/", r"10.\1.0.N/", " ".join(text.split())))
    return found
