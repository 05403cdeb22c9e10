"""Frontends and the process as a whole: pausing, limits, counters."""

from __future__ import annotations

from telamon.plan.process import StatsLevel
from telamon.plan.proxy import Proxy
from telamon.runtime.commands.base import Command, Context, find_frontend, whole_number
from telamon.runtime.ports import CommandError


def disable_frontend(context: Context, words: list[str]) -> str:
    proxy = find_frontend(context.control, words)
    _refuse_shut_down(context, proxy, "disable")
    context.control.set_frontend_enabled(proxy.id, False)
    return ""


def enable_frontend(context: Context, words: list[str]) -> str:
    proxy = find_frontend(context.control, words)
    _refuse_shut_down(context, proxy, "enable")
    context.control.set_frontend_enabled(proxy.id, True)
    return ""


def _refuse_shut_down(context: Context, proxy: Proxy, what: str) -> None:
    counted = context.control.snapshot().proxies.get(proxy.id)
    if proxy.disabled or ((counted and counted.frontend) or {}).get("closed", 0):
        raise CommandError(f"Frontend was previously shut down, cannot {what}.")


def shutdown_frontend(context: Context, words: list[str]) -> str:
    """Its streams go on to their ends."""
    proxy = find_frontend(context.control, words)
    if proxy.disabled or not context.control.shutdown_frontend(proxy.id):
        raise CommandError("Frontend was already shut down.")
    return ""


def set_maxconn_frontend(context: Context, words: list[str]) -> str:
    proxy = find_frontend(context.control, words)
    limit = whole_number(words[1] if len(words) > 1 else "", "Integer value expected.")
    if limit < 0:
        raise CommandError("Value out of range.")
    context.control.set_frontend_maxconn(proxy.id, limit)
    return ""


def set_maxconn_global(context: Context, words: list[str]) -> str:
    limit = whole_number(words[0] if words else "", "Expects an integer value.")
    if limit < 0:
        raise CommandError("Value out of range.")
    context.control.set_process_maxconn(limit)
    return ""


def clear_counters(context: Context, words: list[str]) -> str:
    everything = words[:1] == ["all"]
    if everything and not context.may(StatsLevel.ADMIN):
        raise CommandError("Permission denied")
    context.control.clear_counters(everything)
    return ""


_ADMIN = StatsLevel.ADMIN
COMMANDS = (
    Command("disable frontend", "<frontend>", "pause a frontend", disable_frontend, _ADMIN),
    Command("enable frontend", "<frontend>", "resume a frontend", enable_frontend, _ADMIN),
    Command("shutdown frontend", "<frontend>", "stop a frontend for good", shutdown_frontend,
            _ADMIN),
    Command(
        "set maxconn frontend", "<frontend> <n>", "change its maxconn", set_maxconn_frontend, _ADMIN
    ),
    Command(
        "set maxconn global", "<n>", "change the process's maxconn", set_maxconn_global, _ADMIN
    ),
    Command(
        "clear counters",
        "[all]",
        "clear maximum counters (or all counters)",
        clear_counters,
        StatsLevel.OPERATOR,
    ),
)  # fmt: skip
