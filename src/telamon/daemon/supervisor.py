"""The supervisor's edge: processes, sockets, signals and time around `telamon.daemon.core`.

It reads and checks the files, binds every listening socket, forks the roles and then only
forwards: what happens goes to the core, what the core wants is carried out. It stays
single-threaded, since it forks: a lock that another thread held would stay locked in the child.

Two ways to run. In the foreground it is the process that was started. In the background
(`daemon` in the file, unless `--foreground` or systemd's NOTIFY_SOCKET say otherwise) the
process that was started waits until everything is ready, and exits with 1 and the reason if
that never happens.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from telamon import __version__
from telamon.base.diagnostic import Report, render
from telamon.daemon import control, logs, plans
from telamon.daemon.control import Client
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
    Channel,
    Failed,
    Message,
    NewPlan,
    ProxyUp,
    Ready,
    ReloadWanted,
    RouterStatus,
    Status,
    Stopping,
)
from telamon.daemon.notify import Systemd
from telamon.daemon.plans import Bindings, Files, Plans
from telamon.engine import IoEngine
from telamon.kernel.process import (
    Launch,
    Launched,
    PrivilegeError,
    check_privileges,
    close_descriptors,
    detach,
    die_with_parent,
    set_name,
)
from telamon.kernel.sockets import BindError, Change, SocketPool

LOG = logging.getLogger("telamon.supervisor")

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)

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
        _check(loaded)
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


def _check(loaded: Plans) -> None:
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


@dataclass(slots=True, eq=False)
class _Process:
    """A live child as the edge sees it."""

    role: Role
    pid: int
    pidfd: int
    channel: Channel
    since: float
    status: str = ""
    health: BackendHealth | None = None


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
        self._processes: dict[int, _Process] = {}
        self._instances: RouterStatus | None = None
        self._clients: dict[int, Client] = {}
        self._tokens = 0
        self._pidfile: Path | None = None
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
        self._router_began = False
        try:
            self._control = control.listen(options.run_dir)
        except control.ControlError as error:
            raise StartError(str(error)) from error
        try:
            self._bind()
        except BindError as error:
            self._remove_control()
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
        self._selector.register(self._control, selectors.EVENT_READ, self._client_came)
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
        for signum in _SIGNALS:
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
                self._send(pid, message)
            case OfferPlan(pid):
                if self._next is not None and self._next.plans.router is not None:
                    self._tell_coming_health(pid)
                    self._send(pid, NewPlan(self._next.plans.router, self._next.force))
            case TellProxyUp(router, proxy):
                self._tell_health(self._processes[proxy])
                self._send(router, ProxyUp(proxy), (self._processes[proxy].pidfd,))
            case Kill(pid, signum):
                if pid in self._processes:
                    signal.pidfd_send_signal(self._processes[pid].pidfd, signum)
            case ReleaseListeners():
                self._pool.close()
            case CommitReload():
                self._commit()
            case AbandonReload():
                self._abandon()
            case ProxyIs(pid):
                self._write_pidfile(pid)
            case Started():
                self._has_started()
            case Notify(lines):
                self._notify(lines)
            case Log(urgency, text):
                LOG.log(urgency, "%s", text)
            case Answer(token, ok, text):
                self._answer(token, {"ok": ok, "text": text})
            case Exit():
                self._exit = effect

    def _send(self, pid: int, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        process = self._processes.get(pid)
        if process is None:
            return
        try:
            process.channel.send(message, descriptors)
        except OSError as error:
            # It is dead (its end is about to be told) or stuck (its deadline will come).
            LOG.warning("the %s (pid %d) does not hear: %s", process.role, pid, error.strerror)

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
        try:
            start = self._starter(spawn)
        except BindError as error:
            self._apply(self._core.spawn_failed(spawn, str(error)))
            return
        parent = os.getpid()
        ours, theirs = Channel.pair()
        # No signal may arrive in the child while it still has our handlers and wake-up socket.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                self._be_child(spawn.role, theirs, parent, start)
        except OSError as error:
            for end in (ours, theirs):
                end.close()
            self._apply(self._core.spawn_failed(spawn, f"fork: {error.strerror}"))
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        theirs.close()
        ours.setblocking(False)
        process = _Process(spawn.role, pid, os.pidfd_open(pid), ours, time.monotonic())
        self._processes[pid] = process
        read = selectors.EVENT_READ
        self._selector.register(ours.fileno(), read, lambda: self._heard(process))
        self._selector.register(process.pidfd, read, lambda: self._died(process))
        self._apply(self._core.spawned(spawn, pid, process.since))

    def _starter(self, spawn: Spawn) -> Callable[[Channel, int], int]:
        """What the child shall run: a function of its channel and our pid.

        A role's code is imported here, before its fork: children share the pages, and one that
        is started again next year is of the version that runs, whatever was installed since.
        """
        if spawn.role is Role.ROUTER:
            return self._router_starter()
        if spawn.candidate:
            assert self._next is not None and self._next.change is not None
            return self._proxy_starter(
                self._next.plans, self._next.bindings, self._next.change.descriptors
            )
        assert self._bindings is not None
        # Nothing new to bind, unless the sockets were released when the proxy was stopped.
        change = self._pool.change(self._bindings.wishes)
        descriptors = change.descriptors
        change.commit()
        return self._proxy_starter(self._plans, self._bindings, descriptors)

    def _router_starter(self) -> Callable[[Channel, int], int]:
        from telamon.daemon import vrrp

        plan = self._plans.router
        assert plan is not None
        if self._router_began:
            # It stands before everything, not before each restart.
            plan = replace(plan, startup=None)
        self._router_began = True
        own = logging.getLogger("telamon.vrrp")
        # In the foreground the router's own writer never waits for a slow terminal.
        write = None if self._in_foreground else (lambda level, text: own.log(level, "%s", text))

        def start(channel: Channel, parent: int) -> int:
            return vrrp.run(plan, channel, log=write, supervisor=parent)

        return start

    @property
    def _in_foreground(self) -> bool:
        return self._options.foreground or not (
            self._plans.proxy is not None and self._plans.proxy.process.daemon
        )

    def _proxy_starter(
        self, of: Plans, bindings: Bindings | None, descriptors: list[int]
    ) -> Callable[[Channel, int], int]:
        from telamon.daemon import proxy
        from telamon.engine import ListenerDescriptor

        assert of.proxy is not None and bindings is not None
        count = len(bindings.listeners)
        setup = proxy.ProxySetup(
            plan=of.proxy,
            listeners=[
                ListenerDescriptor(owner.id, listener.id, fd)
                for (owner, listener), fd in zip(bindings.listeners, descriptors, strict=False)
            ],
            stats=list(zip(bindings.stats, descriptors[count:], strict=True)),
            io=self._options.io,
            threads=self._options.threads,
            tracked=plans.tracked_backends(of.router),
        )
        self._child_keeps = descriptors

        def start(channel: Channel, parent: int) -> int:
            set_name("haproxy")
            return proxy.run(setup, channel, parent)

        return start

    def _be_child(
        self, role: Role, channel: Channel, parent: int, start: Callable[[Channel, int], int]
    ) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for signum in _SIGNALS:
                signal.signal(signum, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            # A terminal's Ctrl-C is for the supervisor alone, which stops the roles in order.
            os.setpgid(0, 0)
            if self._launch is not None:
                _close_terminal()
            sockets = self._child_keeps if role is Role.PROXY else []
            close_descriptors([channel.fileno(), *self._kept, *sockets])
            die_with_parent(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            code = start(channel, parent)
        except BaseException as error:
            LOG.exception("the %s failed", role)
            with contextlib.suppress(OSError):
                channel.send(Failed(f"{type(error).__name__}: {error}"))
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            # The parent's objects live on in this copy; none of their finalisers may run.
            os._exit(code)

    def _heard(self, process: _Process) -> None:
        """Take all messages that have come from a child."""
        while True:
            try:
                received = process.channel.receive()
            except BlockingIOError:
                return
            except OSError:
                received = None
            if received is None:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(process.channel.fileno())
                return
            message, descriptors = received
            for fd in descriptors:
                os.close(fd)
            self._take(process, message)

    def _take(self, process: _Process, message: Message) -> None:
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
                self._tell_health(process)
            case RouterStatus():
                self._instances = message
                self._systemd.send(f"STATUS={self._summary()}")
            case _:
                LOG.error("the %s says %s to nobody", process.role, type(message).__name__)

    def _tell_health(self, process: _Process) -> None:
        """Pass on what the current proxy says of its backends; others' are of no interest."""
        children = self._core.current
        proxy, router = children.get(Role.PROXY), children.get(Role.ROUTER)
        if process.health is None or proxy is None or router is None or proxy.pid != process.pid:
            return
        self._send(router.pid, process.health)

    def _tell_coming_health(self, router: int) -> None:
        """Before a new plan: the backends that it follows anew must not count as empty."""
        children = (self._core.candidate, self._core.current.get(Role.PROXY))
        known: dict[str, int] = {}
        for child in children:
            process = self._processes.get(child.pid) if child is not None else None
            if process is not None and process.health is not None:
                known |= dict(process.health.servers_up)
        if known:
            self._send(router, BackendHealth(tuple(known.items())))

    def _died(self, process: _Process) -> None:
        # Its last words first: they may hold the reason.
        self._heard(process)
        _, status = os.waitpid(process.pid, 0)
        self._selector.unregister(process.pidfd)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.channel.fileno())
        process.channel.close()
        os.close(process.pidfd)
        del self._processes[process.pid]
        if process.role is Role.ROUTER:
            self._instances = None
        code = os.waitstatus_to_exitcode(status)
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
            self._answer(token, {"ok": False, "text": text})
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
            _check(loaded)
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
            self._answer(token, {"ok": False, "text": text})

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

    def _client_came(self) -> None:
        try:
            sock, _ = self._control.accept()
        except OSError:
            return
        sock.setblocking(False)
        self._tokens += 1
        client = self._clients[self._tokens] = Client(sock, self._tokens)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._client_spoke(client))

    def _client_spoke(self, client: Client) -> None:
        requests = client.receive()
        if requests is None:
            self._selector.unregister(client.sock)
            client.sock.close()
            del self._clients[client.token]
            return
        for item in requests:
            force = item.get("force") is True
            self._command(client.token, item.get("command"), item.get("role"), force)

    def _command(self, token: int, command: object, role_name: object, force: bool) -> None:
        if command == "status":
            self._answer(token, self.status())
            return
        if command == "reload":
            self._reload(token, force)
            return
        role = next((role for role in Role if role.value == role_name), None)
        if role is None or command not in control.COMMANDS:
            self._answer(token, {"ok": False, "text": f"no such command: {command} {role_name}"})
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

    def _answer(self, token: int, document: dict[str, Any]) -> None:
        client = self._clients.get(token)
        if client is not None:
            client.answer(document)

    def status(self) -> dict[str, Any]:
        """What `telamon status` shows."""
        now = time.monotonic()
        document: dict[str, Any] = {
            "ok": True,
            "version": __version__,
            "pid": os.getpid(),
            "uptime": round(now - self._started, 3),
            "reloading": self._core.reloading,
            "stopping": self._core.closing,
            "draining": sorted(self._core.draining),
        }
        for role in self._core.roles:
            document[role.value] = self._role_status(role, now)
        return document

    def _role_status(self, role: Role, now: float) -> dict[str, Any]:
        child = self._core.current.get(role)
        if child is None:
            waits = role in self._core.wanted
            return {"state": "waiting to start again" if waits else "stopped", "pid": None}
        process = self._processes.get(child.pid)
        entry: dict[str, Any] = {
            "state": child.phase.value,
            "pid": child.pid,
            "since": round(now - child.since, 3),
            "text": process.status if process else "",
        }
        if role is Role.ROUTER:
            shown = self._instances.instances if self._instances else ()
            entry["instances"] = [
                {
                    "name": item.name,
                    "state": item.state,
                    "interface": item.interface,
                    "vrid": item.vrid,
                    "priority": item.priority,
                    "addresses": list(item.addresses),
                    "reason": item.reason,
                    "notices": [dataclasses.asdict(notice) for notice in item.notices],
                }
                for item in shown
            ]
            if self._instances is not None:
                entry["lateness"] = {
                    "buckets": [
                        {"at_most": bound, "timers": count}
                        for bound, count in self._instances.lateness
                    ],
                    "worst": round(self._instances.latest, 6),
                }
        return entry

    def _summary(self) -> str:
        """One line for systemd."""
        words = []
        for role in self._core.roles:
            child = self._core.current.get(role)
            words.append(f"{role} {child.phase.value if child else 'stopped'}")
        if self._instances is not None:
            words += [f"{item.name} {item.state}" for item in self._instances.instances]
        return ", ".join(words)

    # -- files and the end ----------------------------------------------------------------

    def _write_pidfile(self, pid: int | None) -> None:
        """The proxy's pid, as HAProxy writes it; renamed into place, never half written."""
        plan = self._plans.proxy
        name = plan.process.pidfile if plan is not None else None
        path = Path(name) if name is not None and pid is not None else None
        if self._pidfile is not None and self._pidfile != path:
            with contextlib.suppress(OSError):
                self._pidfile.unlink()
        self._pidfile = None
        if path is None:
            return
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            draft.write_text(f"{pid}\n")
            draft.rename(path)
            self._pidfile = path
        except OSError as error:
            LOG.error("cannot write the pidfile %s: %s", path, error.strerror)

    def _remove_control(self) -> None:
        self._control.close()
        with contextlib.suppress(OSError):
            (self._options.run_dir / control.NAME).unlink()

    def _finish(self, end: Exit) -> int:
        self._pool.close()
        self._write_pidfile(None)
        self._remove_control()
        for client in self._clients.values():
            client.sock.close()
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


def _close_terminal() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
