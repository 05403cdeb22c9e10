"""Running one script to its end: `startup_script` and `shutdown_script`.

They stand before and after everything, so waiting for them delays no advert.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from telamon.daemon.script_runner import explain, resolve, spawn
from telamon.plan.router import CommandPlan, ScriptPlan

_KILL_AFTER = 2.0


def run_once(command: CommandPlan, timeout: float) -> str:
    """Why it did not do its work within `timeout` seconds, or an empty text if it did."""
    plan = ScriptPlan("", command.command, uid=command.uid, gid=command.gid)
    path, problem = resolve(plan)
    if path is None:
        return problem
    try:
        process = spawn(plan, path)
    except OSError as error:
        return f"cannot be started: {error.strerror or error}"
    try:
        return explain(process.wait(timeout))
    except subprocess.TimeoutExpired:
        _end(process)
        return f"no end within {timeout:g} s, it was killed"


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_AFTER)
    # The leader is gone; what it left in its group goes too.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
