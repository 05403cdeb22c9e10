"""The supervisor: it reads and checks the files, binds every listening socket, forks the roles
and then only forwards (`supervisor_edge`, around the core in `telamon.daemon.core`).

Two ways to run. In the foreground it is the process that was started. In the background
(`daemon` in the file, unless `--foreground` or systemd's NOTIFY_SOCKET say otherwise) the
process that was started waits until everything is ready, and exits with 1 and the reason if
that never happens.
"""

from __future__ import annotations

import os
import sys

from telamon.base.diagnostic import render
from telamon.daemon import plans
from telamon.daemon.notify import Systemd
from telamon.daemon.supervisor_edge import Supervisor
from telamon.daemon.supervisor_options import Loader, Options, StartError, check
from telamon.kernel.process import (
    Launch,
    Launched,
    detach,
)


def main(options: Options, loader: Loader | None = None) -> int:
    """Run until stopped; returns the exit status. Errors are on stderr."""
    load = loader or (lambda: plans.load(options.files))
    loaded, report = load()
    sys.stderr.write(render(report, colour=sys.stderr.isatty()))
    if loaded is None:
        return 1
    systemd = Systemd(os.environ)
    launch: Launch | None = None
    try:
        check(loaded)
        background = loaded.proxy is not None and loaded.proxy.process.daemon
        if background and not options.foreground and not systemd.present:
            sys.stderr.flush()
            outcome = detach()
            if isinstance(outcome, Launched):
                if not outcome.ok:
                    sys.stderr.write(f"telamon: {outcome.reason}\n")
                return 0 if outcome.ok else 1
            launch = outcome
        supervisor = Supervisor(options, load, loaded, systemd, launch)
    except StartError as error:
        return _refuse(str(error), launch)
    return supervisor.run()


def _refuse(reason: str, launch: Launch | None) -> int:
    if launch is not None:
        launch.fail(reason)
    else:
        sys.stderr.write(f"telamon: {reason}\n")
    return 1
