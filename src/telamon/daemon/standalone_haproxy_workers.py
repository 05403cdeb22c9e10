"""What the master knows of its processes, and `show proc`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telamon.base.version import HAPROXY_VERSION
from telamon.daemon.messages import Channel

Seconds = float


@dataclass(slots=True, eq=False)
class Worker:
    """A proxy process. `born` is the number of the reload that made it; `leaving`: it was told
    to go."""

    pid: int
    pidfd: int
    channel: Channel
    since: Seconds
    born: int
    ready: bool = False
    leaving: bool = False


@dataclass(slots=True)
class Reloads:
    """How often the master has reloaded, and how often in vain since the last success."""

    done: int = 0
    failed: int = 0


def show_proc(
    pid: int, since: Seconds, reloads: Reloads, workers: Sequence[Worker], now: Seconds
) -> str:
    """Management guide 9.4.1, `show proc`: the master, its worker, those that still finish."""
    own = f"{reloads.done + reloads.failed} [failed: {reloads.failed}]"
    lines = [
        _row("#<PID>", "<type>", "<reloads>", "<uptime>", "<version>"),
        _row(str(pid), "master", own, _uptime(now - since), HAPROXY_VERSION),
        "# workers",
        *(_worker(w, reloads, now) for w in workers if not w.leaving),
    ]
    leaving = [_worker(w, reloads, now) for w in workers if w.leaving]
    if leaving:
        lines += ["# old workers", *leaving]
    return "\n".join([*lines, "# programs", ""])


def _worker(worker: Worker, reloads: Reloads, now: Seconds) -> str:
    count = str(reloads.done - worker.born)
    return _row(str(worker.pid), "worker", count, _uptime(now - worker.since), HAPROXY_VERSION)


def _row(*cells: str) -> str:
    return " ".join(f"{cell:<15}" for cell in cells)


def _uptime(seconds: Seconds) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days}d{hour:02}h{minute:02}m{second:02}s"


def describe_exit(code: int) -> tuple[int, str]:
    """A shell's number for an exit code of `os.waitstatus_to_exitcode`, and a word for it."""
    import signal

    if code >= 0:
        return code, "Exit"
    return 128 - code, signal.strsignal(-code) or f"signal {-code}"
