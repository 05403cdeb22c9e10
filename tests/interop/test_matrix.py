"""Telamon and Debian's keepalived as peers, from one file, in every role and on every wire.

One story for all: the stronger node leads; both reload without any move; it leaves (in good order,
or by a crash) and the other follows; it comes back and takes over, or does not (`nopreempt`).
docs/failover.md shows the rows with their results.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.lan import VIP, Lan, Node, Program, eventually, lan, node_sysctl
from tests.interop.setups import Setup
from tests.safety import whole

pytestmark = [
    pytest.mark.netns,
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]

Tell = Callable[[str, object], None]

TELAMON, KEEPALIVED = "Telamon", "keepalived"
ROLES = ((TELAMON, KEEPALIVED), (KEEPALIVED, TELAMON))
VIPS6 = ("fe80::99", "2001:db8::99")
_LINK_LOCAL = "fe80::aff:fe4d:{}"
"""What `plug` gives em1: made of its link address."""


@dataclass(frozen=True)
class Form:
    """What the adverts look like."""

    version: int = 3
    password: str = ""
    unicast: bool = False
    vips: tuple[str, ...] = (VIP,)
    more: str = ""
    """Further lines of the instance."""

    def text(self, number: int, priority: int, *, preempt: bool) -> str:
        """The keepalived.conf of the node with that number (1 or 2)."""
        source, peer = "", ""
        if self.unicast:
            pattern = _LINK_LOCAL if ":" in self.vips[0] else "10.77.0.{}"
            source, peer = pattern.format(number), pattern.format(3 - number)
        setup = Setup(
            priority,
            version=self.version,
            interval=1 if self.version == 2 else 0.1,
            password=self.password,
            preempt=preempt,
            source=source,
            peers=(peer,) if peer else (),
            vips=self.vips,
        )
        return setup.keepalived().replace("interface em1", f"interface em1\n{self.more}")


FORMS = {
    "v2, multicast": Form(version=2),
    "v2, multicast, PASS": Form(version=2, password="1111"),
    "v2, unicast": Form(version=2, unicast=True),
    "v3, multicast": Form(),
    "v3, unicast": Form(unicast=True),
    "v3, IPv6, multicast": Form(vips=VIPS6),
    "v3, IPv6, unicast": Form(vips=VIPS6, unicast=True),
    "v3, multicast, VMAC": Form(more="use_vmac"),
}
ENDS = {"graceful stop, preempt": (False, True), "crash, nopreempt": (True, False)}
CASES = list(itertools.product(FORMS, ENDS, ROLES))


@dataclass
class Router:
    """Either program, on a node."""

    node: Node
    kind: str
    text: str
    program: Program | None = None

    def start(self) -> None:
        if self.kind == TELAMON:
            self.program = whole.start_text(self.node, self.text).program
        else:
            self.program = self.node.keepalived(self.text)

    def reload(self) -> None:
        assert self.program is not None
        self.program.process.send_signal(signal.SIGHUP)

    def leave(self, *, crash: bool) -> None:
        assert self.program is not None
        if crash:
            self.node.lan.lost.append(self.node)
            self.node.cable(plugged=False)
            whole.kill(whole.family(self.program.process.pid))
            self.program.process.wait()
        else:
            self.program.stop()

    def come_back(self, *, crashed: bool) -> None:
        if crashed:
            for vip in VIP, *VIPS6:
                self.node.ip("addr", "flush", "to", vip)
            self.node.cable(plugged=True)
            self.node.lan.lost.remove(self.node)
        self.start()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 2) as made:
        yield made


@pytest.mark.parametrize(
    ("form", "end", "roles"), CASES, ids=[f"{f}-{e}-{r[0]} leads" for f, e, r in CASES]
)
def test_a_pair(
    form: str, end: str, roles: tuple[str, str], two: Lan, record_property: Tell
) -> None:
    _tell(record_property, CASES.index((form, end, roles)), f"{form}; {end}", roles)
    crash, preempt = ENDS[end]
    vips = FORMS[form].vips
    first, second = (
        Router(node, kind, FORMS[form].text(node.number, priority, preempt=preempt))
        for node, kind, priority in zip(two.nodes, roles, (200, 100), strict=True)
    )
    first.start()
    two.master(first.node, *vips)
    second.start()
    _has_joined(second)
    for router in (first, second):
        router.reload()
        _stays(two, first.node, vips[0])
    first.leave(crash=crash)
    two.master(second.node, *vips)
    first.come_back(crashed=crash)
    _has_joined(first)
    if preempt:
        two.master(first.node, *vips)
    else:
        _stays(two, second.node, vips[0])


@pytest.mark.parametrize("roles", ROLES, ids=[f"{r[0]} leads" for r in ROLES])
def test_a_sync_group(roles: tuple[str, str], two: Lan, record_property: Tell) -> None:
    """A group over two LANs: when one cable of the master fails, both addresses move."""
    _tell(record_property, len(CASES) + ROLES.index(roles), "v3, a sync group of two", roles)
    one, other = two.nodes
    one.ip("link", "add", "em2", "type", "veth", "peer", "name", "em2", "netns", other.namespace)
    for node in two.nodes:
        node_sysctl(node, "net.ipv6.conf.em2.accept_dad", "0")
        node.ip("link", "set", "em2", "up")
        node.ip("addr", "add", f"10.88.0.{node.number}/24", "dev", "em2")
    first, second = (
        Router(node, kind, _group(priority))
        for node, kind, priority in zip(two.nodes, roles, (200, 100), strict=True)
    )
    both = (VIP, "10.88.0.100")
    first.start()
    two.master(one, *both)
    second.start()
    _has_joined(second)
    run_down = ("link", "set", "em1", "down")
    one.ip(*run_down)
    eventually(lambda: all(other.holds(vip) for vip in both), "both addresses on the other node")
    eventually(lambda: not any(one.holds(vip) for vip in both), "none on the first")
    one.ip("link", "set", "em1", "up")
    two.master(one, *both)
    first.leave(crash=False)
    two.master(other, *both)


def _group(priority: int) -> str:
    one = Setup(priority).keepalived()
    other = Setup(priority, vrid=52, vips=("10.88.0.100",)).keepalived()
    other = other.replace("VI_1", "VI_2").replace("em1", "em2")
    return "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\n}\n" + one + other


def _tell(record: Tell, place: int, row: str, roles: tuple[str, str]) -> None:
    record("place", place)
    record("row", row)
    record("ours", roles[0])
    record("theirs", roles[1])


def _has_joined(router: Router) -> None:
    """It is a backup, and has had the time to hear an advert of each second."""

    def backup() -> bool:
        return router.program is not None and "Entering BACKUP STATE" in router.program.text()

    eventually(backup, f"{router.kind} as a backup")


def _stays(made: Lan, node: Node, vip: str) -> None:
    """Look for more than a down interval at 0.1 s: the VIP is there at the end, never elsewhere."""
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        # keepalived takes its addresses off for a moment when it reloads.
        assert made.holders(vip) in ([node], [])
    eventually(lambda: made.holders(vip) == [node], "the address back")
