"""Finding a command, and deciding whether root may run it.

Who can write a program that root runs, or any directory on the way to it, is root. keepalived
has the same rule under `enable_script_security`; here it always holds.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_MAX_LINKS = 40


def find(command: str) -> str | None:
    """The full path of `command`, looked up in PATH if it holds no slash; None if not there."""
    if "/" in command:
        return command if _runnable(command) else None
    for directory in os.environ.get("PATH", _DEFAULT_PATH).split(":"):
        candidate = os.path.join(directory or ".", command)  # noqa: PTH118 - a Path drops "./"
        if _runnable(candidate):
            return candidate
    return None


def unsafe_for_root(path: str) -> str | None:
    """Why root must not run `path` (the component, and who can write it), or None if it may.

    Every directory on the way counts, on both sides of each symbolic link.
    """
    trusted = _trusted_owners()
    pending = [part for part in os.path.abspath(path).split("/") if part]  # noqa: PTH100
    here = Path("/")
    links = 0
    while True:
        reason = _writable_by_others(here, trusted)
        if reason is not None:
            return reason
        if not pending:
            return None
        step = here / pending.pop(0)
        if step.is_symlink():
            links += 1
            if links > _MAX_LINKS:
                return f"{path} goes round in symbolic links"
            target = str(step.readlink())
            pending = [part for part in target.split("/") if part and part != "."] + pending
            here = Path("/") if target.startswith("/") else here
        else:
            here = here.parent if step.name == ".." else step


def _runnable(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)


def _trusted_owners() -> set[int]:
    """root; in a user namespace also "nobody mapped", which is how the real root looks there."""
    try:
        identity = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
        overflow = int(Path("/proc/sys/kernel/overflowuid").read_text())
    except (OSError, ValueError):
        return {0}
    return {0} if identity else {0, overflow}


def _writable_by_others(component: Path, trusted: set[int]) -> str | None:
    try:
        found = component.stat(follow_symlinks=False)
    except OSError as error:
        return f"{component}: {error.strerror}"
    if found.st_uid not in trusted:
        return f"{component} belongs to user {found.st_uid}, not to root"
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        # Sticky (/tmp): others may add names, yet not replace what is root's.
        return None
    if found.st_mode & stat.S_IWOTH:
        return f"{component} can be written by everybody (mode {stat.S_IMODE(found.st_mode):04o})"
    if found.st_mode & stat.S_IWGRP and found.st_gid != 0:
        return (
            f"{component} can be written by group {found.st_gid} "
            f"(mode {stat.S_IMODE(found.st_mode):04o})"
        )
    return None
