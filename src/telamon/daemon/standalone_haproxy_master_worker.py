"""What a worker of the master does from its fork to its end."""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterable, Sequence

from telamon.base.address import FdAddress
from telamon.daemon.messages import Channel, Failed
from telamon.daemon.proxy import ProxySetup, give_up_rights
from telamon.daemon.spawn import settle
from telamon.daemon.standalone_haproxy_console import Console
from telamon.daemon.standalone_haproxy_role import HaproxyRole, serve
from telamon.kernel.process import PrivilegeError, close_terminal, die_with_parent
from telamon.plan.proxy import ProxyPlan


def be_worker(
    setup: ProxySetup,
    descriptors: Sequence[int],
    signals: Collection[signal.Signals],
    console: Console,
    leave_terminal: bool,
    channel: Channel,
    parent: int,
) -> int:
    """In the forked child: the exit status. `signals` are those that the master catches."""
    if leave_terminal:
        close_terminal()
        console.quiet = True
    settle(signals, (channel.fileno(), *descriptors, *_inherited(setup.plan)))
    die_with_parent(parent)
    console.introduced = True
    return _work(setup, channel, parent, console)


def _work(setup: ProxySetup, channel: Channel, parent: int, console: Console) -> int:
    try:
        role = HaproxyRole(setup, channel, console)
        give_up_rights(setup.plan.process, parent)
    except (PrivilegeError, OSError, ValueError) as error:
        channel.send(Failed(str(error)))
        return 1
    return serve(role)


def _inherited(plan: ProxyPlan) -> Iterable[int]:
    """Descriptors that log lines name (`log fd@5`)."""
    targets = [*plan.process.logs, *(log for proxy in plan.proxies for log in proxy.logs)]
    return {t.address.fd for t in targets if isinstance(t.address, FdAddress)}
