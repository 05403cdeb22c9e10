"""What a run of the supervisor is asked for, and what can be known before it begins."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from telamon.base.diagnostic import Report
from telamon.daemon import control
from telamon.daemon.plans import Files, Plans
from telamon.engine import IoEngine
from telamon.kernel.process import (
    PrivilegeError,
    check_privileges,
)

Loader = Callable[[], tuple[Plans | None, Report]]


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `telamon run`. `threads` None: the file or the machine decides."""

    files: Files
    io: IoEngine = IoEngine.AUTO
    threads: int | None = None
    foreground: bool = False
    run_dir: Path = field(default_factory=control.default_run_dir)


class StartError(Exception):
    """The run cannot begin; `str()` is the reason."""


def check(loaded: Plans) -> None:
    """What can be known before anything is touched. StartError if it cannot work."""
    if loaded.proxy is None:
        return
    from telamon.daemon.proxy import privileges

    process = loaded.proxy.process
    try:
        check_privileges(privileges(process))
    except PrivilegeError as error:
        raise StartError(str(error)) from error
    if process.pidfile is not None:
        folder = Path(process.pidfile).parent
        if not os.access(folder, os.W_OK | os.X_OK):
            why = "it cannot be written to" if folder.is_dir() else "there is no such directory"
            raise StartError(f"cannot write the pidfile {process.pidfile}: {folder}: {why}")
