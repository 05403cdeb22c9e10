"""`telamon haproxy`: the proxy alone, as HAProxy runs it.

Without a master the process that was started is the proxy: its pid is in the logs and in the pid
file, it has the descriptors that it inherited, and signals reach it directly. (`telamon run` puts
a supervisor in front.) With -D it is the grandchild of the process that was started, which waits
until the proxy is ready and says why if it never is. With -W a master stands in front, see
`standalone_haproxy_master.py`.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from telamon.daemon import logs, plans
from telamon.daemon import standalone_haproxy_old as old
from telamon.daemon.messages import Failed, Message, Ready
from telamon.daemon.plans import Bindings
from telamon.daemon.proxy import give_up_rights, privileges
from telamon.daemon.standalone_haproxy_console import Console, log_to
from telamon.daemon.standalone_haproxy_load import dump, enter, read, serves
from telamon.daemon.standalone_haproxy_options import Options
from telamon.daemon.standalone_haproxy_pids import write_pid
from telamon.daemon.standalone_haproxy_role import HaproxyRole, make_setup, serve
from telamon.kernel.process import (
    Launch,
    Launched,
    PrivilegeError,
    check_privileges,
    detach,
    set_name,
)
from telamon.kernel.sockets import BindError, SocketPool
from telamon.plan.proxy import ProxyPlan


class StartError(Exception):
    """The proxy cannot start; `str()` is the reason."""


def main(options: Options) -> int:
    """Run until stopped; returns the exit status, or ends by the signal that stopped it."""
    if options.master:
        # Manual 2.3: a file may ask for it.
        os.environ["HAPROXY_MWORKER"] = "1"
    console = Console(quiet=options.quiet)
    log_to(console, verbose=options.verbose)
    if not enter(options, console):
        return 1
    plan, _report = read(options, console)
    if plan is None:
        return 1
    dump(options)
    for note in options.notes:
        console.notice(note)
    _limit_memory(options, console)
    try:
        _check(plan)
        if plan.process.master_worker and not (options.foreground and not options.master):
            from telamon.daemon import standalone_haproxy_master

            return standalone_haproxy_master.main(options, plan, console)
        return _Alone(options, plan, console).run()
    except (StartError, BindError, PrivilegeError) as error:
        console.alert(f"[{sys.argv[0]}.main()] {error}")
        return 1


def _check(plan: ProxyPlan) -> None:
    if not serves(plan):
        raise StartError("No enabled listener found (check for 'bind' directives) ! Exiting.")
    check_privileges(privileges(plan.process))


def _limit_memory(options: Options, console: Console) -> None:
    if options.memory is None:
        return
    limit = options.memory << 20
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    except (OSError, ValueError) as error:
        console.warning(f"-m {options.memory}: the limit cannot be set: {error}")


class _Alone:
    """One start of a proxy that has no master."""

    def __init__(self, options: Options, plan: ProxyPlan, console: Console) -> None:
        self._options, self._plan, self._console = options, plan, console
        self._launch: Launch | None = None

    def run(self) -> int:
        # Bound before it goes to the background, so that a terminal sees what is wrong.
        pool = SocketPool()
        bindings = plans.bindings(self._plan, joins=self._options.reuse_port)
        change = old.bind(pool, bindings.wishes, self._options, self._console.warning)
        descriptors = change.descriptors
        change.commit()
        pool.detach()
        if self._plan.process.daemon:
            outcome = self._to_background()
            if isinstance(outcome, Launched):
                return 0 if outcome.ok else 1
            self._launch = outcome
        set_name("haproxy")
        self._write_pid()
        return self._serve(bindings, descriptors)

    def _to_background(self) -> Launch | Launched:
        path = self._plan.process.pidfile
        if path is not None and not os.access(Path(path).parent, os.W_OK | os.X_OK):
            raise StartError(f"Cannot create pidfile {path}")
        sys.stderr.flush()
        outcome = detach()
        if isinstance(outcome, Launched) and not outcome.ok:
            self._console.alert(f"[{sys.argv[0]}.main()] {outcome.reason}")
        return outcome

    def _write_pid(self) -> None:
        """In the foreground HAProxy writes none: there it must not be a reason to fail."""
        path = self._plan.process.pidfile
        if path is None:
            return
        try:
            write_pid(path, os.getpid())
        except OSError as error:
            text = f"Cannot create pidfile {path} : {error.strerror}"
            if self._launch is not None:
                self._launch.fail(text)
                raise StartError(text) from error
            self._console.warning(text)

    def _serve(self, bindings: Bindings, descriptors: Sequence[int]) -> int:
        setup = make_setup(self._options, self._plan, bindings, descriptors, self._console)
        try:
            role = HaproxyRole(setup, None, self._console, self._heard)
            old.relieve(self._options)
            give_up_rights(self._plan.process)
        except (PrivilegeError, OSError, ValueError) as error:
            self._heard(Failed(str(error)))
            return 1
        return serve(role)

    def _heard(self, message: Message) -> None:
        match message:
            case Ready():
                if self._launch is not None:
                    logs.to_syslog()
                    self._launch.succeed()
                    self._console.quiet = True
            case Failed(reason):
                if self._launch is not None:
                    self._launch.fail(reason)
                else:
                    self._console.alert(reason)
            case _:
                pass
