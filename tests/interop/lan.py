"""A switch and some nodes as network namespaces, with real programs in them.

Everything is watched from outside by sockets that were opened inside: a packet socket at the
switch sees what is on the wire and when, a netlink socket in each node who holds the address.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import pickle
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_interface
from pathlib import Path
from typing import TypeVar

import pytest

from telamon.kernel.netlink import Netlink
from telamon.plan.router import RouterPlan
from telamon.testing import leftovers

T = TypeVar("T")

DEADLINE = 15.0
VIP = "10.77.0.100"
_CLONE_NEWNET = 0x40000000
_SO_TIMESTAMPNS = 35
_NOTE_ROOM = socket.CMSG_SPACE(16)
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)
_ROUTER = Path(__file__).with_name("run_router.py")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def eventually(condition: Callable[[], T], what: str, within: float = DEADLINE) -> T:
    """Poll until `condition` is true; its value. The assertion tells `what` did not come."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come within {within} s"
        select.select([], [], [], 0.005)


def quickest(measure: Callable[[], float], within: float, tries: int = 4) -> float:
    """The shortest of some measurements, as a busy machine disturbs one or the other.

    The first one `within` its limit ends it; what is always slow stays so.
    """
    times: list[float] = []
    while len(times) < tries and min(times, default=within) >= within:
        times.append(measure())
    return min(times)


def inside(namespace: str, make: Callable[[], T]) -> T:
    """Call `make` in the namespace; sockets it opens stay there."""
    result: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with Path(f"/run/netns/{namespace}").open() as file:
                if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            result.append(make())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return result[0]


@dataclass
class Program:
    """A running router, ours or keepalived, in a session of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """In good order; it must be gone soon."""
        self.process.terminate()
        self.process.wait(DEADLINE)

    def crash(self) -> None:
        """All processes of it at once, with no chance to say anything."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def text(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass(eq=False)
class Node:
    """One host. Its interface is `em1`, its address 10.77.0.`number`."""

    lan: Lan
    number: int
    namespace: str
    netlink: Netlink
    programs: list[Program] = field(default_factory=list)

    @property
    def address(self) -> IPv4Address:
        return IPv4Address(f"10.77.0.{self.number}")

    @property
    def port(self) -> str:
        """The switch's end of the cable."""
        return f"p{self.number}"

    def crash(self) -> None:
        """As when the power fails: all programs at once, and the cable dead."""
        self.lan.lost.append(self)
        run("ip", "-n", self.lan.switch, "link", "set", self.port, "down")
        for program in self.programs:
            program.crash()

    def boot(self) -> None:
        """Back after a crash, with the addresses that a boot gives."""
        self.ip("addr", "flush", "dev", "em1", "to", "10.77.0.100/32")
        self.cable(plugged=True)
        self.lan.lost.remove(self)

    def ip(self, *words: str) -> str:
        return run("ip", "-n", self.namespace, *words)

    def holds(self, address: str = VIP) -> bool:
        wanted = ip_interface(address).ip
        return any(found.interface.ip == wanted for found in self.netlink.addresses())

    def cable(self, plugged: bool) -> None:
        run("ip", "-n", self.lan.switch, "link", "set", self.port, "up" if plugged else "down")

    def keepalived(self, config: str) -> Program:
        """Debian's keepalived with `config`."""
        folder = self.lan.folder / f"keepalived{next(_numbers)}"
        folder.mkdir()
        (folder / "keepalived.conf").write_text(config)
        names = {"f": "keepalived.conf", "p": "p.pid", "r": "r.pid", "c": "c.pid"}
        files = [f"-{flag}{folder / name}" for flag, name in names.items()]
        return self.start(["keepalived", "-n", "-l", "-D", "-P", *files], folder / "log")

    def telamon(
        self,
        plan: RouterPlan,
        supervisor: socket.socket | None = None,
        prefix: tuple[str, ...] = (),
    ) -> Program:
        """Our router role with `plan`, alone or at the other end of `supervisor`."""
        folder = self.lan.folder / f"telamon{next(_numbers)}"
        folder.mkdir()
        (folder / "plan").write_bytes(pickle.dumps(plan))
        command = [*prefix, sys.executable, str(_ROUTER), str(folder / "plan")]
        if supervisor is None:
            return self.start(command, folder / "log")
        fd = supervisor.fileno()
        return self.start([*command, str(fd)], folder / "log", (fd,))

    def start(self, command: list[str], log: Path, keep: tuple[int, ...] = ()) -> Program:
        source = str(Path(__file__).parents[2] / "src")
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                pass_fds=keep,
                env={**os.environ, "PYTHONPATH": source},
            )
        program = Program(process, log)
        self.programs.append(program)
        return program


@dataclass(frozen=True)
class Frame:
    """A frame at the switch and when (seconds, monotonic; by the kernel's clock of arrivals)."""

    at: float
    data: bytes

    @property
    def ethertype(self) -> int:
        return int.from_bytes(self.data[12:14], "big")

    @property
    def is_advert(self) -> bool:
        if self.ethertype == 0x0800:
            return self.data[23] == 112
        return self.ethertype == 0x86DD and self.data[20] == 112

    @property
    def is_arp(self) -> bool:
        return self.ethertype == 0x0806

    @property
    def source(self) -> IPv4Address:
        return IPv4Address(self.data[26:30])

    @property
    def vrrp(self) -> bytes:
        if self.ethertype == 0x86DD:
            return self.data[54:]
        return self.data[34 : 14 + int.from_bytes(self.data[16:18], "big")]

    @property
    def priority(self) -> int:
        return self.vrrp[2]


