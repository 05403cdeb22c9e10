"""One Telamon node and two of Debian's keepalived, on one switch: they must act as three alike."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.lan import Lan, eventually, lan
from tests.interop.setups import Setup

pytestmark = [
    pytest.mark.netns,
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 3) as made:
        yield made


def test_telamon_leads_fails_and_comes_back(three: Lan) -> None:
    ours, middle, low = three.nodes
    router = ours.telamon(Setup(200).plan())
    middle.keepalived(Setup(150).keepalived())
    low.keepalived(Setup(100).keepalived())
    three.master(ours)

    router.stop()
    three.master(middle)
    assert router.process.returncode == 0

    router = ours.telamon(Setup(200).plan())
    three.master(ours)  # preempts

    ours.cable(plugged=False)
    three.master(middle)  # and ours has given the address up, without hearing anybody
    ours.cable(plugged=True)
    three.master(ours)

    ours.crash()
    three.master(middle)
    middle.crash()
    three.master(low)
    ours.boot()
    ours.telamon(Setup(200).plan())
    three.master(ours)


def test_telamon_takes_over_from_keepalived(three: Lan) -> None:
    ours, high, low = three.nodes
    theirs = high.keepalived(Setup(200).keepalived())
    router = ours.telamon(Setup(150).plan())
    low.keepalived(Setup(100).keepalived())
    three.master(high)
    eventually(lambda: "Entering BACKUP STATE" in router.text(), "our backup")

    wire = three.wire()
    theirs.stop()
    three.master(ours)
    assert wire.adverts(ours)[0].at - wire.adverts(high)[-1].at < 0.1, "skew is 41 ms"

    high.keepalived(Setup(200).keepalived())
    three.master(high)
    high.crash()
    three.master(ours)
    high.boot()
    high.keepalived(Setup(200).keepalived())
    three.master(high)


@pytest.mark.parametrize("ours_first", [True, False])
def test_nopreempt_holds_on_both_sides(three: Lan, ours_first: bool) -> None:
    ours, other, _ = three.nodes
    high, low = Setup(200, preempt=False), Setup(100, preempt=False)
    if ours_first:
        router = ours.telamon(high.plan())
        three.master(ours)
        other.keepalived(low.keepalived())
        router.stop()
        three.master(other)
        ours.telamon(high.plan())
        stays = other
    else:
        theirs = other.keepalived(high.keepalived())
        three.master(other)
        ours.telamon(low.plan())
        theirs.stop()
        three.master(ours)
        other.keepalived(high.keepalived())
        stays = ours
    wire = three.wire()
    _watch(three, stays, seconds=1.0)
    assert {frame.source for frame in wire.adverts()} == {stays.address}


def test_unicast(three: Lan) -> None:
    ours, other, third = three.nodes
    addresses = [str(node.address) for node in three.nodes]

    def setup(number: int, priority: int) -> Setup:
        peers = tuple(a for i, a in enumerate(addresses) if i != number)
        return Setup(priority, source=addresses[number], peers=peers)

    router = ours.telamon(setup(0, 200).plan())
    other.keepalived(setup(1, 150).keepalived())
    third.keepalived(setup(2, 100).keepalived())
    three.master(ours)
    router.stop()
    three.master(other)
    ours.telamon(setup(0, 200).plan())
    three.master(ours)


def test_version_2_with_a_password(three: Lan) -> None:
    ours, other, third = three.nodes
    high = Setup(250, version=2, interval=1, password="1111")
    router = ours.telamon(high.plan())
    other.keepalived(Setup(240, version=2, interval=1, password="1111").keepalived())
    three.master(ours)
    # Another password is another cluster (RFC 2338 5.3.6.2): it hears nobody.
    third.keepalived(Setup(100, version=2, interval=1, password="2222").keepalived())
    router.stop()
    three.lost.append(third)
    three.master(other)
    ours.telamon(high.plan())
    three.master(ours)


def test_ipv6(three: Lan) -> None:
    ours, other, third = three.nodes
    vips = ("fe80::99", "2001:db8::99")
    router = ours.telamon(Setup(200, vips=vips).plan())
    other.keepalived(Setup(150, vips=vips).keepalived())
    third.keepalived(Setup(100, vips=vips).keepalived())

    three.master(ours, *vips)
    router.stop()
    three.master(other, *vips)
    ours.telamon(Setup(200, vips=vips).plan())
    three.master(ours, *vips)


def _watch(three: Lan, stays: object, seconds: float) -> None:
    """The VIP must be on this node and no other for that long, at every look."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert three.holders() == [stays]
