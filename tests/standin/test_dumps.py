"""The dumps beside those of the real keepalived, run from the same file in the same state."""

from __future__ import annotations

import json
import re
import struct
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from telamon.daemon.standalone_signals import Function
from telamon.vrrp.packet import Advert, AuthType, ChecksumForm, password_data
from tests.interop.lan import Lan, Node, eventually, inside
from tests.standin.conftest import Standin, start

pytestmark = [pytest.mark.netns, pytest.mark.peer]

CONFIG = """
global_defs {
  router_id nodeA
  enable_script_security
  script_user root
}
vrrp_script chk {
  script "/usr/bin/true"
  interval 2
  weight 5
}
vrrp_instance VI_1 {
  interface em1
  virtual_router_id 51
  priority 150
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass secret
  }
  virtual_ipaddress {
    10.77.0.100/24 dev em1 label em1:vip
    10.77.0.101
    10.77.0.102/24 brd 10.77.0.255
  }
  virtual_ipaddress_excluded {
    10.77.0.103/32
  }
  track_script {
    chk
  }
  notify "/usr/bin/true"
  notify_backup "/usr/bin/true arg"
  preempt_delay 3
}
vrrp_instance VI_6 {
  interface em1
  virtual_router_id 61
  advert_int 0.5
  virtual_ipaddress {
    fd00::100/64
  }
}
vrrp_instance VI_U {
  interface em1
  virtual_router_id 71
  version 3
  nopreempt
  unicast_src_ip 10.77.0.1
  unicast_peer {
    10.77.0.2
  }
  virtual_ipaddress {
    10.77.0.110/24
  }
}
"""

_REAL = Path("/tmp")


def _take(running: Standin, folder: Path, function: Function, name: str) -> str:
    path = folder / name
    before = path.stat().st_ino if path.exists() else None
    running.signal(function)

    def read() -> str:
        fresh = path.exists() and path.stat().st_ino != before
        text = path.read_text() if fresh else ""
        return text if text.endswith("\n") else ""

    return eventually(read, name)


def _dumps(node: Node, folder: Path, *, real: bool, config: str = CONFIG) -> dict[str, str]:
    running = start(node, folder, config, real=real)
    running.says("Entering MASTER STATE", times=config.count("vrrp_instance"))
    place = _REAL if real else folder
    found = {
        "json": _take(running, place, Function.JSON, "keepalived.json"),
        "data": _take(running, place, Function.DATA, "keepalived.data"),
        "stats": _take(running, place, Function.STATS, "keepalived.stats"),
    }
    running.program.stop()
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    from tests.interop.lan import lan

    folder = tmp_path_factory.mktemp("dumps")
    with lan(folder, 1) as network:
        theirs = _dumps(network.nodes[0], folder / "real", real=True)
        ours = _dumps(network.nodes[0], folder / "ours", real=False)
    return ours, theirs


_VARIES = {"last_transition"}


def test_json(both: tuple[dict[str, str], dict[str, str]]) -> None:
    ours, theirs = ([_without(e) for e in json.loads(text["json"])] for text in both)
    assert ours == theirs
    for entry, other in zip(*(json.loads(text["json"]) for text in both), strict=True):
        for part in ("data", "stats"):
            assert list(entry[part]) == list(other[part])
            assert [type(v) for v in entry[part].values()] == [
                type(v) for v in other[part].values()
            ]


def _without(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry["data"].items() if key not in _VARIES}


def test_stats_have_the_same_lines(both: tuple[dict[str, str], dict[str, str]]) -> None:
    ours, theirs = (re.sub(r"Sent: [1-9]\d*", "Sent: N", text["stats"]) for text in both)
    assert ours == theirs


_OWN = re.compile(r"(Last transition|Read timeout|fd_in|Check unicast src|Using src_ip = fe80)")
"""Times and numbers differ; peers are checked here always; the real one knows an index more."""


def _topology(text: str) -> list[str]:
    block = text.partition("------< VRRP Topology >------\n")[2].partition("------<")[0]
    block = re.sub(r", ifindex \d+|min_ttl \d+ ", "", block)
    return [line for line in block.splitlines() if not _OWN.search(line)]


def test_data_describes_the_instances_alike(both: tuple[dict[str, str], dict[str, str]]) -> None:
    ours, theirs = (_topology(text["data"]) for text in both)
    assert ours == theirs


def _send(node: Node, packets: list[bytes], source: IPv4Address) -> None:
    import socket

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, 112) as sock:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, source.packed)
            for packet in packets:
                sock.sendto(packet, ("224.0.0.18", 0))

    inside(node.namespace, send)


def test_counters_count_what_the_real_one_counts(network: Lan, tmp_path: Path) -> None:
    """Adverts that are wrong each in its own way, to both, one after the other."""
    config = """
vrrp_instance V {
  interface em1
  virtual_router_id 51
  priority 150
  authentication {
    auth_type PASS
    auth_pass secret
  }
  virtual_ipaddress {
    10.77.0.100/24
  }
}
"""
    peer, group = network.nodes[1], IPv4Address("224.0.0.18")
    vip, other = IPv4Address("10.77.0.100"), IPv4Address("10.77.0.105")

    def advert(secret: bytes, kind: AuthType = AuthType.PASS, vip: IPv4Address = vip) -> bytes:
        made = Advert(2, 51, 50, 100, (vip,), 4, kind, password_data(secret), ChecksumForm.PLAIN)
        return made.emit(peer.address, group)

    packets = [
        *[advert(b"wrong")] * 3,
        *[advert(b"", AuthType.NONE)] * 2,
        *[advert(b"secret")] * 4,
        *[advert(b"secret", vip=other)] * 5,
    ]
    assert struct.unpack_from("!B", packets[0])[0] == 0x21
    counted = []
    for real in (True, False):
        folder = tmp_path / ("real" if real else "ours")
        running = start(network.nodes[0], folder, config, real=real)
        running.says("Entering MASTER STATE")
        _send(peer, packets, peer.address)
        place = _REAL if real else folder

        def stats(running: Standin = running, place: Path = place) -> dict[str, int] | None:
            text = _take(running, place, Function.JSON, "keepalived.json")
            found: dict[str, int] = json.loads(text)[0]["stats"]
            return found if found["advert_rcvd"] == 9 else None

        found = eventually(stats, "nine sound adverts") or {}
        counted.append({k: v for k, v in found.items() if k != "advert_sent"})
        running.program.stop()
    assert counted[1] == counted[0]
    assert counted[1]["auth_failure"] == 3
    assert counted[1]["authtype_mismatch"] == 2
    assert counted[1]["addr_list_err"] == 5
