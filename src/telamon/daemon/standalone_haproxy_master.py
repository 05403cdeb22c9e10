"""-W and -Ws: a master that watches over a worker and reloads it (management guide 4, 9.4).

The master reads the files and holds the listening sockets; a worker is a fork that carries the
traffic. A reload reads the files again and starts a second worker on the same sockets; when that
one is ready the first is told to finish. Whatever fails before leaves the first one serving: a
reload never costs the service. (HAProxy's master executes itself anew; this one stays, so a new
version of the program needs a restart of the master, by -sf.)

| signal | effect |
|---|---|
| SIGUSR2, SIGHUP | reload |
| SIGUSR1 | soft stop: the workers finish, then the master ends with 0 |
| SIGTERM | the workers end at once, the master with 0 |
| SIGINT | the same, with 130 |

A worker that dies by itself takes the master along, with its status, so that the service manager
starts everything again (`no-exit-on-failure`: workers that finish may do so before).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from functools import partial

from telamon.daemon import plans
from telamon.daemon import standalone_haproxy_old as old
from telamon.daemon.messages import Failed, Message, Ready, SoftStop, Status
from telamon.daemon.notify import Systemd
from telamon.daemon.proxy import privileges
from telamon.daemon.spawn import fork
from telamon.daemon.standalone_haproxy_console import Console
from telamon.daemon.standalone_haproxy_load import master_socket, read, serves
from telamon.daemon.standalone_haproxy_master_cli import View
from telamon.daemon.standalone_haproxy_master_client import Client
from telamon.daemon.standalone_haproxy_master_socket import MasterSocket
from telamon.daemon.standalone_haproxy_master_worker import be_worker
from telamon.daemon.standalone_haproxy_options import Options
from telamon.daemon.standalone_haproxy_pids import write_pid
from telamon.daemon.standalone_haproxy_role import make_setup
from telamon.daemon.standalone_haproxy_workers import Reloads, Worker, describe_exit, show_proc
from telamon.kernel.process import (
    Launch,
    Launched,
    PrivilegeError,
    check_privileges,
    detach,
    set_name,
)
from telamon.kernel.reaping import signal_socket
from telamon.kernel.sockets import BindError, Change, SocketPool
from telamon.plan.process import StatsSocket
from telamon.plan.proxy import ProxyPlan

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_OWN_END = {0, 128 + signal.SIGINT, 128 + signal.SIGTERM}
"""Statuses of a worker that was told to go, by us or by somebody else."""


@dataclass(slots=True)
class _Coming:
    """A start or a reload under way: its worker is not ready yet."""

    plan: ProxyPlan
    change: Change
    worker: Worker | None = None
    hard: bool = False
    reason: str = ""
    asked: Client | None = None


def main(options: Options, plan: ProxyPlan, console: Console) -> int:
    """Run until stopped; returns the exit status. Raises BindError."""
    return Master(options, plan, console).run()


class Master:
    def __init__(self, options: Options, plan: ProxyPlan, console: Console) -> None:
        self._options, self._plan, self._console = options, plan, console
        self._systemd = Systemd(os.environ if options.systemd else {})
        self._launch: Launch | None = None
        self._pool = SocketPool()
        self._commands: StatsSocket | None = None
        self._socket: MasterSocket | None = None
        if options.master_socket is not None:
            self._commands = master_socket(options.master_socket)
            view = View(self._live, self._show_proc, self._startup_logs, self._sockets)
            self._socket = MasterSocket(self._commands, view, self._serve_client, self._reload)
        self._workers: dict[int, Worker] = {}
        self._coming: _Coming | None = None
        self._reloads = Reloads()
        self._again = self._again_hard = False
        self._stopping = False
        self._status = 0
        self._code: int | None = None
        self._since = time.monotonic()

    def run(self) -> int:
        change = self._bind(self._plan)
        if self._plan.process.daemon:
            sys.stderr.flush()
            outcome = detach()
            if isinstance(outcome, Launched):
                if not outcome.ok:
                    self._console.alert(f"[{sys.argv[0]}.main()] {outcome.reason}")
                return 0 if outcome.ok else 1
            self._launch = outcome
        set_name("haproxy")
        self._selector = selectors.DefaultSelector()
        reader, writer = signal_socket()
        self._selector.register(reader, selectors.EVENT_READ, partial(self._signalled, reader))
        if self._write_pid():
            self._begin(_Coming(self._plan, change))
        while self._code is None:
            for key, _events in self._selector.select(self._timeout()):
                key.data()
            self._beat()
        self._end()
        for end in (reader, writer):
            end.close()
        return self._code

    def _bind(self, plan: ProxyPlan) -> Change:
        """The plan's sockets and the master's own. Raises BindError."""
        wishes = list(plans.bindings(plan, joins=self._options.reuse_port).wishes)
        if self._socket is not None:
            wishes.append(self._socket.wish)
        if self._pool.sockets:
            return self._pool.change(wishes)
        return old.bind(self._pool, wishes, self._options, self._console.warning)

    def _write_pid(self) -> bool:
        path = self._plan.process.pidfile
        if path is None:
            return True
        try:
            write_pid(path, os.getpid())
        except OSError as error:
            self._give_up(f"Cannot create pidfile {path} : {error.strerror}")
            return False
        return True

    def _give_up(self, reason: str) -> None:
        if self._launch is not None:
            self._launch.fail(reason)
        else:
            self._console.alert(reason)
        self._code = 1

    def _timeout(self) -> float | None:
        return self._systemd.watchdog_interval

    def _beat(self) -> None:
        if self._systemd.watchdog_interval is not None:
            self._systemd.send("WATCHDOG=1")

    # -- workers --------------------------------------------------------------------------

    def _begin(self, coming: _Coming) -> None:
        """Start the worker of a plan whose sockets are bound."""
        self._coming = coming
        bindings = plans.bindings(coming.plan, joins=self._options.reuse_port)
        # The master's own socket, if any, comes last and is not the worker's.
        descriptors = coming.change.descriptors[: len(bindings.wishes)]
        setup = make_setup(self._options, coming.plan, bindings, descriptors, self._console)
        leaves = self._launch is not None
        work = partial(be_worker, setup, descriptors, _SIGNALS, self._console, leaves)
        try:
            pid, ours = fork(_SIGNALS, work)
        except OSError as error:
            self._fail(f"fork: {error.strerror}")
            return
        born = self._reloads.done + (1 if self._workers else 0)
        worker = Worker(pid, os.pidfd_open(pid), ours, time.monotonic(), born)
        coming.worker = self._workers[pid] = worker
        self._selector.register(ours.fileno(), selectors.EVENT_READ, partial(self._hear, worker))
        self._selector.register(worker.pidfd, selectors.EVENT_READ, partial(self._died, worker))
        self._console.notice(f"New worker ({pid}) forked")

    def _hear(self, worker: Worker) -> None:
        if not worker.channel.hear(partial(self._take, worker)):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(worker.channel.fileno())

    def _take(self, worker: Worker, message: Message) -> None:
        match message:
            case Ready():
                worker.ready = True
                if self._coming is not None and self._coming.worker is worker:
                    self._succeed(self._coming)
            case Failed(reason):
                if self._coming is not None and self._coming.worker is worker:
                    self._coming.reason = reason
                self._console.alert(reason)
            case Status(text):
                self._systemd.send(f"STATUS={text}")
            case _:
                pass

    def _died(self, worker: Worker) -> None:
        self._hear(worker)
        _pid, status = os.waitpid(worker.pid, 0)
        self._selector.unregister(worker.pidfd)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(worker.channel.fileno())
        worker.channel.close()
        os.close(worker.pidfd)
        del self._workers[worker.pid]
        code, why = describe_exit(os.waitstatus_to_exitcode(status))
        if self._coming is not None and self._coming.worker is worker:
            self._fail(self._coming.reason or f"the new worker exited with code {code} ({why})")
        else:
            self._report(worker, code, why)
        if not self._workers and self._code is None:
            self._console.warning(f"All workers exited. Exiting... ({self._status})")
            self._code = self._status

    def _report(self, worker: Worker, code: int, why: str) -> None:
        kind = "Former" if worker.leaving and not self._stopping else "Current"
        say = self._console.warning if code == 0 or kind == "Former" else self._console.alert
        say(f"{kind} worker ({worker.pid}) exited with code {code} ({why})")
        if worker.leaving or self._stopping or code in _OWN_END:
            return
        self._status = code
        if self._plan.process.exit_on_failure:
            self._console.alert("exit-on-failure: killing every processes with SIGTERM")
            self._signal_workers(signal.SIGTERM)

    # -- starts and reloads ---------------------------------------------------------------

    def _succeed(self, coming: _Coming) -> None:
        self._coming = None
        coming.change.commit()
        self._plan = coming.plan
        others = [w for w in self._workers.values() if w is not coming.worker and not w.leaving]
        if coming.worker is not None and coming.worker.born:
            self._reloads.done, self._reloads.failed = coming.worker.born, 0
        for worker in others:
            worker.leaving = True
            if coming.hard:
                self._signal(worker, signal.SIGTERM)
            else:
                self._say(worker, SoftStop(coming.plan.process.hard_stop_after))
        self._console.notice("Loading success.")
        if not others:
            old.relieve(self._options)
            if self._socket is not None:
                self._socket.listen(self._pool, self._selector)
        self._systemd.send("READY=1", f"MAINPID={os.getpid()}", "STATUS=Ready.")
        if self._launch is not None:
            self._launch.succeed()
            self._launch, self._console.quiet = None, True
        self._answer(coming.asked, True)
        self._reload_again()

    def _fail(self, reason: str) -> None:
        coming, self._coming = self._coming, None
        assert coming is not None
        coming.change.abandon()
        if not any(not worker.leaving for worker in self._workers.values()):
            self._give_up(reason)
            return
        self._refuse(reason, coming.asked)

    def _refuse(self, reason: str, asked: Client | None) -> None:
        self._reloads.failed += 1
        self._console.alert(f"Loading failure! Nothing has changed: {reason}")
        self._systemd.send("READY=1", "STATUS=Reload failed!")
        self._answer(asked, False)
        self._reload_again()

    def _reload(self, hard: bool, asked: Client | None = None) -> None:
        if self._stopping:
            self._answer(asked, False)
            return
        if self._coming is not None:
            # One after the other: the last wish counts.
            self._again, self._again_hard = True, hard
            self._answer(asked, False)
            return
        self._console.said.clear()
        self._console.notice("Reloading HAProxy")
        self._systemd.reloading()
        plan, _report = read(self._options, self._console)
        if plan is None:
            self._refuse("the configuration is not sound", asked)
            return
        try:
            if not serves(plan):
                raise BindError("no enabled listener found (check for 'bind' directives)")
            check_privileges(privileges(plan.process))
            change = self._bind(plan)
        except (BindError, PrivilegeError) as error:
            self._refuse(str(error), asked)
            return
        self._begin(_Coming(plan, change, hard=hard, asked=asked))

    def _reload_again(self) -> None:
        if self._again:
            self._again = False
            self._reload(self._again_hard)

    def _answer(self, asked: Client | None, ok: bool) -> None:
        """The outcome of a client's `reload`, with what was said meanwhile."""
        if asked is not None:
            lines = "".join(f"{line}\n" for line in self._console.said)
            asked.reloaded(f"Success={int(ok)}\n--\n{lines}".encode("utf-8", "replace"))

    # -- signals --------------------------------------------------------------------------

    def _signalled(self, reader: socket.socket) -> None:
        for number in reader.recv(64):
            match number:
                case signal.SIGUSR2 | signal.SIGHUP:
                    self._reload(hard=False)
                case signal.SIGUSR1:
                    self._stop(None)
                case signal.SIGTERM | signal.SIGINT:
                    self._stop(signal.Signals(number))

    def _stop(self, by: signal.Signals | None) -> None:
        """Softly, or at once by a signal that the workers get too."""
        if not self._stopping:
            self._console.warning("Exiting Master process...")
            self._systemd.send("STOPPING=1")
        self._stopping = True
        if self._coming is not None and self._coming.worker is not None:
            # Not ready, it has nothing to finish.
            self._signal(self._coming.worker, signal.SIGTERM)
        if by is None:
            grace = self._plan.process.hard_stop_after
            for worker in self._workers.values():
                self._say(worker, SoftStop(grace))
            return
        self._signal_workers(by)
        # Debian's 2.6 ends with 0 after SIGTERM and as if killed after SIGINT.
        self._status = 128 + by if by is signal.SIGINT else self._status

    def _signal_workers(self, signum: signal.Signals) -> None:
        for worker in self._workers.values():
            self._signal(worker, signum)

    def _signal(self, worker: Worker, signum: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker.pidfd, signum)

    def _say(self, worker: Worker, message: Message, descriptors: tuple[int, ...] = ()) -> bool:
        try:
            worker.channel.send(message, descriptors)
        except OSError as error:
            # It is dead, and its pidfd is about to say so.
            self._console.warning(f"worker ({worker.pid}) does not hear: {error.strerror}")
            return False
        return True

    # -- the master's command line --------------------------------------------------------

    def _serve_client(self, pid: int, message: Message, sock: socket.socket) -> bool:
        worker = self._workers.get(pid)
        return worker is not None and self._say(worker, message, (sock.fileno(),))

    def _live(self) -> list[int]:
        """The current worker first, then those that finish."""
        workers = sorted(self._workers.values(), key=lambda w: (w.leaving, not w.ready, -w.since))
        return [worker.pid for worker in workers]

    def _show_proc(self) -> str:
        workers = sorted(self._workers.values(), key=lambda worker: -worker.since)
        return show_proc(os.getpid(), self._since, self._reloads, workers, time.monotonic())

    def _startup_logs(self) -> str:
        return "".join(f"{line}\n" for line in self._console.said)

    def _sockets(self) -> str:
        own = self._commands
        return f"{own.address} {own.level.value} all\n" if own is not None else ""

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._pool.detach()
        self._selector.close()
        self._systemd.close()
        signal.set_wakeup_fd(-1)
