"""Two routers, a client and the switch between them, as network namespaces.

Both programs get the same treatment: they run in namespaces that are made the same way and are
watched by sockets opened inside. A node is a network namespace only, in the machine's own process
numbers, because keepalived's `track_process` hears of processes nowhere else.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from telamon.kernel.netlink import Netlink
from telamon.testing import leftovers

T = TypeVar("T")

VIP = "10.78.0.100"
SERVICE = 8080
BEHIND = 9000
LIMIT = 20.0

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)
_SOURCE = str(Path(__file__).parents[1] / "src")
_PROBE = Path(__file__).with_name("connects.py")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def wait_for(condition: Callable[[], T], what: str, limit: float = LIMIT) -> T:
    """Poll until `condition` is true; its value. Raises RuntimeError."""
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {limit:g} s")
        time.sleep(0.003)
    return value


def inside(namespace: str, make: Callable[[], T]) -> T:
    """Call `make` in the namespace; sockets it opens stay there."""
    result: list[T] = []

    def work() -> None:
        with Path(f"/run/netns/{namespace}").open() as file:
            if _libc.setns(file.fileno(), _CLONE_NEWNET) == 0:
                result.append(make())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if not result:
        raise RuntimeError(f"cannot work in namespace {namespace}")
    return result[0]


@dataclass(frozen=True)
class Recipe:
    """How a node's program is started, and the proxy beside it if it has none of its own.

    `enters`: it is started outside and goes into the namespace by itself.
    """

    command: list[str]
    beside: list[str] | None = None
    enters: bool = False


def spawn(namespace: str | None, command: list[str], log: Path) -> subprocess.Popen[bytes]:
    enter = ["ip", "netns", "exec", namespace] if namespace else []
    with log.open("ab") as out:
        return subprocess.Popen(
            [*enter, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": _SOURCE},
        )


def descendants(pid: int) -> list[int]:
    """The process and everything below it, parents first."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{each}/task/{each}/children").read_text()
            found += [int(word) for word in text.split()]
    return found


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Responder(threading.Thread):
    """Answers each connection with one byte that names the node."""

    def __init__(self, namespace: str, address: str, port: int, name: bytes) -> None:
        super().__init__(daemon=True)
        self._name = name
        self._socket = inside(namespace, lambda: socket.create_server((address, port), backlog=512))
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):
                    connection.sendall(self._name)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.join()


