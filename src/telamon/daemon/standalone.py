"""`telamon keepalived`: the router alone, as keepalived runs it.

A parent and a router, both named "keepalived", since scripts rely on the shape: the pid file
holds the parent's number and a signal sent there reaches the router. The parent reads the file,
so that parsing it never delays an advert, and starts the router again if it dies. If the parent
itself is killed the router leaves in good order (PR_SET_PDEATHSIG), and if both are its helper
takes the addresses away.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from telamon import __version__
from telamon.daemon import standalone_dump, vrrp
from telamon.daemon.messages import (
    Channel,
    Failed,
    Message,
    NewPlan,
    Ready,
    ReloadWanted,
    Status,
    Stop,
)
from telamon.daemon.notify import Systemd
from telamon.daemon.router_role import Habits
from telamon.daemon.spawn import fork, settle
from telamon.daemon.standalone_load import ExitCode, missing, read
from telamon.daemon.standalone_log import Log
from telamon.daemon.standalone_options import Options
from telamon.daemon.standalone_pids import PidFile, runs_already
from telamon.daemon.standalone_signals import DUMPS, REAL_TIME, Function
from telamon.kernel.namespaces import join_named
from telamon.kernel.process import (
    Launch,
    Launched,
    close_terminal,
    detach,
    set_name,
)
from telamon.kernel.reaping import signal_socket
from telamon.plan.router import RouterPlan
from telamon.runtime import keepalived_data

_RESPAWN_AFTER = 0.5
_LEAVES_WITHIN = 5.0
_CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
_HELD = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2),
    *REAL_TIME,
)


def main(options: Options) -> int:
    """Run until stopped; the exit status is keepalived's."""
    with contextlib.ExitStack() as stack:
        log = Log(options, "Keepalived")
        stack.callback(log.close)
        log.info(f"Starting Telamon {__version__} in the place of keepalived")
        log.info(f"Command line: {' '.join(repr(word) for word in sys.argv)}")
        for note in options.notes:
            log.warn(note)
        try:
            _prepare(options)
        except OSError as error:
            log.error(f"cannot start: {error.strerror}: {error.filename or ''}")
            return ExitCode.FAILED
        if missing(options.file):
            log.error(f"Config files missing '{options.file}'.")
            return ExitCode.SECURITY
        if _runs_already(options, log):
            return ExitCode.OK
        plan = _load(options, log)
        if plan is None:
            return ExitCode.CONFIG
        if plan.namespace is not None and options.namespace is None:
            # The command line's goes before that of the file.
            options = replace(options, namespace=plan.namespace)
            try:
                _prepare(options)
            except OSError as error:
                log.error(f"cannot start: net_namespace {plan.namespace}: {error.strerror}")
                return ExitCode.FAILED
            if _runs_already(options, log):
                return ExitCode.OK
        return _start(options, plan, log)


def _runs_already(options: Options, log: Log) -> bool:
    if runs_already(options.pid_path) or runs_already(options.vrrp_pid_path):
        log.error("daemon is already running")
        return True
    return False


def _prepare(options: Options) -> None:
    """Namespace and umask. OSError if there is no such namespace."""
    if options.umask is not None:
        os.umask(options.umask)
    if options.namespace is not None:
        join_named(options.namespace)
        options.pid_path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)


@contextlib.contextmanager
def _core_dumps(options: Options, log: Log) -> Iterator[None]:
    """Allow them, and set the machine's pattern as long as we run (-M)."""
    if options.core_dump:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    before = ""
    if options.core_pattern is not None:
        try:
            before = _CORE_PATTERN.read_text()
            _CORE_PATTERN.write_text(options.core_pattern)
        except OSError as error:
            log.warn(f"cannot set {_CORE_PATTERN}: {error.strerror}")
    yield
    if before:
        with contextlib.suppress(OSError):
            _CORE_PATTERN.write_text(before)


