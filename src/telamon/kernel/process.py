"""What a process may do to itself: its name, its life line, its background, its privileges.

Scripts in the world ask `pidof haproxy`, `pgrep -x haproxy` and `killall -0 keepalived`. The
three look at different places (`argv[0]`, `/proc/PID/comm`), so `set_name` writes both.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4

_libc = ctypes.CDLL(None, use_errno=True)


class PrivilegeError(Exception):
    """A chroot, group or user cannot be taken on; `str()` says which and what to do."""


def set_name(name: str) -> None:
    """Make `pidof`, `pgrep -x` and `killall` find this process as `name` (at most 15 bytes).

    The argument vector becomes the bare name: `pidof` compares all of `argv[0]`. setproctitle
    sets `/proc/PID/comm` of the calling thread too, and that must be the main thread's.
    """
    import setproctitle

    setproctitle.setproctitle(name)
    Path("/proc/self/comm").write_text(name[:15])


def die_with_parent(parent: int, signum: signal.Signals = signal.SIGTERM) -> None:
    """Ask for `signum` when the parent ends (prctl(2), PR_SET_PDEATHSIG).

    The kernel forgets the wish when credentials change: call it again after `drop_privileges`.
    If the parent (pid `parent`) is gone already, the signal comes at once.
    """
    if _libc.prctl(PR_SET_PDEATHSIG, signum.value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_PDEATHSIG): {os.strerror(error)}")
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def allow_core_dump() -> None:
    """Let a crash leave a core file although the user has changed (prctl(2), PR_SET_DUMPABLE)."""
    if _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_DUMPABLE): {os.strerror(error)}")


def close_descriptors(keep: Iterable[int]) -> None:
    """Close every descriptor above 2 that is not in `keep`.

    A forked child must not hold what belongs to its siblings: a listening socket held by the
    router would keep a port taken after the proxy is gone.
    """
    kept = {0, 1, 2, *keep}
    for entry in Path("/proc/self/fd").iterdir():
        fd = int(entry.name)
        if fd not in kept:
            # The listing's own descriptor is among them, closed already.
            with contextlib.suppress(OSError):
                os.close(fd)


@dataclass(frozen=True, slots=True)
class Privileges:
    """Where to go: `chroot` first, then groups, group, user. None leaves a thing as it is."""

    chroot: str | None = None
    uid: int | None = None
    gid: int | None = None
    user: str | None = None
    group: str | None = None


def check_privileges(wanted: Privileges) -> None:
    """Find out before anything is bound whether `drop_privileges` can work.

    Raises PrivilegeError.
    """
    if wanted.chroot is not None:
        if not Path(wanted.chroot).is_dir():
            raise PrivilegeError(
                f"cannot chroot to {wanted.chroot}: there is no such directory; "
                f"make it (mkdir -p {wanted.chroot}) or take the 'chroot' line away"
            )
        if os.geteuid() != 0:
            raise PrivilegeError(
                f"cannot chroot to {wanted.chroot}: only root may; start as root or take the "
                "'chroot' line away"
            )
    if wanted.gid is not None and wanted.gid != os.getegid() and os.geteuid() != 0:
        raise PrivilegeError(_not_root("group", wanted.group, wanted.gid))
    if wanted.uid is not None and wanted.uid != os.geteuid() and os.geteuid() != 0:
        raise PrivilegeError(_not_root("user", wanted.user, wanted.uid))


def _not_root(kind: str, name: str | None, number: int) -> str:
    return (
        f"cannot become {kind} {name or number}: only root may; start as root or take the "
        f"'{kind}' line away"
    )


def drop_privileges(wanted: Privileges) -> None:
    """chroot, then give up supplementary groups, group and user for good.

    Raises PrivilegeError. All threads of the process follow (the C library sees to it).
    """
    if wanted.chroot is not None:
        try:
            os.chroot(wanted.chroot)
            os.chdir("/")
        except OSError as error:
            raise PrivilegeError(f"cannot chroot to {wanted.chroot}: {error.strerror}") from error
    changes_group = wanted.gid is not None and wanted.gid != os.getegid()
    changes_user = wanted.uid is not None and wanted.uid != os.geteuid()
    try:
        if os.geteuid() == 0 and (changes_group or changes_user):
            # root's supplementary groups would outlive the change of user.
            os.setgroups([] if wanted.gid is None else [wanted.gid])
        if wanted.gid is not None and changes_group:
            os.setgid(wanted.gid)
    except OSError as error:
        raise PrivilegeError(
            f"cannot become group {wanted.group or wanted.gid}: {error.strerror}"
        ) from error
    try:
        if wanted.uid is not None and changes_user:
            os.setuid(wanted.uid)
    except OSError as error:
        raise PrivilegeError(
            f"cannot become user {wanted.user or wanted.uid}: {error.strerror}"
        ) from error


def raise_descriptor_limit(wanted: int) -> int:
    """Make room for `wanted` descriptors; returns the limit that holds now.

    The hard limit is raised as well where the process may (CAP_SYS_RESOURCE).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        for limits in ((wanted, max(wanted, hard)), (min(wanted, hard), hard)):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                break
            except (OSError, ValueError):
                continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def hard_descriptor_limit() -> int:
    """The most descriptors that the process may ask for without privileges."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@dataclass(frozen=True, slots=True)
class Launched:
    """`detach`'s answer in the launcher: how the start went."""

    ok: bool
    reason: str


