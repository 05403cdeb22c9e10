"""Netlink, raw and packet sockets against a real kernel, in namespaces of their own."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, ip_interface
from pathlib import Path

import pytest

from telamon.daemon.router_addresses import kernel_address
from telamon.kernel import rtnetlink
from telamon.kernel.announce import Announcer
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.netlink import Change, Monitor
from telamon.kernel.rtnetlink import Address, AddressAdded, AddressRemoved, Link, LinkGone
from telamon.kernel.vrrp_socket import MULTICAST_V4, MULTICAST_V6, Datagram, VrrpSocket
from telamon.plan.router import VirtualAddress
from tests.interop.lan import Lan, Node, eventually, inside, lan, plug

pytestmark = pytest.mark.netns


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 2) as made:
        yield made


@pytest.fixture
def monitor(two: Lan) -> Iterator[Monitor]:
    opened = inside(two.nodes[0].namespace, Monitor)
    yield opened
    opened.close()


def index_of(node: Node) -> int:
    return next(link.index for link in node.netlink.links() if link.name == "em1")


def wait_for(monitor: Monitor, wanted: Callable[[Change], bool]) -> list[Change]:
    seen: list[Change] = []

    def look() -> bool:
        changes = monitor.changes()
        assert changes is not None
        seen.extend(changes)
        return any(wanted(change) for change in seen)

    eventually(look, "the change")
    return seen


def test_addresses_are_added_as_asked_and_heard_of(two: Lan, monitor: Monitor) -> None:
    node = two.nodes[0]
    address = Address(
        index_of(node),
        IPv4Interface("10.77.0.99/32"),
        rtnetlink.scope_number("link"),
        label="em1:vip",
        broadcast=IPv4Address("10.77.0.255"),
        protocol=rtnetlink.PROTOCOL_KEEPALIVED,
    )
    assert node.netlink.add([address]) == {}
    assert node.netlink.add([address]) == {}, "once more is no error"
    shown = node.ip("-4", "addr", "show", "dev", "em1")
    assert "inet 10.77.0.99/32 brd 10.77.0.255 scope link" in shown
    assert "em1:vip" in shown
    wait_for(
        monitor,
        lambda c: isinstance(c, AddressAdded) and c.address.interface == address.interface,
    )
    assert node.netlink.remove([address]) == {}
    assert node.netlink.remove([address]) == {}, "once more is no error"
    wait_for(
        monitor,
        lambda c: isinstance(c, AddressRemoved) and c.address.interface == address.interface,
    )
    assert not node.holds("10.77.0.99")


def test_many_at_once_and_the_kernel_s_own_words(two: Lan) -> None:
    node = two.nodes[0]
    index = index_of(node)
    good = [Address(index, IPv4Interface(f"10.78.{n // 250}.{n % 250 + 1}")) for n in range(300)]
    bad = Address(9999, IPv4Interface("10.79.0.1"))
    refused = node.netlink.add([*good[:150], bad, *good[150:]])
    assert set(refused) == {bad}
    assert refused[bad].errno == errno.ENODEV
    assert "evice" in str(refused[bad].strerror)
    held = {address.interface for address in node.netlink.addresses()}
    assert {address.interface for address in good} <= held


def test_an_ipv6_virtual_address_serves_at_once(two: Lan) -> None:
    node = two.nodes[0]
    wanted = VirtualAddress(ip_interface("2001:db8::99/128"), no_prefix_route=True)
    address = kernel_address(wanted, index_of(node))
    assert node.netlink.add([address]) == {}
    (held,) = (a for a in node.netlink.addresses() if a.interface == address.interface)
    assert not held.flags & rtnetlink.IFA_F_TENTATIVE
    shown = node.ip("-6", "addr", "show", "dev", "em1", "to", "2001:db8::99")
    assert "deprecated" in shown, "a bare /128 is nothing to speak from"
    assert "noprefixroute" in shown


def test_carrier_and_life_of_a_link(two: Lan, monitor: Monitor) -> None:
    node = two.nodes[0]
    known = Interfaces(node.netlink.links(), node.netlink.addresses())
    first = known.link("em1")
    assert first is not None
    assert first.running
    assert IPv4Address("10.77.0.1") in known.addresses("em1")

    node.cable(plugged=False)
    for change in wait_for(monitor, lambda c: isinstance(c, Link) and not c.running):
        known.apply(change)
    down = known.link("em1")
    assert down is not None
    assert not down.running

    node.ip("link", "del", "em1")
    for change in wait_for(monitor, lambda c: isinstance(c, LinkGone)):
        known.apply(change)
    assert known.link("em1") is None
    assert known.addresses("em1") == ()

    plug(node)
    for change in wait_for(
        monitor,
        lambda c: isinstance(c, AddressAdded) and str(c.address.interface.ip) == "10.77.0.1",
    ):
        known.apply(change)
    again = known.link("em1")
    assert again is not None
    assert again.index != first.index


def test_a_renamed_interface_is_found_by_its_new_name(two: Lan, monitor: Monitor) -> None:
    node = two.nodes[0]
    known = Interfaces(node.netlink.links(), node.netlink.addresses())
    node.ip("link", "set", "em1", "down")
    node.ip("link", "set", "em1", "name", "lan0")
    changes = wait_for(monitor, lambda c: isinstance(c, Link) and c.name == "lan0")
    for change in changes:
        known.apply(change)
    assert known.link("em1") is None
    assert known.link("lan0") is not None


def open_socket(node: Node, family: socket.AddressFamily) -> VrrpSocket:
    return inside(node.namespace, lambda: VrrpSocket("em1", index_of(node), family))


def received(sock: VrrpSocket) -> list[Datagram]:
    select.select([sock], [], [], 5.0)
    return sock.receive()


def test_multicast_keeps_ttl_and_destination(two: Lan) -> None:
    wire = two.wire()
    left, right = (open_socket(node, socket.AF_INET) for node in two.nodes)
    try:
        right.join(MULTICAST_V4)
        right.join(MULTICAST_V4)
        left.send(b"hello", two.nodes[0].address, MULTICAST_V4)
        assert received(right) == [Datagram(b"hello", two.nodes[0].address, MULTICAST_V4, 255)]
        left.join(MULTICAST_V4)
        assert left.receive() == [], "our own packets do not come back"
        left.send(b"again", two.nodes[0].address, two.nodes[1].address)
        assert received(right) == [
            Datagram(b"again", two.nodes[0].address, two.nodes[1].address, 255)
        ]
    finally:
        left.close()
        right.close()
    (frame,) = eventually(wire.adverts, "the frame")
    # keepalived's header: TOS 0xc0, identification from 1, DF clear, TTL 255; dst MAC by RFC 1112.
    assert frame.data[:6].hex() == "01005e000012"
    assert frame.data[14:34].hex() == "45c0001900010000ff70d0530a4d0001e0000012"


def test_ipv6_multicast_keeps_hop_limit_and_destination(two: Lan) -> None:
    left, right = (open_socket(node, socket.AF_INET6) for node in two.nodes)
    try:
        right.join(MULTICAST_V6)
        known = Interfaces(two.nodes[0].netlink.links(), two.nodes[0].netlink.addresses())
        (source,) = (a for a in known.addresses("em1") if isinstance(a, IPv6Address))
        left.send(b"hello", source, MULTICAST_V6)
        assert received(right) == [Datagram(b"hello", source, MULTICAST_V6, 255)]
    finally:
        left.close()
        right.close()


def test_a_flood_is_read_in_portions(two: Lan) -> None:
    left, right = (open_socket(node, socket.AF_INET) for node in two.nodes)
    try:
        right.join(MULTICAST_V4)
        for _ in range(100):
            left.send(b"x" * 40, two.nodes[0].address, MULTICAST_V4)
        count = 0
        end = time.monotonic() + 5.0
        while count < 100 and time.monotonic() < end:
            count += len(received(right))
        assert count == 100
    finally:
        left.close()
        right.close()


def test_announcements_move_the_neighbours_entry(two: Lan) -> None:
    node, neighbour = two.nodes
    neighbour.ip("neigh", "add", "10.77.0.100", "lladdr", "02:00:00:00:00:01", "dev", "em1",
                 "nud", "reachable")  # fmt: skip
    announcer = inside(node.namespace, Announcer)
    mac = bytes.fromhex("02000a4d0001")
    try:
        announcer.announce(IPv4Address("10.77.0.100"), "em1", mac)
        eventually(
            lambda: "02:00:0a:4d:00:01" in neighbour.ip("neigh", "show", "10.77.0.100"),
            "the new entry",
        )
    finally:
        announcer.close()