def _load(options: Options, log: Log) -> RouterPlan | None:
    log.info(f"Configuration file {options.file}")
    loaded = read(options)
    for line in loaded.lines:
        log.warn(line)
    return loaded.plan


def _start(options: Options, plan: RouterPlan, log: Log) -> int:
    systemd = Systemd(os.environ)
    launch: Launch | None = None
    if not options.foreground:
        sys.stderr.flush()
        outcome = detach()
        if isinstance(outcome, Launched):
            if not outcome.ok:
                sys.stderr.write(f"keepalived: {outcome.reason}\n")
            return ExitCode.OK if outcome.ok else ExitCode.FAILED
        launch = outcome
        os.chdir("/")
    with contextlib.ExitStack() as stack:
        stack.callback(systemd.close)
        # Here and not before: the launcher must not put the pattern back.
        stack.enter_context(_core_dumps(options, log))
        try:
            own = stack.enter_context(PidFile(options.pid_path))
            own.write(os.getpid())
        except OSError as error:
            reason = f"cannot write {options.pid_path}: {error.strerror}"
            log.error(reason)
            if launch is not None:
                launch.fail(reason)
            return ExitCode.FAILED
        pids = stack.enter_context(PidFile(options.vrrp_pid_path))
        return _Parent(options, plan, log, systemd, launch, pids).run()


