"""Commands about the client's own session: its level and its timeout."""

from __future__ import annotations

from telamon.base.units import UnitError, parse_time
from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context
from telamon.runtime.ports import CommandError


def set_timeout(context: Context, words: list[str]) -> str:
    try:
        context.timeout = parse_time(words[0] if words else "", "s")
    except UnitError:
        raise CommandError("Invalid timeout value.") from None
    return ""


def lower_to_operator(context: Context, words: list[str]) -> str:
    context.lower_to(StatsLevel.OPERATOR)
    return ""


def lower_to_user(context: Context, words: list[str]) -> str:
    context.lower_to(StatsLevel.USER)
    return ""


_SEVERITY_OUTPUTS = ("none", "number", "string")


def set_severity_output(context: Context, words: list[str]) -> str:
    if words[:1] not in [[word] for word in _SEVERITY_OUTPUTS]:
        raise CommandError("one of 'none', 'number', 'string' is a required argument")
    context.severity_output = words[0]
    return ""


COMMANDS = (
    Command(
        "set severity-output",
        "[none|number|string]",
        "mark messages with their severity",
        set_severity_output,
    ),
    Command(
        "set timeout cli",
        "<delay>",
        "change this session's timeout",
        lambda c, w: set_timeout(c, ["cli", *w]),
    ),
    Command("operator", "", "lower this session's level to operator", lower_to_operator),
    Command("user", "", "lower this session's level to user", lower_to_user),
)
