"""The proxy as HAProxy behaves: its signals, its last words, its exit statuses.

| signal | effect |
|---|---|
| SIGTERM, SIGINT | the end, at once, by that signal: 143, 130 to a shell |
| SIGUSR1 | soft stop: the listeners close, streams end; exit status 0 |
| SIGHUP | the states of all servers, on stderr and in the logs |
| SIGQUIT | what memory is used |
| SIGTTOU, SIGTTIN | pause listening so that another process can bind; resume |
| SIGUSR2 | nothing: it is the master's |
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence

from telamon.daemon.messages import Channel, Message
from telamon.daemon.plans import Bindings
from telamon.daemon.proxy import LOG, ProxyRole, ProxySetup
from telamon.daemon.servers import BackendRecord, ServerRecord
from telamon.daemon.standalone_haproxy_console import Console
from telamon.daemon.standalone_haproxy_options import Options
from telamon.engine import Counters, IoEngine, ListenerDescriptor, Snapshot
from telamon.plan.process import Level
from telamon.plan.proxy import Proxy, ProxyPlan

_SETTLE = 0.02
"""How long the data threads have to let go of a listener before it is shut, in seconds."""


class HaproxyRole(ProxyRole):
    """`channel` leads to a master; without one `heard` gets what it would be told."""

    def __init__(
        self,
        setup: ProxySetup,
        channel: Channel | None,
        console: Console,
        heard: Callable[[Message], None] = lambda message: None,
    ) -> None:
        # Duplicates: shutting one down pauses the socket for all who share it.
        self._kept = {item.fd: os.dup(item.fd) for item in setup.listeners}
        self._console, self._tell = console, heard
        self._paused = False
        self.ended_by: signal.Signals | None = None
        super().__init__(setup, channel)
        self._stats.listening = lambda: tuple(self._listening())

    # -- signals --------------------------------------------------------------------------

    def _catch_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        for stop in (signal.SIGTERM, signal.SIGINT):
            # A shell's background job has Ctrl-C ignored, and HAProxy leaves it so.
            if signal.getsignal(stop) is not signal.SIG_IGN:
                loop.add_signal_handler(stop, self._told_to_stop, stop)
        loop.add_signal_handler(signal.SIGUSR1, self._told_to_stop_softly)
        loop.add_signal_handler(signal.SIGUSR2, lambda: None)
        loop.add_signal_handler(signal.SIGHUP, self._dump_states)
        loop.add_signal_handler(signal.SIGQUIT, self._dump_memory)
        loop.add_signal_handler(signal.SIGTTOU, self._pause)
        loop.add_signal_handler(signal.SIGTTIN, self._resume)

    def _told_to_stop(self, signum: signal.Signals) -> None:
        self.ended_by = signum
        self._leave()

    def _soft_stop(self, grace: int | None) -> None:
        self._release()
        if self._soft is None:
            for proxy in self.plan.proxies:
                self._console.warning(self._stopped(proxy, self.engine.snapshot()))
        super()._soft_stop(grace)

    def _release(self) -> None:
        for fd in self._kept.values():
            os.close(fd)
        self._kept.clear()

    # -- pausing --------------------------------------------------------------------------

    def _pause(self) -> None:
        """Management guide 4: another process wants to bind what we listen on."""
        if self._paused or self._soft is not None:
            return
        self._paused = True
        for proxy in self._frontends():
            self.engine.set_frontend_enabled(proxy.id, False)
            self._console.warning(f"Paused proxy {proxy.name}.")
        asyncio.get_running_loop().call_later(_SETTLE, self._shut)

    def _shut(self) -> None:
        for sock in self._sockets():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RD)

    def _resume(self) -> None:
        if not self._paused or self._soft is not None:
            return
        self._paused = False
        for sock in self._sockets():
            try:
                sock.listen()
            except OSError as error:
                self._console.warning(f"cannot listen again: {error.strerror}")
        for proxy in self._frontends():
            self.engine.set_frontend_enabled(proxy.id, True)
            self._console.warning(f"Resumed proxy {proxy.name}.")

    def _frontends(self) -> Iterator[Proxy]:
        return (p for p in self.plan.proxies if p.frontend is not None and not p.disabled)

    def _listening(self) -> list[int]:
        """Without those of frontends that were shut down."""
        closed = self.control.closed_frontends
        owners = {item.fd: item.proxy_id for item in self._setup.listeners}
        return [kept for fd, kept in self._kept.items() if owners[fd] not in closed]

    def _sockets(self) -> Iterator[socket.socket]:
        """The listeners of ports; a unix socket's path is free to be taken at any time."""
        for fd in self._listening():
            sock = socket.socket(fileno=fd)
            try:
                if sock.family != socket.AF_UNIX:
                    yield sock
            finally:
                sock.detach()

    # -- reports --------------------------------------------------------------------------

    def _dump_states(self) -> None:
        self._console.warning("SIGHUP received, dumping servers states.")
        snapshot = self.engine.snapshot()
        for proxy in self.plan.proxies:
            for text in self._states(proxy, snapshot):
                self._console.warning(text)
                self._log.send(proxy.logs, Level.NOTICE, text, tag=proxy.log_tag)

    def _states(self, proxy: Proxy, snapshot: Snapshot) -> Iterator[str]:
        counted = snapshot.proxies.get(proxy.id)
        front = (counted.frontend if counted else None) or {}
        back = (counted.backend if counted else None) or {}
        entry = self._servers.backends.get(proxy.id)
        for record in entry.servers if entry is not None else ():
            yield _server_state(record, counted.servers if counted else {})
        yield (
            f"SIGHUP: Proxy {proxy.name} {_backend_state(entry)} Conn: act(FE+BE): "
            f"{front.get('scur', 0)}+{back.get('scur', 0)}, {back.get('qcur', 0)} pend (0 unass), "
            f"tot(FE+BE): {front.get('stot', 0)}+{back.get('stot', 0)}."
        )

    def _dump_memory(self) -> None:
        used, streams = self.control.memory_bytes, self.engine.active()
        self._console.warning(
            f"SIGQUIT received: {used} bytes of memory are used, {streams} connection(s) are open."
        )

    def _emit(self, proxy: Proxy, level: Level, text: str) -> None:
        say = self._console.alert if level <= Level.ALERT else self._console.warning
        if level <= Level.NOTICE:
            say(text)
        self._log.send(proxy.logs, level, text, tag=proxy.log_tag)

    # -- the parent -----------------------------------------------------------------------

    def _say(self, message: Message) -> None:
        if self._channel is not None:
            super()._say(message)
        else:
            self._tell(message)

    def _introduce(self) -> None:
        LOG.info("engine %s, %d thread(s)", self.engine.io_reason, self.control.threads)


