"""The router role: the core's decisions, carried out.

One process, one thread, one loop that waits in one place. Each wake-up reads everything that has
arrived (adverts, link and address changes, script results, the proxy's death, the supervisor),
hands it to the core and carries out the effects in the order given; only then are timers looked
at, so that a node that wakes late hears what was said meanwhile before it speaks.

Nothing in here may wait: scripts run in a helper (`telamon.daemon.scripts`), the log is written
only when it takes the line (`telamon.kernel.steady_log`), the supervisor's channel likewise, and
netlink answers within its own system call.

Without a supervisor (`channel` None) the role runs alone, as `keepalived` does.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from dataclasses import replace

from telamon.daemon.messages import Channel, Failed
from telamon.daemon.one_script import run_once
from telamon.daemon.router_log import RouterLog, Write
from telamon.daemon.router_role import Habits, RouterRole
from telamon.daemon.scripts import Helper
from telamon.kernel import libc
from telamon.kernel.process import die_with_parent, set_name
from telamon.plan.router import CommandPlan, RouterPlan
from telamon.vrrp.effects import Urgency

NAME = "keepalived"
"""What `pidof`, `pgrep -x` and `killall` know the role by."""


def run(
    plan: RouterPlan,
    channel: Channel | None,
    *,
    log: Write | None = None,
    supervisor: int | None = None,
    reload: Callable[[], RouterPlan | None] | None = None,
    habits: Habits | None = None,
) -> int:
    """Be the router until told to stop; the exit status.

    `supervisor` is the parent's pid, if the role shall not outlive it. Without a `channel`,
    `reload` gives the new plan on SIGHUP, or None (having said why) to keep the old one.
    """
    if supervisor is not None:
        die_with_parent(supervisor)
    set_name(NAME)
    writer = RouterLog(log)
    _run_script("startup_script", plan.startup, plan.startup_timeout, writer)
    plan = delayed(plan)
    # First of all: a fork gets dearer and riskier with everything that is open.
    helper = Helper.start()
    try:
        role = RouterRole(plan, channel, helper, writer, reload, habits or Habits())
    except OSError as error:
        reason = f"the router cannot start: {error.strerror or error} (CAP_NET_RAW, CAP_NET_ADMIN?)"
        if channel is not None:
            channel.send(Failed(reason))
        writer.say(Urgency.ERROR, reason)
        helper.close()
        os.waitpid(helper.pid, 0)
        return 1
    try:
        status = role.run()
    except Exception:
        role.give_up(traceback.format_exc())
        return 1
    finally:
        role.close()
    _run_script("shutdown_script", role.plan.shutdown, role.plan.shutdown_timeout, writer)
    return status


def _run_script(word: str, command: CommandPlan | None, timeout: float, log: RouterLog) -> None:
    """A script that stands before or after everything; a failure stops nothing."""
    if command is None:
        return
    log.info(f"running {word} {command.command[0]}")
    problem = run_once(command, timeout)
    if problem:
        log.warn(f"{word} {command.command[0]}: {problem}")


def delayed(plan: RouterPlan) -> RouterPlan:
    """With what `vrrp_delay_after_boot` leaves; `libc.now` counts from the boot."""
    left = plan.delay_after_boot - libc.now()
    return replace(plan, startup_delay=max(plan.startup_delay, left))