class _Parent:
    def __init__(
        self,
        options: Options,
        plan: RouterPlan,
        log: Log,
        systemd: Systemd,
        launch: Launch | None,
        pids: PidFile,
    ) -> None:
        self._options, self._plan, self._log = options, plan, log
        self._systemd, self._launch, self._pids = systemd, launch, pids
        self._child: int | None = None
        self._pidfd = -1
        self._channel: Channel | None = None
        self._offered: RouterPlan | None = None
        self._respawn_at: float | None = None
        self._kill_at: float | None = None
        self._ready = False
        self._code: int | None = None
        self._stopping = False

    def run(self) -> int:
        set_name(vrrp.NAME)
        self._selector = selectors.DefaultSelector()
        reader, writer = signal_socket(REAL_TIME)
        self._signals = reader
        self._selector.register(reader, selectors.EVENT_READ, self._read_signals)
        if self._options.dump:
            for line in keepalived_data.render_globals(self._plan).splitlines():
                self._log.info(line)
        self._spawn()
        while self._code is None:
            for key, _events in self._selector.select(self._timeout()):
                key.data()
            self._check_times()
        self._forget_child()
        self._selector.close()
        signal.set_wakeup_fd(-1)
        reader.close()
        writer.close()
        self._log.info(f"Stopped Telamon {__version__}")
        return self._code

    def _timeout(self) -> float | None:
        times = [at for at in (self._respawn_at, self._kill_at) if at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _check_times(self) -> None:
        now = time.monotonic()
        if self._respawn_at is not None and self._respawn_at <= now:
            self._respawn_at = None
            # startup_script stands before everything, not before each new router.
            self._plan = replace(self._plan, startup=None)
            self._spawn()
        if self._kill_at is not None and self._kill_at <= now and self._child is not None:
            self._kill_at = None
            self._log.error("the router does not leave in time: killed")
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    # The router

    def _spawn(self) -> None:
        pid, ours = fork(_HELD, self._be_router)
        self._child, self._channel, self._ready = pid, ours, False
        self._pidfd = os.pidfd_open(pid)
        self._selector.register(ours.fileno(), selectors.EVENT_READ, self._hear)
        self._selector.register(self._pidfd, selectors.EVENT_READ, self._died)
        try:
            self._pids.write(pid)
        except OSError as error:
            self._log.error(f"cannot write {self._pids.path}: {error.strerror}")
        self._log.info(f"Starting VRRP child process, pid={pid}")

    def _be_router(self, channel: Channel, parent: int) -> int:
        # A terminal's Ctrl-C is for the parent, which stops the router in order.
        os.setpgid(0, 0)
        if self._launch is not None:
            close_terminal()
        settle(_HELD, (channel.fileno(),), signal.SIG_IGN)
        log = Log(self._options, "Keepalived_vrrp", "_vrrp")
        habits = Habits(self._options.keep_addresses, self._options.report_addresses)
        return vrrp.run(self._plan, channel, log=log.write, supervisor=parent, habits=habits)

    def _hear(self) -> None:
        if self._channel is not None and not self._channel.hear(self._take):
            self._lose_channel()

    def _lose_channel(self) -> None:
        if self._channel is not None:
            self._selector.unregister(self._channel.fileno())
            self._channel.close()
            self._channel = None

    def _take(self, message: Message) -> None:
        match message:
            case Ready():
                self._is_ready()
            case Failed(reason):
                self._failed(reason)
            case ReloadWanted(force):
                self._reload(force)
            case Status(text):
                self._systemd.send(f"STATUS={text}")
            case _:
                pass

    def _is_ready(self) -> None:
        self._ready = True
        if self._offered is not None:
            self._plan, self._offered = self._offered, None
            self._log.info("Configuration reloaded")
        if self._launch is not None:
            self._launch.succeed()
            self._launch = None
        self._systemd.send("READY=1", f"MAINPID={os.getpid()}")

    def _failed(self, reason: str) -> None:
        if self._offered is not None:
            self._offered = None
            self._log.error(f"reload refused, nothing changed: {reason}")
            self._systemd.send("READY=1")
            return
        self._log.error(reason)
        if self._launch is not None:
            self._launch.fail(reason)
            self._launch = None
            self._code = ExitCode.FAILED

    def _died(self) -> None:
        assert self._child is not None
        self._hear()
        child, was_ready = self._child, self._ready
        _pid, status = os.waitpid(child, 0)
        self._forget_child()
        if self._stopping:
            self._code = ExitCode.OK
        elif self._code is not None:
            return
        elif not self._options.respawn or not was_ready:
            self._log.error(f"VRRP child process({child}) died: Exiting")
            self._code = os.waitstatus_to_exitcode(status) or ExitCode.FAILED
        else:
            self._log.error(f"VRRP child process({child}) died: Respawning")
            self._respawn_at = time.monotonic() + _RESPAWN_AFTER

    def _forget_child(self) -> None:
        self._lose_channel()
        if self._pidfd >= 0:
            self._selector.unregister(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        self._child, self._offered = None, None

    # Signals

    def _read_signals(self) -> None:
        for number in self._signals.recv(64):
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
            elif number in (Function.RELOAD, Function.RELOAD_FORCE):
                self._reload(number == Function.RELOAD_FORCE)
            elif number in DUMPS and self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, number)
                if number == Function.DATA:
                    standalone_dump.write_parent(self._plan, self._log.warn)

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._log.info("Stopping")
        self._systemd.send("STOPPING=1")
        self._respawn_at = None
        if self._child is None:
            self._code = ExitCode.OK
            return
        script = self._plan.shutdown_timeout if self._plan.shutdown is not None else 0.0
        self._kill_at = time.monotonic() + _LEAVES_WITHIN + script
        self._tell(Stop())

    def _reload(self, force: bool) -> None:
        """Read and check first; what is wrong leaves the old plan as it is."""
        if self._stopping or self._channel is None:
            return
        self._log.info("Reloading")
        self._systemd.reloading()
        plan = _load(self._options, self._log)
        if plan is None:
            self._log.error("reload refused, nothing changed: the configuration is not sound")
            self._systemd.send("READY=1")
            return
        self._offered = plan
        self._tell(NewPlan(plan, force))

    def _tell(self, message: Stop | NewPlan) -> None:
        try:
            if self._channel is not None:
                self._channel.send(message)
        except OSError as error:
            # It is dead, and its pidfd is about to say so.
            self._log.warn(f"the router does not hear: {error.strerror}")
