"""The supervisor's edge: processes, sockets, signals and time around `telamon.daemon.core`.

What happens goes to the core, what the core wants is carried out. It stays single-threaded, since
it forks: a lock that another thread held would stay locked in the child.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from dataclasses import dataclass, replace
from typing import Any

from telamon import __version__
from telamon.base.diagnostic import Report, render
from telamon.daemon import children, control, logs, plans
from telamon.daemon import supervisor_status as status
from telamon.daemon.core import Core
from telamon.daemon.effects import (
    AbandonReload,
    Answer,
    CommitReload,
    Effect,
    Exit,
    Kill,
    Log,
    Notify,
    OfferPlan,
    ProxyIs,
    ReleaseListeners,
    Role,
    Send,
    Spawn,
    Started,
    TellProxyUp,
)
from telamon.daemon.messages import (
    BackendHealth,
    Failed,
    Message,
    NewPlan,
    Ready,
    ReloadWanted,
    RouterStatus,
    Status,
    Stopping,
)
from telamon.daemon.notify import Systemd
from telamon.daemon.pidfile import PidFile
from telamon.daemon.plans import Bindings, Plans
from telamon.daemon.supervisor_control import ControlServer
from telamon.daemon.supervisor_options import Loader, Options, StartError, check
from telamon.daemon.supervisor_processes import Process, Processes
from telamon.kernel.process import (
    Launch,
    set_name,
)
from telamon.kernel.sockets import BindError, Change, SocketPool

LOG = logging.getLogger("telamon.supervisor")


@dataclass(slots=True)
class _Next:
    """What a reload prepared. `change` None: the proxy does not run, nothing was bound."""

    plans: Plans
    change: Change | None
    bindings: Bindings | None
    force: bool = False


class Supervisor:
    """One run. The constructor takes the control socket and binds; StartError if it cannot."""

    def __init__(
        self,
        options: Options,
        load: Loader,
        loaded: Plans,
        systemd: Systemd,
        launch: Launch | None,
    ) -> None:
        self._options, self._load, self._plans = options, load, loaded
        self._systemd, self._launch = systemd, launch
        self._pool = SocketPool()
        self._bindings: Bindings | None = None
        self._next: _Next | None = None
        self._instances: RouterStatus | None = None
        self._pidfile = PidFile()
        self._reload_again = False
        self._exit: Exit | None = None
        self._started = time.monotonic()
        self._next_beat: float | None = None
        self._kept = logs.to_stderr() if launch is None else logs.to_syslog()
        roles = tuple(
            role
            for role, plan in ((Role.PROXY, loaded.proxy), (Role.ROUTER, loaded.router))
            if plan is not None
        )
        self._core = Core(roles, _hard_stop(loaded), *_script_times(loaded))
        self._processes = Processes(self._core, self._take, self._died)
        self._router_began = False
        try:
            self._control = ControlServer(options.run_dir, self._command)
        except control.ControlError as error:
            raise StartError(str(error)) from error
        try:
            self._bind()
        except BindError as error:
            self._control.close()
            raise StartError(str(error)) from error

    def _bind(self) -> None:
        if self._plans.proxy is not None:
            self._bindings = plans.bindings(self._plans.proxy)
            self._pool.change(self._bindings.wishes).commit()

    # -- the loop -------------------------------------------------------------------------

    def run(self) -> int:
        """Until the core says Exit."""
        if self._launch is None:
            set_name("telamon")
        self._selector = selectors.DefaultSelector()
        self._catch_signals()
        self._control.begin(self._selector)
        self._processes.begin(self._selector)
        self._beat()
        self._apply(self._core.start())
        while self._exit is None:
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._beat()
            self._apply(self._core.tick(time.monotonic()))
            self._reload_if_asked_meanwhile()
        return self._finish(self._exit)

    def _timeout(self) -> float | None:
        times = [t for t in (self._core.deadline, self._next_beat) if t is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _beat(self) -> None:
        """systemd's watchdog, at half its interval."""
        interval = self._systemd.watchdog_interval
        if interval is not None:
            now = time.monotonic()
            if self._next_beat is None or now >= self._next_beat:
                self._systemd.send("WATCHDOG=1")
                self._next_beat = now + interval

    def _catch_signals(self) -> None:
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake_in.fileno())
        for signum in children.SIGNALS:
            signal.signal(signum, lambda _signum, _frame: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        self._selector.register(self._wake_out, selectors.EVENT_READ, self._signalled)

    def _signalled(self) -> None:
        for number in self._wake_out.recv(64):
            now = time.monotonic()
            match number:
                case signal.SIGHUP:
                    self._reload(None)
                case signal.SIGUSR1:
                    LOG.info("SIGUSR1: stopping softly")
                    self._apply(self._core.soft_stop(now))
                case signal.SIGTERM | signal.SIGINT:
                    LOG.info("%s: stopping", signal.Signals(number).name)
                    self._apply(self._core.stop(now))

    # -- effects --------------------------------------------------------------------------

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Spawn():
                self._spawn(effect)
            case Send(pid, message):
                self._processes.send(pid, message)
            case OfferPlan(pid):
                if self._next is not None and self._next.plans.router is not None:
                    self._processes.tell_coming_health(pid)
                    plan = NewPlan(self._next.plans.router, self._next.force)
                    self._processes.send(pid, plan)
            case TellProxyUp(router, proxy):
                self._processes.tell_proxy_up(router, proxy)
            case Kill(pid, signum):
                self._processes.signal(pid, signum)
            case ReleaseListeners():
                self._pool.close()
            case CommitReload():
                self._commit()
            case AbandonReload():
                self._abandon()
            case ProxyIs(pid):
                of = self._plans.proxy
                self._pidfile.write(of.process.pidfile if of is not None else None, pid)
            case Started():
                self._has_started()
            case Notify(lines):
                self._notify(lines)
            case Log(urgency, text):
                LOG.log(urgency, "%s", text)
            case Answer(token, ok, text):
                self._control.answer(token, {"ok": ok, "text": text})
            case Exit():
                self._exit = effect

    def _has_started(self) -> None:
        if self._launch is not None:
            self._launch.succeed()
            set_name("telamon")
        self._launch = None
        took = time.monotonic() - self._started
        LOG.info("Telamon %s started in %.0f ms", __version__, took * 1000)

    def _notify(self, lines: tuple[str, ...]) -> None:
        if "READY=1" in lines:
            lines = (*lines, f"MAINPID={os.getpid()}")
        self._systemd.send(*lines, f"STATUS={self._summary()}")

    # -- children -------------------------------------------------------------------------

    def _spawn(self, spawn: Spawn) -> None:
        leaves = self._launch is not None
        try:
            child = self._child(spawn)
        except BindError as error:
            self._apply(self._core.spawn_failed(spawn, str(error)))
            return
        try:
            pid, channel = children.begin(spawn.role, child, self._kept, leave_terminal=leaves)
        except OSError as error:
            self._apply(self._core.spawn_failed(spawn, f"fork: {error.strerror}"))
            return
        process = self._processes.add(spawn.role, pid, channel)
        self._apply(self._core.spawned(spawn, pid, process.since))

    def _child(self, spawn: Spawn) -> children.Child:
        """What the child shall run. BindError if its sockets cannot be had (any more)."""
        if spawn.role is Role.ROUTER:
            return self._router_child()
        io, threads = self._options.io, self._options.threads
        if spawn.candidate:
            coming = self._next
            assert coming is not None and coming.change is not None
            assert coming.bindings is not None
            descriptors = coming.change.descriptors
            return children.proxy(coming.plans, coming.bindings, descriptors, io, threads)
        assert self._bindings is not None
        # Nothing new to bind, unless the sockets were released when the proxy was stopped.
        change = self._pool.change(self._bindings.wishes)
        descriptors = change.descriptors
        change.commit()
        return children.proxy(self._plans, self._bindings, descriptors, io, threads)

    def _router_child(self) -> children.Child:
        plan = self._plans.router
        assert plan is not None
        if self._router_began:
            # It stands before everything, not before each restart.
            plan = replace(plan, startup=None)
        self._router_began = True
        proxy = self._plans.proxy
        foreground = self._options.foreground or proxy is None or not proxy.process.daemon
        return children.router(plan, foreground=foreground)

    def _take(self, process: Process, message: Message) -> None:
        now = time.monotonic()
        match message:
            case Ready():
                self._apply(self._core.ready(process.pid, now))
            case Failed(reason):
                self._apply(self._core.failed(process.pid, reason))
            case Stopping(reason):
                self._apply(self._core.stopping(process.pid, reason, now))
            case Status(text):
                process.status = text
                self._systemd.send(f"STATUS={self._summary()}")
            case ReloadWanted(force):
                self._reload(None, force)
            case BackendHealth():
                process.health = message
                self._processes.tell_health(process)
            case RouterStatus():
                self._instances = message
                self._systemd.send(f"STATUS={self._summary()}")
            case _:
                LOG.error("the %s says %s to nobody", process.role, type(message).__name__)

    def _died(self, process: Process) -> None:
        # Its last words first: they may hold the reason.
        self._processes.hear(process)
        code = self._processes.bury(process)
        if process.role is Role.ROUTER:
            self._instances = None
        self._apply(self._core.exited(process.pid, code, time.monotonic()))

    # -- reload ---------------------------------------------------------------------------

    def _reload(self, token: int | None, force: bool = False) -> None:
        """SIGHUP and `ctl reload`: read, check, bind; only then ask the core to change over.

        Without `force` the router refuses a plan that loses an address which it holds.
        """
        if self._busy(token):
            return
        LOG.info("reload: reading the files")
        self._systemd.reloading()
        loaded, report = self._load()
        for line in render(report).splitlines():
            LOG.log(logging.ERROR if loaded is None else logging.WARNING, "reload: %s", line)
        if loaded is None:
            self._refuse(token, "reload", f"{_first_error(report)}")
            return
        self._change_over(token, "reload", loaded, force)

    def _busy(self, token: int | None) -> bool:
        """True if no reload can begin now. A SIGHUP is kept for later, a command refused."""
        core = self._core
        if core.closing:
            text = "the supervisor is stopping"
        elif not core.started:
            text = "the supervisor is starting"
        elif core.reloading:
            text = "a reload is under way already"
        else:
            return False
        if token is not None:
            self._control.answer(token, {"ok": False, "text": text})
        else:
            self._reload_again = True
        return True

    def _reload_if_asked_meanwhile(self) -> None:
        core = self._core
        if self._reload_again and core.started and not core.reloading and not core.closing:
            self._reload_again = False
            self._reload(None)

    def _change_over(
        self, token: int | None, what: str, loaded: Plans, force: bool = False
    ) -> None:
        wanted = plans.bindings(loaded.proxy) if loaded.proxy is not None else None
        try:
            check(loaded)
            change = self._pool.change(wanted.wishes) if wanted is not None else None
        except (StartError, BindError) as error:
            self._refuse(token, what, str(error))
            return
        if change is not None and Role.PROXY not in self._core.wanted:
            # The proxy was stopped by the operator: it was only tried whether it could bind.
            change.abandon()
            change = None
        self._next = _Next(loaded, change, wanted, force)
        self._apply(self._core.reload(token, what, time.monotonic()))

    def _refuse(self, token: int | None, what: str, reason: str) -> None:
        text = f"{what} refused, nothing changed: {reason}"
        LOG.error("%s", text)
        self._notify(("READY=1",))
        if token is not None:
            self._control.answer(token, {"ok": False, "text": text})

    def _commit(self) -> None:
        assert self._next is not None
        if self._next.change is not None:
            self._next.change.commit()
        self._plans, self._bindings = self._next.plans, self._next.bindings
        self._core.hard_stop_after = _hard_stop(self._plans)
        self._core.startup_script, self._core.shutdown_script = _script_times(self._plans)
        self._next = None

    def _abandon(self) -> None:
        if self._next is not None and self._next.change is not None:
            self._next.change.abandon()
        self._next = None

    # -- the control socket ---------------------------------------------------------------

    def _command(self, token: int, command: object, role_name: object, force: bool) -> None:
        if command == "status":
            self._control.answer(token, self._status())
            return
        if command == "reload":
            self._reload(token, force)
            return
        role = next((role for role in Role if role.value == role_name), None)
        if role is None or command not in control.COMMANDS:
            self._control.answer(
                token, {"ok": False, "text": f"no such command: {command} {role_name}"}
            )
            return
        now = time.monotonic()
        if command == "start":
            self._apply(self._core.command_start(role, token))
        elif command == "stop":
            self._apply(self._core.command_stop(role, token, now))
        elif role is Role.PROXY and role in self._core.current and not self._busy(token):
            # A running proxy is replaced as by a reload: no connection is refused meanwhile.
            self._change_over(token, "restart of the proxy", self._plans)
        elif role is Role.ROUTER or role not in self._core.current:
            self._apply(self._core.command_restart(role, token, now))

    def _status(self) -> dict[str, Any]:
        texts = self._processes.statuses()
        return status.document(self._core, texts, self._instances, self._started)

    def _summary(self) -> str:
        return status.summary(self._core, self._instances)

    # -- the end ----------------------------------------------------------------

    def _finish(self, end: Exit) -> int:
        self._pool.close()
        self._pidfile.remove()
        self._control.close()
        if self._launch is not None and end.reason:
            self._launch.fail(end.reason)
        elif end.reason:
            LOG.error("%s", end.reason)
        elif end.code == 0:
            LOG.info("Telamon has stopped")
        self._systemd.close()
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for sock in (self._wake_in, self._wake_out):
            sock.close()
        return end.code


def _script_times(loaded: Plans) -> tuple[float, float]:
    """How long startup_script and shutdown_script may take, in seconds."""
    plan = loaded.router
    if plan is None:
        return 0.0, 0.0
    return (
        plan.startup_timeout if plan.startup is not None else 0.0,
        plan.shutdown_timeout if plan.shutdown is not None else 0.0,
    )


def _hard_stop(loaded: Plans) -> float | None:
    limit = loaded.proxy.process.hard_stop_after if loaded.proxy is not None else None
    return None if limit is None else limit / 1000


def _first_error(report: Report) -> str:
    first = max(report, key=lambda item: item.severity)
    return f"{first.span}: {first.message}" if first.span else first.message
