"""The router role as the supervisor's child: the channel, the proxy's life line, reloads."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from telamon.daemon.messages import (
    Channel,
    Message,
    NewPlan,
    ProxyDown,
    ProxyUp,
    Ready,
    RouterStatus,
    Stop,
    Stopping,
)
from tests.interop.lan import DEADLINE, VIP, Lan, Node, Program, eventually, lan
from tests.interop.setups import Setup

pytestmark = pytest.mark.netns


class Supervised:
    """A router on `node` and the supervisor's end of its channel."""

    def __init__(self, node: Node, setup: Setup) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.program: Program = node.telamon(setup.plan(), theirs)
        self.channel = Channel(ours)

    def wait_for(self, kind: type[Message]) -> Message:
        """The next message of that kind; others are passed over."""
        end = time.monotonic() + DEADLINE
        while True:
            left = end - time.monotonic()
            assert left > 0, f"no {kind.__name__}:\n{self.program.text()}"
            if select.select([self.channel], [], [], left)[0]:
                received = self.channel.receive()
                assert received is not None, self.program.text()
                if isinstance(received[0], kind):
                    return received[0]

    def proxy_up(self, process: subprocess.Popen[bytes]) -> None:
        pidfd = os.pidfd_open(process.pid)
        self.channel.send(ProxyUp(process.pid), (pidfd,))
        os.close(pidfd)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 2) as made:
        yield made


@pytest.fixture
def proxy() -> Iterator[subprocess.Popen[bytes]]:
    with stand_in() as process:
        yield process


@contextlib.contextmanager
def stand_in() -> Iterator[subprocess.Popen[bytes]]:
    """A process in the proxy's place."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def router(two: Lan) -> Iterator[Supervised]:
    made = Supervised(two.nodes[0], Setup(200, track_proxy=True))
    yield made
    made.channel.close()


def test_it_waits_for_the_proxy_and_follows_it(
    two: Lan, router: Supervised, proxy: subprocess.Popen[bytes]
) -> None:
    ours, other = two.nodes
    router.wait_for(Ready)
    other.telamon(Setup(100).plan())
    two.master(other)

    router.proxy_up(proxy)
    two.master(ours)

    wire = two.wire()
    proxy.kill()
    killed = time.monotonic()
    eventually(lambda: wire.adverts(other), "the other node's advert")
    took = wire.adverts(other)[0].at - killed
    two.master(other)
    print(f"the other node spoke {took * 1000:.1f} ms after the proxy's death")
    assert took < 0.3, "less than three intervals: it was told, its silence was not noticed"
    assert f"proxy died (pid {proxy.pid})" in router.program.text()


def test_the_supervisor_may_say_that_the_proxy_leaves(
    two: Lan, router: Supervised, proxy: subprocess.Popen[bytes]
) -> None:
    ours, other = two.nodes
    other.telamon(Setup(100).plan())
    router.proxy_up(proxy)
    two.master(ours)
    router.channel.send(ProxyDown("the proxy is restarted"))
    two.master(other)
    router.proxy_up(proxy)
    two.master(ours)
    # Another proxy takes over: the old one's death means nothing any more.
    with stand_in() as second:
        router.proxy_up(second)
        ready = f"proxy is ready (pid {second.pid})"
        eventually(lambda: ready in router.program.text(), "the new proxy")
        proxy.kill()
        proxy.wait()
        select.select([], [], [], 0.3)
        assert two.holders() == [ours]
        second.kill()
        two.master(other)


def test_it_tells_its_state(two: Lan, router: Supervised, proxy: subprocess.Popen[bytes]) -> None:
    router.proxy_up(proxy)
    two.master(two.nodes[0])

    def master() -> bool:
        status = router.wait_for(RouterStatus)
        assert isinstance(status, RouterStatus)
        (instance,) = status.instances
        shown = (instance.name, instance.interface, instance.vrid, instance.priority)
        assert shown == ("VI_1", "em1", 51, 200)
        assert instance.addresses == (VIP,)
        return instance.state == "MASTER"

    eventually(master, "MASTER in the status")


def test_a_new_plan_by_difference(
    two: Lan, router: Supervised, proxy: subprocess.Popen[bytes]
) -> None:
    ours = two.nodes[0]
    router.wait_for(Ready)
    router.proxy_up(proxy)
    two.master(ours)
    changed = Setup(200, track_proxy=True, vips=(VIP, "10.77.0.101"))
    router.channel.send(NewPlan(changed.plan()))
    router.wait_for(Ready)
    eventually(lambda: ours.holds("10.77.0.101"), "the new address")
    assert ours.holds()


def test_stop(two: Lan, router: Supervised, proxy: subprocess.Popen[bytes]) -> None:
    router.proxy_up(proxy)
    two.master(two.nodes[0])
    router.channel.send(Stop())
    assert router.program.process.wait(DEADLINE) == 0
    assert not two.nodes[0].holds()


def test_a_signal_is_told_to_the_supervisor(two: Lan, router: Supervised) -> None:
    router.wait_for(Ready)
    router.program.process.send_signal(signal.SIGHUP)  # not for us: the supervisor reloads
    router.program.process.send_signal(signal.SIGTERM)
    router.wait_for(Stopping)
    assert router.program.process.wait(DEADLINE) == 0


def test_it_does_not_outlive_its_supervisor(
    two: Lan, router: Supervised, proxy: subprocess.Popen[bytes]
) -> None:
    router.proxy_up(proxy)
    two.master(two.nodes[0])
    router.channel.close()
    assert router.program.process.wait(DEADLINE) == 0
    assert not two.nodes[0].holds()
