"""Nodes, switches and cables out of namespaces, as root or without.

    with Network("demo") as net:
        lan = net.switch("lan")
        one = net.node("one")
        one.connect(lan, "em1", "192.168.10.80/24")
        one.run(["ip", "address"])

A `Node` has network, mount, PID, UTS and IPC namespaces of its own and an init process; nothing of
it is visible on the host, and nothing outlives the process that made it (see `anchor`). Without
root everything happens in a user namespace in which the caller is uid 0.

`why_not()` tells in one line why this cannot work here; tests skip with it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import telamon
from telamon.lab.anchor import NodeFile, NodeSpec

_PACKAGES = Path(telamon.__file__).resolve().parents[1]
_BRIDGE = "br0"
_START_LIMIT = 20.0
_IP_LIMIT = 20.0

# The helpers start without site-packages (-S) and without the caller's environment (-I).
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); module = sys.argv.pop(1); "
    "from importlib import import_module; sys.exit(import_module(module).main())"
)


class LabError(Exception):
    """The lab cannot do it; `str()` is one line fit for users."""


def helper(module: str, *arguments: str) -> list[str]:
    """The argument vector that runs a module's `main` with the standard library only."""
    return [sys.executable, "-I", "-S", "-c", _BOOT, str(_PACKAGES), module, *arguments]


