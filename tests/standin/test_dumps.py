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


_VARIES_IN_DATA = re.compile(
    r"Not IPv6 forwarding|Last transition|Read timeout|fd_in|libnftnl|Check unicast src"
    r"|Using src_ip = fe80|Reset ARP config|Original|rp_filter|   index ="
)
"""Times, descriptors, indices, a library's version and what is kept of the host's settings differ;
peers are checked here always."""


def _lines(text: str) -> list[str]:
    text = re.sub(r", ifindex \d+|min_ttl \d+ ", "", text)
    return [line for line in text.splitlines() if not _VARIES_IN_DATA.search(line)]


def test_data_is_the_same_line_by_line(both: tuple[dict[str, str], dict[str, str]]) -> None:
    """From the global definitions to the interfaces."""
    ours, theirs = (_lines(text["data"]) for text in both)
    assert ours == theirs


GLOBALS = """
global_defs {
  notification_email_from me@example.org
  notification_email {
    a@example.org
  }
  smtp_server 127.0.0.1 2525
  smtp_helo_name helo.example.org
  smtp_connect_timeout 7
  smtp_alert
  smtp_alert_vrrp off
  smtp_alert_checker true
  checker_log_all_failures
  no_email_faults
  no_checker_emails
  router_id nodeA
  dynamic_interfaces allow_if_changes
  notify_fifo FOLDER/all
  notify_fifo_script "/usr/bin/true x"
  fifo_write_vrrp_states_on_reload
  vrrp_notify_priority_changes true
  vrrp_mcast_group4 224.0.0.19
  vrrp_mcast_group6 ff02::13
  vrrp_garp_master_delay 10
  vrrp_garp_master_repeat 2
  vrrp_garp_lower_prio_delay 3
  vrrp_garp_master_refresh 60
  vrrp_garp_master_refresh_repeat 2
  vrrp_garp_extra_if all 5
  vrrp_lower_prio_no_advert true
  vrrp_higher_prio_send_advert true
  vrrp_down_timer_adverts 4
  vrrp_version 3
  vrrp_check_unicast_src
  vrrp_skip_check_adv_addr
  vrrp_startup_delay 0.5
  nftables mine
  nftables_counters
  nftables_priority -2
  max_auto_priority 50
  min_auto_priority_delay 500000
  vrrp_priority -10
  vrrp_no_swap
  checker_priority -9
  checker_no_swap
  checker_rt_priority 41
  checker_rlimit_rttime 20001
  bfd_cpu_affinity 1
  script_user root
  enable_script_security
  vrrp_netlink_cmd_rcv_bufs 300000
  vrrp_netlink_cmd_rcv_bufs_force true
  process_monitor_rcv_bufs 300002
  rs_init_notifies
  vrrp_rx_bufs_policy MTU
  vrrp_rx_bufs_multiplier 5
  umask 0022
  vmac_prefix vm
  vmac_addr_prefix va
  process_names
  vrrp_process_name kv
  process_name kp
  tmp_config_directory /tmp
}
vrrp_instance VI_1 {
  interface em1
  virtual_router_id 51
  priority 254
  advert_int 0.1
  virtual_ipaddress {
    10.77.0.100/24
  }
}
"""


@pytest.mark.parametrize("globals_", [GLOBALS, ""], ids=["all said", "nothing said"])
def test_global_definitions_are_the_same(globals_: str, tmp_path: Path) -> None:
    from tests.interop.lan import lan

    config = globals_.replace("FOLDER", str(tmp_path)) or GLOBALS[GLOBALS.index("vrrp_inst") :]
    texts = []
    with lan(tmp_path, 1) as network:
        for real in (False, True):
            folder = tmp_path / ("real" if real else "ours")
            texts.append(_dumps(network.nodes[0], folder, real=real, config=config)["data"])
    ours, theirs = (_section(text, "Global definitions") for text in texts)
    assert ours == [line for line in theirs if not _VARIES_IN_DATA.search(line)]
    assert len(ours) > 60


PAUSES = """
global_defs {
  vrrp_garp_interval 0.001
  vrrp_gna_interval 0.002
}
garp_group {
  garp_interval 0.05
  interfaces {
    em2
    lo
  }
}
garp_group {
  gna_interval 0.5
  interface peer
}
vrrp_instance VI_1 {
  interface em1
  virtual_router_id 51
  nopreempt
  virtual_ipaddress {
    10.77.0.100/24
  }
}
vrrp_instance VI_2 {
  interface em2
  virtual_router_id 52
  dont_track_primary
  virtual_ipaddress {
    fe80::100/64
    fd00::100
    fd00::101/64 noprefixroute -nodad
  }
}
"""

