"""Agent checks: no server has one yet, and HAProxy's answers to that stand here."""

from __future__ import annotations

from telamon.plan.process import StatsLevel
from telamon.plan.proxy import Proxy, Server
from telamon.runtime.commands.base import Command, Context, find_server
from telamon.runtime.ports import CommandError

OPTIONS = ("agent", "agent-addr", "agent-port", "agent-send")
"""What `set server` may be told of them."""


def set_agent(context: Context, proxy: Proxy, server: Server, words: list[str]) -> str:
    raise CommandError("agent checks are not enabled on this server.")


def enable_agent(context: Context, words: list[str]) -> str:
    find_server(context.control, words)
    raise CommandError("Agent was not configured on this server, cannot enable.")


def disable_agent(context: Context, words: list[str]) -> str:
    find_server(context.control, words)
    return ""


COMMANDS = (
    Command("enable agent", "<bk>/<srv>", "resume agent checks", enable_agent, StatsLevel.ADMIN),
    Command("disable agent", "<bk>/<srv>", "suspend agent checks", disable_agent, StatsLevel.ADMIN),
)
