"""Names of network namespaces that tell whose they are, and what dead owners have left.

A harness that is killed by force takes nothing down: its namespaces stay under /run/netns, and the
programs in them run on, for they have sessions of their own. So a namespace's name holds its
owner's process id, and every harness begins with `sweep`, which ends and removes what belongs to
nobody alive. (`telamon lab` needs none of this: its namespaces have no names, see `lab/anchor.py`.)
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

_NAMED = Path("/run/netns")
_KEEPALIVED = Path("/run/keepalived")
"""Keepalived makes a directory for each namespace that its file names, and leaves it if killed."""

_NAME = re.compile(r"tlm-(\d+)-[\w-]+")


def name(part: str) -> str:
    """A name of this process's own; `part` tells its namespaces apart."""
    return f"tlm-{os.getpid()}-{part}"


def sweep() -> list[str]:
    """Remove what dead owners left; the names of it."""
    found = sorted({path.name for folder in (_NAMED, _KEEPALIVED) for path in _entries(folder)})
    left = [entry for entry in found if _is_left(entry)]
    for entry in left:
        _remove(entry)
    return left


def _entries(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(folder.iterdir())
    return []


def _is_left(entry: str) -> bool:
    match = _NAME.fullmatch(entry.removeprefix("keepalived_"))
    return match is not None and not Path(f"/proc/{match[1]}").exists()


def _remove(entry: str) -> None:
    for pid in _ip("pids", entry).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("del", entry)
    shutil.rmtree(_KEEPALIVED / entry, ignore_errors=True)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", "netns", *words], capture_output=True, text=True, check=False)
    return done.stdout