class _Anchor:
    """A holder process and what it reported. `close` ends all that it holds."""

    def __init__(self, message: str) -> None:
        self._process = subprocess.Popen(
            helper("telamon.lab.anchor"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input: IO[bytes] = self._process.stdin
        try:
            with contextlib.suppress(BrokenPipeError):
                self._input.write(message.encode() + b"\n")
                self._input.flush()
            answer = self._process.stdout.readline().decode(errors="replace").strip()
        except BaseException:
            self.close()
            raise
        finally:
            self._process.stdout.close()
        word, _, rest = answer.partition(" ")
        if word != "ok":
            self.close()
            raise LabError(rest or "the holder of a namespace ended at once")
        self.pid = int(rest)

    def release(self) -> None:
        """Let it end; `close` waits for that."""
        with contextlib.suppress(BrokenPipeError):
            self._input.close()

    def close(self) -> None:
        self.release()
        # Killing everything in a PID namespace is the kernel's work and quick.
        try:
            self._process.wait(_START_LIMIT)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    @property
    def alive(self) -> bool:
        return self._process.poll() is None


def enter_command(
    init: int, command: Sequence[str], *, user: bool, tty: bool = False, plumbing: bool = False
) -> list[str]:
    """The argument vector that runs `command` in the node whose init is process `init`.

    `user`: the node is in a user namespace. `plumbing`: enter only the network, and see the
    host's files and process numbers.
    """
    kinds = ["user"] if user else []
    kinds += ["net"] if plumbing else ["net", "mount", "pid", "uts", "ipc"]
    flags = [] if plumbing else ["fork"]
    flags += ["tty"] if tty else []
    return helper("telamon.lab.enter", str(init), ",".join(kinds), *flags, "--", *command)


class Node:
    """One machine of the network. Made by `Network.node`."""

    def __init__(self, name: str, anchor: _Anchor, user: bool) -> None:
        self.name = name
        self._anchor = anchor
        self._user = user
        self._ports: dict[str, tuple[Node, str]] = {}
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def pid(self) -> int:
        """The node's init, as the host counts. `/proc/PID/root` is the node's view of files."""
        return self._anchor.pid

    def path(self, name: str) -> Path:
        """The host's name for a file of the node (in a directory that is no symbolic link)."""
        return Path(f"/proc/{self.pid}/root") / name.lstrip("/")

    # Commands

    def command(self, argv: Sequence[str], *, tty: bool = False) -> list[str]:
        """The argument vector for the host that runs `argv` in the node."""
        return enter_command(self.pid, argv, user=self._user, tty=tty)

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = subprocess.DEVNULL,
        stderr: int | IO[Any] | None = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start `argv` in the node, in a session of its own.

        Signals sent to the returned process reach the command (`kill()` kills it), its return
        code is the command's. A command that is not there gives 127.
        """
        process = subprocess.Popen(
            self.command(argv),
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self._started = [each for each in self._started if each.poll() is None]
        self._started.append(process)
        return process

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        timeout: float = 30.0,
        input: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `argv` to its end; output and errors are captured as text.

        Raises LabError with the command's last words if `check` and it failed.
        """
        done = subprocess.run(
            self.command(argv),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=env,
            check=False,
            start_new_session=True,
        )
        if check and done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines()
            last = words[-1] if words else f"exit status {done.returncode}"
            raise LabError(f"{self.name}: {argv[0]}: {last}")
        return done

    def processes(self) -> dict[int, str]:
        """The commands that run in the node, by the PID that the node itself sees; not its init."""
        found: dict[int, str] = {}
        for entry in self.path("/proc").iterdir():
            if entry.name.isdecimal() and entry.name != "1":
                with contextlib.suppress(OSError):
                    found[int(entry.name)] = (entry / "comm").read_text().strip()
        return found

    def kill(self, signum: signal.Signals, name: str | None = None) -> None:
        """Signal every process of the node (or those of that name), as from the node's root."""
        if name is None:
            code = f"import os; os.kill(-1, {signum.value})"
            # -1 is everybody but the sender and the init.
            self.run([sys.executable, "-I", "-S", "-c", code])
            return
        pids = [pid for pid, comm in self.processes().items() if comm == name]
        if pids:
            self.run(["/bin/kill", f"-{signum.value}", *map(str, pids)], check=False)

    # Links

    def ip(self, *lines: str) -> None:
        """Run lines of ip(8) in the node's network, in one batch. Raises LabError."""
        done = subprocess.run(
            enter_command(self.pid, ["ip", "-batch", "-"], user=self._user, plumbing=True),
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=_IP_LIMIT,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise LabError(f"{self.name}: ip: {' '.join(done.stderr.split())}")

    def connect(self, other: Node, interface: str, *addresses: str, far: str | None = None) -> None:
        """A cable from `interface` of this node to `other`, a switch or a node; both ends up.

        `addresses` have a prefix length (`192.168.10.80/24`, `fe80::80/64`). The other end is
        called `far`, by default after this node.
        """
        far = far or f"{self.name[:11]}-{len(other._ports)}"
        master = f" master {_BRIDGE}" if isinstance(other, Switch) else ""
        other.ip(
            f"link add {far} type veth peer name {interface} netns {self.pid}",
            f"link set {far}{master} up",
        )
        self._ports[interface] = (other, far)
        other._ports[far] = (self, interface)
        self.ip(f"link set {interface} up", *map(functools.partial(_add, interface), addresses))

    def address(self, interface: str, *addresses: str) -> None:
        """Give further addresses to an interface."""
        self.ip(*map(functools.partial(_add, interface), addresses))

    def link_down(self, interface: str) -> None:
        """What `ip link set down` does. IPv6 addresses are lost, as everywhere."""
        self.ip(f"link set {interface} down")

    def link_up(self, interface: str) -> None:
        self.ip(f"link set {interface} up")

    def unplug(self, interface: str) -> None:
        """Pull the cable: the interface stays up and loses its carrier."""
        other, far = self._ports[interface]
        other.ip(f"link set {far} down")

    def plug(self, interface: str) -> None:
        other, far = self._ports[interface]
        other.ip(f"link set {far} up")

    def release(self) -> None:
        """Let the node and every process in it end."""
        self._anchor.release()

    def close(self) -> None:
        """The same, and wait until they have."""
        self._anchor.close()
        for process in self._started:
            process.wait(_START_LIMIT)
        self._started.clear()


class Switch(Node):
    """A node with a learning bridge to which others connect."""


def _add(interface: str, address: str) -> str:
    nodad = " nodad" if ":" in address else ""
    broadcast = "" if ":" in address or address.endswith("/32") else " brd +"
    return f"address add {address}{broadcast} dev {interface}{nodad}"


class Network:
    """All nodes of one lab; a context manager. Everything ends with it, or with this process."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._user: _Anchor | None = None
        self.ids_mapped = True
        """Are there users and groups beyond 0? (Not in a user namespace without newuidmap.)"""

    def __enter__(self) -> Self:
        reason = why_not()
        if reason is not None:
            raise LabError(reason)
        if not _privileged():
            self._user = _Anchor("user")
            try:
                self.ids_mapped = _write_maps(self._user.pid)
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def in_user_namespace(self) -> bool:
        return self._user is not None

    def node(
        self,
        name: str,
        *,
        empty: Iterable[str] = (),
        covered: Iterable[str] = (),
        directories: Iterable[str] = (),
        files: Iterable[NodeFile] = (),
    ) -> Node:
        """A new machine with its loopback up. See `NodeSpec` for its directories and files."""
        anchor = self._anchor(name, empty, covered, directories, files)
        return self._adopt(Node(name, anchor, self.in_user_namespace))

    def switch(self, name: str) -> Switch:
        """A new switch: forwards at once, all multicast everywhere."""
        anchor = self._anchor(name, (), (), (), ())
        switch = Switch(name, anchor, self.in_user_namespace)
        self._adopt(switch)
        switch.ip(
            f"link add {_BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link set {_BRIDGE} up",
        )
        return switch

    def _anchor(
        self,
        name: str,
        empty: Iterable[str],
        covered: Iterable[str],
        directories: Iterable[str],
        files: Iterable[NodeFile],
    ) -> _Anchor:
        spec = NodeSpec(
            name,
            self._user.pid if self._user else None,
            tuple(empty),
            tuple(covered),
            tuple(directories),
            tuple(files),
        )
        try:
            return _Anchor(spec.to_json())
        except LabError as error:
            raise LabError(f"cannot make {name}: {error}") from error

    def _adopt(self, node: Node) -> Node:
        self._nodes.append(node)
        node.ip("link set lo up")
        return node

    def close(self) -> None:
        """End every node; waits until the last process is gone."""
        with contextlib.ExitStack() as stack:
            if self._user is not None:
                stack.callback(self._user.close)
            for node in self._nodes:
                # All at once, then wait: the kernel takes some time for each.
                node.release()
                stack.callback(node.close)
        self._nodes.clear()
        self._user = None


def _privileged() -> bool:
    """May this process make namespaces without a user namespace? (CAP_SYS_ADMIN and _NET_ADMIN.)"""
    needed = (1 << 21) | (1 << 12)
    with contextlib.suppress(OSError, StopIteration):
        status = Path("/proc/self/status").read_text().splitlines()
        line = next(line for line in status if line.startswith("CapEff:"))
        return os.geteuid() == 0 and int(line.split()[1], 16) & needed == needed
    return False


def _write_maps(pid: int) -> bool:
    """Map ids of the user namespace of `pid`: all that the caller has been given, or only 0.

    Returns whether there are more than 0. Raises LabError.
    """
    uid, gid = os.geteuid(), os.getegid()
    users, groups = _subordinate("/etc/subuid", uid), _subordinate("/etc/subgid", uid)
    if users and groups and shutil.which("newuidmap") and shutil.which("newgidmap"):
        for tool, own, (first, count) in (
            ("newuidmap", uid, users),
            ("newgidmap", gid, groups),
        ):
            words = [tool, str(pid), "0", str(own), "1", "1", str(first), str(count)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                break
        else:
            return True
    try:
        process = Path(f"/proc/{pid}")
        if not (process / "uid_map").read_text().strip():
            (process / "uid_map").write_text(f"0 {uid} 1\n")
        if not (process / "gid_map").read_text().strip():
            (process / "setgroups").write_text("deny")
            (process / "gid_map").write_text(f"0 {gid} 1\n")
    except OSError as error:
        raise LabError(
            f"cannot map this user into a user namespace: {error.strerror}; run as root"
        ) from error
    return False


def _subordinate(path: str, uid: int) -> tuple[int, int] | None:
    """The first range of ids that /etc/subuid or /etc/subgid gives to this user."""
    names = {str(uid)}
    with contextlib.suppress(KeyError):
        names.add(pwd.getpwuid(uid).pw_name)
    with contextlib.suppress(OSError, ValueError):
        for line in Path(path).read_text().splitlines():
            owner, _, numbers = line.partition(":")
            if owner in names:
                first, count = numbers.split(":")
                return int(first), min(int(count), 65535)
    return None


_HINTS: tuple[tuple[str, str], ...] = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("/proc/sys/user/max_user_namespaces", "user.max_user_namespaces=15000"),
)


def _hint() -> str:
    """The setting that most likely forbids user namespaces here, as words for sysctl(8)."""
    for path, wanted in _HINTS:
        with contextlib.suppress(OSError):
            value = Path(path).read_text().strip()
            forbids = "1" if "apparmor" in path else "0"
            if value == forbids:
                return f"; `sysctl {wanted}` allows them"
    return ""


@functools.cache
def why_not() -> str | None:
    """One line that says what is missing for a lab on this machine, or None. Tries it once."""
    if not sys.platform.startswith("linux"):
        return "the lab needs Linux"
    if shutil.which("ip") is None:
        return "the lab needs the command ip: install iproute2"
    try:
        with _probe() as node:
            node.ip("link set lo up", "link add lab-probe type bridge")
            node.ip("link add lab-probe0 type veth peer name lab-probe1")
    except LabError as error:
        if _privileged():
            return f"the lab cannot make namespaces here although it is root: {error}"
        return f"the lab needs root or user namespaces: {error}{_hint()}"
    return None


@contextlib.contextmanager
def _probe() -> Iterator[Node]:
    with contextlib.ExitStack() as stack:
        user = None
        if not _privileged():
            user = _Anchor("user")
            stack.callback(user.close)
            _write_maps(user.pid)
        anchor = _Anchor(NodeSpec("probe", user.pid if user else None).to_json())
        stack.callback(anchor.close)
        yield Node("probe", anchor, user is not None)


def wait_until(condition: Any, seconds: float, what: str, step: float = 0.02) -> None:
    """Poll until `condition()` is true. Raises LabError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:g} s for {what}")
        time.sleep(step)