@dataclass(eq=False)
class Machine:
    """One router node: its namespace, and the program that runs there."""

    namespace: str
    name: bytes
    folder: Path
    recipe: Recipe
    proxied: bool
    process: subprocess.Popen[bytes] | None = None
    proxy: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        address, port = ("127.0.0.1", BEHIND) if self.proxied else ("0.0.0.0", SERVICE)
        self._netlink = inside(self.namespace, Netlink)
        self._switch = inside(self.namespace, lambda: socket.socket(type=socket.SOCK_DGRAM))
        self._responder = Responder(self.namespace, address, port, self.name)
        self.log = self.folder / "log"

    def holds(self) -> bool:
        return any(str(a.interface.ip) == VIP for a in self._netlink.addresses())

    def start(self) -> None:
        """The program, and what stands beside it; returns once the node listens as a backup."""
        self.start_proxy()
        before = self._entered()
        within = None if self.recipe.enters else self.namespace
        self.process = spawn(within, self.recipe.command, self.log)
        wait_for(lambda: self._entered() > before, f"a backup (see {self.log})")

    def start_proxy(self) -> None:
        beside = self.recipe.beside
        if beside is not None and (self.proxy is None or self.proxy.poll() is not None):
            self.proxy = spawn(self.namespace, beside, self.folder / "proxy.log")
            (self.folder / "proxy.pid").write_text(str(self.proxy.pid))

    def _entered(self) -> int:
        if not self.log.exists():
            return 0
        return self.log.read_bytes().count(b"Entering BACKUP STATE")

    def crash(self) -> None:
        """Stop everything, kill it, interface down: nothing can be said any more."""
        assert self.process is not None
        everybody = descendants(self.process.pid)
        # A child of either program is sent SIGTERM when its parent dies (prctl(2),
        # PR_SET_PDEATHSIG), and says goodbye: a planned stop, in some 30 ms. So all stand still
        # before any dies, and children die before their parents.
        _signal(everybody, signal.SIGSTOP)
        _signal(everybody[::-1], signal.SIGKILL)
        self._interface(up=False)
        self.process.wait()

    def boot(self) -> None:
        """After a crash: no file of the old life, the interface without the address on it."""
        for left in self.folder.glob("[prc].pid"):
            left.unlink()
        run("ip", "-n", self.namespace, "addr", "flush", "dev", "em1", "to", f"{VIP}/32")
        self._interface(up=True)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()

    def gone(self) -> None:
        if self.process is not None:
            self.process.wait(20)

    def kill_proxy(self) -> None:
        """kill -9 of the process that takes the connections."""
        if self.proxy is not None:
            self.proxy.kill()
            self.proxy.wait()
            return
        assert self.process is not None
        for pid in descendants(self.process.pid):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "haproxy":
                os.kill(pid, signal.SIGKILL)
                return
        raise RuntimeError("no process is called haproxy")

    def _interface(self, *, up: bool) -> None:
        request = struct.pack("16sH14x", b"em1", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(self._switch, _SIOCGIFFLAGS, request), 16)
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(self._switch, _SIOCSIFFLAGS, struct.pack("16sH14x", b"em1", flags))

    def close(self) -> None:
        for process in (self.process, self.proxy):
            if process is not None:
                for pid in descendants(process.pid) if process.poll() is None else []:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait()
        self._responder.close()
        self._netlink.close()
        self._switch.close()


class Client:
    """Connects to the VIP at a steady pace from the client's namespace; see `connects.py`."""

    def __init__(self, namespace: str, pace: float) -> None:
        words = [VIP, str(SERVICE), f"{pace}"]
        command = ["ip", "netns", "exec", namespace, sys.executable, "-I", "-S", str(_PROBE)]
        self._process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE)
        self.answers: list[tuple[float, bytes]] = []
        """When the connection was begun (seconds, monotonic), and who answered."""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            moment, name = line.split()
            self.answers.append((float(moment), name))

    def gap(self, struck: float) -> float:
        """The largest distance between two successive answered connections of which the later was
        begun after the blow; seconds. (The earlier may be long before, if the client was late.)
        """
        moments = sorted(moment for moment, _ in list(self.answers))
        return max((b - a for a, b in itertools.pairwise(moments) if b >= struck), default=0.0)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@dataclass
class Lan:
    """A switch with a client and up to two machines."""

    switch: str
    client: str
    machines: list[Machine] = field(default_factory=list)

    def client_at(self, pace: float) -> Client:
        return Client(self.client, pace)

    def holders(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.holds()]


@contextlib.contextmanager
def lan() -> Iterator[tuple[Lan, list[str]]]:
    """An empty LAN and the names of two namespaces for machines (`.1` and `.2`)."""
    leftovers.sweep()
    prefix = leftovers.name(f"{next(_numbers)}-")
    switch, client = f"{prefix}s", f"{prefix}c"
    names = [f"{prefix}n1", f"{prefix}n2"]
    made: list[str] = []
    try:
        for name in (switch, client, *names):
            run("ip", "netns", "add", name)
            made.append(name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", switch, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        for number, name in ((1, names[0]), (2, names[1]), (9, client)):
            run("ip", "-n", switch, "link", "add", f"p{number}", "type", "veth",
                "peer", "name", "em1", "netns", name)  # fmt: skip
            run("ip", "-n", switch, "link", "set", f"p{number}", "master", "br0", "up")
            run("ip", "-n", name, "link", "set", "em1", "up")
            run("ip", "-n", name, "addr", "add", f"10.78.0.{number}/24", "dev", "em1")
        yield Lan(switch, client), names
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
