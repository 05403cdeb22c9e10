"""What must not move the address, what must, and how fast: Telamon nodes under mistreatment."""

from __future__ import annotations

import itertools
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, ip_interface
from pathlib import Path

import pytest

from telamon.plan.router import ScriptPlan, VirtualAddress
from tests.interop.lan import (
    DEADLINE,
    VIP,
    Lan,
    Node,
    Wire,
    eventually,
    inside,
    lan,
    node_sysctl,
    plug,
)
from tests.interop.setups import Setup

pytestmark = pytest.mark.netns

GROUP = IPv4Address("224.0.0.18")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 2) as made:
        yield made


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 3) as made:
        yield made


# Packets that mean nothing


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advert_v3(source: IPv4Address, priority: int, *, vrid: int = 51, wrong: int = 0) -> bytes:
    body = struct.pack("!BBBBHH4s", 0x31, vrid, priority, 1, 10, 0, IPv4Address(VIP).packed)
    pseudo = source.packed + GROUP.packed + struct.pack("!BBH", 0, 112, len(body))
    return body[:6] + struct.pack("!H", checksum(pseudo + body) ^ wrong) + body[8:]


def advert_v2(priority: int) -> bytes:
    body = struct.pack("!BBBBBBH4s8x", 0x21, 51, priority, 1, 0, 1, 0, IPv4Address(VIP).packed)
    return body[:6] + struct.pack("!H", checksum(body)) + body[8:]


def packet(source: IPv4Address, payload: bytes, ttl: int = 255) -> bytes:
    return struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(payload), 7, 0, ttl, 112, 0,
        source.packed, GROUP.packed,
    ) + payload  # fmt: skip


def bad_packets(source: IPv4Address) -> dict[str, bytes]:
    good = advert_v3(source, 254)
    return {
        "wrong checksum": packet(source, advert_v3(source, 254, wrong=0x1111)),
        "low TTL": packet(source, good, ttl=64),
        "the other version": packet(source, advert_v2(254)),
        "another VRID": packet(source, advert_v3(source, 254, vrid=52)),
        "too short": packet(source, good[:6]),
        "one byte": packet(source, good[:1]),
        "empty": packet(source, b""),
        "count beyond its end": packet(source, good[:3] + b"\xff" + good[4:]),
        "not an advert": packet(source, b"\x32" + good[1:]),
        "farewell with a wrong checksum": packet(source, advert_v3(source, 0, wrong=0x1111)),
        "noise": packet(source, bytes(range(251))),
    }


def raw_socket(node: Node) -> socket.socket:
    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"em1\0")
        return sock

    return inside(node.namespace, make)


def test_a_packet_that_fails_a_check_changes_no_timer_and_no_state(three: Lan) -> None:
    master, backup, stranger = three.nodes
    first = master.telamon(Setup(200).plan())
    second = backup.telamon(Setup(100).plan())
    three.master(master)
    eventually(lambda: "BACKUP" in second.text(), "the backup")
    wire = three.wire()
    sock = raw_socket(stranger)
    begun = time.monotonic()
    with sock:
        for _ in range(10):
            for data in bad_packets(stranger.address).values():
                sock.sendto(data, (str(GROUP), 0))
                assert three.holders() == [master]
                select.select([], [], [], 0.01)
    lasted = time.monotonic() - begun
    adverts = wire.adverts(master, since=begun)
    gaps = [b.at - a.at for a, b in itertools.pairwise(adverts)]
    assert len(adverts) >= lasted / 0.1 - 2, "keepalived puts off its advert at each of these"
    assert max(gaps) < 0.2
    assert not wire.adverts(backup)
    for program in (first, second):
        assert "checksum" in program.text(), "it must be told, though"


def test_an_advert_in_good_order_is_obeyed(three: Lan) -> None:
    """The counter-check: the very packets above would work if nothing were wrong with them."""
    master, _, stranger = three.nodes
    program = master.telamon(Setup(200).plan())
    three.master(master)
    with raw_socket(stranger) as sock:
        sock.sendto(packet(stranger.address, advert_v3(stranger.address, 254)), (str(GROUP), 0))
        eventually(lambda: "MASTER -> BACKUP" in program.text(), "the retreat")


# Links and addresses


def test_an_interface_that_vanishes_and_returns(two: Lan) -> None:
    ours, other = two.nodes
    program = ours.telamon(Setup(200).plan())
    other.telamon(Setup(100).plan())
    two.master(ours)
    ours.ip("link", "del", "em1")
    two.master(other)
    plug(ours)
    two.master(ours)
    assert "Traceback" not in program.text()


def test_an_interface_that_is_not_there_yet(two: Lan) -> None:
    ours, _ = two.nodes
    ours.ip("link", "del", "em1")
    program = ours.telamon(Setup(200).plan())
    eventually(lambda: "FAULT, priority 200: interface em1 is not there" in program.text(), "why")
    assert "MASTER" not in program.text()
    plug(ours)
    two.master(ours)


def test_an_address_taken_away_is_back_without_an_election(two: Lan) -> None:
    ours, other = two.nodes
    program = ours.telamon(Setup(200).plan())
    other.telamon(Setup(100).plan())
    two.master(ours)
    wire = two.wire()
    delays = []
    for _ in range(10):
        ours.ip("addr", "del", f"{VIP}/32", "dev", "em1")
        gone = time.monotonic()
        eventually(ours.holds, "the address", within=1.0)
        delays.append(time.monotonic() - gone)
    print(f"back after {max(delays) * 1000:.1f} ms at most")
    assert not wire.adverts(other), "no election"
    assert all(frame.priority == 200 for frame in wire.adverts())
    assert program.text().count("Entering MASTER STATE") == 1


