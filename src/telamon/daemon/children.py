"""The supervisor's children: what each role runs, and the fork into it.

A role's code is imported here, before its fork: children share the pages, and one that is started
again next year is of the version that runs, whatever was installed since.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from telamon.daemon import plans
from telamon.daemon.effects import Role
from telamon.daemon.messages import Channel, Failed
from telamon.daemon.plans import Bindings, Plans
from telamon.daemon.spawn import fork, settle
from telamon.engine import IoEngine
from telamon.kernel.namespaces import join_named
from telamon.kernel.process import close_terminal, die_with_parent, set_name
from telamon.plan.router import RouterPlan

LOG = logging.getLogger("telamon.supervisor")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
"""What the supervisor catches, and a child begins without."""


@dataclass(frozen=True, slots=True)
class Child:
    """`start` gets the child's channel and the supervisor's pid; its result is the exit status.

    `keeps` are the descriptors that it needs besides.
    """

    start: Callable[[Channel, int], int]
    keeps: Sequence[int] = ()


def router(plan: RouterPlan, *, foreground: bool) -> Child:
    from telamon.daemon import vrrp

    own = logging.getLogger("telamon.vrrp")
    # In the foreground the router's own writer never waits for a slow terminal.
    write = None if foreground else (lambda level, text: own.log(level, "%s", text))

    def start(channel: Channel, parent: int) -> int:
        if plan.namespace is not None:
            try:
                join_named(plan.namespace)
            except OSError as error:
                channel.send(Failed(f"net_namespace {plan.namespace}: {error.strerror}"))
                return 1
        return vrrp.run(plan, channel, log=write, supervisor=parent)

    return Child(start)


def proxy(
    of: Plans, bindings: Bindings, descriptors: list[int], io: IoEngine, threads: int | None
) -> Child:
    """`descriptors` are those of the listeners and then of the stats sockets, in their order."""
    from telamon.daemon import proxy
    from telamon.engine import ListenerDescriptor

    assert of.proxy is not None
    count = len(bindings.listeners)
    setup = proxy.ProxySetup(
        plan=of.proxy,
        listeners=[
            ListenerDescriptor(owner.id, listener.id, fd)
            for (owner, listener), fd in zip(bindings.listeners, descriptors, strict=False)
        ],
        stats=list(zip(bindings.stats, descriptors[count:], strict=True)),
        io=io,
        threads=threads,
        tracked=plans.tracked_backends(of.router),
        startup_logs=of.said,
    )

    def start(channel: Channel, parent: int) -> int:
        set_name("haproxy")
        return proxy.run(setup, channel, parent)

    return Child(start, descriptors)


def begin(
    role: Role, child: Child, kept: Iterable[int], *, leave_terminal: bool
) -> tuple[int, Channel]:
    """Fork: the child's pid, and our end of its channel. `kept` stay open. OSError if it fails."""
    keeps = (*kept, *child.keeps)

    def work(channel: Channel, parent: int) -> int:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        # A terminal's Ctrl-C is for the supervisor alone, which stops the roles in order.
        os.setpgid(0, 0)
        if leave_terminal:
            close_terminal()
        settle(SIGNALS, (channel.fileno(), *keeps))
        die_with_parent(parent)
        return child.start(channel, parent)

    def failed(error: BaseException) -> None:
        LOG.error("the %s failed", role, exc_info=error)

    return fork(SIGNALS, work, failed)