class Launch:
    """The daemon's end of the pipe on which the launcher waits."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def succeed(self) -> None:
        """Let the launcher go with success, and let go of its terminal."""
        self._say(b"ok")
        close_terminal()

    def fail(self, reason: str) -> None:
        self._say(b"no " + reason.encode())

    def _say(self, word: bytes) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, word)
            os.close(self._fd)
            self._fd = None


def close_terminal() -> None:
    """Let go of stdin, stdout and stderr: /dev/null takes their place."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def detach() -> Launch | Launched:
    """Go to the background (daemon(7)): fork, new session, fork.

    In the daemon: the `Launch` that must be told how the start went. In the launcher, after
    that: a `Launched`. A daemon that dies without a word counts as failed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        return Launch(writer)
    os.close(writer)
    os.waitpid(child, 0)
    words = bytearray()
    with os.fdopen(reader, "rb") as pipe:
        words += pipe.read()
    if words == b"ok":
        return Launched(True, "")
    return Launched(False, bytes(words[3:]).decode(errors="replace") or "it died while starting")


def usable_cpus() -> int:
    """How many CPUs this process may use: the affinity mask, cut by the cgroup's quota."""
    count = len(os.sched_getaffinity(0))
    quota = _cgroup_quota()
    return max(1, min(count, -(-quota // 100) if quota else count))


def _cgroup_quota() -> int:
    """The cgroup's CPU quota in hundredths of a CPU, 0 if there is none (cgroup v2, v1)."""
    try:
        path = next(
            line.split(":", 2)[2]
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if line.startswith("0::")
        )
    except (OSError, StopIteration):
        path = "/"
    here = Path("/sys/fs/cgroup") / path.lstrip("/")
    for folder in (here, *here.parents):
        with contextlib.suppress(OSError, ValueError):
            limit, period = (folder / "cpu.max").read_text().split()
            if limit != "max":
                return int(limit) * 100 // int(period)
        if folder == Path("/sys/fs/cgroup"):
            break
    with contextlib.suppress(OSError, ValueError):
        v1 = Path("/sys/fs/cgroup/cpu")
        limit_us = int((v1 / "cpu.cfs_quota_us").read_text())
        if limit_us > 0:
            return limit_us * 100 // int((v1 / "cpu.cfs_period_us").read_text())
    return 0