class Wire:
    """What passes `interface` of the switch, from when it was opened on.

    The bridge itself (`br0`) gets a copy of each multicast and broadcast frame; unicast passes
    only the two ports.
    """

    def __init__(self, namespace: str, interface: str) -> None:
        self.frames: list[Frame] = []
        self._interface = interface
        self._running = True
        self._ahead = _unix_ahead()
        self._socket = inside(namespace, self._open)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def adverts(self, source: Node | None = None, since: float = 0.0) -> list[Frame]:
        return [
            frame
            for frame in list(self.frames)
            if frame.at >= since
            and frame.is_advert
            and (source is None or frame.source == source.address)
        ]

    def arps(self, since: float = 0.0) -> list[Frame]:
        return [frame for frame in list(self.frames) if frame.at >= since and frame.is_arp]

    def close(self) -> None:
        self._running = False
        self._thread.join()
        self._socket.close()

    def _open(self) -> socket.socket:
        everything = 0x0003
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(everything))
        sock.bind((self._interface, everything))
        sock.settimeout(0.05)
        # This thread may be served late: the kernel says when a frame passed.
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        return sock

    def _read(self) -> None:
        while self._running:
            try:
                data, notes, _flags, _from = self._socket.recvmsg(2048, _NOTE_ROOM)
            except TimeoutError:
                continue
            ((_level, _kind, moment),) = notes
            seconds, nanoseconds = struct.unpack("@qq", moment)
            self.frames.append(Frame(seconds + nanoseconds / 1e9 - self._ahead, data))


def _unix_ahead() -> float:
    """Unix time minus the monotonic clock, as exact as an undisturbed moment gives it."""
    looks = []
    for _ in range(20):
        before, now, after = time.monotonic(), time.time(), time.monotonic()
        looks.append((after - before, now - (before + after) / 2))
    return min(looks)[1]


@dataclass
class Lan:
    switch: str
    folder: Path
    nodes: list[Node] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    lost: list[Node] = field(default_factory=list)
    """Nodes that crashed: what they hold nobody sees."""

    def wire(self, interface: str = "br0") -> Wire:
        wire = Wire(self.switch, interface)
        self.wires.append(wire)
        return wire

    def holders(self, address: str = VIP) -> list[Node]:
        return [n for n in self.nodes if n not in self.lost and n.holds(address)]

    def master(self, node: Node, *vips: str) -> None:
        """Wait until `node` and no other holds each of `vips`."""
        wanted = [[node]] * len(vips or (VIP,))
        eventually(
            lambda: [self.holders(vip) for vip in vips or (VIP,)] == wanted,
            f"node {node.number} as the one master",
        )


@contextlib.contextmanager
def lan(folder: Path, count: int) -> Iterator[Lan]:
    """A switch with `count` nodes, taken down afterwards whatever happened."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    _sweep()
    prefix = leftovers.name(f"{next(_numbers)}-")
    made = Lan(f"{prefix}sw", folder)
    names = [made.switch]
    first = subprocess.run(
        ["ip", "netns", "add", made.switch], capture_output=True, text=True, check=False
    )
    if first.returncode != 0:
        pytest.skip(f"network namespaces cannot be made here: {first.stderr.strip()}")
    try:
        run("ip", "-n", made.switch, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        run("ip", "-n", made.switch, "link", "set", "br0", "up")
        for number in range(1, count + 1):
            name = f"{prefix}n{number}"
            run("ip", "netns", "add", name)
            names.append(name)
            node = Node(made, number, name, inside(name, Netlink))
            made.nodes.append(node)
            plug(node)
            run("ip", "-n", name, "link", "set", "lo", "up")
        yield made
    finally:
        for node in made.nodes:
            for program in node.programs:
                program.crash()
                # Shown by pytest when the test has failed.
                print(f"--- node {node.number}: {program.log}")
                print(program.text())
            node.netlink.close()
        for wire in made.wires:
            wire.close()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@functools.cache
def _sweep() -> None:
    """Once in a process."""
    leftovers.sweep()


def plug(node: Node) -> None:
    """Give the node its `em1` (a new one, as after a driver's reload)."""
    switch = node.lan.switch
    mac = f"02:00:0a:4d:00:{node.number:02x}"
    run("ip", "-n", switch, "link", "add", node.port, "type", "veth",
        "peer", "name", "em1", "address", mac, "netns", node.namespace)  # fmt: skip
    run("ip", "-n", switch, "link", "set", node.port, "master", "br0", "up")
    # No duplicate address detection: it would only make the IPv6 tests wait.
    node_sysctl(node, "net.ipv6.conf.em1.accept_dad", "0")
    node.ip("link", "set", "em1", "up")
    node.ip("addr", "add", f"{node.address}/24", "dev", "em1")


def node_sysctl(node: Node, name: str, value: str) -> None:
    run("ip", "netns", "exec", node.namespace, "sysctl", "-qw", f"{name}={value}")
