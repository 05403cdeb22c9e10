"""The supervisor's live children: their descriptors, what they have said, what they are told."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from telamon.daemon.core import Core
from telamon.daemon.effects import Role
from telamon.daemon.messages import BackendHealth, Channel, Message, ProxyUp

LOG = logging.getLogger("telamon.supervisor")


@dataclass(slots=True, eq=False)
class Process:
    """A live child as the edge sees it."""

    role: Role
    pid: int
    pidfd: int
    channel: Channel
    since: float
    status: str = ""
    health: BackendHealth | None = None


class Processes:
    """By pid. `take` gets what a child says, `died` is called when one is dead."""

    def __init__(
        self,
        core: Core,
        take: Callable[[Process, Message], None],
        died: Callable[[Process], None],
    ) -> None:
        self._core, self._take, self._died = core, take, died
        self._live: dict[int, Process] = {}
        self._selector: selectors.BaseSelector | None = None

    def begin(self, selector: selectors.BaseSelector) -> None:
        """From now on the loop that uses this selector listens to them."""
        self._selector = selector

    def add(self, role: Role, pid: int, channel: Channel) -> Process:
        """One that was forked just now."""
        process = Process(role, pid, os.pidfd_open(pid), channel, time.monotonic())
        self._live[pid] = process
        assert self._selector is not None
        read = selectors.EVENT_READ
        self._selector.register(channel.fileno(), read, lambda: self.hear(process))
        self._selector.register(process.pidfd, read, lambda: self._died(process))
        return process

    def statuses(self) -> dict[int, str]:
        return {process.pid: process.status for process in self._live.values()}

    def hear(self, process: Process) -> None:
        """Take all messages that have come from a child."""
        if not process.channel.hear(partial(self._take, process)):
            self._forget(process.channel.fileno())

    def _forget(self, fd: int) -> None:
        assert self._selector is not None
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)

    def bury(self, process: Process) -> int:
        """A dead one's exit code, below 0 for a signal; its descriptors are closed."""
        _, status = os.waitpid(process.pid, 0)
        self._forget(process.pidfd)
        self._forget(process.channel.fileno())
        process.channel.close()
        os.close(process.pidfd)
        del self._live[process.pid]
        return os.waitstatus_to_exitcode(status)

    def send(self, pid: int, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        process = self._live.get(pid)
        if process is None:
            return
        try:
            process.channel.send(message, descriptors)
        except OSError as error:
            # It is dead (its end is about to be told) or stuck (its deadline will come).
            LOG.warning("the %s (pid %d) does not hear: %s", process.role, pid, error.strerror)

    def signal(self, pid: int, signum: signal.Signals) -> None:
        if pid in self._live:
            signal.pidfd_send_signal(self._live[pid].pidfd, signum)

    def tell_proxy_up(self, router: int, proxy: int) -> None:
        """The router gets the proxy's pidfd, so that the kernel tells it of the proxy's death."""
        self.tell_health(self._live[proxy])
        self.send(router, ProxyUp(proxy), (self._live[proxy].pidfd,))

    def tell_health(self, process: Process) -> None:
        """Pass on what the current proxy says of its backends; others' are of no interest."""
        children = self._core.current
        proxy, router = children.get(Role.PROXY), children.get(Role.ROUTER)
        if process.health is None or proxy is None or router is None or proxy.pid != process.pid:
            return
        self.send(router.pid, process.health)

    def tell_coming_health(self, router: int) -> None:
        """Before a new plan: the backends that it follows anew must not count as empty."""
        children = (self._core.candidate, self._core.current.get(Role.PROXY))
        known: dict[str, int] = {}
        for child in children:
            process = self._live.get(child.pid) if child is not None else None
            if process is not None and process.health is not None:
                known |= dict(process.health.servers_up)
        if known:
            self.send(router, BackendHealth(tuple(known.items())))