GROUPED = """
global_defs {
  script_user root
  enable_script_security
}
track_group followers {
  group {
    VI_1
    VI_2
  }
}
static_ipaddress {
  10.78.5.1/24 dev em2 track_group followers
  10.78.6.1/24 dev em1 label em1:x noprefixroute no_track
}
static_routes {
  192.168.9.0/24 via 10.77.0.2 dev em1 track_group followers
}
vrrp_script chk {
  script "/usr/bin/true"
  weight 3
}
vrrp_sync_group G {
  group {
    VI_1
    VI_2
  }
  sync_group_tracking_weight
  track_script {
    chk
  }
}
vrrp_instance VI_1 {
  interface em1
  virtual_router_id 51
  promote_secondaries
  skip_check_adv_addr
  virtual_ipaddress {
    10.77.0.100/24 dev em2 label em2:1 scope link
    10.77.0.102/24 home mngtmpaddr noprefixroute
  }
}
vrrp_instance VI_2 {
  interface em2
  virtual_router_id 52
  no_accept
  virtual_ipaddress {
    10.99.0.100/24
  }
}
vrrp_instance VI_3 {
  interface em1
  virtual_router_id 53
  track_src_ip
  mcast_src_ip 10.77.0.1
  use_vmac_addr
  track_script {
    chk weight 5
  }
  virtual_ipaddress {
    10.77.0.103/24
  }
}
"""

BESIDE = """
global_defs {
  notification_email {
    a@example.org
    b@example.org
  }
  smtp_server 127.0.0.1 2525
  no_email_faults
  vmac_prefix vm
  notify_fifo FOLDER/all
  vrrp_notify_fifo FOLDER/vrrp
  script_user root
}
static_ipaddress {
  10.77.1.1/24 dev em1
}
static_routes {
  192.168.99.0/24 via 10.77.0.2 dev em1
}
static_rules {
  from 192.168.98.0/24 table 200
}
vrrp_instance VI_V {
  interface em1
  use_vmac
  virtual_router_id 52
  virtual_ipaddress {
    10.77.0.120/24
  }
}
vrrp_instance VI_W {
  interface em1
  use_vmac vmac53
  vmac_xmit_base
  virtual_router_id 53
  virtual_ipaddress {
    10.77.0.131/32 dev em1 scope link
  }
}
vrrp_instance VI_R {
  interface em1
  virtual_router_id 54
  virtual_ipaddress {
    10.77.0.140/24
  }
  virtual_routes {
    default via 10.77.0.2 dev em1 table 201
    192.168.111.0/24 via 10.77.0.2 dev em1 metric 5 table 200
    src 10.77.0.140 to 192.168.112.0/24 via 10.77.0.2 dev em1
    blackhole 192.168.113.0/24
    192.168.115.0/24 dev em1 scope link metric 7 mtu 1300
    192.168.116.0/24 via 10.77.0.2 dev em1 mtu 1400 no_track
  }
  virtual_rules {
    from 192.168.28.0/24 to 10.0.0.0/8 table 200 priority 1000
    to 192.168.29.0/26 table 200
    from 192.168.30.0/24 lookup 200 iif em1 no_track
    fwmark 5 table 200
  }
}
"""


def test_data_describes_what_stands_beside_the_addresses_alike(tmp_path: Path) -> None:
    """VMACs, routes, rules, static things, FIFOs and mail."""
    from tests.interop.lan import lan

    config = BESIDE.replace("FOLDER", str(tmp_path))
    texts = []
    with lan(tmp_path, 1) as network:
        for real in (False, True):
            folder = tmp_path / ("real" if real else "ours")
            texts.append(_dumps(network.nodes[0], folder, real=real, config=config)["data"])
    ours, theirs = texts
    assert _lines(ours) == _lines(theirs)


_VARIES_IN_PAUSES = re.compile(r"G(ARP|NA) next time [1-9].*")


@pytest.mark.parametrize("config", [PAUSES, GROUPED], ids=["pauses", "groups"])
def test_data_of_two_interfaces_is_the_same_line_by_line(config: str, tmp_path: Path) -> None:
    """Pauses between announcements, flags, groups, words of addresses."""
    from tests.interop.lan import lan

    texts = []
    with lan(tmp_path, 1) as network:
        node = network.nodes[0]
        node.ip("link", "add", "em2", "type", "veth", "peer", "name", "peer")
        for link in ("em2", "peer"):
            node.ip("link", "set", link, "up")
        node.ip("addr", "add", "10.99.0.1/24", "dev", "em2")
        for real in (False, True):
            folder = tmp_path / ("real" if real else "ours")
            texts.append(_dumps(node, folder, real=real, config=config)["data"])
    ours, theirs = (_lines(_VARIES_IN_PAUSES.sub("next time", text)) for text in texts)
    assert ours == theirs


def _section(text: str, title: str) -> list[str]:
    return text.partition(f"------< {title} >------\n")[2].partition("------<")[0].splitlines()


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
