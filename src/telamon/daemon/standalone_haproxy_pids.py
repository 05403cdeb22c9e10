"""The pid file of the stand-in: it stays when the process is gone, as HAProxy's does."""

from __future__ import annotations

import os


def write_pid(path: str, pid: int) -> None:
    """OSError if it cannot be; a link is not followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o644), "w") as file:
        file.write(f"{pid}\n")
