"""The proxy role: the Rust data plane and the control loop beside it.

`run` is called in a forked child of the supervisor. The order matters: descriptor limits and
the engine while the process may still raise them; log sockets and everything that is imported
while the file system is still whole; then `chroot` and the change of user; then the data
threads; then Ready. Nothing may be imported after `chroot`.

It leaves by one of three ways: at once (SIGTERM, SIGINT, Stop, or the supervisor's death),
softly (SIGUSR1, SoftStop: the listeners close, streams end or their grace does), or by failing
to start. The first two exit with 0, as HAProxy does.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from telamon.daemon import limits
from telamon.daemon.checker import Checker
from telamon.daemon.control_proxy import EngineControl, Limits, MemoryMeter, make_targets
from telamon.daemon.messages import (
    BackendHealth,
    Channel,
    Failed,
    Message,
    Ready,
    ServeClient,
    SoftStop,
    Status,
    Stop,
    Stopping,
)
from telamon.daemon.proxy_log import ProxyLog
from telamon.daemon.script_pool import ScriptPool
from telamon.daemon.servers import Servers
from telamon.daemon.stats_sockets import StatsSockets
from telamon.engine import (
    Engine,
    EngineMessage,
    IoEngine,
    ListenerDescriptor,
    PageRequest,
    ScriptCall,
    ScriptCallOver,
    ServerErrors,
    Snapshot,
)
from telamon.kernel.process import (
    PrivilegeError,
    Privileges,
    allow_core_dump,
    die_with_parent,
    drop_privileges,
    usable_cpus,
)
from telamon.plan.process import Level, ProcessPlan, StatsSocket
from telamon.plan.proxy import Proxy, ProxyPlan
from telamon.runtime import page
from telamon.script.registry import load

LOG = logging.getLogger("telamon.proxy")

_POLL = 0.05
"""How often a soft stop looks whether the last stream has ended, and how soon a message that the
supervisor had no room for is tried again, in seconds."""

_WATCH = 0.2
"""How often the data threads are looked after, in seconds."""

_LOG_LEVELS = {
    Level.EMERG: logging.CRITICAL,
    Level.ALERT: logging.WARNING,
    Level.WARNING: logging.WARNING,
}


@dataclass(frozen=True, slots=True)
class ProxySetup:
    """What the supervisor hands to a proxy. `stats` pairs each stats socket with its descriptor."""

    plan: ProxyPlan
    listeners: Sequence[ListenerDescriptor]
    stats: Sequence[tuple[StatsSocket, int]]
    io: IoEngine = IoEngine.AUTO
    threads: int | None = None
    tracked: frozenset[str] = frozenset()
    """The backends that the router follows (`track_backend`)."""
    startup_logs: str = ""
    """What was said about the configuration, for `show startup-logs`."""


def privileges(process: ProcessPlan) -> Privileges:
    """`chroot`, `user` and `group` of the file."""
    return Privileges(process.chroot, process.uid, process.gid, process.user, process.group)


def give_up_rights(process: ProcessPlan, parent: int | None = None) -> None:
    """Become the user of the file, in its root; a child still ends with its `parent`.
    PrivilegeError, OSError or ValueError if that cannot be."""
    drop_privileges(privileges(process))
    if parent is not None:
        # The change of user made the kernel forget it.
        die_with_parent(parent)
    if process.dumpable:
        allow_core_dump()


def run(setup: ProxySetup, channel: Channel, supervisor: int) -> int:
    """Be the proxy until told to stop; returns the exit status. `supervisor` is its pid."""
    try:
        role = ProxyRole(setup, channel)
        give_up_rights(setup.plan.process, supervisor)
    except (PrivilegeError, OSError, ValueError) as error:
        channel.send(Failed(str(error)))
        return 1
    return asyncio.run(role.main())


class ProxyRole:
    """One proxy process. The constructor does what must come before privileges are dropped.

    `channel` leads to the supervisor; None where there is none (see `standalone_haproxy_role.py`).
    """

    def __init__(self, setup: ProxySetup, channel: Channel | None) -> None:
        threads = setup.threads or setup.plan.process.nbthread or usable_cpus()
        allowance = limits.allow(setup.plan, threads)
        if allowance.warning and setup.plan.process.strict_limits:
            raise ValueError(f"strict-limits: {allowance.warning}")
        if allowance.warning:
            LOG.warning("%s", allowance.warning)
        process = replace(setup.plan.process, maxconn=allowance.connections)
        self._setup, self._channel = setup, channel
        self.plan = replace(setup.plan, process=process)
        self.engine = Engine(self.plan, setup.listeners, io=setup.io, threads=threads)
        # The files of scripts are read while they can be: as the user of the start, before chroot.
        self._scripts = ScriptPool(load(self.plan.process.python_files), self.engine.answer)
        for listener in setup.listeners:
            # The engine has its duplicates. A second one here would keep a port listening, with
            # nobody to accept, after a soft stop.
            os.close(listener.fd)
        self._log = ProxyLog(process, self.engine.write_ring)
        for proxy in self.plan.proxies:
            self._log.open(proxy.logs)
        self._servers = Servers(self.plan, self.engine, time.monotonic, self._emit)
        self.control = EngineControl(
            self.plan,
            self.engine,
            self._servers,
            Limits(threads, allowance.descriptors, allowance.connections),
            MemoryMeter(),
        )
        self.control.startup_logs = setup.startup_logs
        self._checker = Checker(process.spread_checks)
        self._stats = StatsSockets(
            process,
            [(item, socket.socket(fileno=fd)) for item, fd in setup.stats],
            self.control,
        )
        self._gone: asyncio.Event
        self._code = 0
        self._soft: asyncio.Task[None] | None = None
        self._leave_at: float | None = None
        self._health: BackendHealth | None = None
        time.tzset()

    async def main(self) -> int:
        """The control loop."""
        loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._catch_signals(loop)
        if self._channel is not None:
            self._channel.setblocking(False)
            loop.add_reader(self._channel.fileno(), self._heard, self._channel)
        try:
            self.engine.start()
        except OSError as error:
            self._say(Failed(str(error)))
            return 1
        loop.add_reader(self.engine.event_fd(), self._engine_events)
        self._stats.start()
        self._checker.start(make_targets(self._servers, self.control))
        self._introduce()
        if self._setup.tracked:
            self._servers.changed = self._report_health
            self._report_health()
        # What is alive now stays: the collector need not look at the plan again.
        gc.collect()
        gc.freeze()
        self._say(Ready())
        watch = asyncio.create_task(self._watch_threads())
        await self._gone.wait()
        watch.cancel()
        await self._close(loop)
        return self._code

    async def _watch_threads(self) -> None:
        """A data thread that died took its streams along: start anew rather than limp."""
        while self.engine.dead_threads() == 0:
            await asyncio.sleep(_WATCH)
        self._code = 1
        self._say(Failed(f"{self.engine.dead_threads()} data thread(s) died"))
        self._leave()

    async def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        self._checker.stop()
        if self._soft is not None:
            self._soft.cancel()
        await self._stats.close(clients=True)
        loop.remove_reader(self.engine.event_fd())
        self._farewell()
        self.engine.stop()
        self._log.close()

    def _introduce(self) -> None:
        plan, engine = self.plan, self.engine
        where = [str(x.address) for p in plan.proxies if p.frontend for x in p.frontend.listeners]
        shown = ", ".join(where[:8]) + (f" and {len(where) - 8} more" if len(where) > 8 else "")
        LOG.info(
            "proxy ready: engine %s, %d thread(s), maxconn %d, listening on %s",
            engine.io_reason,
            self.control.threads,
            self.control.max_connections,
            shown or "nothing",
        )
        self._say(Status(f"engine {engine.io.value}, listening on {shown or 'nothing'}"))

    # -- signals and messages -------------------------------------------------------------

    def _catch_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._told_to_stop, signum)
        loop.add_signal_handler(signal.SIGUSR1, self._told_to_stop_softly)
        loop.add_signal_handler(signal.SIGHUP, self._told_to_reload)

    def _told_to_stop(self, signum: signal.Signals) -> None:
        self._say(Stopping(f"{signum.name} came"))
        self._leave()

    def _told_to_stop_softly(self) -> None:
        self._say(Stopping("SIGUSR1 came"))
        self._soft_stop(self.plan.process.hard_stop_after)

    def _told_to_reload(self) -> None:
        LOG.warning(
            "SIGHUP came to the proxy: it is the supervisor (pid %d) that reloads", os.getppid()
        )

    def _heard(self, channel: Channel) -> None:
        try:
            received = channel.receive()
        except BlockingIOError:
            return
        except OSError:
            received = None
        if received is None:
            # The supervisor is gone: nobody could ever stop us, and the VIP goes elsewhere.
            asyncio.get_running_loop().remove_reader(channel.fileno())
            self._leave()
            return
        message, descriptors = received
        if isinstance(message, ServeClient):
            self._stats.adopt(message.level, socket.socket(fileno=descriptors[0]))
            return
        for fd in descriptors:
            os.close(fd)
        match message:
            case Stop():
                self._leave()
            case SoftStop(grace):
                self._soft_stop(grace)
            case _:
                LOG.error("the proxy cannot take the message %s", type(message).__name__)

    def _say(self, message: Message) -> None:
        if self._channel is None:
            return
        try:
            self._channel.send(message)
        except OSError as error:
            LOG.warning("the supervisor does not hear: %s", error.strerror)

    def _report_health(self) -> None:
        """Tell the router which of its backends have how many servers, if that is news."""
        health = BackendHealth(self._servers.servers_up(self._setup.tracked))
        if health == self._health or self._channel is None:
            return
        try:
            self._channel.send(health)
        except BlockingIOError:
            asyncio.get_running_loop().call_later(_POLL, self._report_health)
        except OSError:
            # Nobody is there any more; reading the channel says so.
            return
        else:
            self._health = health

    def _leave(self) -> None:
        self._gone.set()

    def _soft_stop(self, grace: int | None) -> None:
        """Stop listening now; leave when the streams have ended, or after `grace` ms."""
        until = None if grace is None else time.monotonic() + grace / 1000
        if self._leave_at is None or (until is not None and until < self._leave_at):
            self._leave_at = until
        if self._soft is None:
            self.control.stopping = True
            self.engine.soft_stop()
            self._checker.stop()
            self._soft = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        await self._stats.close(clients=False)
        # A thread may be about to take a connection that the kernel accepted just before the
        # listeners closed: only two quiet looks in a row mean that nobody is left.
        quiet = 0
        while quiet < 2:
            quiet = 0 if self.engine.active() > 0 else quiet + 1
            if self._leave_at is not None and time.monotonic() >= self._leave_at:
                if quiet == 0:
                    LOG.warning("%d stream(s) cut off after their grace", self.engine.active())
                break
            await asyncio.sleep(_POLL)
        self._leave()

    # -- the engine's events --------------------------------------------------------------

    def _engine_events(self) -> None:
        for event in self.engine.events():
            match event:
                case PageRequest():
                    self._respond(event)
                case ScriptCall():
                    self._scripts.take(event)
                case ScriptCallOver(token):
                    self._scripts.abandon(token)
                case ServerErrors():
                    self._observed(event)
                case EngineMessage():
                    level = logging.getLevelName(event.level.upper())
                    LOG.log(level if isinstance(level, int) else logging.WARNING, "%s", event.text)

    def _observed(self, errors: ServerErrors) -> None:
        key = errors.proxy_id, errors.server_id
        if self._servers.observed(self._servers.records[key], errors.last):
            self._checker.hasten(self.control.targets[key])

    def _respond(self, request: PageRequest) -> None:
        try:
            answer = page.respond(request, self.control)
        except Exception:
            # One page that fails must not take the proxy with it.
            LOG.exception("the stats page failed")
            answer = _SERVER_ERROR
        self.engine.respond(request.token, answer)

    # -- logs -----------------------------------------------------------------------------

    def _emit(self, proxy: Proxy, level: Level, text: str) -> None:
        LOG.log(_LOG_LEVELS.get(level, logging.INFO), "%s", text)
        self._log.send(proxy.logs, level, text, tag=proxy.log_tag)

    def _farewell(self) -> None:
        """HAProxy's last words, one line a proxy."""
        snapshot = self.engine.snapshot()
        for proxy in self.plan.proxies:
            text = self._stopped(proxy, snapshot)
            self._log.send(proxy.logs, Level.WARNING, text, tag=proxy.log_tag)

    @staticmethod
    def _stopped(proxy: Proxy, snapshot: Snapshot) -> str:
        counters = snapshot.proxies.get(proxy.id)
        front = (counters.frontend or {}) if counters else {}
        back = (counters.backend or {}) if counters else {}
        return (
            f"Proxy {proxy.name} stopped (cumulated conns: FE: {front.get('conn_tot', 0)}, "
            f"BE: {back.get('stot', 0)})."
        )


_SERVER_ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n"
    b"cache-control: no-cache\r\nconnection: close\r\n\r\n"
)
