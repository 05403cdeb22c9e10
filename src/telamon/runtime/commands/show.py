"""`show info`, `show stat` and the other tables that describe the process and its proxies."""

from __future__ import annotations

import json
import os
import time

from telamon.base.version import HAPROXY_VERSION
from telamon.plan.process import StatsLevel
from telamon.runtime import export, info
from telamon.runtime.commands.base import INFO, Command, Context
from telamon.runtime.ports import CommandError
from telamon.runtime.rows import Filter, Select, rows


def show_info(context: Context, words: list[str]) -> str:
    if "json" in words:
        return info.as_json(context.control) + "\n"
    describe = "desc" in words
    if "typed" in words:
        return info.as_typed(context.control, describe=describe)
    return info.as_text(context.control, describe=describe, precise="float" in words)


def show_stat(context: Context, words: list[str]) -> str:
    only, options = _stat_filter(context, words)
    lines = rows(context.control, only)
    if "json" in options:
        return export.to_json(lines) + "\n"
    if "typed" in options:
        return export.to_typed(lines)
    return export.to_csv(lines)


def _stat_filter(context: Context, words: list[str]) -> tuple[Filter, set[str]]:
    """`show stat [<iid>|<proxy> <type> <sid>] [option ...]`; bad numbers count as 0 (C's atoi)."""
    iid, kinds, sid = -1, Select(7), -1
    options = words
    if len(words) >= 3 and (_is_number(words[1]) or _is_number(words[2])):
        iid = _proxy_id(context, words[0])
        kinds = Select(_atoi(words[1]) & 7)
        sid = _atoi(words[2])
        options = words[3:]
    return (
        Filter(
            iid=iid if iid else -1,
            kinds=kinds,
            sid=sid if sid else -1,
            hide_down="up" in options,
            hide_maint="no-maint" in options,
        ),
        set(options),
    )


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _atoi(text: str) -> int:
    return int(text) if _is_number(text) else 0


def _proxy_id(context: Context, text: str) -> int:
    if _is_number(text):
        return int(text)
    for proxy in context.control.plan.proxies:
        if proxy.name == text:
            return proxy.id
    raise CommandError("No such proxy.")


def show_version(context: Context, words: list[str]) -> str:
    return context.say(INFO, HAPROXY_VERSION + "\n")


def show_backend(context: Context, words: list[str]) -> str:
    names = (p.name + "\n" for p in context.control.plan.proxies if p.backend is not None)
    return "# name\n" + "".join(names)


def show_env(context: Context, words: list[str]) -> str:
    if words:
        value = os.environ.get(words[0])
        if value is None:
            raise CommandError("Variable not found")
        return f"{words[0]}={value}\n"
    return "".join(f"{name}={value}\n" for name, value in os.environ.items())


def show_errors(context: Context, words: list[str]) -> str:
    return f"Total events captured on [{info.log_time(time.time())}] : 0\n"


def show_startup_logs(context: Context, words: list[str]) -> str:
    return context.control.startup_logs or "\n"


def show_schema(context: Context, words: list[str]) -> str:
    return json.dumps(export.JSON_SCHEMA, separators=(",", ":")) + "\n"


def show_level(context: Context, words: list[str]) -> str:
    return context.say(INFO, context.level.value + "\n")


def show_sockets(context: Context, words: list[str]) -> str:
    lines = [
        f"{socket.address} {socket.level.value} all\n"
        for socket in context.control.plan.process.stats_sockets
    ]
    return "# socket lvl processes\n" + "".join(lines)


COMMANDS = (
    Command(
        "show info", "[desc|json|typed|float]*", "report information about the process", show_info
    ),
    Command(
        "show stat",
        "[<iid>|<proxy> <type> <sid>] [json|no-maint|typed|up]*",
        "report counters for each proxy and server",
        show_stat,
    ),
    Command("show version", "", "show the version of this process", show_version),
    Command("show backend", "", "list the backends", show_backend),
    Command("show env", "[var]", "show the process's environment", show_env, StatsLevel.OPERATOR),
    Command("show errors", "", "report captured protocol errors", show_errors, StatsLevel.OPERATOR),
    Command("show startup-logs", "", "what was said while the process started", show_startup_logs),
    Command("show schema json", "", "report the schema of the JSON outputs", show_schema),
    Command("show cli level", "", "display the level of this session", show_level),
    Command("show cli sockets", "", "list the stats sockets", show_sockets, StatsLevel.OPERATOR),
)
