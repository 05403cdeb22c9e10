"""The process that holds one node's namespaces. Run by `telamon.lab.net`, never by people.

Two processes: the *outer* one listens to its standard input, and the *init*, process 1 of the
node's PID namespace, reaps orphans. Nothing of a node has a name on the host: its namespaces live
as long as their init. The owner holds the other end of the outer's input; when the owner ends, in
whatever way, the pipe closes, the outer kills the init, and the kernel kills everything in its PID
namespace and takes away the links, mounts and files (all in a tmpfs of the mount namespace). So
there is nothing to clean up later, not even after `kill -9`.

Protocol: one line of JSON in (`NodeSpec`), one line out: `ok PID` (the init, as the owner counts)
or `no REASON`. Standard library only: it starts without site-packages, to be quick.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from telamon.kernel import namespaces
from telamon.kernel.namespaces import MountFlags, Namespaces

SHELTER = "/dev/shm"
"""Gets a tmpfs of the node's own; beneath it stays reachable what covered directories hid."""
_HIDDEN = f"{SHELTER}/.lab"

_KINDS = Namespaces.NET | Namespaces.MOUNT | Namespaces.PID | Namespaces.UTS | Namespaces.IPC


@dataclass(frozen=True, slots=True)
class NodeFile:
    """A file that the node has for itself. Its directory is made if it is in a covered one."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """What a node is made of.

    `user_of` is the process whose user namespace to join first, None to stay in the owner's.
    `empty` directories start empty; `covered` ones show what the host has there, but what is
    changed in them stays in the node. Both keep nothing when the node ends.
    """

    hostname: str
    user_of: int | None = None
    empty: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    files: tuple[NodeFile, ...] = field(default=())

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> NodeSpec:
        tree = json.loads(text)
        tree["files"] = tuple(NodeFile(**each) for each in tree["files"])
        for name in ("empty", "covered", "directories"):
            tree[name] = tuple(tree[name])
        return cls(**tree)


def _cover(path: str) -> None:
    """Lay a tmpfs over a directory and link into it all that the directory has.

    An overlay would be the natural thing, but not every kernel allows it in a user namespace, nor
    on top of another overlay (as containers have it); links work everywhere.
    """
    lower = f"{_HIDDEN}{path}"
    Path(lower).mkdir(parents=True, exist_ok=True)
    namespaces.mount(path, lower, flags=MountFlags.BIND | MountFlags.REC)
    namespaces.mount("tmpfs", path, "tmpfs", MountFlags.NOSUID | MountFlags.NODEV, "mode=755")
    for entry in Path(lower).iterdir():
        # A relative link means something only in its own directory: it is copied as it is.
        target = str(entry.readlink()) if entry.is_symlink() else str(entry)
        (Path(path) / entry.name).symlink_to(target)


def _own(directory: Path, root: Path) -> None:
    """Make `directory` the node's own: links into what was hidden on the way become directories."""
    for part in [*reversed(directory.relative_to(root).parents), directory.relative_to(root)]:
        step = root / part
        if step.is_symlink():
            step.unlink()
        step.mkdir(exist_ok=True)


def _write(file: NodeFile, roots: list[Path]) -> None:
    path = Path(file.path)
    root = next((root for root in roots if path.is_relative_to(root)), None)
    if root is None:
        raise OSError(f"{path} is in no directory of the node's own")
    _own(path.parent, root)
    if path.is_symlink():
        path.unlink()
    path.write_text(file.text)
    path.chmod(file.mode)


def _furnish(spec: NodeSpec) -> None:
    """Inside the new namespaces: mounts, files, the host's name, the loopback's settings."""
    socket.sethostname(spec.hostname)
    namespaces.mount("none", "/", flags=MountFlags.REC | MountFlags.PRIVATE)
    quiet = MountFlags.NOSUID | MountFlags.NODEV | MountFlags.NOEXEC
    namespaces.mount("proc", "/proc", "proc", quiet)
    namespaces.mount("tmpfs", SHELTER, "tmpfs", MountFlags.NOSUID | MountFlags.NODEV)
    for path in spec.covered:
        _cover(path)
    for path in spec.empty:
        if not Path(path).is_symlink():
            namespaces.mount("tmpfs", path, "tmpfs", MountFlags.NOSUID, "mode=755")
    roots = [Path(path) for path in (*spec.covered, *spec.empty)]
    for name in spec.directories:
        root = next((root for root in roots if Path(name).is_relative_to(root)), None)
        if root is None:
            raise OSError(f"{name} is in no directory of the node's own")
        _own(Path(name), root)
    for file in spec.files:
        _write(file, roots)
    # Duplicate address detection keeps an IPv6 address useless for a second or two.
    ipv6 = Path("/proc/sys/net/ipv6/conf")
    for which in ("all", "default"):
        for setting, value in (("disable_ipv6", "0"), ("accept_dad", "0"), ("dad_transmits", "0")):
            with contextlib.suppress(OSError):
                (ipv6 / which / setting).write_text(value)


def _init(spec: NodeSpec, report: int, outer: int) -> None:
    """Process 1 of the node. Never returns."""
    try:
        namespaces.die_with_parent()
        _furnish(spec)
        answer = "ok"
    except OSError as error:
        answer = f"no {error.strerror or error}"
    # An outer that ended before the wish was heard would leave us alone: it holds the pidfd.
    if select.select([outer], [], [], 0)[0]:
        os._exit(1)
    os.close(outer)
    os.write(report, answer.encode())
    os.close(report)
    if answer != "ok":
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            pass
        signal.sigwait({signal.SIGCHLD})


def _hold(spec: NodeSpec) -> int:
    """The outer process: start the init, tell how it went, wait for the owner's end."""
    if spec.user_of is not None:
        user = os.pidfd_open(spec.user_of)
        namespaces.join(user, Namespaces.USER)
        os.close(user)
    namespaces.unshare(_KINDS)
    reader, report = os.pipe()
    outer = os.pidfd_open(os.getpid())
    init = os.fork()
    if init == 0:
        os.close(reader)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1):
            os.dup2(null, fd)
        os.close(null)
        _init(spec, report, outer)
    os.close(report)
    os.close(outer)
    answer = os.read(reader, 4096).decode(errors="replace") or "no the init ended at once"
    os.close(reader)
    if answer == "ok":
        _say(f"ok {init}")
        child = os.pidfd_open(init)
        select.select([0, child], [], [])
    else:
        _say(answer)
    with contextlib.suppress(ProcessLookupError):
        os.kill(init, signal.SIGKILL)
    # Ends only when every process of the PID namespace has ended.
    os.waitpid(init, 0)
    return 0


def _user(hold: bool = True) -> int:
    """Make a user namespace, hold it until the owner goes. The owner writes the maps."""
    namespaces.unshare(Namespaces.USER)
    _say(f"ok {os.getpid()}")
    while hold and os.read(0, 4096):
        pass
    return 0


def _say(line: str) -> None:
    # The owner may have been killed a moment ago: there is nobody to tell, and end of file on
    # standard input ends this process next.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{line}\n".encode())


def main() -> int:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    line = sys.stdin.readline()
    if not line:
        return 0
    try:
        if line == "user\n":
            return _user()
        return _hold(NodeSpec.from_json(line))
    except OSError as error:
        _say(f"no {error.strerror or error}")
        return 1