def test_what_an_earlier_life_left_is_taken_off_at_the_start(two: Lan) -> None:
    ours, other = two.nodes
    other.telamon(Setup(200).plan())
    two.master(other)
    ours.ip("addr", "add", f"{VIP}/32", "dev", "em1")
    ours.telamon(Setup(100).plan())
    two.master(other)


def test_an_address_that_the_kernel_refuses(two: Lan) -> None:
    ours, _ = two.nodes
    node_sysctl(ours, "net.ipv6.conf.em1.disable_ipv6", "1")
    plan = Setup(200).plan()
    (instance,) = plan.instances
    more = (VirtualAddress(ip_interface("2001:db8::99/64")),)
    program = ours.telamon(replace(plan, instances=(replace(instance, excluded_addresses=more),)))
    two.master(ours)
    eventually(lambda: "2001:db8::99/64 cannot be added to em1" in program.text(), "the message")
    assert ours.holds(), "the other address serves"
    node_sysctl(ours, "net.ipv6.conf.em1.disable_ipv6", "0")
    eventually(lambda: ours.holds("2001:db8::99"), "the second address")


# The process


def test_killed_by_force_the_address_does_not_stay(two: Lan) -> None:
    ours, other = two.nodes
    program = ours.telamon(Setup(200).plan())
    other.telamon(Setup(100).plan())
    two.master(ours)
    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait()
    eventually(lambda: not ours.holds(), "the address to go", within=1.0)
    two.master(other)


def test_a_new_helper_takes_the_place_of_one_that_died(two: Lan) -> None:
    ours, _ = two.nodes
    script = ScriptPlan("check", ("true",), interval=0.05, timeout=1.0)
    program = ours.telamon(Setup(200, script=script).plan())
    two.master(ours)
    (helper,) = _children(program.process.pid)
    os.kill(helper, signal.SIGKILL)
    eventually(lambda: _children(program.process.pid) not in ([], [helper]), "a new helper")
    assert two.holders() == [ours]
    # It guards as well as the old one did.
    select.select([], [], [], 0.1)
    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait()
    eventually(lambda: not ours.holds(), "the address to go", within=1.0)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def test_without_the_right_to_it_says_so_and_leaves(two: Lan, tmp_path: Path) -> None:
    ours, _ = two.nodes
    tmp_path.chmod(0o755)
    program = ours.telamon(Setup(200).plan(), prefix=("setpriv", "--bounding-set", "-all",
                           "--inh-caps", "-all"))  # fmt: skip
    assert program.process.wait(DEADLINE) == 1
    assert "cannot start" in program.text()
    assert "Traceback" not in program.text()


def test_a_graceful_stop_says_priority_0_and_leaves_nothing(two: Lan) -> None:
    ours, other = two.nodes
    program = ours.telamon(Setup(200).plan())
    other.telamon(Setup(100).plan())
    two.master(ours)
    wire = two.wire()
    program.stop()
    assert program.process.returncode == 0
    assert not ours.holds()
    two.master(other)
    assert [frame.priority for frame in wire.adverts(ours)][-1] == 0


def test_a_sleeper_listens_before_it_speaks(two: Lan) -> None:
    """Paused (SIGSTOP, a snapshot) for longer than its peers wait, it must not speak as master."""
    ours, other = two.nodes
    program = ours.telamon(Setup(100).plan())
    two.master(ours)
    other.telamon(Setup(90).plan())
    wire = two.wire()
    program.process.send_signal(signal.SIGSTOP)
    eventually(lambda: other.holds(), "the other one")
    eventually(lambda: len(wire.adverts(other)) > 5, "some adverts")
    woke = time.monotonic()
    program.process.send_signal(signal.SIGCONT)
    two.master(ours)  # it preempts, in the end
    first = eventually(lambda: wire.adverts(ours, since=woke), "its first advert")[0].at
    assert first - woke > 0.15, "at least most of a down interval of listening"


def test_a_script_that_fails_gives_the_address_away(two: Lan, tmp_path: Path) -> None:
    ours, other = two.nodes
    flag = tmp_path / "bad"
    script = ScriptPlan("check", ("test", "!", "-e", str(flag)), interval=0.05, timeout=1.0)
    ours.telamon(Setup(200, script=script).plan())
    other.telamon(Setup(100).plan())
    two.master(ours)
    flag.touch()
    two.master(other)
    flag.unlink()
    two.master(ours)


def test_a_reload_keeps_what_stays(two: Lan) -> None:
    ours, other = two.nodes
    program = ours.telamon(Setup(200).plan())
    other.telamon(Setup(100).plan())
    two.master(ours)
    wire = two.wire()
    changed = Setup(200, vips=(VIP, "10.77.0.101"))
    _rewrite(program.log.with_name("plan"), changed)
    program.process.send_signal(signal.SIGHUP)
    eventually(lambda: ours.holds("10.77.0.101"), "the new address")
    assert two.holders() == [ours]
    _rewrite(program.log.with_name("plan"), Setup(200))
    program.process.send_signal(signal.SIGHUP)
    eventually(lambda: not ours.holds("10.77.0.101"), "the old address to go")
    assert two.holders() == [ours]
    eventually(lambda: len(wire.adverts(ours)) > 5, "some adverts")
    assert not wire.adverts(other)
    _no_gap(wire, ours, 0.15)


def _rewrite(path: Path, setup: Setup) -> None:
    import pickle

    path.write_bytes(pickle.dumps(setup.plan()))


def _no_gap(wire: Wire, node: Node, limit: float) -> None:
    adverts = wire.adverts(node)
    assert max(b.at - a.at for a, b in itertools.pairwise(adverts)) < limit