def _server_state(record: ServerRecord, counters: dict[int, Counters]) -> str:
    own = counters.get(record.server.id, {})
    state = "UP" if record.usable or record.health.up else "DOWN"
    return (
        f"SIGHUP: Server {record.proxy.name}/{record.server.name} is {state}. Conn: "
        f"{own.get('scur', 0)} act, {own.get('qcur', 0)} pend, {own.get('stot', 0)} tot."
    )


def _backend_state(entry: BackendRecord | None) -> str:
    if entry is None or not entry.servers:
        return "has no servers."
    active, backup = entry.usable()
    if active:
        return f"has {active} active servers and {backup} backup servers available."
    return "is running on backup servers." if backup else "has no server available !"


def make_setup(
    options: Options,
    plan: ProxyPlan,
    bindings: Bindings,
    descriptors: Sequence[int],
    console: Console,
) -> ProxySetup:
    """What a proxy process is given. `descriptors`: in the order of the wishes."""
    count = len(bindings.listeners)
    listeners = [
        ListenerDescriptor(owner.id, listener.id, fd)
        for (owner, listener), fd in zip(bindings.listeners, descriptors, strict=False)
    ]
    stats = list(zip(bindings.stats, descriptors[count:], strict=True))
    io = IoEngine.AUTO if options.epoll else IoEngine.URING
    said = "".join(f"{line}\n" for line in console.said)
    return ProxySetup(plan, listeners, stats, io=io, startup_logs=said)


def serve(role: HaproxyRole) -> int:
    """Runs it to its end: the exit status, unless a signal is to have ended the process."""
    code = asyncio.run(role.main())
    if role.ended_by is not None:
        _end_by(role.ended_by)
    return code


def _end_by(signum: signal.Signals) -> None:
    """End as the signal would have ended us: the waiting parent sees it."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
