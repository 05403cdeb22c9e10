"""Who is told of changes of state: notify scripts, FIFOs, mail."""

from __future__ import annotations

import os
import pwd
import socket

from telamon.base.diagnostic import Report
from telamon.keepalived import codes
from telamon.keepalived.lower_tracking import Scripts
from telamon.keepalived.model import (
    Command,
    GlobalDefs,
    Notified,
)
from telamon.plan.router import (
    CommandPlan,
    FifoPlan,
    MailPlan,
    NotifyPlan,
)


def lower_notify(
    node: Notified, globals_: GlobalDefs, scripts: Scripts, report: Report
) -> NotifyPlan:
    """The notify words of an instance or a group."""

    def command(field: str) -> CommandPlan | None:
        return scripts.command(getattr(node, field), node.at(field), report)

    mail = node.smtp_alert
    if mail is None:
        mail = (
            globals_.smtp_alert_vrrp
            if globals_.smtp_alert_vrrp is not None
            else globals_.smtp_alert
        )
    return NotifyPlan(
        master=command("notify_master"),
        backup=command("notify_backup"),
        fault=command("notify_fault"),
        stop=command("notify_stop"),
        deleted=command("notify_deleted"),
        tell_deleted=node.notify_deleted_set,
        any=command("notify"),
        lower_priority_heard=command("notify_master_rx_lower_pri"),
        priority_changes=either(node.notify_priority_changes, globals_.notify_priority_changes),
        mail=bool(mail),
    )


def lower_fifos(globals_: GlobalDefs, scripts: Scripts, report: Report) -> tuple[FifoPlan, ...]:
    """The FIFOs for VRRP's changes of state, each with the program that reads it."""
    found: dict[str, FifoPlan] = {}
    for field in ("notify_fifo", "vrrp_notify_fifo"):
        node: Command | None = getattr(globals_, field)
        if node is None or not node.arguments:
            continue
        own = scripts.command(node, globals_.at(field), report)
        reader = f"{field}_script"
        path = node.arguments[0]
        if path in found:
            report.warning(
                codes.ADJUSTED, f"'{path}' is a FIFO for two purposes", globals_.at(field),
                help="give each FIFO a name of its own; this one is left out",
            )  # fmt: skip
            continue
        found[path] = FifoPlan(
            path,
            own.uid if own and node.user else None,
            own.gid if own and node.user else None,
            scripts.command(getattr(globals_, reader), globals_.at(reader), report),
            field == "vrrp_notify_fifo",
        )
    return tuple(found.values())


def lower_mail(globals_: GlobalDefs, wanted: bool, report: Report) -> MailPlan | None:
    """Where mail goes; None if it has nowhere to go, which is told if it is `wanted`."""
    if globals_.smtp_server is None or not globals_.mail_to:
        if wanted:
            missing = "smtp_server" if globals_.smtp_server is None else "notification_email"
            report.warning(
                codes.TRAP_MAIL, f"smtp_alert is on, but global_defs has no {missing}", None,
                help="no mail is sent: write smtp_server HOST and notification_email { ADDRESS }",
            )  # fmt: skip
        return None
    host = socket.gethostname()
    return MailPlan(
        globals_.smtp_server,
        globals_.smtp_port or 25,
        globals_.mail_from or f"{_own_user()}@{host}",
        tuple(globals_.mail_to),
        globals_.smtp_helo or host,
        globals_.smtp_timeout or 30.0,
        not globals_.no_email_faults,
    )


def _own_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        # A container may run as a number that has no name.
        return "root"


def either(own: bool | None, general: bool | None) -> bool:
    return bool(own if own is not None else general)
